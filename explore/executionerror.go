package explore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// An ExecutionError says that an execution ends in an error: a task did not do its
// work, which is a [*sim.TaskError]; a store refused a request; or a property panicked,
// which is a [*sim.PropertyError]. Nothing can be concluded about such a system.
type ExecutionError struct {
	// Schedule leads to the error, which its last move ends in. It is empty if a task
	// failed before there was a move.
	Schedule Schedule
	Token    string   // of the schedule: a replay of it ends in the same error
	Steps    []string // one line each: task, request and reply; those of the boot if that is where it failed
	Err      error
}

// mostLines is how many steps an error shows at its beginning, and at its end.
const mostLines = 20

// Error returns the error in one line, then the steps and the token. The stack of a
// panic comes last.
func (e *ExecutionError) Error() string {
	text, stack := sim.WithoutStack(e.Err), ""
	if t := (*sim.TaskError)(nil); errors.As(e.Err, &t) && t.Stack != "" {
		stack = "\n" + strings.TrimSpace(t.Stack)
	}
	var b strings.Builder
	b.WriteString(text)
	for i, line := range e.Steps {
		switch {
		case i < mostLines || i >= len(e.Steps)-mostLines:
			fmt.Fprintf(&b, "\n  %d. %s", i+1, line)
		case i == mostLines:
			fmt.Fprintf(&b, "\n  and %d steps more, up to", len(e.Steps)-2*mostLines)
		}
	}
	if e.Token != "" {
		b.WriteString("\nschedule  " + e.Token)
	}
	return b.String() + stack
}

func (e *ExecutionError) Unwrap() error { return e.Err }

// ended returns the error of a real execution that has ended in one.
func ended(sys *sim.System, err error) error {
	var tick *sim.TickError
	var move *sim.MoveError
	var boot *sim.BootError
	var task *sim.TaskError
	switch {
	case errors.As(err, &tick):
	case errors.As(err, &move):
		schedule := append(moves(move.Trace), move.Step.Move)
		last := transcript(sys, []sim.Step{move.Step})[0]
		if !move.Taken {
			last = strings.TrimSuffix(last, " -> ")
		}
		return &ExecutionError{schedule, schedule.Format(sys), append(transcript(sys, move.Trace), last), move.Err}
	case errors.As(err, &boot):
		return &ExecutionError{Steps: transcript(sys, boot.Trace), Err: boot.Err}
	case errors.As(err, &task):
		return &ExecutionError{Err: err}
	}
	return err
}

// moves returns those of some steps.
func moves(steps []sim.Step) Schedule {
	s := make(Schedule, len(steps), len(steps)+1)
	for i, step := range steps {
		s[i] = step.Move
	}
	return s
}

// failed returns the error that a move from the state which is being expanded ended in
// when it was learned. The way there is run for real once more, for it has to end in the
// same error.
func (g *graph) failed(m sim.Move, learned error) error {
	if ofTables(learned) {
		return learned
	}
	w := g.walkTo(uint32(g.expanded))
	return g.rerun(w.schedule, w.labelled(m), learned)
}

// blamed returns the error of a property that panicked, with the steps so far. Any
// other error it returns as it is.
func blamed(sys *sim.System, e *sim.Execution, err error) error {
	var panicked *sim.PropertyError
	var known *ExecutionError
	if !errors.As(err, &panicked) || errors.As(err, &known) {
		return err
	}
	s := moves(e.Trace())
	return &ExecutionError{s, s.Format(sys), transcript(sys, e.Trace()), err}
}

// blamed returns the error of a property that panicked in a state, with the way there.
// Any other error it returns as it is.
func (g *graph) blamed(state uint32, err error) error {
	var panicked *sim.PropertyError
	if !errors.As(err, &panicked) {
		return err
	}
	s := g.walkTo(state).schedule
	return &ExecutionError{s, s.Format(g.sys), g.transcript(s), err}
}

