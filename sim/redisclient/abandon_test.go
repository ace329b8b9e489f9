package redisclient_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

var anything = sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}

// A patient is a client like those that count what is in flight, and wait for it when
// they are closed.
type patient struct {
	conn   net.Conn
	flight sync.WaitGroup
}

func (c *patient) do(command string) error {
	c.flight.Add(1)
	_, err := c.conn.Write([]byte(command))
	if err == nil {
		_, err = c.conn.Read(make([]byte, 64))
	}
	c.flight.Done()
	return err
}

func (c *patient) close() {
	c.flight.Wait()
	c.conn.Close()
}

// TestAbandonedClients abandons correct code in every place, in both engines: none of it
// hangs, fails the run, or sees a panic that it did not raise.
func TestAbandonedClients(t *testing.T) {
	type server struct {
		mu sync.Mutex
		n  int
	}
	for name, task := range map[string]func(ctx context.Context, s *server, c *goredis.Client) error{
		"a deferred call takes the lock of the request": func(ctx context.Context, s *server, c *goredis.Client) error {
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.n++
			}()
			s.mu.Lock()
			err := c.Incr(ctx, "n").Err()
			s.mu.Unlock()
			return err
		},
		"an own client of the same dialer is closed": func(ctx context.Context, _ *server, c *goredis.Client) error {
			own := goredis.NewClient(&goredis.Options{Dialer: c.Options().Dialer, Addr: "127.0.0.1:6379", Protocol: 2, DisableIdentity: true})
			defer own.Close()
			return own.Set(ctx, "k", "v", 0).Err()
		},
		"a client that waits for its requests is closed": func(ctx context.Context, _ *server, c *goredis.Client) error {
			conn, err := c.Options().Dialer(ctx, "tcp", "127.0.0.1:6379")
			if err != nil {
				return err
			}
			own := &patient{conn: conn}
			defer own.close()
			return own.do("*1\r\n$6\r\nDBSIZE\r\n")
		},
		"a transaction, a subscription and a pipeline": func(ctx context.Context, _ *server, c *goredis.Client) error {
			ps := c.Subscribe(ctx, "a")
			defer ps.Close()
			if _, err := ps.Receive(ctx); err != nil {
				return err
			}
			if err := c.Watch(ctx, func(tx *goredis.Tx) error {
				_, err := tx.TxPipelined(ctx, func(p goredis.Pipeliner) error { return p.Incr(ctx, "n").Err() })
				return err
			}, "n"); err != nil && err != goredis.TxFailedErr {
				return err
			}
			_, err := c.Pipelined(ctx, func(p goredis.Pipeliner) error {
				p.Get(ctx, "a")
				return p.Get(ctx, "b").Err()
			})
			if err == goredis.Nil {
				err = nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := redis.NewStore("cache", redis.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			prog := func(name string) sim.Program {
				return sim.Program{Name: name, New: func(p *sim.Process) []sim.Task {
					s, c := &server{}, store.Client(p)
					return []sim.Task{func(ctx context.Context) (_ string, err error) {
						defer func() {
							var network *net.OpError
							if v := recover(); v != nil {
								t.Errorf("a panic: %v", v)
							} else if errors.Is(err, sim.ErrAbandoned) && !errors.As(err, &network) {
								t.Errorf("the error of an abandoned client is %v", err)
							}
						}()
						return "", task(ctx, s, c)
					}}
				}}
			}
			sys := &sim.System{Stores: []sim.Store{store}, Programs: []sim.Program{prog("a"), prog("b")}, Property: anything}
			begin := time.Now()
			r, err := explore.Product(context.Background(), sys, explore.ProductOptions{Audit: 20})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != explore.Holds {
				t.Errorf("%s: %s", r.Verdict, r.Reason)
			}
			// Abandoned at once, in the middle of every request that it makes.
			for n := range 4 {
				p, err := sys.Process(0)
				if err != nil {
					t.Fatal(err)
				}
				p.Stop()
				e, err := sys.Start()
				for range n {
					if _, ok := e.Pending(0); ok && err == nil {
						err = e.Step(0)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				e.Stop()
			}
			t.Log(time.Since(begin))
		})
	}
}

// A loop that asks the cache whatever fails is left alone, also where go-redis answers it
// by its context alone, and the run goes on.
func TestAskingForEver(t *testing.T) {
	store, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	deferred := false
	sys := &sim.System{Stores: []sim.Store{store}, Property: anything, Programs: []sim.Program{
		{Name: "listener", Tasks: []sim.TaskSpec{{Name: "listener", Background: true}}, New: func(p *sim.Process) []sim.Task {
			c := store.Client(p)
			return []sim.Task{func(ctx context.Context) (string, error) {
				defer func() { deferred = true }()
				ps := c.Subscribe(ctx, "a")
				for {
					_, _ = ps.Receive(ctx)
				}
			}}
		}},
		{Name: "setter", New: func(p *sim.Process) []sim.Task {
			c := store.Client(p)
			return []sim.Task{func(ctx context.Context) (string, error) {
				for {
					if err := c.Set(ctx, "k", "v", 0).Err(); err == nil {
						return "", c.Publish(ctx, "a", "m").Err()
					}
				}
			}}
		}},
	}}
	r, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
	if err != nil || r.Verdict != explore.Holds || deferred {
		t.Errorf("%v, %v, a deferred call was made: %v", r, err, deferred)
	}
}

// Two tasks of a server that share a lock across their requests hang, and the store can
// be closed afterwards.
func TestHang(t *testing.T) {
	store, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sys := &sim.System{Stores: []sim.Store{store}, Property: anything, Patience: 200 * time.Millisecond, Programs: []sim.Program{
		{Name: "server", Tasks: []sim.TaskSpec{{Name: "view-1"}, {Name: "view-2"}}, New: func(p *sim.Process) []sim.Task {
			c, mu := store.Client(p), new(sync.Mutex)
			view := func(ctx context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				return "", c.Get(ctx, "k").Err()
			}
			return []sim.Task{view, view}
		}},
	}}
	_, err = explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err == nil || !strings.Contains(err.Error(), "it is in sync.(*Mutex).Lock at abandon_test.go:") {
		t.Errorf("error %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
