package history_test

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/history"
	"quiesce/sim/redis"
)

// A shop keeps a price and a copy of it. A view takes the copy, or makes one if there is
// none; an update takes the copy away after it has set the price.
type shop struct{ redis *goredis.Client }

func (s shop) view(ctx context.Context) (string, error) {
	copied, err := s.redis.Get(ctx, "copy").Result()
	if !errors.Is(err, goredis.Nil) {
		return copied, err
	}
	price, err := s.redis.Get(ctx, "price").Result()
	if err != nil {
		return "", err
	}
	return price, s.redis.Set(ctx, "copy", price, 0).Err()
}

func (s shop) update(ctx context.Context, price string) error {
	if err := s.redis.Set(ctx, "price", price, 0).Err(); err != nil {
		return err
	}
	return s.redis.Del(ctx, "copy").Err()
}

// An editor sets the price and views it, while somebody else does.
func Example() {
	store, err := redis.NewStore("redis", redis.Options{Setup: [][]string{{"SET", "price", "99"}}})
	if err != nil {
		panic(err)
	}
	defer store.Close()

	editor := sim.Program{Name: "editor", New: func(p *sim.Process) []sim.Task {
		s := shop{store.Client(p)}
		log := history.NewLog(p)
		log.First = true
		p.Show(log.Content)
		return []sim.Task{func(ctx context.Context) (string, error) {
			set := history.Op{Name: "update", Kind: history.Write, Key: "price", Value: "79"}
			if err := log.Do("editor", set, func() (string, error) { return "", s.update(ctx, "79") }); err != nil {
				return "", err
			}
			return "", log.Do("editor", history.Op{Name: "view", Key: "price"}, func() (string, error) { return s.view(ctx) })
		}}
	}}
	viewer := sim.Program{Name: "viewer", New: func(p *sim.Process) []sim.Task {
		s := shop{store.Client(p)}
		return []sim.Task{func(ctx context.Context) (string, error) {
			_, err := s.view(ctx)
			return "", err
		}}
	}}
	sys := &sim.System{
		Stores:   []sim.Store{store},
		Programs: []sim.Program{editor, viewer},
		Property: history.History{Initial: map[string]string{"price": "99"}}.ReadYourWrites(),
	}
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Verdict, "in", r.Violating, "of", r.Interleavings, "interleavings")
	for _, step := range r.Counterexample.Steps {
		fmt.Println(step.Task, step.Request)
	}
	fmt.Println(r.Counterexample.Violation)
	// Output:
	// violated in 2 of 84 interleavings
	// viewer GET copy
	// viewer GET price
	// editor SET price 79
	// editor DEL copy
	// editor yield
	// viewer SET copy 99
	// editor GET copy
	// view returned "99" of price, which is older than what the same task had written before
}
