package model_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// TestNoPropertyIsAlwaysVacuous has for every strategy and each of its properties a
// workload in which there is something to judge. It found that no-lost-write never
// had of read-modify-write-from-cache, so that is refused.
func TestNoPropertyIsAlwaysVacuous(t *testing.T) {
	t.Parallel()
	small := func(kind sim.FaultKind) model.Workload {
		return model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: sim.Faults{kind: 1}}
	}
	for _, s := range model.Strategies() {
		loads := []model.Workload{{Readers: 1, Writers: 1}, {Readers: 1, Writers: 1, Warm: true}, {Editors: 1}, {Shoppers: 1, Writers: 1}, small(sim.LostRequest), small(sim.Crash),
			{Readers: 1, Writers: 1, Warm: true, MaxStall: time.Second}, {Readers: 2, Writers: 1, MaxStall: time.Second}}
		if s.Race != nil {
			loads = []model.Workload{{Workers: 2}}
		}
		w := open(t, s.Name, 1)
		var left []model.Property // that have had nothing to judge so far
		for _, p := range model.Properties() {
			if p, err := model.LookupProperty(p.Name+map[string]string{"N": "=1", "D": "=0s"}[p.Takes], s); err == nil {
				left = append(left, p)
			}
		}
		for _, load := range loads {
			left = unjudged(t, w, load, left)
		}
		for _, p := range left {
			t.Errorf("%s, %s: there is never anything to judge", s.Name, p.Name)
		}
	}
	s, err := model.LookupStrategy("read-modify-write-from-cache")
	if err != nil {
		t.Fatal(err)
	}
	want := "the property no-lost-write is not one of read-modify-write-from-cache; it has no-lost-update, coherent, eventual, no-silent-staleness, available, no-deadlock, db-load, bounded-staleness, no-stale-read, read-your-writes, monotonic-reads, cart-price"
	if _, err := model.LookupProperty("no-lost-write", s); err == nil || err.Error() != want {
		t.Error(err)
	}
}

// unjudged returns those of the properties that have nothing to judge in a workload, or
// that are about time, where the workload is not.
func unjudged(t *testing.T, w *model.World, load model.Workload, properties []model.Property) (left []model.Property) {
	t.Helper()
	var ask []model.Property
	for _, p := range properties {
		if _, err := w.System(load, p); err != nil {
			left = append(left, p)
		} else {
			ask = append(ask, p)
		}
	}
	if len(ask) == 0 {
		return left
	}
	sys, each, err := w.Ask(load, ask...)
	if err != nil {
		t.Fatal(err)
	}
	results, err := explore.ProductOfEach(t.Context(), sys, each, explore.ProductOptions{LimitStates: 300_000, Audit: explore.NoAudit})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Verdict != explore.Holds && r.Verdict != explore.Violated {
			left = append(left, ask[i])
		}
	}
	return left
}

// TestNobodyToJudge has workloads in which nothing can go wrong because nobody does
// it. All of them held once.
func TestNobodyToJudge(t *testing.T) {
	for _, c := range []struct {
		strategy, property string
		load               model.Workload
		reason             string
	}{
		{"cache-aside", "coherent", model.Workload{Writers: 1}, "the property has nothing to judge: its premise holds in no interleaving"},
		{"cache-aside", "coherent", model.Workload{}, "the property has nothing to judge: there is no task"},
		{"cache-aside", "available", model.Workload{Readers: 1, Writers: 1}, "the property has nothing to judge: its premise holds in no interleaving"},
		{"event-bus", "no-deadlock", model.Workload{Readers: 1, Warm: true}, "the property has nothing to judge: no task makes a request in any interleaving"},
	} {
		w := open(t, c.strategy, 1)
		p, err := model.LookupProperty(c.property, w.Strategy())
		if err != nil {
			t.Fatal(err)
		}
		sys, err := w.System(c.load, p)
		if err != nil {
			t.Fatal(err)
		}
		if r := product(t, sys, explore.ProductOptions{}); r.Verdict != explore.Vacuous || r.Reason != c.reason {
			t.Errorf("%s, %s, %v: %s, %q", c.strategy, c.property, c.load, r.Verdict, r.Reason)
		}
	}
}

