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
	// "" if it holds. It is a function of the view alone. A replay asks it in every
	// state, to say since when the violation stands.
	Violation func(View) string
}

// A View is what a property sees of a state.
type View struct {
	Contents []Content // of each store, in the order of System.Stores
	Results  []string  // of each task that has finished, in the order of System.Tasks
	Memories []Content // of each process, as it shows it, in the order of System.Programs
}

// A TaskRef says where a task is.
type TaskRef struct {
	TaskSpec
	Program int  // index in System.Programs
	Index   int  // in the tasks of that program
	Alone   bool // the process has no other task
}

// Tasks returns the tasks of all programs. Everywhere else a task is named by
// its index in this list.
func (s *System) Tasks() []TaskRef {
	var tasks []TaskRef
	for i := range s.Programs {
		specs := s.Programs[i].specs()
		for j, spec := range specs {
			tasks = append(tasks, TaskRef{spec, i, j, len(specs) == 1})
		}
	}
	return tasks
}

// Describe returns a request and its reply, each in one line.
func (s *System) Describe(req Request, reply Reply) (request, answer string) {
	if req.Local() {
		return req.Body, ""
	}
	return s.Stores[s.Store(req.Store)].Describe(req, reply)
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

// A Step is one request executed by a store, and its reply. In a process of
// several tasks the request may be [Start] or [Arrive].
type Step struct {
	Task    int // index in System.Tasks
	Request Request
	Reply   Reply // that arrives, of Arrive
}

// An Execution is one real run of a system, from fresh processes and reset stores.
type Execution struct {
	sys     *System
	tasks   []TaskRef
	procs   []*Process
	arrives []arrival // by task
	trace   []Step
}

// An arrival is a reply on its way to a task.
type arrival struct {
	reply Reply
	is    bool
}

// Start begins an execution: it resets all stores and builds all processes. A
// task that is alone in its process runs up to its first request.
func (s *System) Start() (*Execution, error) {
	for i := range s.Stores {
		if err := s.Reset(i); err != nil {
			return nil, err
		}
	}
	e := &Execution{sys: s, tasks: s.Tasks(), procs: make([]*Process, 0, len(s.Programs))}
	e.arrives = make([]arrival, len(e.tasks))
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

// Pending returns what the next step of a task is: the request that it waits
// for, or [Start] or [Arrive]. It is false if the task has finished.
func (e *Execution) Pending(task int) (Request, bool) {
	if e.arrives[task].is {
		return Arrive, true
	}
	return e.procs[e.tasks[task].Program].Pending(e.tasks[task].Index)
}

// Step takes the next step of a task: it executes the pending request, or
// delivers the reply to it, which is one step if the task is alone in its
// process. It returns [ErrBlocked], and nothing has changed, if the task is
// blocked; any other error ends the run. It panics if the task has finished.
func (e *Execution) Step(task int) error {
	ref := &e.tasks[task]
	p := e.procs[ref.Program]
	req, ok := e.Pending(task)
	if !ok {
		panic("sim: Step of " + ref.Name + ", which has finished")
	}
	if req.Local() {
		reply := e.arrives[task].reply
		e.arrives[task] = arrival{}
		e.trace = append(e.trace, Step{task, req, reply})
		return p.Deliver(ref.Index, reply)
	}
	reply, err := e.sys.Stores[e.sys.Store(req.Store)].Execute(req)
	if errors.Is(err, ErrBlocked) {
		return ErrBlocked
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", ref.Name, req.Store, err)
	}
	e.trace = append(e.trace, Step{task, req, reply})
	if ref.Alone {
		return p.Deliver(ref.Index, reply)
	}
	e.arrives[task] = arrival{reply, true}
	return nil
}

// Trace returns the steps so far. The slice is valid until the next step.
func (e *Execution) Trace() []Step { return e.trace }

// View returns what a property sees now.
func (e *Execution) View() (View, error) {
	v := View{Contents: make([]Content, len(e.sys.Stores)), Results: make([]string, len(e.tasks))}
	for i, st := range e.sys.Stores {
		var err error
		if v.Contents[i], err = st.Content(); err != nil {
			return View{}, fmt.Errorf("content of %s: %w", st.Name(), err)
		}
	}
	for _, p := range e.procs {
		v.Memories = append(v.Memories, p.Memory())
	}
	for i, t := range e.tasks {
		v.Results[i] = e.procs[t.Program].Result(t.Index)
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
