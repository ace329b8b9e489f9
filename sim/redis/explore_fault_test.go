package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// One task sets a key three times, whatever fails. The counts are those of the
// places for a fault, and 1 without.
func TestFaultCounts(t *testing.T) {
	for faults, want := range map[sim.FaultKind]string{
		sim.LostRequest:  "4",  // one of 3 requests
		sim.LostReply:    "4",  // the same
		sim.Expire:       "5",  // before, between and after the requests
		sim.Evict:        "5",  // the same
		sim.Outage:       "11", // from one of these 4 places to the same or a later one: 10
		sim.Crash:        "5",  // before a request, or after the last
		sim.DropMessage:  "1",
		sim.RequestError: "1",
		sim.AnyFault:     "29", // 1 + 3 + 3 + 4 + 4 + 10 + 4
	} {
		s := newStore(t, []string{"SET", "k", "v", "EX", "60"})
		sys := &sim.System{Stores: []sim.Store{s}, Faults: sim.Faults{faults: 1}, Programs: []sim.Program{
			program(s, "p", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
				for range 3 {
					c.Set(ctx, "k", "v", time.Minute)
				}
				return "", nil
			}),
		}}
		sys.Property = sim.Property{Name: "none", Violation: func(sim.View) string { return "" }}
		if d := agree(t, string(faults), sys); d.Interleavings.String() != want {
			t.Errorf("%s: %s interleavings, want %s", faults, d.Interleavings, want)
		}
	}
}

// A listener whose message is there can be as late as it likes, also if nobody else has
// anything left to do: what another task has set for 5 s can be gone by then.
func TestTimePassesBeforeAMessageIsReceived(t *testing.T) {
	s := newStore(t)
	sys := &sim.System{Stores: []sim.Store{s}, Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second}, Programs: []sim.Program{
		program(s, "writer", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			if err := c.Set(ctx, "k", "v", 5*time.Second).Err(); err != nil {
				return "", err
			}
			return "", c.XAdd(ctx, &goredis.XAddArgs{Stream: "s", ID: "1-1", Values: []any{"k", "v"}}).Err()
		}),
		program(s, "listener", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			if err := c.XRead(ctx, &goredis.XReadArgs{Streams: []string{"s", "0"}}).Err(); err != nil {
				return "", err
			}
			if err := c.Get(ctx, "k").Err(); err == goredis.Nil {
				return "late", nil
			} else if err != nil {
				return "", err
			}
			return "in time", nil
		}),
	}}
	sys.Property = sim.Property{Name: "in time", Violation: func(v sim.View) string {
		if v.Results[1] == "late" {
			return "k is gone"
		}
		return ""
	}}
	d := agree(t, "late", sys)
	if want := "writer:4,!tick,!tick,!tick,!tick,!tick,!lapse(k),listener:4"; d.Verdict != explore.Violated || d.Counterexample.Token != want {
		t.Errorf("%s %v, want %s", d.Verdict, d.Counterexample, want)
	}
}

// What a task does may depend on PTTL. To find the times of a counterexample it is run
// again with instants between its steps, of which it sees nothing.
func TestPausesSeeNoInstant(t *testing.T) {
	s := newStore(t, []string{"SET", "k", "v", "PX", "5000"})
	sys := &sim.System{Stores: []sim.Store{s}, Faults: sim.Faults{sim.Expire: 1}, Programs: []sim.Program{
		program(s, "p", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			c.Set(ctx, "n", 1, 0)
			left, err := c.PTTL(ctx, "k").Result()
			if left < 5*time.Second {
				return "", err
			}
			return "full", c.Incr(ctx, "n").Err()
		}),
	}}
	sys.Property = sim.Property{Name: "there", Violation: func(v sim.View) string {
		if _, ok := v.Contents[0].Lookup("k"); !ok && v.Results[0] == "full" {
			return "k has expired"
		}
		return ""
	}}
	if d := agree(t, "PTTL", sys); d.Verdict != explore.Violated || d.Counterexample.Token != "p:3,!expire(k)" {
		t.Errorf("%s %v", d.Verdict, d.Counterexample)
	}
}

// Supervised work sets two keys, and does both again if one fails. With an outage the
// interleavings are, where - is down, + is up, and a small letter is refused:
//
//	AB  -+AB  -a+AB  A-+B  A-b+AB  AB-+
//
// In each it has set both at the end.
func TestSupervisedCounts(t *testing.T) {
	for faults, want := range map[sim.FaultKind]string{
		sim.LostRequest: "3", // one of 2 requests, or none
		sim.LostReply:   "3", // the same
		sim.Outage:      "6",
	} {
		s := newStore(t)
		sys := &sim.System{Stores: []sim.Store{s}, Faults: sim.Faults{faults: 1}, Programs: []sim.Program{{Name: "p", New: func(p *sim.Process) []sim.Task {
			c := s.Client(p)
			return []sim.Task{func(ctx context.Context) (string, error) {
				return "", p.Supervise(func() error {
					if err := c.Set(ctx, "a", "v", 0).Err(); err != nil {
						return err
					}
					return c.Set(ctx, "b", "v", 0).Err()
				})
			}}
		}}}}
		sys.Property = sim.Property{Name: "both", Violation: func(v sim.View) string {
			if len(v.Contents[0]) != 2 || v.Results[0] != "" {
				return "there is less"
			}
			return ""
		}}
		if d := agree(t, string(faults), sys); d.Verdict != explore.Holds || d.Interleavings.String() != want {
			t.Errorf("%s: %s in %s interleavings, want %s", faults, d.Verdict, d.Interleavings, want)
		}
	}
}