// TestCaveats has the caveats of every strategy that holds for 1 reader and 1 writer,
// or 2 workers: of most that nothing expired, of a few what SQLite does otherwise, and of
// those whose single statements are all there is none.
func TestCaveats(t *testing.T) {
	const (
		expired   = "nothing expired; the workload has TTLs"
		locked    = `a transaction was told "database is locked"; READ COMMITTED would have gone on`
		waited    = "a request waited for a transaction; PostgreSQL and MySQL lock rows, not the database"
		snapshots = "transactions read one snapshot; at READ COMMITTED a later statement sees newer rows"
		ids       = "ids are in the order of commits; in PostgreSQL and MySQL not always, and with gaps"
		pttl      = "PTTL was asked, and time stands still; it passes with -max-stall D (sim.Timing)"
	)
	want := map[string][]string{
		"lease":                        {expired},
		"lease-shared-token":           {expired},
		"lock":                         {expired},
		"lock-fenced":                  {expired},
		"outbox-versioned":             {expired, ids},
		"read-modify-write-from-cache": {expired},
		"refresh-ahead, warm":          {expired, pttl},
		"versioned":                    {expired},
		"versioned-tombstone":          {expired},
		"watch-marker":                 {expired},
		"committed-read":               {snapshots},
		"counter-atomic":               nil,
		"counter-for-update":           {waited},
		"counter-optimistic":           nil,
		"counter-snapshot":             {locked, waited, snapshots},
		"seat-for-update":              {waited},
		"stock-guarded":                nil,
	}
	for _, s := range model.Strategies() {
		for _, warm := range []bool{false, true} {
			name, load := s.Name, model.Workload{Readers: 1, Writers: 1, Warm: warm}
			if s.Race != nil {
				load = model.Workload{Workers: 2}
			}
			if warm {
				if name += ", warm"; name != "refresh-ahead, warm" {
					continue
				}
			}
			r := product(t, coherent(t, open(t, s.Name, 1), load), explore.ProductOptions{})
			caveats, ok := want[name]
			delete(want, name)
			if ok != (r.Verdict == explore.Holds) || !slices.Equal(r.Caveats, caveats) {
				t.Errorf("%s: %s, %q; want %q", name, r.Verdict, r.Caveats, caveats)
			}
		}
	}
	for name := range want {
		t.Errorf("there is no %s", name)
	}

	// What the caveat of refresh-ahead is about.
	sys := coherent(t, open(t, "refresh-ahead", 1), model.Workload{Readers: 1, Writers: 1, Warm: true, MaxStall: time.Second})
	if r := product(t, sys, explore.ProductOptions{}); r.Verdict != explore.Violated {
		t.Errorf("refresh-ahead, timed: %s", r.Verdict)
	}
}

// TestEveryPropertyCanFail has of every property a strategy that violates it and one
// that satisfies it, in the same workload. A property that says when it has something
// to judge has that in both, or it would be vacuous.
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
		{"available", "cache-aside", "circuit-breaker", fault(sim.Outage)},
		{"no-lost-write", "write-behind", "cache-aside", fault(sim.Crash)},
		{"db-load=1", "cache-aside", "lock-fenced", model.Workload{Readers: 2}},
		{"bounded-staleness=7s", "naive", "ttl", model.Workload{Readers: 2, Writers: 1, MaxStall: time.Second}},
		{"no-stale-read", "naive", "versioned", model.Workload{Readers: 2, Writers: 1}},
		{"linearizable", "naive", "versioned", model.Workload{Readers: 2, Writers: 1}},
		{"read-your-writes", "naive", "versioned", model.Workload{Editors: 1}},
		{"monotonic-reads", "cache-aside", "versioned", model.Workload{Readers: 1, Writers: 1, Shoppers: 1}},
		{"cart-price", "naive", "versioned", model.Workload{Writers: 1, Shoppers: 1}},
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
		}
		name, _, _ := strings.Cut(c.property, "=")
		delete(left, name)
	}
	for name := range left {
		t.Errorf("nothing violates %s", name)
	}
}
