package explore

import (
	"iter"

	"quiesce/sim"
)

// Smallest explores systems one after the other, in an order that should be that
// of their size, up to the first that is not proved to hold. It returns the
// results of all that were explored: all but the last hold. So if the last is
// violated, its counterexample is minimal over all these systems too.
func Smallest(systems iter.Seq2[*sim.System, error], search func(*sim.System) (*Result, error)) ([]*Result, error) {
	var results []*Result
	for sys, err := range systems {
		if err != nil {
			return nil, err
		}
		r, err := search(sys)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		if r.Verdict != Holds {
			break
		}
	}
	return results, nil
}
