package explore_test

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
)

// visit counts a visitor: what is in the cache, and one more. Nothing in it knows that it
// is explored.
func visit(ctx context.Context, cache *goredis.Client) error {
	n, err := cache.Get(ctx, "visits").Int()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return err
	}
	return cache.Set(ctx, "visits", n+1, 0).Err()
}

// Two servers count a visitor each, in all orders of their steps.
func Example() {
	cache, err := redis.NewStore("cache", redis.Options{}) // in memory
	if err != nil {
		panic(err)
	}
	defer cache.Close()

	server := func(name string) sim.Program {
		return sim.Program{Name: name, New: func(p *sim.Process) []sim.Task {
			client := cache.Client(p)
			return []sim.Task{func(ctx context.Context) (string, error) { return "", visit(ctx, client) }}
		}}
	}
	sys := &sim.System{
		Stores:   []sim.Store{cache},
		Programs: []sim.Program{server("a"), server("b")},
		Property: sim.Property{Name: "both-are-counted", Violation: func(v sim.View) string {
			if visits, _ := v.Value("cache", "visits"); visits != "2" {
				return "2 visitors, and visits is " + visits
			}
			return ""
		}},
	}
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Verdict, "in", r.Violating, "of", r.Interleavings, "interleavings")
	for _, step := range r.Counterexample.Steps {
		fmt.Println(step.Task, step.Request, "->", step.Reply)
	}
	fmt.Println(r.Counterexample.Violation)
	// Output:
	// violated in 4 of 6 interleavings
	// a GET visits -> (nil)
	// b GET visits -> (nil)
	// b SET visits 1 -> OK
	// a SET visits 1 -> OK
	// 2 visitors, and visits is 1
}
