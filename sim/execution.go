package sim

import (
	"errors"
	"fmt"
	"slices"
)

// A Step is one request executed by a store, and its reply. In a process of
// several tasks the request may be [Start] or [Arrive], and in any [Yield]. A step of the environment
// has the request by which its fault strikes, if it strikes a store.
type Step struct {
	Move
	Request Request
	Reply   Reply // that arrives, of Arrive
}

// An Execution is one real run of a system, from fresh processes and reset stores.
type Execution struct {
	sys     *System
	tasks   []TaskRef
	procs   []Machine
	arrives []arrival // by task
	ages    []Age     // by task
	fresh   []bool    // by task: it is alone in its process and has not done anything
	env     EnvironmentState
	monitor string
	trace   []Step
	held    []Content  // of a dated system, by store, as they return them
	living  []Lifetime // in held
	changes Changes    // by the last step
	lookups *Lookups   // in its views
}

// An arrival is a reply on its way to a task.
type arrival struct {
	reply Reply
	is    bool
}

// Start begins an execution: it resets all stores, builds all processes and boots
// the tasks that do. A task that is alone in its process runs up to its first
// request.
func (s *System) Start() (*Execution, error) {
	env, err := s.Environment()
	if err != nil {
		return nil, err
	}
	for i := range s.Stores {
		if err := s.Reset(i); err != nil {
			return nil, err
		}
	}
	e := &Execution{sys: s, tasks: s.Tasks(), procs: make([]Machine, 0, len(s.Programs)), env: env, lookups: s.Lookups()}
	e.arrives = make([]arrival, len(e.tasks))
	e.ages, e.fresh = make([]Age, len(e.tasks)), make([]bool, len(e.tasks))
	for i, t := range e.tasks {
		e.fresh[i] = t.Alone
	}
	for i := range s.Programs {
		p, err := s.Process(i)
		if p != nil {
			e.procs = append(e.procs, p)
		}
		if err != nil {
			e.Stop()
			return nil, err
		}
	}
	if err := e.boot(); err != nil {
		e.Stop()
		return nil, err
	}
	if m := s.Property.Monitor; m != nil {
		e.monitor = m.Start
	}
	if err := e.begin(); err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

// maxBoot is how many steps a task may take to boot.
const maxBoot = 1000

// boot runs the tasks that boot, each until it is blocked.
func (e *Execution) boot() error {
	for i, t := range e.tasks {
		for n := 0; t.Boot; n++ {
			if _, ok := e.Pending(i); !ok {
				break
			}
			if err := e.take(Move{Task: i}); errors.Is(err, ErrBlocked) { // no monitor sees it
				break
			} else if err != nil {
				return &BootError{e.trace, err}
			}
			if n == maxBoot {
				return &BootError{e.trace, fmt.Errorf("%s: after %d steps it still boots: a task that boots has to wait for something at last", t.Name, n)}
			}
		}
	}
	e.trace = nil
	return nil
}

// A BootError is that of a task that boots, or of a store that it asks.
type BootError struct {
	Trace []Step // of all tasks that boot, up to the error
	Err   error
}

func (e *BootError) Error() string { return e.Err.Error() }

func (e *BootError) Unwrap() error { return e.Err }

// Pending returns what the next step of a task is: the request that it waits
// for, or [Start] or [Arrive]. It is false if the task has finished.
func (e *Execution) Pending(task int) (Request, bool) {
	if e.arrives[task].is {
		return Arrive, true
	}
	return e.procs[e.tasks[task].Program].Pending().At(Place{Task: e.tasks[task].Index})
}

// Moves returns what can happen next: first the moves without a fault, of which
// there are n, and of which those of tasks may turn out to be blocked; then the
// faults, and what lapses, which need not happen.
func (e *Execution) Moves() (moves []Move, n int, err error) {
	for task := range e.tasks {
		req, ok := e.Pending(task)
		if !ok {
			continue
		}
		span, err := e.sys.Span(e.tasks[task], req, e.fresh[task])
		if err != nil {
			return nil, 0, err
		}
		if e.ages[task].Asked >= span.Least {
			moves = append(moves, Move{Task: task})
		}
	}
	if e.env.Down() {
		moves = append(moves, Move{Environment, Fault{Kind: Recovery}})
	}
	if _, passes, err := e.older(); err != nil {
		return nil, 0, err
	} else if passes {
		moves = append(moves, Move{Environment, Fault{Kind: Tick}})
	}
	n = len(moves)
	if len(e.sys.Faults) == 0 && e.sys.Timing == nil {
		return moves, n, nil
	}
	for task := range e.tasks {
		if req, ok := e.Pending(task); ok {
			for _, kind := range e.sys.Struck(e.env, e.tasks[task], req) {
				moves = append(moves, Move{task, Fault{Kind: kind}})
			}
		}
	}
	if e.env.Allows(Outage) && e.sys.FailingStore() >= 0 {
		moves = append(moves, Move{Environment, Fault{Kind: Outage}})
	}
	for i := range e.sys.Stores {
		faults, _, err := e.sys.Incidents(e.env, i)
		if err != nil {
			return nil, 0, err
		}
		for _, f := range faults {
			moves = append(moves, Move{Environment, f})
		}
	}
	if e.env.Allows(Crash) {
		for i := range e.procs {
			if e.lives(i) {
				moves = append(moves, Move{Environment, Fault{Crash, e.sys.Programs[i].Name}})
			}
		}
	}
	return moves, n, nil
}

// older returns the ages of what the tasks wait for when a tick has passed, and false if
// none can: something is due, or no task that has not finished could do anything by
// itself or because time has passed, so that time would pass for nobody.
func (e *Execution) older() (ages []Age, passes bool, err error) {
	if e.sys.Timing == nil {
		return nil, false, nil
	}
	ages = slices.Clone(e.ages)
	passes, alive := true, false
	for task := range e.tasks {
		req, ok := e.Pending(task)
		if !ok {
			continue
		}
		span, err := e.sys.Span(e.tasks[task], req, e.fresh[task])
		if err != nil {
			return nil, false, err
		}
		blocked := false
		if span.Waits != NoWait {
			if blocked, err = e.blocked(task, req); err != nil {
				return nil, false, err
			}
		}
		if !alive && blocked {
			if alive, err = e.outlasts(task, req); err != nil {
				return nil, false, err
			}
		}
		alive = alive || !blocked
		ages[task], ok = span.Passes(ages[task], blocked)
		passes = passes && ok
	}
	return ages, passes && alive, nil
}

// outlasts says of a request that is blocked now what [System.Outlasts] says.
func (e *Execution) outlasts(task int, req Request) (bool, error) {
	content, err := e.sys.Stores[e.sys.Store(req.Store)].Content()
	if err != nil {
		return false, fmt.Errorf("content of %s: %w", req.Store, err)
	}
	return e.sys.Outlasts(e.env, e.tasks[task], req, content), nil
}

// blocked says whether the request of a task is blocked now. That is a function of the
// content of its store, and tried once for each: afterwards the execution is run once
// more up to where it was.
func (e *Execution) blocked(task int, req Request) (bool, error) {
	i := e.sys.Store(req.Store)
	if e.sys.Refused(e.env, req) {
		return e.sys.Fallible(i).Retries(req), nil
	}
	content, err := e.sys.Stores[i].Content()
	if err != nil {
		return false, fmt.Errorf("content of %s: %w", req.Store, err)
	}
	place := obstacle{content.Key(), req}
	blocked, known := e.sys.obstacles[place]
	if known {
		return blocked, nil
	}
	done := slices.Clone(e.trace)
	_, err = e.sys.Stores[i].Execute(req)
	if blocked = errors.Is(err, ErrBlocked); !blocked {
		if err != nil {
			return false, fmt.Errorf("%s: %s: %w", e.tasks[task].Name, req.Store, err)
		}
		err = e.rewind(done)
	} else {
		err = nil
	}
	if e.sys.obstacles == nil {
		e.sys.obstacles = map[obstacle]bool{}
	}
	e.sys.obstacles[place] = blocked
	return blocked, err
}

// Stuck says of an execution that cannot go on whether it is not at its end: a task
// sleeps, and no time can pass, since another one would wait for longer than
// [Timing.MaxWait], or since a key would have to expire. Such an execution is none.
func (e *Execution) Stuck() (bool, error) {
	for task := range e.tasks {
		req, ok := e.Pending(task)
		if !ok {
			continue
		}
		span, err := e.sys.Span(e.tasks[task], req, e.fresh[task])
		_, sleeps := req.Sleeps()
		if err != nil || e.ages[task].Asked < span.Least || sleeps && e.sys.Dated() {
			return err == nil, err
		}
	}
	return false, nil
}

// rewind runs the execution once more up to the end of a trace.
func (e *Execution) rewind(trace []Step) error {
	e.Stop()
	again, err := e.sys.Start()
	if err != nil {
		return err
	}
	again.lookups = e.lookups
	*e = *again
	for _, s := range trace {
		if err := e.Do(s.Move); err != nil {
			return err
		}
	}
	return nil
}

// lives says whether a process has a task that has not finished.
func (e *Execution) lives(program int) bool {
	for i, t := range e.tasks {
		if _, ok := e.Pending(i); ok && t.Program == program {
			return true
		}
	}
	return false
}

// Step takes the next step of a task, without a fault: see [Execution.Do].
func (e *Execution) Step(task int) error { return e.Do(Move{Task: task}) }

// Do makes a move: it executes the pending request of a task, or delivers the
// reply to it, which is one step if the task is alone in its process; or a fault
// happens. It returns [ErrBlocked], and nothing has changed, if the task is
// blocked; any other error ends the run. It panics if the task has finished.
func (e *Execution) Do(m Move) error {
	if err := e.dated(m); err != nil || e.sys.Property.Monitor == nil {
		return err
	}
	v, err := e.View()
	if err == nil {
		e.monitor, err = e.sys.After(e.sys.Property.Monitor, e.monitor, e.trace[len(e.trace)-1], v)
	}
	return err
}

// move makes a move of whichever kind.
func (e *Execution) move(m Move) error {
	switch {
	case m.Task == Environment:
		return e.strike(m)
	case m.Fault.Kind == Crash:
		return e.die(m)
	}
	return e.take(m)
}

// take takes the next step of a task.
func (e *Execution) take(m Move) error {
	ref := &e.tasks[m.Task]
	p := e.procs[ref.Program]
	req, ok := e.Pending(m.Task)
	if !ok {
		panic("sim: Step of " + ref.Name + ", which has finished")
	}
	if span, err := e.sys.Span(e.tasks[m.Task], req, e.fresh[m.Task]); err != nil {
		return err
	} else if e.ages[m.Task].Asked < span.Least {
		return ErrBlocked
	}
	if req.Local() {
		reply := e.arrives[m.Task].reply
		e.arrives[m.Task], e.ages[m.Task], e.fresh[m.Task] = arrival{}, Age{}, false
		e.trace = append(e.trace, Step{m, req, reply})
		return p.Deliver(Place{Task: ref.Index}, reply)
	}
	reply, err := e.execute(m, req)
	if errors.Is(err, ErrBlocked) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", ref.Name, req.Store, err)
	}
	e.env = e.env.After(m.Fault.Kind)
	e.trace = append(e.trace, Step{m, req, reply})
	e.fresh[m.Task] = false
	if ref.Folded {
		e.ages[m.Task] = Age{}
		return p.Deliver(Place{Task: ref.Index}, reply)
	}
	e.arrives[m.Task] = arrival{reply, true}
	if e.sys.Rests(req) {
		e.ages[m.Task] = Age{}
	}
	return nil
}

