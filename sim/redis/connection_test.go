package redis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/redis/go-redis/v9"
)

// steps runs the tasks in the given order and returns the trace, one line a step.
// "blocked" is the line of a step that is not enabled.
func steps(t testing.TB, sys *sim.System, schedule ...int) (trace []string, e *sim.Execution) {
	t.Helper()
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	for _, task := range schedule {
		if _, ok := e.Pending(task - 1); !ok {
			t.Fatalf("task %d has finished after %q", task, trace)
		}
		line := "blocked"
		switch err := e.Step(task - 1); err {
		case nil:
			st := e.Trace()[len(e.Trace())-1]
			req, reply := sys.Describe(st.Request, st.Reply)
			line = req
			if !st.Request.Local() {
				line += " -> " + reply
			}
		case sim.ErrBlocked:
		default:
			t.Fatalf("after %q: %v", trace, err)
		}
		trace = append(trace, fmt.Sprintf("%d: %s", task, line))
	}
	return trace, e
}

func wantTrace(t testing.TB, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// connections returns the items of the content that stand for connections.
func connections(t testing.TB, s *Store) (items []string) {
	t.Helper()
	for _, it := range content(t, s) {
		if strings.Contains(it.Name, "#") {
			items = append(items, it.Note+" "+it.Name+" "+it.Value)
		}
	}
	return items
}

func wantConnections(t testing.TB, s *Store, want ...string) {
	t.Helper()
	if got := connections(t, s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("connections are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// increment adds 1 to a, unless it is changed meanwhile.
func increment(ctx context.Context, c *redis.Client) (string, error) {
	err := c.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.Get(ctx, "a").Int()
		if err != nil && err != redis.Nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "a", n+1, 0)
			return nil
		})
		return err
	}, "a")
	if err == redis.TxFailedErr {
		return "failed", nil
	}
	return "", err
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		setup   string
		between string
		aborted bool
	}{
		{"SET a 1", "", false},
		{"SET a 1", "GET a", false},
		{"SET a 1", "SET a 2", true},
		{"SET a 1", "SET a 1", true},
		{"SET a 1", "SET b 1", false},
		{"SET a 1", "DEL a", true},
		{"SET a 1", "DEL b", false},
		{"SET a 1", "EXPIRE a 9", true},
		{"SET a 1", "EVAL redis.call('SET','a',1) 0", true},
		{"SET a 1", "EVAL redis.call('GET','a') 0", false},
		{"SET a 1", "SET a 5 NX", false},
		{"SET a 1", "GETEX a EX 9", true}, // not in miniredis
		{"HSET b f 1", "HDEL a f", false},
		{"SET b 1", "DEL a", false},
		{"SET b 1", "SET a 1", true},
		{"SET b 1", "RENAME b a", true},
	} {
		s := newStore(t, strings.Fields(tt.setup))
		_, e := steps(t, system(s, increment), 1, 1)
		wantConnections(t, s, `watch task-1#0 ["a"]`)
		want := []string{`watch task-1#0 ["a"]`}
		if tt.aborted {
			want = []string{"watch task-1#0 touched"}
		}
		if tt.between != "" {
			do(t, s, strings.Fields(tt.between)...)
		}
		wantConnections(t, s, want...)
		wantConnections(t, s, want...) // looking does not change it
		if err := e.Step(0); err != nil {
			t.Fatal(err)
		}
		wantConnections(t, s)
		v, _ := e.View()
		if aborted := v.Results[0] == "failed"; aborted != tt.aborted {
			t.Errorf("%s, WATCH, %s: aborted is %v", tt.setup, tt.between, aborted)
		}
		if _, ok := e.Pending(0); ok {
			t.Error("the task asks for more")
		}
	}
}

func TestTwoWatchers(t *testing.T) {
	s := newStore(t, []string{"SET", "a", "1"})
	got, _ := steps(t, system(s, increment, increment), 1, 2, 1, 2, 1, 2)
	wantTrace(t, got,
		"1: WATCH a -> OK", "2: WATCH a -> OK", "1: GET a -> 1", "2: GET a -> 1",
		"1: MULTI; SET a 2; EXEC -> [OK]", "2: MULTI; SET a 2; EXEC -> (nil)")
	wantConnections(t, s)

	steps(t, system(s, increment, increment), 1, 2, 1, 2, 1)
	wantConnections(t, s, "watch task-2#0 touched")

	// Two orders that leave the same.
	var keys []string
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		steps(t, system(s, increment, increment), order...)
		keys = append(keys, content(t, s).Key())
	}
	if keys[0] != keys[1] {
		t.Errorf("%q and %q", keys[0], keys[1])
	}
}

