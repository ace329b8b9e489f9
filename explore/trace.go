package explore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A Trace is one execution as a person reads it: every step with its reply and
// with what the stores, and the processes that show their memory, held after it.
type Trace struct {
	Schedule  Schedule
	Token     string        // of the schedule
	Places    []string      // names of the stores, then of those processes
	Initial   []sim.Content // of every place
	Steps     []TraceStep
	Violation string // how the property is violated at the end; "" if it holds

	// Fatal is the step, from 1, after which the violation stands: of a property
	// that has to hold always the first after which it does not, of another the
	// first after which it would not hold if this were the end, up to the end; of a
	// deadlock the last. 0 if there is no such step.
	Fatal int

	Pauses []Pause // that tasks have to make for it to be possible, in an untimed system
}

// A TraceStep is one step of a [Trace].
type TraceStep struct {
	Task, Store    string        // Task is "environment" for a fault that strikes no task; Store is "" for a start, an arrival, a yield or a crash
	Fault          sim.Fault     // that happens in this step; the zero value is none
	Request, Reply string        // as the store describes them; of an arrival, the reply that arrives
	Contents       []sim.Content // of every place after the step
}

// environmentName stands for a task where a trace has none.
const environmentName = "environment"

// Final returns the contents of the places at the end.
func (t *Trace) Final() []sim.Content {
	if len(t.Steps) == 0 {
		return t.Initial
	}
	return t.Steps[len(t.Steps)-1].Contents
}

// A ScheduleError says that a schedule does not fit a system.
type ScheduleError struct {
	Step   int    // the first step that cannot be taken or is missing, from 1
	Reason string // which of the two, and why
}

func (e *ScheduleError) Error() string { return fmt.Sprintf("schedule: step %d %s", e.Step, e.Reason) }

// Replay runs one complete schedule for real, from a fresh world, and returns
// its trace whether or not the property holds. A schedule that does not fit the
// system is a [*ScheduleError], and a task that hangs a [*sim.HangError]. One that ends
// in an error, of which it need not be complete, is an [*ExecutionError]. It is run twice,
// the second time in a bubble with another clock, and two traces that differ are a
// [*NondeterminismError].
func Replay(sys *sim.System, schedule Schedule) (*Trace, error) {
	return guarded(context.Background(), sys, func() (*Trace, error) {
		tasks := sys.Tasks()
		return untilKnown(func() (*Trace, error) {
			schedule, tasks = schedule.of(tasks, sys), sys.Tasks()
			return replay(sys, schedule)
		})
	})
}

func replay(sys *sim.System, schedule Schedule) (*Trace, error) {
	t, err := traceOf(sys, schedule, nil)
	if err != nil {
		return nil, err
	}
	var again *Trace
	var misfit *ScheduleError
	err = learn.Bubble(sys, "", func() (err error) {
		again, err = traceOf(sys, schedule, func(m sim.Move) { learn.Elapse(sys, m) })
		return err
	})
	var now []string
	switch {
	case errors.As(err, &misfit):
		now = []string{misfit.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &NondeterminismError{Machine: "the system", Before: t.lines(), Now: []string{essence(err)}, Cause: learn.CauseDeadline}
	case err != nil:
		return nil, err
	case reflect.DeepEqual(t, again):
		return t, nil
	default:
		now = again.lines()
	}
	e := &NondeterminismError{Machine: "the system", Before: t.lines(), Now: now}
	if once, err := traceOf(sys, schedule, nil); err == nil && reflect.DeepEqual(t, once) {
		e.Cause = learn.CauseClock
	}
	return nil, e
}

// lines returns the steps for a person, and how they end.
func (t *Trace) lines() (lines []string) {
	for _, s := range t.Steps {
		lines = append(lines, fmt.Sprintf("%s: %s -> %s", s.Task, s.Request, s.Reply))
	}
	if t.Violation != "" {
		lines = append(lines, "violated: "+t.Violation)
	}
	return lines
}

// traceOf runs a schedule once. after, if not nil, is called with every move that is made.
func traceOf(sys *sim.System, schedule Schedule, after func(sim.Move)) (*Trace, error) {
	r := tracing{sys: sys, after: after, watch: watcher{judge: newJudge(sys)}, replies: map[string]string{},
		trace: &Trace{Schedule: schedule, Token: schedule.Format(sys)}}
	err := sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		return func(yield func(sim.Move, error) bool) {
			m, err := r.next(e)
			if err == nil && m != nil && yield(*m, nil) {
				err = misfit(sys, e, *m)
			}
			if err != nil {
				yield(sim.Move{}, err)
			}
		}
	})
	if err != nil {
		return nil, ended(sys, err)
	}
	r.trace.Pauses, err = pauses(sys, schedule)
	return r.trace, err
}

