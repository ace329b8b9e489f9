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
	return s.Task + " " + strings.TrimSuffix(verb, ";") + struck(s)
}

// struck names the fault that strikes the request of a step, if one does.
func struck(s explore.TraceStep) string {
	if s.Task == environment || s.Fault.Kind == "" {
		return ""
	}
	return " (" + s.Fault.String() + ")"
}

// explanation says why the property is violated: the root cause, and where the
// closest passing interleaving leaves the counterexample.
func (r *Report) explanation() (lines []line) {
	if !r.Explained || r.Verdict() != explore.Violated {
		return nil
	}
	is, _ := r.causes()
	cause := strings.Join(is, ", and ") + ": every " + r.scope() + " with these orders violates"
	switch {
	case is == nil:
		cause = "unknown: it has more orders of steps than are tried, or the workload has too many states"
	case len(is) == 0:
		cause = "every " + r.scope() + " violates"
	}
	lines = append(lines, line{"cause", cause})
	t, other := r.trace(), r.closest()
	if other == nil {
		return lines
	}
	n := fork(t, other)
	return append(lines, line{"closest", fmt.Sprintf("it passes if, instead of %s in step %d, %s: %s", shortName(t.Steps[n]), n+1, goesOn(other, n), other.Token)})
}

// goesOn says what comes after n steps.
func goesOn(t *explore.Trace, n int) string {
	if n == len(t.Steps) { // before the end of the other one: only faults are left to happen
		return "nothing comes"
	}
	return "comes " + stepName(t, n)
}

// scope is what the root cause speaks of all of.
func (r *Report) scope() string {
	if r.faults.Total() > 0 {
		return "interleaving of this workload that has no more faults"
	}
	return "interleaving of this workload"
}

// causes returns the orders of the root cause, and those of which at least one
// would have to be there instead: none if every interleaving violates. Both are
// nil if the cause is unknown.
func (r *Report) causes() (is, instead []string) {
	if r.result() == nil || r.result().Cause == nil {
		return nil, nil
	}
	is, instead = []string{}, []string{}
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
	if r.result() == nil {
		return nil
	}
	return r.result().Closest
}

// fork returns how many steps the two traces have in common.
func fork(a, b *explore.Trace) int {
	n := 0
	for n < min(len(a.Steps), len(b.Steps)) && a.Steps[n].Task == b.Steps[n].Task && a.Steps[n].Request == b.Steps[n].Request && a.Steps[n].Fault == b.Steps[n].Fault {
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
	same := "The closest passing interleaving parts at once: "
	if n > 0 {
		same = fmt.Sprintf("The closest passing interleaving is the same up to step %d. Then, ", n)
	}
	return fmt.Sprintf("%sinstead of %s, %s.", same, stepName(t, n), goesOn(other, n))
}