// What the connection does itself touches the key as well; EXEC and UNWATCH
// forget all keys, and WATCH of a touched key does not help.
func TestWatchAgain(t *testing.T) {
	block := func(ctx context.Context, tx *redis.Tx) string {
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Get(ctx, "b").Err() })
		if err == redis.TxFailedErr {
			return "failed"
		}
		return "done"
	}
	for name, tt := range map[string]struct {
		do   func(context.Context, *redis.Tx) string
		want string
	}{
		"touched by itself": {func(ctx context.Context, tx *redis.Tx) string {
			tx.Set(ctx, "a", "1", 0)
			return block(ctx, tx)
		}, "failed"},
		"watched again": {func(ctx context.Context, tx *redis.Tx) string {
			tx.Set(ctx, "a", "1", 0)
			tx.Watch(ctx, "a")
			return block(ctx, tx)
		}, "failed"},
		"another key": {func(ctx context.Context, tx *redis.Tx) string {
			tx.Watch(ctx, "b", "a", "b")
			tx.Set(ctx, "b", "1", 0)
			return block(ctx, tx)
		}, "failed"},
		"unwatch": {func(ctx context.Context, tx *redis.Tx) string {
			tx.Set(ctx, "a", "1", 0)
			tx.Unwatch(ctx)
			tx.Unwatch(ctx)
			return block(ctx, tx)
		}, "done"},
		"after exec": {func(ctx context.Context, tx *redis.Tx) string {
			block(ctx, tx)
			tx.Set(ctx, "a", "1", 0)
			return block(ctx, tx)
		}, "done"},
		"a wrong command in the block": {func(ctx context.Context, tx *redis.Tx) string {
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Do(ctx, "INCR").Err() })
			if !redis.IsExecAbortError(err) {
				return err.Error()
			}
			tx.Set(ctx, "a", "1", 0)
			return block(ctx, tx)
		}, "done"},
		"nothing": {func(ctx context.Context, tx *redis.Tx) string { return "" }, ""},
	} {
		s := newStore(t)
		for range 2 {
			_, results, err := run(s, func(ctx context.Context, c *redis.Client) (result string, err error) {
				err = c.Watch(ctx, func(tx *redis.Tx) error {
					result = tt.do(ctx, tx)
					return nil
				}, "a")
				return result, err
			})
			if err != nil || results[0] != tt.want {
				t.Errorf("%s: %q, %v, want %q", name, results, err, tt.want)
			}
			wantConnections(t, s)
			if s.clients.Stats().Free != 1 || s.clients.Stats().Named != 0 {
				t.Errorf("%s: %d free clients, %d processes with names", name, s.clients.Stats().Free, s.clients.Stats().Named)
			}
		}
	}
}

// Connections of a process have the lowest numbers that are free, and what comes
// on one without a state does not say so.
func TestConnectionNames(t *testing.T) {
	s := newStore(t)
	sys := system(s, func(ctx context.Context, c *redis.Client) (string, error) {
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			return c.Watch(ctx, func(tx2 *redis.Tx) error {
				tx.Get(ctx, "a")
				tx.Unwatch(ctx)
				c.Get(ctx, "a")
				return c.Watch(ctx, func(*redis.Tx) error { return nil }, "c")
			}, "b")
		}, "a")
		return "", err
	})
	_, e := steps(t, sys, 1, 1, 1, 1, 1, 1, 1, 1)
	var got []string
	for _, st := range e.Trace() {
		req, _ := s.Describe(st.Request, st.Reply)
		got = append(got, req+" "+st.Request.Conn)
	}
	wantTrace(t, got, "WATCH a task-1#0", "WATCH b task-1#1", "GET a task-1#0", "UNWATCH task-1#0", "GET a ", "WATCH c task-1#0", "UNWATCH task-1#0", "UNWATCH task-1#1")
}

func TestConnectionRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		task task
		want string
	}{
		"flush": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Watch(ctx, func(*redis.Tx) error { return c.FlushAll(ctx).Err() }, "a")
		}, "FLUSHALL is not supported: " + isFlush},
		"flush in Lua": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Watch(ctx, func(*redis.Tx) error { return c.Eval(ctx, "redis.call('FLUSHDB')", nil).Err() }, "a")
		}, "FLUSHDB is not supported: " + isFlush},
		"watch in Lua": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Eval(ctx, "redis.pcall('WATCH', 'a')", nil).Err()
		}, "WATCH is not supported: " + isWatch},
		"unwatch in MULTI": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Watch(ctx, func(tx *redis.Tx) error {
				_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Do(ctx, "UNWATCH").Err() })
				return err
			}, "a")
		}, "UNWATCH is not supported: " + isWatch},
		"subscribe in MULTI": {func(ctx context.Context, c *redis.Client) (string, error) {
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Do(ctx, "SUBSCRIBE", "a").Err() })
			return "", err
		}, "SUBSCRIBE is not supported: " + isPubSub},
		"subscribe while watching": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Watch(ctx, func(tx *redis.Tx) error { return tx.Do(ctx, "SUBSCRIBE", "a").Err() }, "a")
		}, "SUBSCRIBE is not supported on a connection that watches keys"},
		"ping": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", subscribed(ctx, c).Ping(ctx)
		}, "PING is not supported on a connection that is subscribed"},
		"setname": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", subscribed(ctx, c).ClientSetName(ctx, "x")
		}, "CLIENT is not supported on a connection that is subscribed"},
		"sharded": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.SPublish(ctx, "a", "1").Err()
		}, "SPUBLISH is not supported: " + isPubSub},
		"unsubscribe": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", subscribed(ctx, c).Unsubscribe(ctx, "a")
		}, "UNSUBSCRIBE is not supported on a connection that is subscribed: close it"},
		"subscribe again": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", subscribed(ctx, c).Subscribe(ctx, "b")
		}, "SUBSCRIBE is not supported on a connection that is subscribed: subscribe to all channels in one call"},
		"unsubscribe first": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Do(ctx, "UNSUBSCRIBE").Err()
		}, "UNSUBSCRIBE is not supported: " + isPubSub},
	} {
		s := newStore(t)
		if _, _, err := run(s, tt.task); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// subscribed is a subscription that the server has confirmed.
func subscribed(ctx context.Context, c *redis.Client) *redis.PubSub {
	ps := c.Subscribe(ctx, "a")
	ps.Receive(ctx)
	return ps
}

// subscriber receives n messages from the channels.
func subscriber(n int, channels ...string) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		ps := c.Subscribe(ctx, channels...)
		defer ps.Close()
		var got []string
		for range n {
			m, err := ps.ReceiveMessage(ctx)
			if err != nil {
				return "", err
			}
			got = append(got, m.Channel+" "+m.Payload)
		}
		return strings.Join(got, ", "), nil
	}
}

func publisher(messages ...string) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		for _, m := range messages {
			channel, payload, _ := strings.Cut(m, " ")
			if err := c.Publish(ctx, channel, payload).Err(); err != nil {
				return "", err
			}
		}
		return "", nil
	}
}

func TestPubSub(t *testing.T) {
	s := newStore(t)
	sys := system(s, subscriber(2, "a", "b"), subscriber(1, "b"), publisher("b 0", "a 1", "b 2", "b 3", "c 4"))
	got, e := steps(t, sys,
		3, 1, 1, 3, 2, 2, 3, 1, 2, 2, 1, 3, 1, 3)
	wantTrace(t, got,
		"3: PUBLISH b 0 -> 0", // lost
		"1: SUBSCRIBE a b -> subscribe a 1; subscribe b 2",
		"1: blocked",
		"3: PUBLISH a 1 -> 1",
		"2: SUBSCRIBE b -> subscribe b 1",
		"2: blocked",
		"3: PUBLISH b 2 -> 2",
		"1: receive -> message a 1",
		"2: receive -> message b 2",
		"2: close -> ",
		"1: receive -> message b 2",
		"3: PUBLISH b 3 -> 1",
		"1: close -> ",
		"3: PUBLISH c 4 -> 0")
	v, err := e.View()
	if want := []string{"a 1, b 2", "b 2", ""}; err != nil || !reflect.DeepEqual(v.Results, want) {
		t.Errorf("results %q, %v, want %q", v.Results, err, want)
	}
	wantConnections(t, s)
	if s.clients.Stats().Free != 1 || s.clients.Stats().Named != 0 {
		t.Errorf("%d free clients, want that of the publisher; %d processes with names", s.clients.Stats().Free, s.clients.Stats().Named)
	}

	steps(t, sys, 2, 3, 1, 3, 3)
	wantConnections(t, s, `subscription task-1#0 ["a" "b"], message "a" "1", message "b" "2"`,
		`subscription task-2#0 ["b"], message "b" "0", message "b" "2"`)
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, s)
}

