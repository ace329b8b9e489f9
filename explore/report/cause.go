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

// A why is what is known of why a property is violated; the zero value is nothing.
type why struct {
	scope string // what the root cause speaks of all of

	// is are the orders of the root cause, and instead those of which at least one would
	// have to be there: none if every interleaving violates. Both are nil if the cause is
	// unknown.
	is, instead []string

	closest *explore.Trace // the closest passing interleaving, or nil
	parting string         // where that leaves the counterexample
}

func (s *Search) why() why {
	res := s.result()
	w := why{scope: "interleaving of this workload", closest: res.Closest}
	if s.faults.Total() > 0 {
		w.scope += " that has no more faults"
	}
	if res.Cause != nil {
		w.is, w.instead = []string{}, []string{}
	}
	for _, o := range res.Cause {
		before, after := stepName(res.Counterexample, o.Before), stepName(res.Counterexample, o.After)
		w.is = append(w.is, before+" before "+after)
		w.instead = append(w.instead, after+" before "+before)
	}
	if w.closest != nil {
		w.parting = parting(res.Counterexample, w.closest)
	}
	return w
}

// explanation says the root cause, and where the closest passing interleaving leaves the
// counterexample.
func (s *Search) explanation() (lines []line) {
	if !s.Explained || s.Verdict() != explore.Violated {
		return nil
	}
	w := s.why()
	cause := strings.Join(w.is, ", and ") + ": every " + w.scope + " with these orders violates"
	switch {
	case w.is == nil:
		cause = "unknown: it has more orders of steps than are tried, or the workload has too many states"
	case len(w.is) == 0:
		cause = "every " + w.scope + " violates"
	}
	lines = append(lines, line{"cause", cause})
	if w.closest == nil {
		return lines
	}
	t := s.trace()
	n := fork(t, w.closest)
	return append(lines, line{"closest", fmt.Sprintf("it passes if, instead of %s in step %d, %s: %s", shortName(t.Steps[n]), n+1, goesOn(w.closest, n), w.closest.Token)})
}

// goesOn says what comes after n steps.
func goesOn(t *explore.Trace, n int) string {
	if n == len(t.Steps) { // before the end of the other one: only faults are left to happen
		return "nothing comes"
	}
	return "comes " + stepName(t, n)
}

// fork returns how many steps the two traces have in common.
func fork(a, b *explore.Trace) int {
	n := 0
	for n < min(len(a.Steps), len(b.Steps)) && a.Steps[n].Task == b.Steps[n].Task && a.Steps[n].Request == b.Steps[n].Request && a.Steps[n].Fault == b.Steps[n].Fault {
		n++
	}
	return n
}

// parting says where the closest passing interleaving leaves the counterexample.
func parting(t, closest *explore.Trace) string {
	n := fork(t, closest)
	same := "The closest passing interleaving parts at once: "
	if n > 0 {
		same = fmt.Sprintf("The closest passing interleaving is the same up to step %d. Then, ", n)
	}
	return fmt.Sprintf("%sinstead of %s, %s.", same, stepName(t, n), goesOn(closest, n))
}
