package explore

import (
	"context"
	"errors"
	"flag"
	"math/big"
	"math/rand/v2"
	"testing"

	"quiesce/explore/learn"
)

var liars = flag.Int("liars", 300, "among how many random toy systems TestLies looks for those that can lie about their memory")

// TestLies explores toys that state that they show all memory which their tasks share, and
// hide it. Such a lie has to be an error, or harmless: the answer is that of the oracle.
func TestLies(t *testing.T) {
	for _, derivable := range []bool{false, true} {
		toys, byCheck, byReplays, harmless := 0, 0, 0, 0
		for seed := range uint64(*liars) {
			toy := liar(seed)
			if toy == nil {
				continue
			}
			toys++
			toy.derivable = derivable
			if lied(t, toy, ProductOptions{Audit: NoAudit}) {
				byCheck++
				continue
			}
			switch found := lied(t, toy, ProductOptions{}); {
			case found:
				byReplays++
			case toy.answered(t):
				harmless++
			default:
				t.Errorf("seed %d, derivable %v: a lie about memory is not found, and the answer is wrong", seed, derivable)
			}
		}
		t.Logf("derivable %v: of %d toys that lie %d are found by the check, %d by the replays, and %d give the right answer", derivable, toys, byCheck, byReplays, harmless)
		if byCheck < toys/4 || byReplays == 0 {
			t.Errorf("derivable %v: of %d toys that lie only %d are found by the check, and %d by the replays", derivable, toys, byCheck, byReplays)
		}
	}
}

// liar returns the toy of a seed with all memory hidden, nil if no tasks share any.
func liar(seed uint64) *toy {
	toy := randomToy(rand.New(rand.NewPCG(seed, 7)))
	toy.most = 0 // a lie is not excused by the size
	shared := false
	for i := range toy.processes {
		toy.processes[i].shows = false
		shared = shared || len(toy.processes[i].tasks) > 1
	}
	if toy.hides = true; !shared {
		return nil
	}
	return toy
}

// lied says whether an exploration ends in the error of memory that is not shown.
func lied(t *testing.T, toy *toy, opts ProductOptions) bool {
	t.Helper()
	_, err := Product(context.Background(), toy.system(), opts)
	var nd *NondeterminismError
	switch {
	case err == nil:
		return false
	case !errors.As(err, &nd) && opts.Audit == NoAudit:
		return false // a counterexample that does not replay
	case !errors.As(err, &nd) || nd.Cause != learn.CauseHidden:
		t.Errorf("%v, want one of memory that is not shown", err)
	}
	return true
}

// answered says whether the product engine gives the answer of the oracle.
func (t *toy) answered(tt *testing.T) bool {
	tt.Helper()
	want := t.enumerate()
	r, err := Product(context.Background(), t.system(), ProductOptions{})
	if err != nil {
		tt.Fatal(err)
	}
	return r.Interleavings.Cmp(big.NewInt(want.interleavings)) == 0 && r.Violating.Cmp(big.NewInt(want.violating)) == 0
}
