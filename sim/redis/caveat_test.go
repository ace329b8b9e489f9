package redis_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"

	goredis "github.com/redis/go-redis/v9"
)

// TestCaveats has for every way to look at the time a smallest system, beside one that
// does nearly the same without looking.
func TestCaveats(t *testing.T) {
	const (
		expired = "nothing expired; the workload has TTLs"
		passes  = " was asked, and time stands still; it passes with -max-stall D (sim.Timing)"
		stands  = " was asked, and the clock of Redis stands still"
	)
	script := goredis.NewScript("local ttl = tonumber(ARGV[1]) return redis.call('SET', KEYS[1], 'TTL of a', 'PX', ttl)")
	for _, c := range []struct {
		name string
		task func(context.Context, *goredis.Client) error
		want []string
	}{
		{"no TTL", func(ctx context.Context, c *goredis.Client) error { return c.Set(ctx, "a", 1, 0).Err() }, nil},
		{"a TTL", func(ctx context.Context, c *goredis.Client) error { return c.Set(ctx, "a", 1, time.Minute).Err() }, []string{expired}},
		{"what is left", func(ctx context.Context, c *goredis.Client) error { return c.TTL(ctx, "a").Err() }, []string{"TTL" + passes}},
		{"both", func(ctx context.Context, c *goredis.Client) error {
			_, err := c.TxPipelined(ctx, func(p goredis.Pipeliner) error { p.PTTL(ctx, "a"); return p.TTL(ctx, "a").Err() })
			return err
		}, []string{"PTTL, TTL" + passes}},
		{"the clock", func(ctx context.Context, c *goredis.Client) error { return c.Time(ctx).Err() }, []string{"TIME" + stands}},
		{"a longer TTL", func(ctx context.Context, c *goredis.Client) error { return c.ExpireGT(ctx, "a", time.Minute).Err() }, []string{"EXPIRE GT" + passes}},
		{"a first TTL", func(ctx context.Context, c *goredis.Client) error { return c.ExpireNX(ctx, "a", time.Minute).Err() }, nil},
		{"a script", func(ctx context.Context, c *goredis.Client) error {
			return c.Eval(ctx, "return {redis.call('pttl', KEYS[1]), redis.call(\"TIME\")}", []string{"a"}).Err()
		}, []string{"PTTL" + passes, "TIME" + stands}},
		{"a script that sets a TTL", func(ctx context.Context, c *goredis.Client) error {
			return script.Eval(ctx, c, []string{"a"}, 1000).Err()
		}, []string{expired}},
		{"a loaded script", func(ctx context.Context, c *goredis.Client) error {
			return c.EvalSha(ctx, goredis.NewScript("return redis.call('PTTL', KEYS[1])").Hash(), []string{"a"}).Err()
		}, []string{"PTTL" + passes}},
		{"a key of that name", func(ctx context.Context, c *goredis.Client) error { return c.Get(ctx, "ttl").Err() }, nil},
	} {
		s := newStore(t, []string{"SCRIPT", "LOAD", "return redis.call('PTTL', KEYS[1])"})
		sys := &sim.System{Stores: []sim.Store{s}, Property: sim.Property{Violation: func(sim.View) string { return "" }}}
		sys.Programs = []sim.Program{program(s, "task", "", false, func(ctx context.Context, client *goredis.Client) (string, error) {
			if err := c.task(ctx, client); err != nil && err != goredis.Nil {
				return "", err
			}
			return "", nil
		})}
		r, err := explore.Product(t.Context(), sys, explore.ProductOptions{Audit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Caveats, c.want) {
			t.Errorf("%s: %q, want %q", c.name, r.Caveats, c.want)
		}
	}

	// Where time passes there is nothing to be said.
	s := newStore(t)
	sys := &sim.System{Stores: []sim.Store{s}, Property: sim.Property{Violation: func(sim.View) string { return "" }},
		Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second}}
	sys.Programs = []sim.Program{program(s, "task", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
		return "", c.PTTL(ctx, "a").Err()
	})}
	if r, err := explore.Product(t.Context(), sys, explore.ProductOptions{Audit: 1}); err != nil || r.Caveats != nil {
		t.Errorf("timed: %+v, %v", r, err)
	}
}
