package model

import (
	"context"
	"regexp"
	"strings"

	"quiesce/sim"
)

// A Measure counts something along an interleaving.
type Measure struct {
	Name string
	Of   func(s sim.Step, before sim.View) int
}

// cachedProduct finds a product in a reply of the cache, also where a script has
// returned it beside something else.
var cachedProduct = regexp.MustCompile(`\{"product_id":[^{}]*\}`)

// Measures returns what is counted of the interleavings of a workload, in a system that
// keeps a cache. What a server finds in its own memory is no request, so it is not counted.
func Measures(w Workload, sys *sim.System) []Measure {
	tasks, cast := sys.Tasks(), w.cast()
	reads := func(s sim.Step, store string) bool {
		return s.Task != sim.Environment && cast[tasks[s.Task].Name].role == reader && s.Request.Store == store
	}
	loads := func(s sim.Step) bool {
		return s.Task != sim.Environment && s.Request.Store == dbStore && strings.Contains(s.Request.Body, "SELECT")
	}
	hit := func(s sim.Step) string {
		if !reads(s, cacheStore) {
			return ""
		}
		return cachedProduct.FindString(s.Reply.Body)
	}
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	return []Measure{
		{"hits", func(s sim.Step, _ sim.View) int { return one(hit(s) != "") }},
		{"stale hits", func(s sim.Step, before sim.View) int {
			p, err := decode(hit(s))
			if err != nil {
				return 0
			}
			r, err := decode(productRow(before, p.ID))
			return one(err != nil || r != p)
		}},
		{"misses", func(s sim.Step, _ sim.View) int { return one(reads(s, dbStore) && loads(s)) }},
		{"database loads", func(s sim.Step, _ sim.View) int { return one(loads(s)) }},
		{"expired", func(s sim.Step, _ sim.View) int { return one(s.Fault.Kind == sim.Expire) }},
	}
}

// Stale returns what says whether a cache holds something else than the database.
func Stale(s Strategy, w Workload) func(sim.View) bool {
	stale := coherent(s, w).Violation
	return func(v sim.View) bool { return stale(v) != "" }
}

// RoundTrips are how many requests an operation makes if nothing else happens.
type RoundTrips struct{ Hit, Miss, Write int }

// RoundTrips runs a read of a cached product, a read of one that is not, and a write,
// each alone and without faults or time, but with all else that is chosen of a workload,
// such as the TTL. They make no sense for a race.
func (world *World) RoundTrips(w Workload) (r RoundTrips, err error) {
	alone := func(readers, writers int, warm bool) Workload {
		w.Readers, w.Writers, w.Warm = readers, writers, warm
		w.Shoppers, w.Editors, w.Creators = 0, 0, 0
		w.Servers, w.Faults, w.MaxStall, w.MaxWait = 0, nil, 0, 0
		return w
	}
	for _, op := range []struct {
		w    Workload
		into *int
	}{{alone(1, 0, true), &r.Hit}, {alone(1, 0, false), &r.Miss}, {alone(0, 1, false), &r.Write}} {
		sys, err := world.System(op.w, Property{of: coherent})
		if err != nil {
			return r, err
		}
		if err := sys.Guard(context.Background(), func() (err error) {
			*op.into, err = requests(sys)
			return err
		}); err != nil {
			return r, err
		}
	}
	return r, nil
}

// requests runs the first task of a system to its end and returns how many requests
// it makes.
func requests(sys *sim.System) (n int, err error) {
	err = inTurn(sys, 1, func(e *sim.Execution) error {
		for _, step := range e.Trace() {
			if _, sleeps := step.Request.Sleeps(); !step.Request.Local() && !sleeps {
				n++
			}
		}
		return nil
	})
	return n, err
}
