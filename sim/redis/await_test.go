package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// locked takes a lock by a command that waits or tries again, works, and gives it back.
func locked(take func(context.Context, *goredis.Client) error) func(context.Context, *goredis.Client) (string, error) {
	return func(ctx context.Context, c *goredis.Client) (string, error) {
		if err := take(ctx, c); err != nil {
			return "", err
		}
		n, err := c.Incr(ctx, "inside").Result()
		if err != nil || n != 1 {
			return "not alone", err
		}
		if err := c.Decr(ctx, "inside").Err(); err != nil {
			return "", err
		}
		return "", c.Del(ctx, "lock").Err()
	}
}

func alone() sim.Property {
	return sim.Property{Name: "alone", Violation: func(v sim.View) string { return strings.Join(v.Results, "") }}
}

func lockSystem(t *testing.T, take func(context.Context, *goredis.Client) error, setup ...[]string) *sim.System {
	t.Helper()
	s, err := redis.NewStore("cache", redis.Options{Setup: setup})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	sys := &sim.System{Stores: []sim.Store{s}, Property: alone()}
	for _, name := range []string{"a", "b"} {
		sys.Programs = append(sys.Programs, program(s, name, "", false, locked(take)))
	}
	return sys
}

var takers = map[string]func(context.Context, *goredis.Client) error{
	"SETNX": func(ctx context.Context, c *goredis.Client) error {
		return c.SetNX(redis.Await(ctx), "lock", "x", 0).Err()
	},
	"SET NX": func(ctx context.Context, c *goredis.Client) error {
		return c.SetArgs(redis.Await(ctx), "lock", "x", goredis.SetArgs{Mode: "NX", TTL: time.Minute}).Err()
	},
	"EVAL": func(ctx context.Context, c *goredis.Client) error {
		return c.Eval(redis.Await(ctx), "return redis.call('SETNX', KEYS[1], 'x')", []string{"lock"}).Err()
	},
}

// A lock that is awaited lets one after the other in: of 4 and 4 steps there are 2
// orders, for the second one can take its first step after the last of the other only.
func TestAwait(t *testing.T) {
	for name, take := range takers {
		r := agree(t, name, lockSystem(t, take))
		if r.Verdict != explore.Holds || r.Interleavings.Int64() != 2 {
			t.Errorf("%s: %s in %s interleavings, want 2", name, r.Verdict, r.Interleavings)
		}
		r = agree(t, name, lockSystem(t, take, []string{"SET", "lock", "lost"}))
		if r.Verdict != explore.Violated || !strings.HasPrefix(r.Counterexample.Violation, "deadlock: a waits for await ") {
			t.Errorf("%s: nobody gives the lock back: %s, %+v", name, r.Verdict, r.Counterexample)
		}
	}
}

// The lock that is tried for again and again is the one that is awaited, without the
// tries in vain, which have no end.
func TestTryAgain(t *testing.T) {
	sys := lockSystem(t, func(ctx context.Context, c *goredis.Client) error {
		for {
			if ok, err := c.SetNX(ctx, "lock", "x", 0).Result(); err != nil || ok {
				return err
			}
		}
	})
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err != nil || r.Verdict != explore.Incomplete || !strings.HasPrefix(r.Reason, "b has asked SET lock x nx → (nil) 100 times in a row, ") {
		t.Errorf("%+v, %v", r, err)
	}
}

// What is awaited is one command. A script that the server does not know is sent twice,
// and it is the second one that waits.
func TestAwaitOnce(t *testing.T) {
	script := goredis.NewScript("return redis.call('EXISTS', KEYS[1])")
	for name, wait := range map[string]func(context.Context, *goredis.Client) (string, error){
		"GET": func(ctx context.Context, c *goredis.Client) (string, error) {
			ctx = redis.Await(ctx)
			v, err := c.Get(ctx, "k").Result()
			if _, missing := c.Get(ctx, "none").Result(); !errors.Is(missing, goredis.Nil) {
				return "the second command has waited", missing
			}
			return v, err
		},
		"LRANGE": func(ctx context.Context, c *goredis.Client) (string, error) {
			v, err := c.LRange(redis.Await(ctx), "l", 0, -1).Result()
			return strings.Join(v, ""), err
		},
		"Run": func(ctx context.Context, c *goredis.Client) (string, error) {
			n, err := script.Run(redis.Await(ctx), c, []string{"k"}).Int()
			return strings.Repeat("v", n), err
		},
	} {
		s, err := redis.NewStore("cache", redis.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{
			program(s, "reader", "", false, wait),
			program(s, "writer", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
				return "", errors.Join(c.RPush(ctx, "l", "v").Err(), c.Set(ctx, "k", "v", 0).Err())
			}),
		}, Property: sim.Property{Name: "found", Violation: func(v sim.View) string {
			if v.Results[0] != "v" {
				return v.Results[0]
			}
			return ""
		}}}
		if r := agree(t, name, sys); r.Verdict != explore.Holds {
			t.Errorf("%s: %s, %+v", name, r.Verdict, r.Counterexample)
		}
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
		if r, err := explore.Product(context.Background(), sys, explore.ProductOptions{}); err != nil || r.Verdict != explore.Holds {
			t.Errorf("%s, timed: %+v, %v", name, r, err)
		}
	}
}

// A try in vain that leaves something behind, and what is no single command, end the run.
func TestAwaitRefused(t *testing.T) {
	for want, take := range map[string]func(context.Context, *goredis.Client) error{
		"has changed something": func(ctx context.Context, c *goredis.Client) error {
			return c.Eval(redis.Await(ctx), "redis.call('INCR', 'tries') return redis.call('SETNX', KEYS[1], 'x')", []string{"lock"}).Err()
		},
		"a context of Await is first used for a single command": func(ctx context.Context, c *goredis.Client) error {
			_, err := c.Pipelined(redis.Await(ctx), func(p goredis.Pipeliner) error { return p.SetNX(ctx, "lock", "x", 0).Err() })
			return err
		},
		"panic: quiesce: a context of Await": func(ctx context.Context, c *goredis.Client) error {
			return c.Watch(redis.Await(ctx), func(tx *goredis.Tx) error { return nil }, "lock")
		},
	} {
		if _, err := explore.Product(context.Background(), lockSystem(t, take), explore.ProductOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A command that waits can fail like any other: then its task is told so.
func TestAwaitFails(t *testing.T) {
	sys := lockSystem(t, takers["SETNX"])
	sys.Faults = sim.Faults{sim.LostRequest: 1, sim.Outage: 1}
	sys.Property.Violation = func(v sim.View) string {
		if strings.Contains(strings.Join(v.Results, ""), "not alone") {
			return "not alone"
		}
		return ""
	}
	// A lost DEL keeps the lock, and the other one waits for ever.
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{Audit: 20})
	if err != nil || r.Verdict != explore.Violated || !strings.HasPrefix(r.Counterexample.Violation, "deadlock: ") || r.Counterexample.Schedule.Faults() != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
