package explore

import (
	"context"
	"flag"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"quiesce/sim"
)

var toys = flag.Int("toys", 600, "how many random toy systems the differential test explores")

// TestEnginesAgree explores random systems with every engine and compares each
// with an enumerator that was written for this test only.
func TestEnginesAgree(t *testing.T) {
	violated, deadlocks, symmetric, shared, faulty, timed, lapsed, stuck, merged := 0, 0, 0, 0, 0, 0, 0, 0, 0
	for seed := range *toys {
		c := checkToy(t, uint64(seed))
		violated += c.violated
		deadlocks += c.deadlock
		symmetric += c.symmetric
		shared += c.shared
		faulty += c.faulty
		timed += c.timed
		lapsed += c.lapsed
		stuck += c.stuck
		merged += c.merged
	}
	// The systems are worth something only if they are of every kind.
	for name, n := range map[string]int{"violated": violated, "deadlocked": deadlocks, "with symmetry": symmetric, "with shared memory": shared, "violated by a fault": faulty, "violated in time": timed, "with something that lapses": lapsed, "with merged states": merged} {
		if n < *toys/50 {
			t.Errorf("only %d of %d systems are %s", n, *toys, name)
		}
	}
	if stuck < *toys/200 {
		t.Errorf("only %d of %d systems have executions that cannot go on", stuck, *toys)
	}
}

func FuzzEnginesAgree(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkToy(t, seed) })
}

type toyKinds struct{ violated, deadlock, symmetric, shared, faulty, timed, lapsed, stuck, merged int }

func checkToy(t *testing.T, seed uint64) (kinds toyKinds) {
	t.Helper()
	toy := randomToy(rand.New(rand.NewPCG(seed, 7)))
	want := toy.enumerate()
	ctx := context.Background()

	check := func(name string, r *Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, name, err)
		}
		if r.Interleavings.Cmp(big.NewInt(want.interleavings)) != 0 || r.Violating.Cmp(big.NewInt(want.violating)) != 0 {
			t.Errorf("seed %d: %s: %s interleavings, %s violate; want %d, %d", seed, name, r.Interleavings, r.Violating, want.interleavings, want.violating)
		}
		if (r.Verdict == Violated) != (want.violating > 0) || r.Verdict == Incomplete {
			t.Errorf("seed %d: %s: verdict %s with %d violating", seed, name, r.Verdict, want.violating)
		}
		if want.violating > 0 && !slices.Equal(r.Counterexample.Schedule, want.minimal) {
			t.Errorf("seed %d: %s: counterexample %v, want %v", seed, name, r.Counterexample.Schedule, want.minimal)
		}
		if r.Premise.Cmp(big.NewInt(want.premise)) != 0 {
			t.Errorf("seed %d: %s: the premise occurs in %s, want %d", seed, name, r.Premise, want.premise)
		}
		final := map[string]int64{}
		for _, v := range r.Values {
			final[v.Value] = v.Interleavings.Int64()
		}
		if !maps.Equal(final, want.final) {
			t.Errorf("seed %d: %s: final states %v, want %v", seed, name, final, want.final)
		}
		if r.Probability != nil && r.Probability.Cmp(want.probability) != 0 {
			t.Errorf("seed %d: %s: probability %s, want %s", seed, name, r.Probability, want.probability)
		}
	}

	for _, p := range toy.processes {
		if len(p.tasks) > 1 {
			kinds.shared = 1
		}
	}
	r, err := Direct(ctx, toy.system(), DirectOptions{Values: toy.view})
	check("direct", r, err)
	if t.Failed() {
		return
	}
	var states [3]int
	for i, name := range []string{"product", "product without symmetry", "product without merging"} {
		if i == 2 && kinds.shared == 0 {
			continue // nothing is merged
		}
		r, err := Product(ctx, toy.system(), ProductOptions{NoSymmetry: i == 1, NoMerge: i == 2, Audit: 3, Values: toy.view, Measures: []Measure{{"odd", toyMeasure}}, Stale: odd})
		check(name, r, err)
		if t.Failed() {
			return
		}
		got := r.Measured[0]
		if toy.faults == nil && toy.stall == 0 && !toy.watched {
			if math.Abs(got.Mean-want.measured.Mean) > 1e-9 {
				t.Errorf("seed %d: the mean is %v, want %v", seed, got.Mean, want.measured.Mean)
			}
		}
		got.Mean = 0
		if least := (Measured{"odd", want.measured.Least, want.measured.Most, 0}); got != least || *r.Stale != want.stale {
			t.Errorf("seed %d: measured %+v, stale %+v; want %+v, %+v", seed, got, *r.Stale, want.measured, want.stale)
		}
		states[i] = r.Statistics.States
	}
	if states[0] < states[1] {
		kinds.symmetric = 1
	}
	if states[0] < states[2] {
		kinds.merged = 1
	}
	if want.violating > 0 {
		kinds.violated = 1
		if slices.ContainsFunc(want.minimal, func(m sim.Move) bool { return m.Fault.Kind == sim.Tick }) {
			kinds.timed = 1
		}
		kinds.faulty = min(want.minimal.Faults(), 1)
	}
	if want.lapsed > 0 {
		kinds.lapsed = 1
	}
	if want.stuck > 0 {
		kinds.stuck = 1
	}
	if len(want.final) == 0 {
		kinds.deadlock = 1
	}
	return kinds
}
