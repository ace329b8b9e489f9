package report

import (
	"fmt"
	"strings"

	"quiesce/explore"
)

// environment is the task of a step that no task takes: a fault, or time.
const environment = "environment"

// stepName returns what a step is called in a sentence, such as "reader-1
// SELECT", with its number if the task has another one that is called so.
func stepName(t *explore.Trace, i int) string {
	name := shortName(t.Steps[i])
	for j, s := range t.Steps {
		if j != i && shortName(s) == name {
			return fmt.Sprintf("%s (step %d)", name, i+1)
		}
	}
	return name
}

func shortName(s explore.TraceStep) string {
	verb, rest, _ := strings.Cut(s.Request, " ")
	switch {
	case s.Task == environment:
		return s.Request
	case strings.HasPrefix(rest, "("): // a script with a name
		script, _, _ := strings.Cut(rest, ")")
		verb += " " + script + ")"
	}
	return s.Task + " " + strings.TrimSuffix(verb, ";")
}

// causes returns the orders of the root cause, and those of which at least one
// would have to be there instead; both nil if the cause is unknown.
func (r *Report) causes() (is, instead []string) {
	if r.Replay != nil {
		return nil, nil
	}
	t := r.result().Counterexample
	for _, o := range r.result().Cause {
		before, after := stepName(t, o.Before), stepName(t, o.After)
		is = append(is, before+" before "+after)
		instead = append(instead, after+" before "+before)
	}
	return is, instead
}

// closest returns the closest passing interleaving, or nil.
func (r *Report) closest() *explore.Trace {
	if r.Replay != nil {
		return nil
	}
	return r.result().Closest
}

// fork returns how many steps the two traces have in common.
func fork(a, b *explore.Trace) int {
	n := 0
	for n < min(len(a.Steps), len(b.Steps)) && a.Steps[n].Task == b.Steps[n].Task && a.Steps[n].Request == b.Steps[n].Request {
		n++
	}
	return n
}

// parting says where the closest passing interleaving leaves the counterexample;
// "" if it is unknown.
func (r *Report) parting() string {
	other := r.closest()
	if other == nil {
		return ""
	}
	t := r.trace()
	n := fork(t, other)
	if n == len(t.Steps) || n == len(other.Steps) {
		return ""
	}
	same := "The closest passing interleaving parts at once: "
	if n > 0 {
		same = fmt.Sprintf("The closest passing interleaving is the same up to step %d. Then, ", n)
	}
	return fmt.Sprintf("%sinstead of %s, comes %s.", same, stepName(t, n), stepName(other, n))
}
