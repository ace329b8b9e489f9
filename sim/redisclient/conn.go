package redisclient

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// A conn is the connection of a client. It hands what is written to the
// process, one request at a time, and has the replies read: on the goroutines of the
// client, unless it has a stream.
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
	setup  setup
	multi  string  // a block MULTI ... EXEC that has no EXEC yet
	told   int     // replies to its commands that were answered
	stream *stream // nil unless requests and replies are on their way at the same time
}

var _ net.Conn = (*conn)(nil)

var errNoRequest = errors.New("quiesce: a client reads a reply to no request")

// Write sends the requests that are complete with b, each when the one before
// has been answered. It returns the error of a call of [sim.Host]. If one of them
// fails, those after it are not sent, and the error is read.
func (c *conn) Write(b []byte) (int, error) {
	switch {
	case c.closed.Load():
		return 0, net.ErrClosed
	case c.stream != nil:
		return c.stream.write(b)
	case c.failed != nil:
		return len(b), nil
	}
	n, err := c.write(b)
	if c.stream != nil { // since then
		c.stream.dispatch()
	}
	return n, err
}

// write is Write on an open connection.
func (c *conn) write(b []byte) (int, error) {
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

// send sends the requests in data and returns what is not complete. A client that waits
// for the reply to MULTI, as alone says, sends its block command by command.
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
		if c.multi != "" {
			if err := c.queue(string(data[:n])); err != nil || c.failed != nil {
				return nil, err
			}
			data = data[n:]
			continue
		}
		if answer, ok := c.aside(); ok {
			c.put(answer)
			data = data[n:]
			continue
		}
		switch {
		case Is(c.args[0], "MULTI"):
			block, err := c.block(data, n)
			if err != nil {
				return nil, err
			}
			if block == 0 && !alone && c.stream == nil {
				return data, nil
			}
			if block == 0 {
				c.multi, c.told = string(data[:n]), 1
				c.put(ok)
				data = data[n:]
				continue
			}
			n, v = block, Exec
		case c.stream == nil && c.client.host().Goroutines() && c.needsStream(v):
			c.stream = newStream(c)
		case c.stream == nil && v == Subscribe && !c.subscribed():
			c.subscribe(string(data[:n]), c.args[1:])
			data = data[n:]
			continue
		}
		if err := c.request(string(data[:n]), v, 0); err != nil || c.failed != nil {
			return nil, err
		}
		data = data[n:]
	}
	return data, nil
}

// needsStream says whether the command in c.args is one for which the server may send
// something at any time, or which waits there for a time.
func (c *conn) needsStream(v Verb) bool {
	timeout, _ := c.timeout(v)
	return v == Subscribe || timeout > 0
}

// aside answers the command in c.args if that is no request of a store.
func (c *conn) aside() (answer string, ok bool) {
	switch {
	case c.stream != nil && c.stream.subscribes && !c.setup.resp3:
		return pong, Is(c.args[0], "PING") && len(c.args) == 1
	case c.subscribed() || c.unread != nil:
		return "", false
	}
	return c.handshake()
}

// pong is the answer to PING on a connection that is subscribed, in RESP2.
const pong = "*2\r\n$4\r\npong\r\n$0\r\n\r\n"

// queue takes the command in c.args, which is one of an open block. The server does nothing
// with it before EXEC but to look whether it is one: if it is none, it says so to EXEC.
func (c *conn) queue(command string) error {
	body, told := c.multi+command, c.told
	switch {
	case Is(c.args[0], "EXEC"):
		c.multi, c.told = "", 0
		return c.request(body, Exec, told)
	case Is(c.args[0], "DISCARD"):
		c.multi, c.told = "", 0
		if st := c.state.Load(); c.stream != nil || st != nil && st.watching {
			return c.request(unwatch, Unwatch, 0)
		}
		c.put(ok)
	default:
		c.multi, c.told = body, told+1
		c.put("+QUEUED\r\n")
	}
	return nil
}

// unwatch is what DISCARD does beside forgetting the block.
const unwatch = "*1\r\n$7\r\nUNWATCH\r\n"

// request sends one request and has the replies read that were not told before.
func (c *conn) request(body string, v Verb, told int) error {
	if c.stream != nil {
		c.stream.request(body, v, told)
		return nil
	}
	reply, err := c.ask(body, v)
	if err != nil || c.failed != nil {
		return err
	}
	sent, err := c.inProtocol(body, reply.Body)
	if err == nil {
		c.put(untold(sent, told))
	}
	return err
}

// untold cuts so many replies off the first commands of a block.
func untold(sent string, told int) string {
	if told == 0 {
		return sent
	}
	earlier, rest, err := cutPushes(nil, sent)
	for range told {
		_, rest, _ = strings.Cut(rest, "\r\n")
	}
	if err != nil {
		return sent
	}
	return string(earlier) + rest
}

// inProtocol returns what a store has sent for a request in the version of the protocol
// that the client has asked for.
func (c *conn) inProtocol(body, sent string) (string, error) {
	switch {
	case !c.setup.resp3:
		return sent, nil
	case body == Receive || Is(nameOf(body), "SUBSCRIBE") || Is(nameOf(body), "UNSUBSCRIBE"):
		return pushes(sent)
	}
	return resp3(body, sent)
}

// nameOf returns the name of the first command of a request.
func nameOf(body string) string {
	cmds, err := Commands(body)
	if err != nil {
		return ""
	}
	return cmds[0][0]
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

// put has something read. On a stream it is read behind the replies to what was written.
func (c *conn) put(reply string) {
	if c.stream != nil {
		c.stream.put(reply)
		return
	}
	if len(c.out) == 0 {
		c.out = c.buf[:0]
	}
	c.out = append(c.out, reply...)
	c.buf = c.out[:0]
}

// Read reads the replies to what was written.
func (c *conn) Read(b []byte) (int, error) {
	switch {
	case c.closed.Load():
		return 0, net.ErrClosed
	case c.stream != nil:
		return c.stream.read(b)
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
	if len(c.out) == 0 && (c.unread != nil || c.subscribed() || c.setup.told()) {
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
	if c.stream != nil {
		c.stream.close()
		return nil
	}
	return c.hangUp()
}

func (c *conn) LocalAddr() net.Addr              { return address }
func (c *conn) RemoteAddr() net.Addr             { return address }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

var address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6379}
