package redisclient

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Clients are those of one store, for all processes.
type Clients struct {
	store string
	names names
	pool  sim.Pool[*client]
}

// New returns the clients of the store with that name.
func New(store string) *Clients {
	return &Clients{store: store, names: names{used: make(map[sim.Host][]bool)}}
}

// For returns a client for the tasks of a process. It is an ordinary client: commands,
// pipelines, scripts and hooks work as they do in production. It must be used by tasks of
// that process alone. If the process is stopped, every command fails as on a broken
// connection. It need not be closed. It sets no timeouts; a deadline in a context would
// be one of the wall clock.
//
// Making a client and its connection costs more than a whole interleaving
// should, so they are used again by a later process, unless the process was abandoned or
// failed, or the client was closed or left something behind.
func (all *Clients) For(h sim.Host) *redis.Client {
	c := all.pool.Take(h, all.newClient)
	c.proc.Store(&h)
	h.Keep(c.kept)
	// A clone, since a hook that the task adds to it is not added to the base. It has
	// none of the base either.
	clone := c.base.WithTimeout(noTimeout)
	clone.AddHook(gate{h})
	clone.AddHook(awaitHook{c})
	return clone
}

// Close frees the clients that are kept for later processes. Those that are in use can
// be used on.
func (all *Clients) Close() { all.pool.Close() }

// Stats say what is kept of clients.
type Stats struct {
	Free  int // clients for later processes, outside of isolations
	Named int // processes that go on and have connections with a name
}

// Stats returns what is kept now.
func (all *Clients) Stats() Stats { return Stats{all.pool.Free(), all.names.processes()} }

// noTimeout makes go-redis set no deadlines. Options take -2 for it.
const noTimeout = time.Duration(-1)

// A client is what the clients of one process after the other share.
type client struct {
	all  *Clients
	base *redis.Client
	proc atomic.Pointer[sim.Host] // whose task sends the requests; nil before there is one

	stateful atomic.Bool // a connection has, or had, a state
	ended    atomic.Bool // the process has, and was one with such connections

	mu       sync.Mutex
	awaiting map[*bool]int64 // by the mark of a context of Await, the goroutine that is to send the command; 0 if it has
	conns    []*conn         // all that were dialled
	lost     map[string]bool // channels of which a subscription has failed since it was last confirmed
}

func (all *Clients) newClient() *client {
	c := &client{all: all, lost: make(map[string]bool)}
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
		// More than all tasks of a process use at once: who has to wait for a connection
		// would depend on what others wait for. A task that leaks them all gets an error.
		PoolSize:    1000,
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
type gate struct{ host sim.Host }

func (g gate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := g.host.Outside(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (g gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := g.host.Outside(); err != nil {
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

// host returns the process whose task sends the requests.
func (c *client) host() sim.Host { return *c.proc.Load() }

// Release says whether the next process cannot tell the client from a new one.
func (c *client) Release(clean bool) bool {
	c.leave()
	if !clean || !c.unused() {
		return false
	}
	c.stateful.Store(false)
	c.ended.Store(false)
	return true
}

// Close closes the connections of the client.
func (c *client) Close() error { return c.base.Close() }

// unused says whether the client has its connections, and they are as new.
func (c *client) unused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Without a connection nothing tells whether the client was closed.
	n := uint32(len(c.conns))
	if st := c.base.PoolStats(); n == 0 || st.TotalConns != n || st.IdleConns != n {
		return false
	}
	for _, n := range c.conns {
		if n.closed.Load() || len(n.in) > 0 || len(n.out) > 0 || n.state.Load() != nil || n.stream != nil || n.setup != (setup{}) || n.multi != "" {
			return false
		}
	}
	return true
}
