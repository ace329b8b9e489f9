package redisclient

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// A conn is the connection of a client. It hands what is written to the
// process, one request at a time, and has the replies read.
type conn struct {
	client *client
	in     []byte   // written, not yet a whole request
	args   [][]byte // of the command that is looked at
	buf    []byte   // where out starts
	out    []byte   // replies, not yet read
	failed error    // what is read after them; nil unless a request has failed
	closed atomic.Bool

	state  atomic.Pointer[connState] // nil if the server keeps nothing for it
	unread *subscribing              // a SUBSCRIBE that is written, and is executed by the next read
}

var _ net.Conn = (*conn)(nil)

var errNoRequest = errors.New("quiesce: a client reads a reply to no request")

// Write sends the requests that are complete with b, each when the one before
// has been answered. It returns the error of a call of [sim.Host]. If one of them
// fails, those after it are not sent, and the error is read.
func (c *conn) Write(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if c.failed != nil {
		return len(b), nil
	}
	data := b
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		data = c.in
	}
	rest, err := c.send(data, false)
	if err != nil {
		return 0, err
	}
	c.in = append(c.in[:0], rest...)
	return len(b), nil
}

// send sends the requests in data and returns what is not complete. It sends a
// block that has no EXEC command by command if alone is set.
func (c *conn) send(data []byte, alone bool) (rest []byte, err error) {
	for len(data) > 0 {
		var n int
		if c.args, n, err = nextCommand(c.args[:0], data); err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		v := VerbOf(c.args[0])
		switch {
		case !c.subscribed() && c.unread == nil && c.handshake():
			data = data[n:]
			continue
		case Is(c.args[0], "MULTI"):
			block, err := c.block(data, n)
			if err != nil {
				return nil, err
			}
			if block == 0 && !alone {
				return data, nil
			}
			n, v = max(n, block), Exec
		case v == Subscribe && !c.subscribed():
			c.subscribe(string(data[:n]), c.args[1:])
			data = data[n:]
			continue
		}
		reply, err := c.ask(string(data[:n]), v)
		if err != nil || c.failed != nil {
			return nil, err
		}
		c.put(reply.Body)
		data = data[n:]
	}
	return data, nil
}

// block returns the size of the block MULTI ... EXEC at the start of data, whose
// first command has size n, and 0 if it is not complete.
func (c *conn) block(data []byte, n int) (int, error) {
	for {
		var size int
		var err error
		if c.args, size, err = nextCommand(c.args[:0], data[n:]); size == 0 || err != nil {
			return 0, err
		}
		n += size
		if Is(c.args[0], "EXEC") {
			return n, nil
		}
	}
}

// handshake answers the command in c.args if it belongs to the handshake.
func (c *conn) handshake() bool {
	switch name := c.args[0]; {
	case Is(name, "HELLO"):
		c.put(string(hello))
	case Is(name, "AUTH"):
		c.put("+OK\r\n")
	case Is(name, "CLIENT") && len(c.args) > 1 && (Is(c.args[1], "SETINFO") || Is(c.args[1], "SETNAME")):
		c.put("+OK\r\n")
	case Is(name, "CLIENT") && len(c.args) > 1 && Is(c.args[1], "MAINT_NOTIFICATIONS"):
		c.put("-ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP.\r\n") // as of a server that has none
	default:
		return false
	}
	return true
}

func (c *conn) put(reply string) {
	if len(c.out) == 0 {
		c.out = c.buf[:0]
	}
	c.out = append(c.out, reply...)
	c.buf = c.out[:0]
}

// Read reads the replies to what was written.
func (c *conn) Read(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if len(c.out) == 0 && len(c.in) > 0 {
		rest, err := c.send(c.in, true)
		if err != nil {
			return 0, err
		}
		if len(rest) > 0 {
			return 0, io.ErrUnexpectedEOF
		}
		c.in = c.in[:0]
	}
	if len(c.out) == 0 && (c.unread != nil || c.subscribed()) {
		if err := c.receive(); err != nil {
			return 0, err
		}
	}
	if err := c.failed; err != nil && len(c.out) == 0 {
		c.failed = io.EOF
		return 0, err
	}
	if len(c.out) == 0 {
		// A client that reads on a goroutine of its own would fail by chance only: where
		// it writes before this read fails.
		if h := c.client.proc.Load(); h != nil {
			if err := (*h).Outside(); err != nil {
				return 0, err
			}
		}
		return 0, errNoRequest
	}
	n := copy(b, c.out)
	c.out = c.out[n:]
	return n, nil
}

// Close may be called on any goroutine, but on that of a task if the server keeps
// a state for the connection and the process goes on.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.unread != nil {
		c.unread.release()
	}
	return c.hangUp()
}

func (c *conn) LocalAddr() net.Addr              { return address }
func (c *conn) RemoteAddr() net.Addr             { return address }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

var address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6379}