// tracing makes the trace of an execution.
type tracing struct {
	sys     *sim.System
	after   func(sim.Move)
	trace   *Trace
	watch   watcher
	bad     bool              // the violation would stand if this were the end
	replies map[string]string // the last one to each task
}

// next records the last step and returns the move to make next; nil at the end.
func (r *tracing) next(e *sim.Execution) (m *sim.Move, err error) {
	defer func() { err = blamed(r.sys, e, err) }()
	defer rescue(&err)
	n := len(e.Trace())
	if n > 0 && r.after != nil {
		r.after(e.Trace()[n-1].Move)
	}
	view, err := e.View()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		r.begin(view)
	} else {
		r.took(e.Trace()[n-1], view)
	}
	if n < len(r.trace.Schedule) {
		m = &r.trace.Schedule[n]
		return m, r.fits(e, *m)
	}
	return nil, r.end(e, view)
}

// begin records the first state.
func (r *tracing) begin(view sim.View) {
	for _, s := range r.sys.Stores {
		r.trace.Places = append(r.trace.Places, s.Name())
	}
	for i, p := range r.sys.Programs {
		if view.Memories[i] != nil {
			r.trace.Places = append(r.trace.Places, p.Name)
		}
	}
	r.trace.Initial = contents(view)
	r.watch.see(view)
	r.bad = r.watch.stands(view)
}

// took records a step, with the view after it.
func (r *tracing) took(s sim.Step, view sim.View) {
	before := r.bad || r.watch.violation != ""
	r.watch.see(view)
	if r.bad = r.watch.stands(view); r.bad && !before {
		r.trace.Fatal = len(r.trace.Steps) + 1
	}
	step := TraceStep{Store: s.Request.Store, Fault: s.Fault, Contents: contents(view)}
	step.Task, step.Request, step.Reply = described(r.sys, s)
	if s.Request == sim.Arrive {
		step.Reply = r.replies[step.Task]
	}
	r.replies[step.Task] = step.Reply
	r.trace.Steps = append(r.trace.Steps, step)
}

// end judges a complete execution.
func (r *tracing) end(e *sim.Execution, view sim.View) error {
	waiting, err := unfinished(r.sys, e)
	if err != nil {
		return err
	}
	switch r.trace.Violation = r.watch.end(view, waiting); {
	case r.trace.Violation == "":
		r.trace.Fatal = 0
	case len(waiting) > 0 && r.watch.violation == "":
		r.trace.Fatal = len(r.trace.Steps)
	}
	return nil
}

// fits returns a [*ScheduleError] if a move is none that may happen next.
func (r *tracing) fits(e *sim.Execution, m sim.Move) error {
	if m.Strikes() && len(r.sys.Faults) == 0 {
		return &ScheduleError{len(e.Trace()) + 1, fmt.Sprintf("cannot be taken: the workload has no faults, so no %s", m.Fault.Kind)}
	}
	moves, _, err := e.Moves()
	if err == nil && !slices.Contains(moves, m) {
		err = misfit(r.sys, e, m)
	}
	return err
}

// misfit returns the [*ScheduleError] of a move that cannot be made next.
func misfit(sys *sim.System, e *sim.Execution, m sim.Move) error {
	what := m.Fault.String() + " cannot happen"
	if m.Task != sim.Environment {
		name := sys.Tasks()[m.Task].Name
		req, ok := e.Pending(m.Task)
		text, _ := sys.Describe(req, sim.Reply{})
		switch {
		case !ok && sys.Tasks()[m.Task].Spawned():
			what = name + " asks for nothing"
		case !ok && e.Parked(m.Task) != "":
			what = name + " waits " + e.Parked(m.Task)
		case !ok:
			what = name + " has finished"
		case m.Fault.Kind != "":
			what = fmt.Sprintf("%s cannot strike %s in %s", m.Fault.Kind, name, text)
		default:
			what = fmt.Sprintf("%s is blocked in %s", name, text)
		}
	}
	return &ScheduleError{len(e.Trace()) + 1, "cannot be taken: " + what}
}

// described returns who takes a step, and its request and reply, each in one line.
func described(sys *sim.System, s sim.Step) (task, request, reply string) {
	switch {
	case s.Fault.Kind == sim.Tick:
		return environmentName, sys.Timing.Tick.String() + " passes", ""
	case s.Task == sim.Environment:
		return environmentName, s.Fault.String(), ""
	}
	request, reply = sys.Describe(s.Request, s.Reply)
	return sys.Tasks()[s.Task].Name, request, reply
}

