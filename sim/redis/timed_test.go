package redis_test

import (
	"context"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

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
	sys := &sim.System{Stores: []sim.Store{s}, Faults: sim.Faults{sim.RedisDown: 1}, Property: anything,
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
