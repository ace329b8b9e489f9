package redis_test

import (
	"context"
	"math/big"
	"slices"
	"strconv"
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

// TestManyAtOnce has nine tasks of one server that ask at the same time, and take an error
// for a miss. None may get one for want of a connection: that would depend on what others
// wait for, which nobody shows.
func TestManyAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the race detector a minute")
	}
	s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "n", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const many = 9
	var specs []sim.TaskSpec
	for i := range many {
		specs = append(specs, sim.TaskSpec{Name: "reader-" + strconv.Itoa(i)})
	}
	sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{{
		Name: "server", Tasks: specs, New: func(p *sim.Process) (tasks []sim.Task) {
			c := s.Client(p)
			p.ShowsAll()
			p.Derivable()
			for range many {
				tasks = append(tasks, func(ctx context.Context) (string, error) {
					if c.Get(ctx, "n").Err() != nil {
						return "miss", nil
					}
					return "", nil
				})
			}
			return tasks
		}}},
		Property: sim.Property{Name: "no miss", Premise: func(sim.View) bool { return true }, Violation: func(v sim.View) string {
			if slices.Contains(v.Results, "miss") {
				return "there is a miss"
			}
			return ""
		}}}
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{Audit: 10})
	if err != nil {
		t.Fatal(err)
	}
	// Each task takes three steps, in any order of all of them.
	want := new(big.Int).MulRange(1, 3*many)
	for range many {
		want.Div(want, big.NewInt(6))
	}
	if r.Verdict != explore.Holds || r.Interleavings.Cmp(want) != 0 {
		t.Errorf("%s, %s interleavings; want %s", r.Verdict, r.Interleavings, want)
	}
}
