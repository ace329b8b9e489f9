package shop

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

var (
	viewLocal     = op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewLocal(ctx, 1) })
	discountLocal = try("discount", func(ctx context.Context, s *Shop) error { return s.DiscountLocal(ctx, 1, 7900) })
)

// TestLocalCache: the reply that fills the local cache arrives after the invalidation.
func TestLocalCache(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	got := w.check(localCoherent, w.server(viewLocal, discountLocal)).violated("view:6,discount:5,view:1")
	if got != `the server holds 9900, the database {"id":1,"price":7900,"stock":1}` {
		t.Error(got)
	}
}

// TestLocalCacheNotShown: a property that looks into a memory which nobody shows has
// nothing to judge.
func TestLocalCacheNotShown(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(localCoherent, w.serverOf(w.shop, viewLocal, discountLocal)).because(explore.Vacuous, `"product:1" in server`)
}

// pricesServer is a server with prices in its memory, which it shows.
func pricesServer(w *world, gap func(*sim.Process)) sim.Program {
	return sim.Program{Name: "server", Tasks: []sim.TaskSpec{{Name: "load"}, {Name: "discount"}}, New: func(p *sim.Process) []sim.Task {
		c := &Prices{Products: Repository{w.db.Open(p)}, Gap: func() { gap(p) }}
		p.Show(func() sim.Content {
			if price, ok := c.Price(1); ok {
				return sim.Content{{Name: "product:1", Value: fmt.Sprint(price)}}
			}
			return sim.Content{}
		})
		return []sim.Task{
			func(ctx context.Context) (string, error) { return "", c.Load(ctx, 1) },
			func(ctx context.Context) (string, error) { return "", c.Discount(ctx, 1, 7900) },
		}
	}}
}

// TestCheckThenAct: what a task does between two requests is one step, so the gap between
// two locks is seen only where the code says that it has one.
func TestCheckThenAct(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(localCoherent, pricesServer(w, func(*sim.Process) {})).holds(20)
	w.check(localCoherent, pricesServer(w, (*sim.Process).Yield)).violated("load:3,discount:3,load:1")
}

// TestWrongClass: programs of one class that write different prices are noticed, also where
// one of them alone would violate.
func TestWrongClass(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	var programs []sim.Program
	for i, price := range []int64{1, 2} {
		p := w.apart(try(fmt.Sprint("writer-", i+1), func(ctx context.Context, s *Shop) error { return s.Discount(ctx, 1, price) }))[0]
		p.Class = "writer"
		programs = append(programs, p)
	}
	f := w.check(anything, programs...)
	fails[*explore.NondeterminismError](f, "UPDATE products SET price = 1", "UPDATE products SET price = 2", "a wrong Class: that of writer-1 and writer-2 is equal")
}

// TestPackageVariable: a local cache that outlives its run is noticed by the exploration
// that fills it. A later one in the same program begins with it full; its view asks for
// nothing then, so that no state holds what the property looks for.
func TestPackageVariable(t *testing.T) {
	var packageCache map[int64]Product // as if it were declared outside
	viewGlobal := op("view", func(ctx context.Context, s *Shop) (p Product, err error) {
		if p, ok := packageCache[1]; ok {
			return p, nil
		}
		if p, err = s.View(ctx, 1); err == nil {
			packageCache = map[int64]Product{1: p}
		}
		return p, err
	})
	w := newWorld(t, sqlite.InMemory)
	f := w.check(coherent, w.apart(viewGlobal, discount)...)
	fails[*explore.NondeterminismError](f, "GET product:1", "memory that outlives a run")
	f = w.check(coherent, w.apart(viewGlobal, discount)...)
	f.because(explore.Vacuous, `looked up "product:1" in cache, which no state holds`)
	contains(t, fmt.Sprint(f.r.Caveats), "view makes no request in any interleaving")
}

// TestCost ends a search that is too large, which is no pass.
func TestCost(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	second := viewLocal
	second.name = "view-2"
	third := viewLocal
	third.name = "view-3"
	f := check(t, w.system(anything, w.server(viewLocal, second, third)), explore.ProductOptions{LimitStates: 2000})
	f.because(explore.Incomplete, "2000 states")
}

// TestPropertyPanics: a property that looks at a result which is not there yet.
func TestPropertyPanics(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	first := sim.Property{Name: "first letter", Always: true, Violation: func(v sim.View) string {
		_ = v.Results[0][0]
		return ""
	}}
	f := w.check(first, w.apart(view)...)
	fails[*sim.PropertyError](f, "first letter panics at memory_test.go:", "index out of range", `results [""]`)
	fails[*explore.ExecutionError](f)
}

// TestNothingToJudge: names that are spelled wrong, and premises that never hold.
func TestNothingToJudge(t *testing.T) {
	typo := sim.Property{Name: "typo", Violation: func(v sim.View) string {
		cached, ok := v.Value("cache", "products:1")
		row, _ := v.Value("db", "products/1")
		if ok && cached != row {
			return "stale"
		}
		return ""
	}}
	w := newWorld(t, sqlite.InMemory)
	w.check(typo, w.apart(view, discount)...).because(explore.Vacuous, `"products:1" in cache`, "cache has held product:1")

	premise := coherent
	premise.Premise = func(v sim.View) bool { _, ok := v.Value("cache", "products:1"); return ok }
	premise.Violation = func(sim.View) string { return "" }
	w.check(premise, w.apart(view, discount)...).because(explore.Vacuous, "its premise holds in no interleaving")

	elsewhere := sim.Property{Name: "elsewhere", Violation: func(v sim.View) string { v.Value("redis", "product:1"); return "" }}
	fails[*sim.PropertyError](w.check(elsewhere, w.apart(view, discount)...), "elsewhere panics", `"redis"`, "cache", "db")
}

// TestReplayToken runs one schedule again, by its token, and an earlier trace.
func TestReplayToken(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	sys := w.system(coherent, w.apart(view, discount)...)
	found := check(t, sys, explore.ProductOptions{}).verdict(explore.Violated).Counterexample
	schedule, err := explore.ParseSchedule(sys, race)
	if err != nil {
		t.Fatal(err)
	}
	again, err := explore.Replay(sys, schedule)
	if err != nil || again.Violation == "" || again.Violation != found.Violation {
		t.Errorf("%+v, %v", again, err)
	}
	if r, err := explore.Reproduce(sys, found); err != nil || r.Outcome != explore.Reproduced {
		t.Errorf("%+v, %v", r, err)
	}
	fixed := w.system(coherent, w.apart(view, try("discount", func(ctx context.Context, s *Shop) error {
		return errors.Join(s.Discount(ctx, 1, 7900), s.fill(ctx, Product{1, 7900, 1}))
	}))...)
	if r, err := explore.Reproduce(fixed, found); err != nil || r.Outcome == explore.Reproduced {
		t.Errorf("%+v, %v", r, err)
	}
}
