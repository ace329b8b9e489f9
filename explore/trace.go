package explore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	return guarded(context.Background(), sys, func() (*Trace, error) { return replay(sys, schedule) })
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
func traceOf(sys *sim.System, schedule Schedule, after func(sim.Move)) (t *Trace, err error) {
	e, err := sys.Start()
	if err != nil {
		return nil, began(sys, err)
	}
	defer e.Stop()
	defer func() { err = blamed(sys, e, err) }()
	defer rescue(&err)
	view, err := e.View()
	if err != nil {
		return nil, err
	}
	t = &Trace{Schedule: schedule, Token: schedule.Format(sys)}
	for _, s := range sys.Stores {
		t.Places = append(t.Places, s.Name())
	}
	for i, p := range sys.Programs {
		if view.Memories[i] != nil {
			t.Places = append(t.Places, p.Name)
		}
	}
	t.Initial = contents(view)
	watch := watcher{judge: newJudge(sys)}
	watch.see(view)
	bad := watch.stands(view)
	replies := map[string]string{} // the last one to each task
	for i, m := range schedule {
		if err := take(sys, e, m, i+1); err != nil {
			return nil, err
		}
		if after != nil {
			after(m)
		}
		if view, err = e.View(); err != nil {
			return nil, err
		}
		before := bad || watch.violation != ""
		watch.see(view)
		if bad = watch.stands(view); bad && !before {
			t.Fatal = i + 1
		}
		took := e.Trace()[i]
		step := TraceStep{Store: took.Request.Store, Fault: m.Fault, Contents: contents(view)}
		step.Task, step.Request, step.Reply = described(sys, took)
		if took.Request == sim.Arrive {
			step.Reply = replies[step.Task]
		}
		replies[step.Task] = step.Reply
		t.Steps = append(t.Steps, step)
	}
	waiting, err := unfinished(sys, e)
	if err != nil {
		return nil, err
	}
	switch t.Violation = watch.end(view, waiting); {
	case t.Violation == "":
		t.Fatal = 0
	case len(waiting) > 0 && watch.violation == "":
		t.Fatal = len(t.Steps)
	}
	t.Pauses, err = pauses(sys, schedule)
	return t, err
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

// take makes a move of a schedule. One that cannot be made is a [*ScheduleError].
func take(sys *sim.System, e *sim.Execution, m sim.Move, number int) error {
	if m.Strikes() && len(sys.Faults) == 0 {
		return &ScheduleError{number, fmt.Sprintf("cannot be taken: the workload has no faults, so no %s", m.Fault.Kind)}
	}
	moves, _, err := e.Moves()
	if err != nil {
		return err
	}
	what := m.Fault.String() + " cannot happen"
	if m.Task != sim.Environment {
		name := sys.Tasks()[m.Task].Name
		req, ok := e.Pending(m.Task)
		if !ok {
			return &ScheduleError{number, "cannot be taken: " + name + " has finished"}
		}
		text, _ := sys.Describe(req, "")
		what = fmt.Sprintf("%s is blocked in %s", name, text)
		if m.Fault.Kind != "" {
			what = fmt.Sprintf("%s cannot strike %s in %s", m.Fault.Kind, name, text)
		}
	}
	err = sim.ErrBlocked
	if slices.Contains(moves, m) {
		err = e.Do(m)
	}
	switch {
	case errors.Is(err, sim.ErrBlocked):
		return &ScheduleError{number, "cannot be taken: " + what}
	case err != nil:
		return failed(sys, e, number-1, m, err)
	}
	return nil
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
		if !ok {
			continue
		}
		text, _ := sys.Describe(req, "")
		taken := len(e.Trace())
		if err := e.Step(i); err == nil {
			return nil, &ScheduleError{len(e.Trace()), fmt.Sprintf("is missing: %s still wants %s", task.Name, text)}
		} else if !errors.Is(err, sim.ErrBlocked) {
			return nil, failed(sys, e, taken, sim.Move{Task: i}, err)
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
		rest = append(rest, sim.Item{Name: v.Results[i], Value: req.Store, Note: req.Conn}, sim.Item{Name: req.Body})
	}
	key.WriteString(rest.Key())
	answer, ok := j.known[key.String()]
	if !ok {
		answer = violation(j.sys, v)
		j.known[key.String()] = answer
	}
	return answer
}