// contents returns what all places hold.
func contents(v sim.View) []sim.Content {
	all := slices.Clone(v.Contents)
	for _, m := range v.Memories {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// unfinished describes what the tasks of a complete execution still wait for:
// nothing at quiescence, where only background tasks wait. An execution that
// could go on is a [*ScheduleError].
func unfinished(sys *sim.System, e *sim.Execution) (waiting []string, err error) {
	for i, task := range sys.Tasks() {
		req, ok := e.Pending(i)
		if at := e.Parked(i); at != "" && !task.Background {
			waiting = append(waiting, task.Name+" waits "+at)
		}
		if !ok {
			continue
		}
		text, _ := sys.Describe(req, sim.Reply{})
		if err := e.Step(i); err == nil {
			return nil, &ScheduleError{len(e.Trace()), fmt.Sprintf("is missing: %s still wants %s", task.Name, text)}
		} else if !errors.Is(err, sim.ErrBlocked) {
			return nil, err
		} else if !task.Background {
			waiting = append(waiting, task.Name+" waits for "+obstacle(sys, err, text))
		}
	}
	if stuck, err := e.Stuck(); err != nil || stuck {
		return nil, cmp.Or(err, error(&ScheduleError{len(e.Trace()) + 1, "is missing: time has to pass for one that sleeps, and cannot before something else happens"}))
	}
	return waiting, nil
}

// obstacle describes what a blocked request waits for: whoever is in the way, if
// the store says so, or else what it asks for.
func obstacle(sys *sim.System, err error, request string) string {
	var b *sim.BlockedError
	if !errors.As(err, &b) {
		return request
	}
	var holders []string
	for _, conn := range b.Holders {
		holder := conn
		if i := strings.LastIndexByte(conn, '#'); i >= 0 {
			holder = conn[:i]
		}
		for i := range sys.Programs {
			// A connection of several tasks belongs to their process.
			if p := &sys.Programs[i]; p.Name == holder && len(p.Tasks) == 1 {
				holder = p.Tasks[0].Name
				break
			}
		}
		if !slices.Contains(holders, holder) {
			holders = append(holders, holder)
		}
	}
	return strings.Join(holders, " and ") + " in " + request
}

// transcript returns the steps of an execution, each in one line.
func transcript(sys *sim.System, steps []sim.Step) []string {
	lines := make([]string, len(steps))
	for i, s := range steps {
		task, request, reply := described(sys, s)
		lines[i] = fmt.Sprintf("%s: %s -> %s", task, request, reply)
	}
	return lines
}

// A watcher evaluates a property along one execution.
type watcher struct {
	judge
	violation string // the first one
}

// see is called in every state, for properties that have to hold always.
func (w *watcher) see(v sim.View) {
	if w.sys.Property.Always && w.violation == "" {
		w.violation = w.violates(v)
	}
}

// stands says whether the property would be violated if this were the last state. One
// that is asked in last states alone may panic in another.
func (w *watcher) stands(v sim.View) (is bool) {
	if !w.sys.Property.Always {
		var err error
		defer rescue(&err)
	}
	return w.violates(v) != ""
}

// end is called in the last state and returns the violation of the whole
// execution. Tasks that wait although nothing can happen any more are a
// deadlock, which violates every property.
func (w *watcher) end(v sim.View, waiting []string) string {
	switch {
	case w.violation != "":
		return w.violation
	case len(waiting) > 0:
		return "deadlock: " + strings.Join(waiting, "; ")
	case w.sys.Property.Always:
		return ""
	}
	return w.violates(v)
}

// A judge asks a property about views. It remembers the answers, which costs far
// less than to read the contents of a cache and a database again.
type judge struct {
	sys   *sim.System
	known map[string]string
}

func newJudge(sys *sim.System) judge { return judge{sys, map[string]string{}} }

func (j judge) violates(v sim.View) string {
	var key strings.Builder
	for _, c := range slices.Concat(v.Contents, v.Memories) {
		key.WriteString(c.Key())
		key.WriteByte(';') // no item begins with it
	}
	rest := sim.Content{{Name: v.Monitor}} // so that no two views look alike
	for i, req := range v.Pending {
		rest = append(rest, sim.Item{Name: v.Results[i], Value: req.Store, Note: req.Conn}, sim.Item{Name: req.Body, Value: strconv.FormatBool(req.Awaits), Note: strconv.FormatBool(req.Persists)})
	}
	key.WriteString(rest.Key())
	answer, ok := j.known[key.String()]
	if !ok {
		answer = violation(j.sys, v)
		j.known[key.String()] = answer
	}
	return answer
}