// A message may be delivered long after it was published.
func TestLateDelivery(t *testing.T) {
	s := newStore(t)
	got, _ := steps(t, system(s, subscriber(1, "a"), func(ctx context.Context, c *redis.Client) (string, error) {
		c.Publish(ctx, "a", "1")
		return "", c.Set(ctx, "k", "v", 0).Err()
	}), 1, 2, 2, 1, 1)
	wantTrace(t, got, "1: SUBSCRIBE a -> subscribe a 1", "2: PUBLISH a 1 -> 1", "2: SET k v -> OK", "1: receive -> message a 1", "1: close -> ")
}

func TestPublishInsideOthers(t *testing.T) {
	s := newStore(t)
	got, _ := steps(t, system(s, subscriber(5, "a"), func(ctx context.Context, c *redis.Client) (string, error) {
		if err := c.Eval(ctx, "redis.call('PUBLISH','a','1') return redis.call('PUBLISH','b','1')", nil).Err(); err != nil {
			return "", err
		}
		_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Publish(ctx, "a", "2")
			p.Eval(ctx, "return redis.call('PUBLISH','a','3')", nil)
			p.Publish(ctx, "a", "4")
			return nil
		})
		if err != nil {
			return "", err
		}
		// An EXEC that fails publishes nothing.
		err = c.Watch(ctx, func(tx *redis.Tx) error {
			tx.Set(ctx, "k", "v", 0)
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Publish(ctx, "a", "5").Err() })
			return err
		}, "k")
		if err != redis.TxFailedErr {
			return "", fmt.Errorf("got %v", err)
		}
		return "", nil
	}), 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1)
	wantTrace(t, got,
		"1: SUBSCRIBE a -> subscribe a 1",
		got[1],
		"2: MULTI; PUBLISH a 2; EVAL \"return redis.call('PUBLISH','a','3')\" 0; PUBLISH a 4; EXEC -> [1 1 1]",
		"2: WATCH k -> OK", "2: SET k v -> OK", "2: MULTI; PUBLISH a 5; EXEC -> (nil)",
		"1: receive -> message a 1", "1: receive -> message a 2", "1: receive -> message a 3", "1: receive -> message a 4", "1: blocked")
}

// go-redis does not wait for the confirmation of SUBSCRIBE. A task that does not
// either must not be taken for one that does.
func TestUnconfirmed(t *testing.T) {
	for name, tt := range map[string]struct {
		task task
		want bool // an error
	}{
		"Receive": {func(ctx context.Context, c *redis.Client) (string, error) {
			ps := c.Subscribe(ctx, "a")
			if _, err := ps.Receive(ctx); err != nil {
				return "", err
			}
			return "", c.Get(ctx, "k").Err()
		}, false},
		"another command": {func(ctx context.Context, c *redis.Client) (string, error) {
			c.Subscribe(ctx, "a")
			c.Get(ctx, "k")
			return "", nil
		}, true},
		"another command on the connection": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Subscribe(ctx, "a").Ping(ctx)
		}, true},
		"CLIENT SETNAME": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Subscribe(ctx, "a").ClientSetName(ctx, "x")
		}, true},
		"another subscription": {func(ctx context.Context, c *redis.Client) (string, error) {
			c.Subscribe(ctx, "a")
			c.Subscribe(ctx, "b").Receive(ctx)
			return "", nil
		}, true},
		"another channel": {func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Subscribe(ctx, "a").Subscribe(ctx, "b")
		}, true},
		"another client": {func(ctx context.Context, c *redis.Client) (string, error) {
			c.Subscribe(ctx, "a")
			return "", c.WithTimeout(time.Duration(-1)).Set(ctx, "k", "w", 0).Err()
		}, true},
		"a pipeline": {func(ctx context.Context, c *redis.Client) (string, error) {
			c.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Do(ctx, "SUBSCRIBE", "a")
				p.Get(ctx, "k")
				return nil
			})
			return "", nil
		}, true},
		"Close": {func(ctx context.Context, c *redis.Client) (string, error) {
			// Only the reply to PUBLISH can tell when the server notices.
			ps := c.Subscribe(ctx, "a")
			if err := ps.Close(); err != nil {
				return "", err
			}
			return "", c.Get(ctx, "k").Err()
		}, false},
		"return": {func(ctx context.Context, c *redis.Client) (string, error) {
			c.Subscribe(ctx, "a")
			return "", nil
		}, true},
	} {
		s := newStore(t, []string{"SET", "k", "v"})
		_, _, err := run(s, tt.task)
		want := "task-1: " + redisclient.ErrUnread.Error()
		if tt.want && (err == nil || err.Error() != want) || !tt.want && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		if n, _ := content(t, s).Lookup("k"); n != "v" {
			t.Errorf("%s: the request was executed", name)
		}
	}
}

