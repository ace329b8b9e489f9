package redis_test

import (
	"context"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// TestSharedNames has two tasks of one server that watch a key. Under which name each does
// depends on whether the other one does at that moment, which the client has to keep:
// the server states that its tasks share nothing else.
func TestSharedNames(t *testing.T) {
	s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "n", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	system := func() *sim.System {
		return &sim.System{Stores: []sim.Store{s}, Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}, Programs: []sim.Program{{
			Name: "server", Tasks: []sim.TaskSpec{{Name: "a"}, {Name: "b"}}, New: func(p *sim.Process) []sim.Task {
				c := s.Client(p)
				p.ShowsAll()
				watch := func(ctx context.Context) (string, error) {
					return "", c.Watch(ctx, func(tx *goredis.Tx) error { return tx.Get(ctx, "n").Err() }, "n")
				}
				return []sim.Task{watch, watch}
			},
		}}}
	}
	var results []*explore.Result
	for _, noMerge := range []bool{false, true} {
		r, err := explore.Product(context.Background(), system(), explore.ProductOptions{NoMerge: noMerge})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	if a, b := results[0], results[1]; a.Interleavings.Cmp(b.Interleavings) != 0 || a.Statistics.States >= b.Statistics.States {
		t.Errorf("by memory %s interleavings in %d states, by history %s in %d", a.Interleavings, a.Statistics.States, b.Interleavings, b.Statistics.States)
	}
}