// ofTables says whether an error is about the tables of the graph, or about what the
// system is, and not about the step that was learned.
func ofTables(err error) bool {
	var tick *sim.TickError
	var conn *connectionError
	var nondeterminism *NondeterminismError
	var loop *learn.LoopError
	var place *sim.PlaceError
	var hang *sim.HangError // after which nothing can be run
	return errors.As(err, &conn) || errors.As(err, &nondeterminism) || errors.As(err, &loop) || errors.As(err, &tick) || errors.As(err, &place) || errors.As(err, &hang)
}

// rerun runs a schedule for real, and then a move, which has to end in the error that
// it ended in when it was learned.
func (g *graph) rerun(schedule Schedule, last sim.Move, learned error) error {
	all := append(schedule, last)
	if g.sys.Stray() != nil { // every execution fails now, and at once
		return &ExecutionError{all, all.Format(g.sys), g.transcript(schedule), learned}
	}
	var trace []sim.Step
	err := g.sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		trace = e.Trace()
		return follow(all, len(trace))
	})
	var move *sim.MoveError
	switch {
	case errors.As(err, &move):
		if len(move.Trace) == len(schedule) && essence(err) == essence(learned) {
			return ended(g.sys, err)
		}
		if trace = move.Trace; move.Taken {
			trace = append(trace, move.Step)
		}
	case err != nil && !errors.Is(err, sim.ErrBlocked): // it could not begin
		return ended(g.sys, err)
	}
	now := "no error"
	if err != nil {
		now = essence(err)
	}
	differs := &NondeterminismError{Machine: "the system", Before: append(g.transcript(schedule), essence(learned)), Now: append(transcript(g.sys, trace), now)}
	if errors.Is(learned, context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		differs.Cause = learn.CauseDeadline
	}
	return differs
}

// follow offers the next move of a schedule of which so many have been made, and
// [sim.ErrBlocked] if that is blocked.
func follow(s Schedule, made int) iter.Seq2[sim.Move, error] {
	return func(yield func(sim.Move, error) bool) {
		if made < len(s) && yield(s[made], nil) {
			yield(sim.Move{}, sim.ErrBlocked)
		}
	}
}

// essence returns the text of an error without where it was: the process of another task
// of the same class may have been run, and the tables know no moves.
func essence(err error) string {
	if t := (*sim.TaskError)(nil); errors.As(err, &t) {
		return t.Err.Error()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// transcript returns the steps of a schedule, as they are in the tables.
func (g *graph) transcript(schedule Schedule) (lines []string) {
	values := g.begins
	for _, m := range schedule {
		after, s, _, err := g.do(values, m)
		if err != nil {
			return append(lines, err.Error())
		}
		values = after
		lines = append(lines, transcript(g.sys, []sim.Step{s})...)
	}
	return lines
}

// walkTo returns a walk to a state, of as few steps as can be.
func (g *graph) walkTo(state uint32) *walk {
	before := make([]uint32, g.set.n) // the first state with a step to each; breadth first it is the nearest
	for s := range g.expanded {
		for _, e := range g.from(uint32(s)) {
			if before[e.to] == 0 {
				before[e.to] = uint32(s)
			}
		}
	}
	var way []uint32 // from the end
	for ; state != 0; state = before[state] {
		way = append(way, state)
	}
	w := g.walk()
	for i := len(way) - 1; i >= 0; i-- {
		for _, p := range w.labelledMoves() {
			if p.edge.to == way[i] {
				w.take(p)
				break
			}
		}
	}
	return w
}

// misbooted returns the error of tasks that boot, which a real execution has to end in
// as well.
func misbooted(sys *sim.System, learned error) error {
	var loop *learn.LoopError
	if ofTables(learned) && !errors.As(learned, &loop) {
		return learned
	}
	e, err := sys.Start()
	if err != nil {
		return ended(sys, err)
	}
	e.Stop()
	return &NondeterminismError{Machine: "the system", Before: []string{learned.Error()}, Now: []string{"it boots"}}
}