// The request that comes too early may be for another store.
func TestUnconfirmedElsewhere(t *testing.T) {
	s := newStore(t)
	other, err := NewStore("other", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sys := &sim.System{Stores: []sim.Store{s, other}, Programs: []sim.Program{{Name: "task-1", New: func(p *sim.Process) []sim.Task {
		c, d := s.Client(p), other.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) {
			c.Subscribe(ctx, "a")
			return "", d.Set(ctx, "k", "v", 0).Err()
		}}
	}}}}
	if _, err := sys.Start(); !errors.Is(err, redisclient.ErrUnread) {
		t.Errorf("got %v", err)
	}
	if c := content(t, other); len(c) != 0 {
		t.Errorf("content %v", c)
	}
}

// Between SUBSCRIBE and its confirmation the other tasks take any number of steps.
func TestLateSubscription(t *testing.T) {
	s := newStore(t)
	got, e := steps(t, system(s, subscriber(1, "a"), publisher("a 1", "a 2")), 2, 1, 2, 1)
	wantTrace(t, got, "2: PUBLISH a 1 -> 0", "1: SUBSCRIBE a -> subscribe a 1", "2: PUBLISH a 2 -> 1", "1: receive -> message a 2")
	if req, ok := e.Pending(0); !ok || req.Body != redisclient.Close {
		t.Errorf("pending is %v", req)
	}
}

// PubSub.Channel receives on a goroutine of its own, which would be out of control.
func TestChannel(t *testing.T) {
	s := newStore(t)
	_, _, err := run(s, func(ctx context.Context, c *redis.Client) (string, error) {
		ps := c.Subscribe(ctx, "a")
		defer ps.Close()
		if _, err := ps.Receive(ctx); err != nil {
			return "", err
		}
		for range ps.Channel() {
		}
		return "", nil
	})
	if !errors.Is(err, sim.ErrOutside) {
		t.Errorf("got %v", err)
	}
}

// everyConnection watches and subscribes, and cleans up when it is abandoned.
func everyConnection(ctx context.Context, c *redis.Client) (string, error) {
	if _, err := increment(ctx, c); err != nil {
		return "", err
	}
	ps := subscribed(ctx, c)
	defer ps.Close()
	c.Publish(ctx, "a", "1")
	m, err := ps.ReceiveMessage(ctx)
	if err != nil {
		return "", err
	}
	return m.Payload, c.Watch(ctx, func(*redis.Tx) error { return nil }, "b")
}

// serverProgram is a process of two tasks: a listener that never ends, and another.
func serverProgram(s *Store, name string, got *[]string) sim.Program {
	return sim.Program{
		Name:  name,
		Tasks: []sim.TaskSpec{{Name: name + "/listener", Background: true}, {Name: name + "/worker"}},
		New: func(p *sim.Process) []sim.Task {
			c := s.Client(p)
			*got = nil
			return []sim.Task{func(ctx context.Context) (string, error) {
				ps := c.Subscribe(ctx, "a")
				defer ps.Close()
				for {
					m, err := ps.ReceiveMessage(ctx)
					if err != nil {
						return "", err
					}
					*got = append(*got, m.Payload)
				}
			}, func(ctx context.Context) (string, error) { return everyConnection(ctx, c) }}
		},
	}
}

