package report

import (
	"fmt"
	"slices"

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
	row         int  // of the shown trace, from 1
	first       bool // of its row
	from, to    int  // indices of participants
	note, reply bool
	text        string
}

// sequence returns the diagram of a trace. The stores are in the middle, so that
// tasks that race are on both sides of what they race for. To sleep is a note: the
// clock takes no part. So is a pause, before the step that ends it.
func (t shown) sequence() sequence {
	s := sequence{tasks: map[string]bool{}}
	for _, name := range t.lanes {
		if name != environment {
			s.participants = append(s.participants, name)
			s.tasks[name] = true
		}
	}
	half := (len(s.participants) + 1) / 2
	for _, name := range t.places {
		if slices.ContainsFunc(t.rows, func(step row) bool { return step.Store == name }) {
			s.participants = slices.Insert(s.participants, half, name)
			half++
		}
	}
	asked := map[string]int{} // the store that a task asked last; -1 is the clock
	for i, step := range t.rows {
		task, store := slices.Index(s.participants, step.Task), slices.Index(s.participants, step.Store)
		if step.Store != "" {
			asked[step.Task] = store
		}
		for _, p := range t.pauses {
			if p.Before == i+1 {
				s.arrows = append(s.arrows, arrow{row: i + 1, from: task, to: task, note: true, text: fmt.Sprintf("pause: at least %s since step %d", p.AtLeast, p.After)})
			}
		}
		a := arrow{row: i + 1, first: true, text: step.Request}
		switch {
		case task < 0 && store < 0: // the environment, somewhere
			a.note, a.to = true, len(s.participants)-1
		case task < 0:
			a.note, a.from, a.to = true, store, store
		case store >= 0:
			a.from, a.to = task, store
			if !arrives(t.rows[i+1:], step.Task) {
				s.arrows = append(s.arrows, a)
				a = arrow{row: i + 1, from: store, to: task, reply: true, text: step.Reply + struck(step.TraceStep)}
			}
		case step.Request == sim.Arrive.Body && asked[step.Task] >= 0:
			a = arrow{row: i + 1, first: true, from: asked[step.Task], to: task, reply: true, text: step.Reply}
		default:
			a.note, a.from, a.to = true, task, task
		}
		s.arrows = append(s.arrows, a)
	}
	return s
}

// arrives says whether the next of the steps that the task takes is the arrival of
// a reply.
func arrives(steps []row, task string) bool {
	i := slices.IndexFunc(steps, func(s row) bool { return s.Task == task })
	return i >= 0 && steps[i].Store == "" && steps[i].Request == sim.Arrive.Body
}