// Trace returns the steps so far. The slice is valid until the next step.
func (e *Execution) Trace() []Step { return e.trace }

// Record has what is looked up in the views of the execution recorded in l, which is
// for its system.
func (e *Execution) Record(l *Lookups) { e.lookups = l }

// View returns what a property sees now.
func (e *Execution) View() (View, error) {
	v := View{Contents: make([]Content, len(e.sys.Stores)), Results: make([]string, len(e.tasks)), lookups: e.lookups}
	for i := range e.sys.Stores {
		var err error
		if v.Contents[i], err = e.sys.Content(i); err != nil {
			return View{}, err
		}
	}
	for _, p := range e.procs {
		v.Memories = append(v.Memories, p.Memory())
	}
	v.Pending = make([]Request, len(e.tasks))
	for i, t := range e.tasks {
		v.Results[i], _ = e.procs[t.Program].Result(t.Index)
		if req, ok := e.procs[t.Program].Pending().At(Place{Task: t.Index}); ok && req != Start {
			v.Pending[i] = req
		}
	}
	v.Monitor = e.monitor
	return v, nil
}

// Stop ends the execution; tasks that have not finished are abandoned: see
// [Machine]. It is safe to call more than once.
func (e *Execution) Stop() {
	for _, p := range e.procs {
		p.Stop()
	}
}
