package explore

import "slices"

// Smallest explores workloads one after the other, in an order that should be that
// of their size, and asks each of n properties up to the first workload that violates
// it or cannot be searched to its end. search explores a workload for the properties that are
// left, and returns a result for each of them.
//
// The results are by property, of all workloads that were explored for it: all but
// the last hold, or are vacuous, which proves nothing and does not keep a larger one
// from having something to judge. So if the last is violated, its counterexample is minimal over all
// these workloads too. left are the properties that nothing violates; with an error,
// those about which nothing can be said.
func Smallest[W any](workloads []W, n int, search func(w W, left []int) ([]*Result, error)) (results [][]*Result, left []int, err error) {
	results = make([][]*Result, n)
	for i := range n {
		left = append(left, i)
	}
	for _, w := range workloads {
		if len(left) == 0 {
			break
		}
		found, err := search(w, left)
		if err != nil {
			return results, left, err
		}
		for i, property := range left {
			results[property] = append(results[property], found[i])
		}
		left = slices.DeleteFunc(left, func(property int) bool {
			v := results[property][len(results[property])-1].Verdict
			return v != Holds && v != Vacuous
		})
	}
	return results, left, nil
}