func newStore(t *testing.T, setup ...[]string) *redis.Store {
	s, err := redis.NewStore("cache", redis.Options{Setup: setup})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestEnginesAgreeOnFaults explores small systems under each kind of fault. broken
// are those that violate the property; there is none that does without a fault.
func TestEnginesAgreeOnFaults(t *testing.T) {
	// cache-aside; row stands for the row of a database, in the same store.
	read := func(ctx context.Context, c *goredis.Client) (string, error) {
		_, err := c.Get(ctx, "k").Result()
		if err != goredis.Nil {
			return "", err
		}
		row, err := c.Get(ctx, "row").Result()
		if err == goredis.Nil {
			return "", nil // it was evicted
		}
		if err != nil {
			return "", err
		}
		return "", c.Set(ctx, "k", row, time.Minute).Err()
	}
	write := func(ctx context.Context, c *goredis.Client) (string, error) {
		if err := c.Set(ctx, "row", "new", 0).Err(); err != nil {
			return "", err
		}
		return "", c.Del(ctx, "k").Err()
	}
	coherent := sim.Property{Name: "coherent", Violation: func(v sim.View) string {
		row, _ := v.Contents[0].Lookup("row")
		if k, ok := v.Contents[0].Lookup("k"); ok && k != row {
			return "k is " + k
		}
		return ""
	}}
	increment := func(ctx context.Context, c *goredis.Client) (string, error) {
		err := c.Watch(ctx, func(tx *goredis.Tx) error {
			n, err := tx.Get(ctx, "n").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error { return p.Set(ctx, "n", n+1, time.Minute).Err() })
			return err
		}, "n")
		return fmt.Sprint(err), nil
	}
	counted := sim.Property{Name: "counted", Violation: func(v sim.View) string {
		n, _ := v.Contents[0].Lookup("n")
		done := strings.Count(strings.Join(v.Results, " "), "<nil>")
		if n != fmt.Sprint(done) {
			return fmt.Sprintf("n is %s after %d", n, done)
		}
		return ""
	}}
	// listen goes on whatever fails, up to the end of its server.
	listen := func(ctx context.Context, c *goredis.Client) (string, error) {
		ps := c.Subscribe(ctx, "a")
		defer ps.Close()
		for {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			switch m, err := ps.Receive(ctx); m := m.(type) {
			case *goredis.Message:
				c.Append(ctx, "heard", m.Payload)
			case *goredis.Subscription:
			default:
				if err == nil {
					return "", fmt.Errorf("received %v", m)
				}
			}
		}
	}
	publish := func(messages string) func(context.Context, *goredis.Client) (string, error) {
		return func(ctx context.Context, c *goredis.Client) (string, error) {
			for _, m := range messages {
				if err := c.Publish(ctx, "a", string(m)).Err(); err != nil {
					return "", err
				}
			}
			return "", nil
		}
	}
	// server listens, and publishes in another task.
	server := func(s *redis.Store) sim.Program {
		return sim.Program{Name: "s", Tasks: []sim.TaskSpec{{Name: "s/l", Background: true, Boot: true}, {Name: "s/p"}}, New: func(p *sim.Process) []sim.Task {
			c := s.Client(p)
			return []sim.Task{
				func(ctx context.Context) (string, error) { return listen(ctx, c) },
				func(ctx context.Context) (string, error) { return publish("1")(ctx, c) },
			}
		}}
	}
	heard := func(messages string) sim.Property {
		return sim.Property{Name: "heard", Violation: func(v sim.View) string {
			if heard, _ := v.Contents[0].Lookup("heard"); heard != messages {
				return fmt.Sprintf("heard %q", heard)
			}
			return ""
		}}
	}
	boot := func(p sim.Program) sim.Program {
		p.Tasks[0].Boot = true
		return p
	}
	for name, tt := range map[string]struct {
		property sim.Property
		programs func(*redis.Store) []sim.Program
		setup    []string
		broken   string
	}{
		"readers": {coherent, func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "r1", "r", false, read), program(s, "r2", "r", false, read)}
		}, []string{"SET", "row", "old"}, "evict all"}, // of the row
		"cache-aside, warm": {coherent, func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "r1", "", false, read), program(s, "w", "", false, write)}
		}, []string{"MSET", "row", "old", "k", "old"}, "lost-request lost-reply outage crash evict all"},
		"watchers": {counted, func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "w1", "w", false, increment), program(s, "w2", "w", false, increment)}
		}, []string{"SET", "n", "0", "EX", "60"}, "lost-reply expire crash evict all"},
		"listener": {heard("12"), func(s *redis.Store) []sim.Program {
			return []sim.Program{boot(program(s, "l", "", true, listen)), program(s, "p", "", false, publish("12"))}
		}, []string{"SET", "heard", ""}, "lost-request lost-reply outage crash evict drop-message all"},
		"server": {heard("1"), func(s *redis.Store) []sim.Program {
			return []sim.Program{server(s)}
		}, []string{"SET", "heard", ""}, "lost-request outage crash evict drop-message all"},
	} {
		for _, kind := range append([]sim.FaultKind{""}, append(sim.FaultKinds[:], sim.AnyFault)...) {
			s := newStore(t, tt.setup)
			sys := &sim.System{Stores: []sim.Store{s}, Programs: tt.programs(s), Property: tt.property}
			if kind != "" {
				sys.Faults = sim.Faults{kind: 1}
			}
			d := agree(t, name+", "+string(kind), sys)
			broken := kind != "" && strings.Contains(" "+tt.broken+" ", " "+string(kind)+" ")
			if (d.Verdict == explore.Violated) != broken {
				t.Errorf("%s, %s: %s: %+v", name, kind, d.Verdict, d.Counterexample)
			}
		}
	}
}
