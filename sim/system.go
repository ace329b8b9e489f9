package sim

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// A System is everything that takes part in one exploration. It may be started
// any number of times, one execution at a time.
type System struct {
	Stores   []Store
	Programs []Program
	Property Property

	// Setup is executed, in this order, after every reset of the stores and
	// before any task starts. It is part of no trace.
	Setup []Request

	stray atomic.Pointer[TaskError]
}

// A Property is what has to hold.
type Property struct {
	Name string

	// Always says that the property has to hold in every state. The zero value
	// means at quiescence only.
	Always bool

	// Labelled says that Violation tells interchangeable processes apart.
	Labelled bool

	// Violation returns the line that shows how the property is violated, and
	// "" if it holds. It is a function of the view alone.
	Violation func(View) string
}

// A View is what a property sees of a state.
type View struct {
	Contents []Content // of each store, in the order of System.Stores
	Results  []string  // of each process that has finished, in the order of System.Programs
}

// Process starts the i-th process of the system by itself, outside any execution.
func (s *System) Process(i int) (*Process, error) { return start(s.Programs[i], &s.stray) }

// Stray returns the error of a client that was called outside the simulation
// since the system was made, even if the execution in which that happened had
// ended meanwhile.
func (s *System) Stray() error {
	if err := s.stray.Load(); err != nil {
		return err
	}
	return nil
}

// Reset puts the i-th store into the content in which every execution starts.
func (s *System) Reset(i int) error {
	st := s.Stores[i]
	if err := st.Reset(); err != nil {
		return fmt.Errorf("reset %s: %w", st.Name(), err)
	}
	for _, req := range s.Setup {
		if req.Store != st.Name() {
			continue
		}
		if _, err := st.Execute(req); err != nil {
			return fmt.Errorf("set up %s: %w", st.Name(), err)
		}
	}
	return nil
}

// Store returns the index of the store with the given name. It panics if there
// is none: a client was made for a store that is not in the system.
func (s *System) Store(name string) int {
	for i, st := range s.Stores {
		if st.Name() == name {
			return i
		}
	}
	panic("sim: no store is called " + name)
}

// A Step is one request executed by a store, and the reply delivered to the task.
type Step struct {
	Task    int // index in System.Programs
	Request Request
	Reply   Reply
}

// An Execution is one real run of a system, from fresh processes and reset stores.
type Execution struct {
	sys   *System
	procs []*Process
	trace []Step
}

// Start begins an execution: it resets all stores and runs every task up to its
// first request.
func (s *System) Start() (*Execution, error) {
	for i := range s.Stores {
		if err := s.Reset(i); err != nil {
			return nil, err
		}
	}
	e := &Execution{sys: s, procs: make([]*Process, 0, len(s.Programs))}
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
	return e, nil
}

// Pending returns the request that the task waits for. It is false if the task
// has finished.
func (e *Execution) Pending(task int) (Request, bool) { return e.procs[task].Pending() }

// Step executes the pending request of a task and delivers the reply. It
// returns [ErrBlocked], and nothing has changed, if the task is blocked; any
// other error ends the run. It panics if the task has finished.
func (e *Execution) Step(task int) error {
	p := e.procs[task]
	req, ok := p.Pending()
	if !ok {
		panic("sim: Step of " + p.name + ", which has finished")
	}
	reply, err := e.sys.Stores[e.sys.Store(req.Store)].Execute(req)
	if errors.Is(err, ErrBlocked) {
		return ErrBlocked
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, req.Store, err)
	}
	e.trace = append(e.trace, Step{task, req, reply})
	return p.Deliver(reply)
}

// Trace returns the steps so far. The slice is valid until the next step.
func (e *Execution) Trace() []Step { return e.trace }

// View returns what a property sees now.
func (e *Execution) View() (View, error) {
	v := View{Contents: make([]Content, len(e.sys.Stores)), Results: make([]string, len(e.procs))}
	for i, st := range e.sys.Stores {
		var err error
		if v.Contents[i], err = st.Content(); err != nil {
			return View{}, fmt.Errorf("content of %s: %w", st.Name(), err)
		}
	}
	for i, p := range e.procs {
		v.Results[i] = p.Result()
	}
	return v, nil
}

// Stop ends the execution; tasks that have not finished are unwound. It is
// safe to call more than once.
func (e *Execution) Stop() {
	for _, p := range e.procs {
		p.Stop()
	}
}
