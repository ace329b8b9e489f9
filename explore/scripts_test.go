package explore

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"quiesce/explore/learn"
)

var (
	scripts  = flag.Int("scripts", 60, "how many random scripts of goroutines are explored")
	scriptAt = flag.Int("script", 0, "the first of them")
)

// TestScripts compares the engines with the oracle of scripts on random programs of
// goroutines, in which no time passes.
func TestScripts(t *testing.T) { checkScripts(t, false) }

// TestTimedScripts does so in time that passes in ticks.
func TestTimedScripts(t *testing.T) { checkScripts(t, true) }

func checkScripts(t *testing.T, timed bool) {
	kinds, large := map[string]int{}, 0
	for seed := *scriptAt; seed < *scriptAt+*scripts; seed++ {
		s := randomScript(rand.New(rand.NewPCG(uint64(seed), 31)), timed)
		want, ok := s.enumerate()
		if !ok {
			large++
			continue
		}
		begin := time.Now()
		kinds[s.check(t, fmt.Sprintf("script %d", seed), want)]++
		if d := time.Since(begin); d > 3*time.Second {
			t.Log(seed, d)
		}
		if t.Failed() {
			t.Fatalf("%+v", s)
		}
		for _, p := range s.processes {
			for _, b := range p.tasks {
				b.kinds(kinds)
			}
		}
		if want["deadlock"] > 0 {
			kinds["deadlock"]++
		}
	}
	t.Logf("%v, %d too large", kinds, large)
}

// check compares the engines with what the oracle says of the ends of a script.
func (s *script) check(t *testing.T, name string, want map[string]int64) (kind string) {
	all, violating := int64(0), int64(0)
	for end, n := range want {
		if all += n; end == "deadlock" || s.bad(end) {
			violating += n
		}
	}
	want = maps.Clone(want)
	delete(want, "deadlock")
	compare := func(r *Result, err error) {
		t.Helper()
		if chance := (*learn.NondeterminismError)(nil); s.timers() > 1 && errors.As(err, &chance) && chance.Cause == learn.CauseOverlay {
			kind = "chance" // whose timer fires first of two at one time
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if r.Interleavings.Int64() != all || r.Violating.Int64() != violating || (r.Verdict == Violated) != (violating > 0) || r.Verdict == Incomplete {
			t.Errorf("%s: %s: %s, %s interleavings, %s violating; want %d, %d", name, r.Engine, r.Verdict, r.Interleavings, r.Violating, all, violating)
		}
		got := map[string]int64{}
		for _, v := range r.Values {
			got[v.Value] = v.Interleavings.Int64()
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %s: ends %v, want %v", name, r.Engine, got, want)
		}
	}
	if all < 150 {
		sys := s.system()
		r, err := Direct(t.Context(), sys, DirectOptions{Values: s.view(sys)})
		kind = "direct"
		compare(r, err)
	}
	sys := s.system()
	r, err := Product(t.Context(), sys, ProductOptions{Audit: 3, Values: s.view(sys)})
	if hidden := (*learn.NondeterminismError)(nil); s.shows && s.shares() && errors.As(err, &hidden) && hidden.Cause == learn.CauseHidden {
		kind = "refused"
	} else {
		compare(r, err)
	}
	if s.shows {
		sys = s.system()
		r, err = Product(t.Context(), sys, ProductOptions{Audit: NoAudit, NoMerge: true, NoSymmetry: true, Values: s.view(sys)})
		compare(r, err)
	}
	return kind
}
