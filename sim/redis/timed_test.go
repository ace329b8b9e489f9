package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

var anything = sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}

// A lock whose owner never gives it back is there for its TTL only: whoever waits for it
// has it then, also if there is nobody else for whom time would pass. Without a TTL that
// is a deadlock.
func TestAwaitOutlastsALease(t *testing.T) {
	for lease, want := range map[time.Duration]explore.Verdict{0: explore.Violated, 3 * time.Second: explore.Holds} {
		for _, wait := range []time.Duration{0, time.Second} {
			s := newStore(t)
			sys := &sim.System{Stores: []sim.Store{s}, Property: anything,
				Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second, MaxWait: wait},
				Programs: []sim.Program{
					program(s, "owner", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
						return "", c.SetNX(ctx, "lock", "x", lease).Err()
					}),
					program(s, "waiter", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
						return "", c.SetNX(redis.Await(ctx), "lock", "x", 3*time.Second).Err()
					}),
				}}
			if d := agree(t, lease.String(), sys); d.Verdict != want {
				t.Errorf("lease %s, waits of at most %s: %s, want %s", lease, wait, d.Verdict, want)
			}
		}
	}
}

// An outage lasts for any time, also if all tasks wait for its end: what was set for 5 s
// is gone then, or is not.
func TestAnOutageOutlastsATTL(t *testing.T) {
	s := newStore(t)
	sys := &sim.System{Stores: []sim.Store{s}, Faults: sim.Faults{sim.Outage: 1}, Property: anything,
		Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second},
		Programs: []sim.Program{{Name: "p", New: func(p *sim.Process) []sim.Task {
			c := s.Client(p)
			return []sim.Task{func(ctx context.Context) (found string, err error) {
				if err := p.Supervise(func() error { return c.Set(ctx, "k", "v", 5*time.Second).Err() }); err != nil {
					return "", err
				}
				return found, p.Supervise(func() error {
					switch err := c.Get(ctx, "k").Err(); err {
					case nil:
						found = "there"
					case goredis.Nil:
						found = "gone"
					default:
						return err
					}
					return nil
				})
			}}
		}}},
	}
	sys.Property.Violation = func(v sim.View) string {
		if v.Results[0] == "gone" {
			return "k is gone"
		}
		return ""
	}
	if d := agree(t, "outage", sys); d.Verdict != explore.Violated || d.Violating.Cmp(d.Interleavings) == 0 {
		t.Errorf("%s, %s of %s", d.Verdict, d.Violating, d.Interleavings)
	}
}

// Two TTLs of two centuries are together more than a duration can be. By hand: a expires
// after its SET or one of the three requests after that, b after its own or one of the
// two after it, or nothing does.
func TestTTLsOfCenturies(t *testing.T) {
	s := newStore(t)
	const ttl = 200 * 365 * 24 * time.Hour
	sys := &sim.System{Stores: []sim.Store{s}, Property: anything, Faults: sim.Faults{sim.Expire: 1}, Programs: []sim.Program{
		program(s, "p", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			c.Set(ctx, "a", "v", ttl)
			c.Set(ctx, "b", "v", ttl)
			c.Get(ctx, "a")
			c.Get(ctx, "b")
			return "", nil
		}),
	}}
	if d := agree(t, "centuries", sys); d.Verdict != explore.Holds || d.Interleavings.Int64() != 8 {
		t.Errorf("%s in %s interleavings, want 8", d.Verdict, d.Interleavings)
	}
}

