package sim

import (
	"errors"
	"iter"
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
	sys      *System
	relation *Relation
	machines *machines
	trace    []Step
	lookups  *Lookups // in its views
}

// Start begins an execution: it resets all stores, builds all processes and boots
// the tasks that do. A task that is alone in its process runs up to its first
// request.
func (s *System) Start() (*Execution, error) {
	env, err := s.Environment()
	if err != nil {
		return nil, err
	}
	e := &Execution{sys: s, relation: s.Relation(), lookups: s.Lookups()}
	if e.machines, err = e.begin(env); err == nil {
		var steps []Step
		if steps, err = e.relation.Boot(e.machines); err != nil {
			err = &BootError{steps, err}
		}
	}
	if err == nil {
		err = e.relation.Begin(e.machines)
	}
	if err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

// A BootError is that of a task that boots, or of a store that it asks.
type BootError struct {
	Trace []Step // of all tasks that boot, up to the error
	Err   error
}

func (e *BootError) Error() string { return e.Err.Error() }

func (e *BootError) Unwrap() error { return e.Err }

// Run runs one execution for real. choose is asked before every step, and of the moves that
// it offers the first is made that is not blocked. It goes on behind one that is. Where it
// offers none, or an error, which Run returns, the execution is over, and it is stopped.
//
// An execution that cannot begin ends in the error of [System.Start], and one in which a
// move cannot be made because something fails in a [*MoveError].
func (s *System) Run(choose func(*Execution) iter.Seq2[Move, error]) error {
	e, err := s.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	for more := true; more; {
		if more, err = e.first(choose(e)); err != nil {
			return err
		}
	}
	return nil
}

// first makes the first of the moves that is not blocked. It returns false if there is none.
func (e *Execution) first(moves iter.Seq2[Move, error]) (bool, error) {
	for m, err := range moves {
		if err != nil {
			return false, err
		}
		if err := e.Do(m); !errors.Is(err, ErrBlocked) {
			return err == nil, err
		}
	}
	return false, nil
}

// A MoveError is that of a move in which an execution has ended.
type MoveError struct {
	Trace []Step // before it
	Step  Step   // that the move is; without a reply if it was not taken
	Taken bool   // what failed is what came of it
	Err   error
}

func (e *MoveError) Error() string { return e.Err.Error() }

func (e *MoveError) Unwrap() error { return e.Err }

// Pending returns what the next step of a task is: the request that it waits
// for, or [Start] or [Arrive]. It is false if the task has finished.
func (e *Execution) Pending(task int) (Request, bool) { return e.machines.Pending(task) }

// Parked returns where the code of a task is that waits for another task of its process;
// "" if it does not.
func (e *Execution) Parked(task int) string {
	t := e.machines.tasks[task]
	if _, ok := e.Pending(task); ok || t.Spawned() {
		return ""
	}
	return e.machines.procs[t.Program].Parked(t.Index)
}

// Moves returns what may happen next: see [Relation.Moves].
func (e *Execution) Moves() (moves []Move, n int, err error) { return e.relation.Moves(e.machines) }

// Stuck says of an execution that cannot go on whether it is none: see [Relation.Stuck].
func (e *Execution) Stuck() (bool, error) { return e.relation.Stuck(e.machines) }

// Step takes the next step of a task, without a fault: see [Execution.Do].
func (e *Execution) Step(task int) error { return e.Do(Move{Task: task}) }

// Do makes a move: it executes the pending request of a task, or delivers the
// reply to it, which is one step if the task is alone in its process; or a fault
// happens. It returns [ErrBlocked], and nothing has changed, if the task is
// blocked; any other error is a [*MoveError] and ends the run. It panics if the task has
// finished.
func (e *Execution) Do(m Move) error {
	wanted := Step{Move: m}
	if m.Task != Environment {
		ok := false
		if wanted.Request, ok = e.Pending(m.Task); !ok {
			panic("sim: Step of " + e.machines.tasks[m.Task].Name + ", which has finished")
		}
	}
	step, err := e.relation.Do(e.machines, m)
	taken := step != (Step{})
	if err != nil && !errors.Is(err, ErrBlocked) {
		failed := &MoveError{Trace: slices.Clone(e.trace), Step: wanted, Taken: taken, Err: err}
		if taken {
			failed.Step = step
		}
		err = failed
	}
	if taken {
		e.trace = append(e.trace, step)
	}
	return err
}

// Trace returns the steps so far. The slice is valid until the next step.
func (e *Execution) Trace() []Step { return e.trace }

// Record has what is looked up in the views of the execution recorded in l, which is
// for its system.
func (e *Execution) Record(l *Lookups) { e.lookups = l }

// Living returns, of a dated system, the items of all stores that go away by themselves,
// and what the last step has done to them.
func (e *Execution) Living() ([]Lifetime, Changes) { return e.machines.living, e.machines.changes }

// View returns what a property sees now.
func (e *Execution) View() (View, error) {
	v := View{Contents: make([]Content, len(e.sys.Stores)), Results: make([]string, len(e.machines.tasks)), lookups: e.lookups}
	for i := range e.sys.Stores {
		var err error
		if v.Contents[i], err = e.sys.Content(i); err != nil {
			return View{}, err
		}
	}
	for _, p := range e.machines.procs {
		v.Memories = append(v.Memories, p.Memory())
	}
	v.Pending = make([]Request, len(e.machines.tasks))
	for i, t := range e.machines.tasks {
		p := e.machines.procs[t.Program]
		req, waits := p.Pending().At(t.Place)
		if _, timer := req.Timer(); waits && req != Start && !timer {
			v.Pending[i] = req
		}
		finished := false
		if !t.Spawned() {
			v.Results[i], finished = p.Result(t.Index)
		}
		if !waits && !finished {
			if v.Parked == nil {
				v.Parked = make([]bool, len(e.machines.tasks))
			}
			v.Parked[i] = true
		}
	}
	v.Monitor = e.machines.monitor
	return v, nil
}

// Stop ends the execution; tasks that have not finished are abandoned: see
// [Process.Stop]. It is safe to call more than once.
func (e *Execution) Stop() {
	if e.machines != nil {
		e.machines.stop()
	}
}

// rewind runs the execution once more up to the end of a trace.
func (e *Execution) rewind(trace []Step) error {
	e.Stop()
	again, err := e.sys.Start()
	if err != nil {
		return err
	}
	// Who asked for it goes on with the machines that it has.
	*e.machines = *again.machines
	e.machines.execution = e
	e.trace = nil
	for _, s := range trace {
		if err := e.Do(s.Move); err != nil {
			return err
		}
	}
	return nil
}

// Executes says whether a store has executed the request of a task in this step.
func (s Step) Executes() bool {
	failed := s.Reply.Fault != ""
	return s.Task != Environment && !s.Request.Local() && (!failed || s.Fault.Kind == LostReply || s.Fault.Kind == Crash)
}

// executedBy returns the store that has; "" if none has.
func (s Step) executedBy() string {
	if !s.Executes() {
		return ""
	}
	return s.Request.Store
}
