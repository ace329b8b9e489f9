package quiesce_test

import (
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// TestEveryPropertyCanFail has of every property a strategy that violates it and one
// that satisfies it, in the same workload. A property that says when it has something
// to judge has that in both.
func TestEveryPropertyCanFail(t *testing.T) {
	left := map[string]bool{}
	for _, p := range model.Properties() {
		left[p.Name] = true
	}
	fault := func(kind sim.FaultKind) model.Workload {
		return model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: sim.Faults{kind: 1}}
	}
	for _, c := range []struct {
		property, violates, satisfies string
		workload                      model.Workload
	}{
		{"coherent", "cache-aside", "versioned", model.Workload{Readers: 1, Writers: 1}},
		{"eventual", "event-bus", "cache-aside", model.Workload{Readers: 1, Writers: 1}},
		{"no-silent-staleness", "swallowed-delete", "cache-aside", fault(sim.LostRequest)},
		{"available", "cache-aside", "circuit-breaker", fault(sim.RedisDown)},
		{"no-lost-write", "write-behind", "cache-aside", fault(sim.Crash)},
		{"db-load=1", "cache-aside", "lock-fenced", model.Workload{Readers: 2}},
		{"bounded-staleness=6s", "naive", "ttl", model.Workload{Readers: 2, Writers: 1, MaxStall: time.Second}},
		{"no-deadlock", "counter-serializable", "counter-snapshot", model.Workload{Workers: 2}},
		{"no-lost-update", "counter-naive", "counter-atomic", model.Workload{Workers: 2}},
		{"at-most-one-booking", "seat-naive", "seat-for-update", model.Workload{Workers: 2}},
		{"stock-never-negative", "stock-naive", "stock-guarded", model.Workload{Workers: 2}},
		{"no-dirty-read", "dirty-read", "committed-read", model.Workload{Workers: 2}},
	} {
		for strategy, want := range map[string]explore.Verdict{c.violates: explore.Violated, c.satisfies: explore.Holds} {
			w := open(t, strategy, 1)
			p, err := model.LookupProperty(c.property, w.Strategy())
			if err != nil {
				t.Fatal(err)
			}
			sys, err := w.System(c.workload, p)
			if err != nil {
				t.Fatal(err)
			}
			r := product(t, sys, explore.ProductOptions{})
			if r.Verdict != want {
				t.Errorf("%s, %s: %s, want %s", c.property, strategy, r.Verdict, want)
			}
			if r.Premise != nil && r.Premise.Sign() == 0 {
				t.Errorf("%s, %s: there is nothing to judge", c.property, strategy)
			}
		}
		name, _, _ := strings.Cut(c.property, "=")
		delete(left, name)
	}
	for name := range left {
		t.Errorf("nothing violates %s", name)
	}
}
