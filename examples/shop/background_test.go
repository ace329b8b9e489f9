package shop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

// Work that a task does not wait for is part of no step. Whenever it comes it is an error
// that says who has started it.

func viewThenFill(later func(func())) operation {
	return op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewThenFill(ctx, 1, later) })
}

// TestGoroutine fills the cache on another goroutine, soon or late.
func TestGoroutine(t *testing.T) {
	for _, after := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		for range 10 {
			w := newWorld(t, sqlite.InMemory)
			w.check(coherent, w.apart(viewThenFill(func(fill func()) { go func() { time.Sleep(after); fill() }() }), discount)...).
				outside("view", "call it only on the goroutine of the task", "created by quiesce/examples/shop.TestGoroutine")
		}
	}
}

func TestAfterFunc(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(coherent, w.apart(viewThenFill(func(fill func()) { time.AfterFunc(300*time.Millisecond, fill) }), discount)...).outside("view")

	w = newWorld(t, sqlite.InMemory)
	w.check(coherent, w.apart(view, try("discount", func(ctx context.Context, s *Shop) error {
		err := s.Discount(ctx, 1, 7900)
		time.AfterFunc(500*time.Millisecond, func() { s.Redis.Del(context.Background(), cacheKey(1)) })
		return err
	}))...).outside("discount")
}

// TestWorker hands the work to a goroutine of the server, or of nobody.
func TestWorker(t *testing.T) {
	work := func(jobs <-chan func()) {
		for do := range jobs {
			time.Sleep(5 * time.Millisecond)
			do()
		}
	}
	w := newWorld(t, sqlite.InMemory)
	jobs := make(chan func(), 1000)
	defer close(jobs)
	go work(jobs)
	w.check(coherent, w.apart(viewThenFill(func(fill func()) { jobs <- fill }), discount)...).outside("view")

	w = newWorld(t, sqlite.InMemory)
	f := w.check(coherent, w.serverOf(func(p *sim.Process) *Shop {
		jobs := make(chan func(), 10)
		go work(jobs)
		s := w.shop(p)
		s.Sleep = func(time.Duration) { jobs <- func() {} }
		return s
	}, op("view", func(ctx context.Context, s *Shop) (Product, error) { s.Sleep(0); return s.View(ctx, 1) })))
	fails[*explore.LeftoverError](f, "server has ended and left a goroutine behind that is in chan receive", "background_test.go:")
}

// TestFanOut loads on several goroutines, which the task waits for.
func TestFanOut(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(coherent, w.apart(op("view", func(ctx context.Context, s *Shop) ([]Product, error) { return s.ViewAll(ctx, 1, 2) }), discount)...).
		outside("view", "errgroup.(*Group).Go")

	w = newWorld(t, sqlite.InMemory)
	w.check(coherent, w.apart(op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewOnceUntil(ctx, 1) }), discount)...).
		outside("view", "singleflight.(*Group).DoChan")
}

// TestConstructor asks the cache before the server serves.
func TestConstructor(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	for _, answer := range []func(error){
		func(error) {}, // it is logged
		func(err error) { panic(err) },
	} {
		w.check(coherent, w.serverOf(func(p *sim.Process) *Shop {
			s := w.shop(p)
			if err := s.Redis.Ping(context.Background()).Err(); err != nil {
				answer(fmt.Errorf("no cache: %w", err))
			}
			return s
		}, view)).outside("server: ", "after New has returned")
	}
}
