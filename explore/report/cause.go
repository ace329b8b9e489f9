package report

import (
	"fmt"
	"strings"

	"quiesce/explore"
)

// explain writes why the property is violated: the root cause, and where the
// closest passing interleaving leaves the counterexample.
func (t *textWriter) explain(r *explore.Result) {
	c := r.Counterexample
	switch {
	case r.Cause == nil:
		t.line("cause", "unknown: it has more orders of steps than are tried, or the workload has too many states")
	case len(r.Cause) == 0:
		t.line("cause", "every interleaving of this workload violates")
	default:
		t.line("cause", "every interleaving of this workload violates in which %s", causeWords(c, r.Cause))
	}
	if r.Closest == nil {
		return
	}
	i := 0
	for i < len(r.Closest.Steps) && r.Closest.Schedule[i] == c.Schedule[i] {
		i++
	}
	if i == len(r.Closest.Steps) { // where only faults are left to happen
		t.line("closest", "it passes if %s does not come in step %d: %s", stepWords(c, i), i+1, r.Closest.Token)
		return
	}
	t.line("closest", "it passes if step %d is %s instead of %s: %s", i+1,
		stepWords(r.Closest, i), stepWords(c, i), r.Closest.Token)
}

// causeWords returns the orders of steps of a trace in words.
func causeWords(t *explore.Trace, cause []explore.Order) string {
	var words []string
	for _, o := range cause {
		words = append(words, fmt.Sprintf("%s (step %d) comes before %s (step %d)", stepWords(t, o.Before), o.Before+1, stepWords(t, o.After), o.After+1))
	}
	return strings.Join(words, ", and ")
}

// stepWords names a step by its task and the first word of its request.
func stepWords(t *explore.Trace, i int) string {
	s := t.Steps[i]
	verb, _, _ := strings.Cut(s.Request, " ")
	return s.Task + " " + verb
}
