package report

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"quiesce/explore"
	"quiesce/sim"
)

// A shown trace is a trace as people see it. Ticks in a row are one row, and the
// clock, which holds nothing, is no place. JSON has every step and every store.
type shown struct {
	lanes   []string // of tasks and the environment, if they take a step
	places  []string
	initial []sim.Content // of every place
	rows    []row
	pauses  []explore.Pause // of an untimed trace, in which every row is a step
	fatal   int             // the row, from 1, after which the violation stands; 0 if there is none
	parts   int             // the row, from 0, in which another trace parts; -1 if there is none
}

// A row is one step, or several ticks with what the places hold after the last.
type row struct {
	explore.TraceStep
	number string // of the step, or of the first and the last tick
}

// shown returns the trace for people. Another one parts from it after that many
// steps; -1 is never. Neither that nor the fatal step is hidden among other ticks.
func (about *Subject) shown(t *explore.Trace, parts int) shown {
	clock := slices.Index(t.Places, sim.ClockName)
	s := shown{lanes: about.lanes(t), places: without(t.Places, clock), initial: without(t.Initial, clock), pauses: t.Pauses, parts: -1}
	for first, end := 0, 0; first < len(t.Steps); first = end {
		end = first + 1
		for ticks(t.Steps[first]) && end < len(t.Steps) && ticks(t.Steps[end]) && end != parts && end != t.Fatal && end+1 != t.Fatal {
			end++
		}
		one := row{t.Steps[end-1], strconv.Itoa(first + 1)}
		one.Contents = without(one.Contents, clock)
		if n := end - first; n > 1 {
			one.number = fmt.Sprintf("%d-%d", first+1, end)
			one.Request = fmt.Sprintf("%s passes", about.tick*time.Duration(n))
		}
		if first == parts {
			s.parts = len(s.rows)
		}
		s.rows = append(s.rows, one)
		if end == t.Fatal {
			s.fatal = len(s.rows)
		}
	}
	return s
}

// ticks says whether a step is nothing but time that passes.
func ticks(s explore.TraceStep) bool { return s.Fault.Kind == sim.Tick }

// without returns all without the i-th; all of them if i is negative.
func without[T any](all []T, i int) []T {
	if i < 0 {
		return all
	}
	return slices.Delete(slices.Clone(all), i, i+1)
}
