package report

import (
	"slices"

	"quiesce/explore"
	"quiesce/sim"
)

// A sequence is a trace as a sequence diagram: who takes part, from left to
// right, and what goes between them, from top to bottom. Nothing in it is shortened.
type sequence struct {
	participants []string
	tasks        map[string]bool // which of them are tasks; the others are stores
	arrows       []arrow
}

// An arrow goes from one participant to another. A note spans those from one to
// the other.
type arrow struct {
	step        int  // from 1
	first       bool // of its step
	from, to    int  // indices of participants
	note, reply bool
	text        string
}

// sequence returns the diagram of a trace. The stores are in the middle, so that
// tasks that race are on both sides of what they race for.
func (r *Report) sequence(t *explore.Trace) sequence {
	s := sequence{tasks: map[string]bool{}}
	for _, name := range r.lanes(t) {
		if name != environment {
			s.participants = append(s.participants, name)
			s.tasks[name] = true
		}
	}
	half := (len(s.participants) + 1) / 2
	for _, name := range t.Places {
		if slices.ContainsFunc(t.Steps, func(step explore.TraceStep) bool { return step.Store == name }) {
			s.participants = slices.Insert(s.participants, half, name)
			half++
		}
	}
	asked := map[string]int{} // the store that a task asked last
	for i, step := range t.Steps {
		task, store := slices.Index(s.participants, step.Task), slices.Index(s.participants, step.Store)
		a := arrow{step: i + 1, first: true, text: step.Request}
		switch {
		case task < 0 && store < 0: // the environment, somewhere
			a.note, a.to = true, len(s.participants)-1
		case task < 0:
			a.note, a.from, a.to = true, store, store
		case store >= 0:
			asked[step.Task] = store
			a.from, a.to = task, store
			if !arrives(t.Steps[i+1:], step.Task) {
				s.arrows = append(s.arrows, a)
				a = arrow{step: i + 1, from: store, to: task, reply: true, text: step.Reply + struck(step)}
			}
		case step.Request == sim.Arrive.Body:
			a = arrow{step: i + 1, first: true, from: asked[step.Task], to: task, reply: true, text: step.Reply}
		default:
			a.note, a.from, a.to = true, task, task
		}
		s.arrows = append(s.arrows, a)
	}
	return s
}

// arrives says whether the next of the steps that the task takes is the arrival of
// a reply.
func arrives(steps []explore.TraceStep, task string) bool {
	i := slices.IndexFunc(steps, func(s explore.TraceStep) bool { return s.Task == task })
	return i >= 0 && steps[i].Store == "" && steps[i].Request == sim.Arrive.Body
}
