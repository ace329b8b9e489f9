package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Client returns a client of the store for the task of p. It is an ordinary
// client: commands, pipelines, scripts and hooks work as they do in production.
// It must be used by the task of p alone. If p is stopped, every command fails as on a
// broken connection. It need not be closed. It sets no timeouts; a deadline in a
// context would be one of the wall clock.
//
// Making a client and its connection costs more than a whole interleaving
// should, so they are used again by a later process, unless p was abandoned or
// failed, or the client was closed or left something behind.
func (s *Store) Client(p *sim.Process) *redis.Client {
	var c *client
	free := s.pool(p.Isolation())
	if n := len(*free); n > 0 {
		c, *free = (*free)[n-1], (*free)[:n-1]
	} else {
		c = newClient(s.name, &s.names)
	}
	c.proc.Store(p)
	p.Keep(c.kept)
	p.AtEnd(func(clean bool) {
		if c.stateful.Load() {
			s.names.forget(p)
			c.ended.Store(true)
		}
		switch {
		case clean && !s.closed && c.reusable():
			c.stateful.Store(false)
			c.ended.Store(false)
			*free = append(*free, c)
		case p.Isolation() != nil:
			p.Isolation().AtEnd(func() { c.base.Close() })
		default:
			c.base.Close()
		}
	})
	// A clone, since a hook that the task adds to it is not added to the base. It has
	// none of the base either.
	clone := c.base.WithTimeout(noTimeout)
	clone.AddHook(gate{p})
	clone.AddHook(awaitHook{c})
	return clone
}

// pool returns the clients that a later process can use again. An isolation has its own,
// which are closed at its end.
func (s *Store) pool(i *sim.Isolation) *[]*client {
	if i == nil {
		return &s.free
	}
	if s.isolated[i] == nil {
		free := new([]*client)
		s.isolated = map[*sim.Isolation]*[]*client{i: free}
		i.AtEnd(func() {
			delete(s.isolated, i)
			for _, c := range *free {
				c.base.Close()
			}
		})
	}
	return s.isolated[i]
}

// noTimeout makes go-redis set no deadlines. Options take -2 for it.
const noTimeout = time.Duration(-1)

// A client is what the clients of one process after the other share.
type client struct {
	store string
	names *names
	base  *redis.Client
	proc  atomic.Pointer[sim.Process] // whose task sends the requests

	awaiting bool // the next request is that of a context of Await

	stateful atomic.Bool // a connection has, or had, a state
	ended    atomic.Bool // the process has, and was one with such connections

	mu    sync.Mutex
	conns []*conn         // all that were dialled
	lost  map[string]bool // channels of which a subscription has failed since it was last confirmed
}

func newClient(store string, names *names) *client {
	c := &client{store: store, names: names, lost: make(map[string]bool)}
	c.base = redis.NewClient(&redis.Options{
		Addr:             "127.0.0.1:6379", // resolved, never dialled
		Dialer:           c.dial,
		Protocol:         2,
		DisableIdentity:  true,
		MaxRetries:       -1,
		DialerRetries:    1,
		DialTimeout:      -1,
		ReadTimeout:      -2,
		WriteTimeout:     -2,
		ConnMaxIdleTime:  -1,
		ReadBufferSize:   4096,
		WriteBufferSize:  4096,
		PipelinePoolSize: -1,
		// A task that holds all connections would wait for itself.
		PoolSize:    8,
		PoolTimeout: time.Millisecond,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	})
	return c
}

// A gate is what every command of the client of a process passes first, on the goroutine
// of the caller. What comes after it is a pool of connections, which a caller that is no
// task of the process must not touch: if it is closed, nobody would know of the call, if
// it belongs to another process by now, that would be blamed, and if its channels are
// those of a bubble, Go would end the program.
type gate struct{ process *sim.Process }

func (g gate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := g.process.Outside(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (g gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := g.process.Outside(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}

// dial is called by go-redis on a goroutine of its own.
func (c *client) dial(context.Context, string, string) (net.Conn, error) {
	n := &conn{client: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, n)
	return n, nil
}

// reusable reports whether the next process cannot tell the client from a new one.
func (c *client) reusable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Without a connection nothing tells whether the client was closed.
	n := uint32(len(c.conns))
	if st := c.base.PoolStats(); n == 0 || st.TotalConns != n || st.IdleConns != n {
		return false
	}
	for _, n := range c.conns {
		if n.closed.Load() || len(n.in) > 0 || len(n.out) > 0 || n.state.Load() != nil {
			return false
		}
	}
	return true
}

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
// has been answered. It returns the error of [sim.Process.Call]. If one of them
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
		v := verbOf(c.args[0])
		switch {
		case !c.subscribed() && c.unread == nil && c.handshake():
			data = data[n:]
			continue
		case is(c.args[0], "MULTI"):
			block, err := c.block(data, n)
			if err != nil {
				return nil, err
			}
			if block == 0 && !alone {
				return data, nil
			}
			n, v = max(n, block), exec
		case v == subscribe && !c.subscribed():
			c.subscribe(string(data[:n]), c.args[1:])
			data = data[n:]
			continue
		}
		reply, err := c.ask(string(data[:n]), v)
		if err != nil || c.failed != nil {
			return nil, err
		}
		c.put(string(reply))
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
		if is(c.args[0], "EXEC") {
			return n, nil
		}
	}
}

// handshake answers the command in c.args if it belongs to the handshake.
func (c *conn) handshake() bool {
	switch name := c.args[0]; {
	case is(name, "HELLO"):
		c.put(string(hello))
	case is(name, "AUTH"):
		c.put("+OK\r\n")
	case is(name, "CLIENT") && len(c.args) > 1 && (is(c.args[1], "SETINFO") || is(c.args[1], "SETNAME")):
		c.put("+OK\r\n")
	case is(name, "CLIENT") && len(c.args) > 1 && is(c.args[1], "MAINT_NOTIFICATIONS"):
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
		if p := c.client.proc.Load(); p != nil {
			if err := p.Outside(); err != nil {
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