func TestServer(t *testing.T) {
	s := newStore(t)
	var heard []string
	sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{serverProgram(s, "server-1", &heard)}}
	//                     start   WATCH GET   EXEC   SUBSCRIBE both    PUBLISH  receive
	got, e := steps(t, sys, 1, 2, 2, 2, 2, 2, 2, 2, 1, 2, 1, 2, 2, 2, 1, 1)
	wantTrace(t, got[8:],
		"1: SUBSCRIBE a -> subscribe a 1", "2: SUBSCRIBE a -> subscribe a 1", "1: arrive", "2: arrive",
		"2: PUBLISH a 1 -> 2", "2: arrive", "1: receive -> message a 1", "1: arrive")
	wantConnections(t, s, `subscription server-1#0 ["a"]`, `subscription server-1#1 ["a"], message "a" "1"`)
	if len(heard) != 1 {
		t.Errorf("heard %q", heard)
	}
	if err := e.Step(0); err != sim.ErrBlocked {
		t.Errorf("got %v, want blocked", err)
	}
}

// A connection on which a task waits, for the confirmation or for a message,
// cannot be used by another.
func TestBusy(t *testing.T) {
	for name, use := range map[string]func(context.Context, *redis.PubSub) error{
		"close":     func(_ context.Context, ps *redis.PubSub) error { return ps.Close() },
		"subscribe": func(ctx context.Context, ps *redis.PubSub) error { return ps.Subscribe(ctx, "b") },
		"receive": func(ctx context.Context, ps *redis.PubSub) error {
			_, err := ps.ReceiveMessage(ctx)
			return err
		},
	} {
		s := newStore(t)
		sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{{
			Name: "server", Tasks: []sim.TaskSpec{{Name: "a"}, {Name: "b"}},
			New: func(p *sim.Process) []sim.Task {
				c := s.Client(p)
				var ps *redis.PubSub
				return []sim.Task{
					func(ctx context.Context) (string, error) {
						ps = c.Subscribe(ctx, "a")
						_, err := ps.ReceiveMessage(ctx)
						return "", err
					},
					func(ctx context.Context) (string, error) { return "", use(ctx, ps) },
				}
			},
		}}}
		for _, schedule := range [][]int{{1, 2}, {1, 1, 1, 2}} {
			_, e := steps(t, sys, schedule...)
			if err := e.Step(1); !errors.Is(err, redisclient.ErrBusy) {
				t.Errorf("%s after %v: got %v", name, schedule, err)
			}
			e.Stop()
		}
	}
}

// Every task can be abandoned at each of its steps.
func TestConnectionAbandoned(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newStore(t)
	var heard []string
	sys := system(s, everyConnection, subscriber(1, "a"))
	sys.Programs = append(sys.Programs, serverProgram(s, "server-1", &heard))
	longest := 0
	for first := range sys.Tasks() {
		for n := 0; ; n++ {
			e, err := sys.Start()
			if err != nil {
				t.Fatal(err)
			}
			taken := 0
			for moved := true; moved && taken < n; {
				moved = false
				for i := range sys.Tasks() {
					task := (first + i) % len(sys.Tasks())
					if _, ok := e.Pending(task); !ok || taken == n {
						continue
					}
					switch err := e.Step(task); err {
					case nil:
						moved = true
						taken++
					case sim.ErrBlocked:
					default:
						t.Fatal(err)
					}
				}
			}
			e.Stop()
			longest = max(longest, taken)
			if taken < n {
				break
			}
		}
	}
	if longest < 25 {
		t.Errorf("only %d steps", longest)
	}
	if s.clients.Stats().Named != 0 {
		t.Errorf("%d processes with names", s.clients.Stats().Named)
	}
	s.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, now:\n%s", before, buf[:runtime.Stack(buf, true)])
}

func TestConnectionsSameTrace(t *testing.T) {
	s := newStore(t, relayGroup)
	var heard []string
	sys := system(s, everyConnection, subscriber(1, "a"), func(ctx context.Context, c *redis.Client) (string, error) {
		_, values, err := read(ctx, c, "relay-1", ">")
		return strings.Join(values, " "), err
	}, add("7"))
	sys.Programs = append(sys.Programs, serverProgram(s, "server-1", &heard))
	var want []sim.Step
	var key string
	for range 1000 {
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		for moved := true; moved; {
			moved = false
			for task := range sys.Tasks() {
				if _, ok := e.Pending(task); !ok {
					continue
				}
				if err := e.Step(task); err == nil {
					moved = true
				} else if err != sim.ErrBlocked {
					t.Fatal(err)
				}
			}
		}
		if want == nil {
			want, key = e.Trace(), content(t, s).Key()
		}
		if !reflect.DeepEqual(e.Trace(), want) || content(t, s).Key() != key {
			t.Fatalf("got %v, want %v", e.Trace(), want)
		}
		e.Stop()
	}
}
