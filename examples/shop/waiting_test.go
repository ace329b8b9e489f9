package shop

import (
	"context"
	"errors"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// hangs wants an error that says which task waits, and where.
func (w *world) hangs(words []string, programs ...sim.Program) {
	w.t.Helper()
	w.t.Parallel() // for each takes its time
	sys := w.system(anything, programs...)
	sys.Patience = 2 * time.Second
	hang := fails[*sim.HangError](check(w.t, sys, explore.ProductOptions{}), append(words, "has asked for nothing for 2s")...)
	if hang != nil && !hang.Waits {
		w.t.Errorf("it runs, and waits for nothing: %v", hang)
	}
}

// twice is the operation asked for by two goroutines of a server.
func twice(do func(context.Context, *Shop) (Product, error)) []operation {
	return []operation{op("view-1", do), op("view-2", do)}
}

// TestMutex: a lock that is held across a request by one goroutine of the server while
// another one wants it.
func TestMutex(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.hangs([]string{"view-", "in sync.(*Mutex).Lock at service.go:", "hold no lock"},
		w.server(twice(func(ctx context.Context, s *Shop) (Product, error) { return s.ViewAlone(ctx, 1) })...))
}

// TestSingleflight waits for the first flight, which waits for its reply.
func TestSingleflight(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.hangs([]string{"view-", "in golang.org/x/sync/singleflight.(*Group).Do at service.go:"},
		w.server(twice(func(ctx context.Context, s *Shop) (Product, error) { return s.ViewOnce(ctx, 1) })...))
}

// TestSharedByAccident: two servers that are one in memory.
func TestSharedByAccident(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	var one *Shop
	var programs []sim.Program
	for _, name := range []string{"server-1", "server-2"} {
		p := w.serverOf(func(p *sim.Process) *Shop {
			if one == nil {
				one = w.shop(p)
			}
			one.Products, one.Redis = Repository{w.db.Open(p)}, w.cache.Client(p)
			return one
		}, op(name, func(ctx context.Context, s *Shop) (Product, error) { return s.ViewAlone(ctx, 1) }))
		p.Name, p.Tasks = name, nil
		programs = append(programs, p)
	}
	w.hangs([]string{"server-", "in sync.(*Mutex).Lock", "share none between processes"}, programs...)
}

// TestChannel: one task waits for what another one has to do first.
func TestChannel(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.hangs([]string{"view", "in chan receive at waiting_test.go:"}, sim.Program{Name: "server", Tasks: []sim.TaskSpec{{Name: "view"}, {Name: "discount"}}, New: func(p *sim.Process) []sim.Task {
		s, discounted := w.shop(p), make(chan struct{})
		return []sim.Task{
			func(ctx context.Context) (string, error) { <-discounted; return view.do(ctx, s) },
			func(ctx context.Context) (string, error) { defer close(discounted); return discount.do(ctx, s) },
		}
	}})
}

// TestPoolOfOne: a query beside a transaction, of a pool with one connection.
func TestPoolOfOne(t *testing.T) {
	w := newWorld(t, sqlite.WAL)
	w.hangs([]string{"checkout", "database/sql."}, w.apart(try("checkout", func(ctx context.Context, s *Shop) error {
		s.Products.DB.SetMaxOpenConns(1)
		tx, err := s.Products.DB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, err = s.Products.Get(ctx, 1)
		return err
	}))...)
}

// TestRealSleep: time.Sleep is real time, and longer than patience it is taken for hung.
func TestRealSleep(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.hangs([]string{"in time.Sleep at waiting_test.go:", "sleep by"}, w.apart(try("discount", func(ctx context.Context, s *Shop) error {
		time.Sleep(20 * time.Second)
		return s.Discount(ctx, 1, 7900)
	}))...)
}

// TestLock: a lock that is tried for a few times, for ever, and as one step.
func TestLock(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	locked := func(tries int) []sim.Program {
		programs := w.apart(
			try("a", func(ctx context.Context, s *Shop) error {
				return s.Locked(ctx, 1, tries, func() error { return s.Discount(ctx, 1, 1) })
			}),
			try("b", func(ctx context.Context, s *Shop) error {
				return s.Locked(ctx, 1, tries, func() error { return s.Discount(ctx, 1, 2) })
			}))
		for i := range programs {
			programs[i].Outcomes = []error{ErrBusy}
		}
		return programs
	}
	someone := sim.Property{Name: "someone gets it", Labelled: true, Violation: func(v sim.View) string {
		if v.Results[0] == "busy" && v.Results[1] == "busy" {
			return "both are told that it is busy"
		}
		return ""
	}}
	if f := w.check(someone, locked(2)...); f.verdict(explore.Holds).Premise != nil {
		t.Error("a premise from nowhere")
	}
	w.check(anything, locked(0)...).because(explore.Incomplete, "has asked SET lock:product:1 'token of ", "nx → (nil) 100 times in a row, a loop without an end", "redis.Await")

	awaited := func(name string) operation {
		return try(name, func(ctx context.Context, s *Shop) error {
			if ok, err := s.Redis.SetNX(redis.Await(ctx), "lock", name, 0).Result(); err != nil || !ok {
				return errors.Join(err, errors.New("not locked"))
			}
			if err := s.Discount(ctx, 1, 1); err != nil {
				return err
			}
			return s.Redis.Del(ctx, "lock").Err()
		})
	}
	// Whoever is first runs to its DEL, before which the other one is blocked.
	w.check(anything, w.apart(awaited("a"), awaited("b"))...).holds(2)
}
