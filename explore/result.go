package explore

import (
	"math/big"
)

// A Verdict is the answer of an exploration. Its values are also the words of
// the output.
type Verdict string

const (
	// Holds: every interleaving of the workload was explored and none violates
	// the property.
	Holds Verdict = "holds"

	// Violated: at least one interleaving violates the property, all were
	// explored, and the counterexample is minimal.
	Violated Verdict = "violated"

	// Incomplete: a limit or an interrupt ended the search. Nothing is proved,
	// and a counterexample found so far need not be minimal.
	Incomplete Verdict = "incomplete"
)

// A Result is what an exploration found.
type Result struct {
	Engine         string // "direct" or "product"
	Verdict        Verdict
	Reason         string // why the verdict is Incomplete; "" otherwise
	Interleavings  *big.Int
	Violating      *big.Int
	Counterexample *Trace // nil if no violation was found

	// Probability is that of a violation if every decision of the scheduler is
	// uniform among the enabled tasks. It is nil in a direct search.
	Probability *big.Rat

	// Audited is the number of random schedules that were run for real and
	// compared with what had been learned.
	Audited int

	Statistics Statistics // of a product search
}

// decide sets the verdict from the counts and the reason.
func (r *Result) decide() {
	switch {
	case r.Reason != "":
		r.Verdict = Incomplete
	case r.Violating.Sign() > 0:
		r.Verdict = Violated
	default:
		r.Verdict = Holds
	}
}
