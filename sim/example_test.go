package sim_test

import (
	"context"
	"fmt"

	"quiesce/sim"
	"quiesce/sim/redis"
)

// A system does nothing by itself: whoever runs it says whose step is next. Here the
// reader asks before the writer has written.
func Example() {
	cache, err := redis.NewStore("cache", redis.Options{}) // in memory
	if err != nil {
		panic(err)
	}
	defer cache.Close()

	reader := sim.Program{Name: "reader", New: func(p *sim.Process) []sim.Task {
		client := cache.Client(p) // an ordinary *redis.Client
		return []sim.Task{func(ctx context.Context) (string, error) {
			n, err := client.Exists(ctx, "price").Result()
			return fmt.Sprint("prices: ", n), err
		}}
	}}
	writer := sim.Program{Name: "writer", New: func(p *sim.Process) []sim.Task {
		client := cache.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) {
			return "", client.Set(ctx, "price", 7900, 0).Err()
		}}
	}}
	sys := &sim.System{
		Stores:   []sim.Store{cache},
		Programs: []sim.Program{reader, writer},
		Property: sim.Property{Name: "found", Violation: func(v sim.View) string {
			if v.Results[0] == "prices: 0" {
				return "the reader has found no price"
			}
			return ""
		}},
	}
	e, err := sys.Start()
	if err != nil {
		panic(err)
	}
	defer e.Stop()
	for _, task := range []int{0, 1} {
		if err := e.Step(task); err != nil {
			panic(err)
		}
	}
	for _, step := range e.Trace() {
		request, reply := sys.Describe(step.Request, step.Reply)
		fmt.Println(sys.Tasks()[step.Task].Name+":", request, "->", reply)
	}
	v, err := e.View()
	if err != nil {
		panic(err)
	}
	fmt.Println(sys.Property.Violation(v))
	// Output:
	// reader: EXISTS price -> 0
	// writer: SET price 7900 -> OK
	// the reader has found no price
}
