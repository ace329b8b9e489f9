package report

import (
	"fmt"
	"math/big"

	"github.com/dustin/go-humanize"

	"quiesce/explore"
)

// title returns strategy, property and verdict as the title of a document, or what
// else is the answer.
func (r *Report) title() string {
	switch {
	case r.Reproduction != nil:
		return fmt.Sprintf("%s, %s: %s", r.Strategy, r.Property, r.Reproduction.Outcome)
	case r.Claim != nil && r.Claim.Trace != nil:
		return r.Strategy + ": the claim is possible"
	case r.Claim != nil:
		return r.Strategy + ": the claim is impossible"
	}
	switch r.Verdict() {
	case explore.Holds:
		return fmt.Sprintf("%s: %s holds", r.Strategy, r.Property)
	case explore.Violated:
		return fmt.Sprintf("%s: %s is violated", r.Strategy, r.Property)
	case explore.Vacuous:
		return fmt.Sprintf("%s: %s is vacuous", r.Strategy, r.Property)
	}
	return fmt.Sprintf("%s: %s is undecided", r.Strategy, r.Property)
}

// sentence returns the verdict in one sentence.
func (r *Report) sentence() string {
	workload := r.workload().Words
	if t := r.Replay; t != nil {
		if t.Violation == "" {
			return fmt.Sprintf("This schedule of %s keeps %s, which proves nothing about the others.", workload, r.Property)
		}
		return fmt.Sprintf("This schedule of %s violates %s: %s.", workload, r.Property, r.brief(t.Violation))
	}
	switch {
	case r.Reproduction != nil:
		return fmt.Sprintf("With %s, %s.", workload, r.outcome())
	case r.Claim != nil && r.Claim.Trace != nil:
		return fmt.Sprintf("This interleaving of %s is as claimed.", workload)
	case r.Claim != nil:
		return fmt.Sprintf("No interleaving of %s is as claimed.", workload)
	}
	res := r.result()
	switch {
	case r.Verdict() == explore.Holds:
		return fmt.Sprintf("Every interleaving of %s keeps %s: %s in all.", plural(len(r.Results)-r.vacuous(), "workload", "workloads"), r.Property, interleavings(r.proving()))
	case res.Counterexample == nil:
		return fmt.Sprintf("Nothing is proved about %s: %s.", workload, res.Reason)
	case res.Verdict == explore.Incomplete:
		return fmt.Sprintf("Not every interleaving of %s was explored (%s), but one ends with a violation: %s.", workload, res.Reason, r.brief(res.Counterexample.Violation))
	}
	verb := "violate"
	if res.Violating.Cmp(big.NewInt(1)) == 0 {
		verb = "violates"
	}
	return fmt.Sprintf("%s of %s of %s %s %s, such as this one: %s.", humanize.BigComma(res.Violating), interleavings(res.Interleavings),
		workload, verb, r.Property, r.brief(res.Counterexample.Violation))
}
