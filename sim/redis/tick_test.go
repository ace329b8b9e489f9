package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"

	goredis "github.com/redis/go-redis/v9"
)

// A TTL that is no whole number of ticks, or too many, would expire at the wrong
// moment or never: both engines refuse it, and take it otherwise.
func TestTicksOfTTLs(t *testing.T) {
	for ttl, want := range map[time.Duration]string{
		1500 * time.Millisecond:     "cache: the TTL of k: 1.5s is no multiple of the tick of 1s",
		501 * time.Second:           "cache: the TTL of k: 8m21s is 501 ticks of 1s, more than 500; make the durations more alike, such as a longer stall",
		sim.MostTicks * time.Second: "",
	} {
		s := newStore(t)
		sys := &sim.System{Stores: []sim.Store{s}, Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second}, Programs: []sim.Program{
			program(s, "p", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
				return "", c.Set(ctx, "k", "v", ttl).Err()
			}),
		}}
		sys.Property = sim.Property{Name: "none", Violation: func(sim.View) string { return "" }}
		_, direct := explore.Direct(t.Context(), sys, explore.DirectOptions{})
		_, product := explore.Product(t.Context(), sys, explore.ProductOptions{})
		for engine, err := range map[string]error{"direct": direct, "product": product} {
			if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s: %s: %v, want %q", engine, ttl, err, want)
			}
		}
	}
}
