package explore

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
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

	// Incomplete: a limit, an interrupt, or a task that asks the same for ever ended the
	// search. Nothing is proved, and a counterexample found so far need not be minimal.
	Incomplete Verdict = "incomplete"

	// Vacuous: every interleaving was explored and none violates the property, which
	// had nothing to judge in any of them. It is no pass: the property would hold of
	// any other code as well.
	Vacuous Verdict = "vacuous"
)

// A Result is what an exploration found.
type Result struct {
	Engine         string // "direct" or "product"
	Verdict        Verdict
	Reason         string // why the verdict is Incomplete or Vacuous; "" otherwise
	Interleavings  *big.Int
	Violating      *big.Int
	Counterexample *Trace // nil if no violation was found

	// Cause is the root cause: every interleaving that keeps these orders, with no
	// more faults than Counterexample, violates. It is nil if unknown: no violation,
	// an incomplete search, the direct engine, a bound reached, or not asked for.
	Cause []Order

	// Closest is the passing interleaving that shares the longest prefix with
	// Counterexample and has no more faults; nil if there is none or it is unknown.
	Closest *Trace

	// Probability is that of a violation if every decision of the scheduler is
	// uniform among the enabled tasks. It is nil in a direct search.
	Probability *big.Rat

	// Values are the values of the expression that was asked for, in their order;
	// nil if none was.
	Values []ValueCount

	// Caveats are what a pass does not cover because of what the system has done, each
	// in one line: something that SQLite does otherwise than PostgreSQL, a TTL that
	// never ended. They are in a fixed order. nil if there are none, and where the
	// verdict is neither Holds nor Vacuous.
	Caveats []string

	// Premise is the number of interleavings in which the property had something to
	// judge; nil if it does not say when that is.
	Premise *big.Int

	Measured []Measured // of the measures that were asked for, in their order
	Stale    *Window    // nil if nothing stale was looked for

	// Audited is the number of random schedules that were run for real and
	// compared with what had been learned.
	Audited int

	Statistics Statistics // of a product search
	Graph      *Graph     // of a product search, if it was asked for
}

// An Order says that one step of the counterexample comes before another; both are indices into Counterexample.Steps.
type Order struct{ Before, After int }

// A ValueCount says in how many interleavings an expression has a value at
// quiescence. Interleavings that end in a deadlock have none.
type ValueCount struct {
	Value         string
	Interleavings *big.Int
}

// valueCounts returns the counts in the order of the values, shorter ones first so
// that numbers come in theirs.
func valueCounts(counts map[string]*big.Int) []ValueCount {
	values := []ValueCount{}
	for v, n := range counts {
		values = append(values, ValueCount{v, n})
	}
	slices.SortFunc(values, func(a, b ValueCount) int {
		return cmp.Or(len(a.Value)-len(b.Value), strings.Compare(a.Value, b.Value))
	})
	return values
}

// decide sets the verdict from the counts and the reason. One that holds may still
// turn out to be Vacuous.
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