// RENAME gives a key with what is left of its TTL another name, also one that a key has
// already. Here b, which was a, has 5 s left when w is set for 7 s, so w is not the first
// of the two to expire.
func TestARenamedKeyExpiresWhenItWould(t *testing.T) {
	s := newStore(t)
	sys := &sim.System{Stores: []sim.Store{s}, Property: anything, Faults: sim.Faults{sim.Expire: 2}, Programs: []sim.Program{
		program(s, "p", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			set := func(keys ...string) error {
				return c.Eval(ctx, "for i = 1, 4, 2 do redis.call('SET', ARGV[i], '', 'EX', ARGV[i+1]) end return 1", nil, keys).Err()
			}
			if err := set("a", "10", "m", "5"); err != nil {
				return "", err
			}
			if n, err := c.Exists(ctx, "m").Result(); err != nil || n == 1 {
				return "m is there", err
			}
			if err := set("b", "10", "w", "7"); err != nil {
				return "", err
			}
			const rename = "if redis.call('EXISTS', 'a') == 1 then redis.call('RENAME', 'a', 'b') end return 1"
			if err := c.Eval(ctx, rename, nil).Err(); err != nil {
				return "", err
			}
			keys, err := c.Keys(ctx, "*").Result()
			return strings.Join(keys, ""), err
		}),
	}}
	seen := map[string]bool{}
	sys.Property.Violation = func(v sim.View) string { seen[v.Results[0]] = true; return "" }
	agree(t, "RENAME", sys)
	if !seen["w"] || !seen["bw"] || seen["b"] {
		t.Errorf("at the end there were %v, want w or bw", seen)
	}
}

// Of two interchangeable tasks that sleep alike the one that fell asleep first may be the
// only one that can wake: the other one began when e was gone, after 1 s, and would sleep
// for longer than l, which nothing takes away, is there. Only the other one takes away s,
// which is there for less than a sleep, just before it falls asleep. There are 2 executions,
// since the tasks are alike: each engine finds them.
func TestInterchangeableSleepers(t *testing.T) {
	s := newStore(t, []string{"SET", "e", "", "PX", "1000"}, []string{"SET", "s", "", "PX", "1500"}, []string{"SET", "l", "", "PX", "2500"})
	const begin = `if redis.call('SETNX', 'first', '') == 1 then return 1 end
		return redis.call('EXISTS', 'asleep') * (1 - redis.call('EXISTS', 'e'))`
	const asleep = `redis.call('SET', 'asleep', '')
		if redis.call('EXISTS', 'e') == 0 then redis.call('DEL', 's') end
		return 1`
	sys := &sim.System{Stores: []sim.Store{s, sim.Clock{}}, Property: anything, Faults: sim.Faults{sim.Expire: 1}}
	for _, name := range []string{"a", "b"} {
		sys.Programs = append(sys.Programs, sim.Program{Name: name, Class: "sleeper", New: func(p *sim.Process) []sim.Task {
			c := s.Client(p)
			return []sim.Task{func(ctx context.Context) (string, error) {
				if n, err := c.Eval(ctx, begin, nil).Int(); err != nil || n == 0 {
					return "late", err
				}
				if err := c.Eval(ctx, asleep, nil).Err(); err != nil {
					return "", err
				}
				sim.Clock{}.For(p).Sleep(2 * time.Second)
				return "awake", c.Del(ctx, "l").Err()
			}}
		}})
	}
	if d := agree(t, "sleepers", sys); d.Interleavings.Int64() != 2 {
		t.Errorf("%s interleavings, want 2", d.Interleavings)
	}
}

// A state is no end if whatever can go on there without a fault leads to where nothing
// can. By hand: the task that sleeps for 2 s can wake only if s, which is there for 1.5 s,
// expires, and the one fault is spent on it; so d, which is there for 0.1 s, is never set
// before. After that the two tasks have 2 orders.
func TestNoEndBeforeADeadEnd(t *testing.T) {
	s := newStore(t, []string{"SET", "s", "", "PX", "1500"})
	sys := &sim.System{Stores: []sim.Store{s, sim.Clock{}}, Property: anything, Faults: sim.Faults{sim.Expire: 1}, Programs: []sim.Program{
		{Name: "sleeper", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				sim.Clock{}.For(p).Sleep(2 * time.Second)
				return "", nil
			}}
		}},
		program(s, "other", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
			return "", c.Eval(ctx, "if redis.call('EXISTS', 's') == 1 then redis.call('SET', 'd', '', 'PX', '100') end return 1", nil).Err()
		}),
	}}
	if d := agree(t, "dead end", sys); d.Verdict != explore.Holds || d.Interleavings.Int64() != 2 {
		t.Errorf("%s in %s interleavings, want 2", d.Verdict, d.Interleavings)
	}
}
