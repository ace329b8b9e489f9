package explore

import (
	"errors"
	"fmt"

	"quiesce/sim"
)

// An Outcome says what became of an earlier violation. Its values are also the
// words of the output.
type Outcome string

const (
	// Reproduced: the schedule still violates the property.
	Reproduced Outcome = "reproduced"

	// NoLongerViolates: the schedule can still be run and keeps the property. That
	// proves nothing about other schedules.
	NoLongerViolates Outcome = "no longer violates"

	// NoLongerPossible: the tasks do not take the steps of the schedule any more.
	// Whether there is still a violation only a search can tell.
	NoLongerPossible Outcome = "no longer possible"
)

// A Reproduction is what came of running the schedule of an earlier trace again.
type Reproduction struct {
	Outcome Outcome

	// Step is the first step with another request or another reply than before,
	// from 1, or the one that cannot be taken or is missing; 0 if there is none.
	Step int

	Reason string // what is different there, in one line; "" if Step is 0
	Trace  *Trace // of now; nil if the schedule is no longer possible
}

// Reproduce runs the schedule of an earlier trace again for real, perhaps with
// other code. Of the earlier trace it looks at the token and at the task, store,
// request and reply of each step. A token that names a task which is not in the
// system, or does not fit the steps beside it, is an error.
func Reproduce(sys *sim.System, earlier *Trace) (*Reproduction, error) {
	schedule, err := ParseSchedule(sys, earlier.Token)
	if err != nil {
		return nil, err
	}
	if len(schedule) != len(earlier.Steps) {
		return nil, fmt.Errorf("the schedule has %d steps and the trace beside it %d", len(schedule), len(earlier.Steps))
	}
	names := taskNames(sys.Tasks())
	for i, s := range earlier.Steps {
		name := environmentName
		if task := schedule[i].Task; task != sim.Environment {
			name = names[task]
		}
		if s.Task != name {
			return nil, fmt.Errorf("step %d is one of %s in the schedule and one of %q in the trace beside it", i+1, name, s.Task)
		}
	}
	t, err := Replay(sys, schedule)
	var misfit *ScheduleError
	if errors.As(err, &misfit) {
		return &Reproduction{Outcome: NoLongerPossible, Step: misfit.Step, Reason: misfit.Reason}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Reproduction{Outcome: NoLongerViolates, Trace: t}
	if t.Violation != "" {
		r.Outcome = Reproduced
	}
	r.Step, r.Reason = firstDifference(earlier.Steps, t.Steps)
	return r, nil
}

// firstDifference returns the first step that is another one now, from 1; 0 if
// there is none.
func firstDifference(before, now []TraceStep) (step int, reason string) {
	for i, b := range before {
		switch n := now[i]; {
		case b.Store != n.Store || b.Request != n.Request:
			return i + 1, fmt.Sprintf("%s asks for %s; before, it asked for %s", n.Task, n.Request, b.Request)
		case b.Reply != n.Reply:
			return i + 1, fmt.Sprintf("%s gets %s for %s; before, it got %s", n.Task, n.Reply, n.Request, b.Reply)
		}
	}
	return 0, ""
}
