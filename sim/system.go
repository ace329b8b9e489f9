package sim

import (
	"fmt"
	"sync/atomic"
	"time"
)

// A System is everything that takes part in one exploration. It may be started
// any number of times, one execution at a time.
type System struct {
	Stores   []Store
	Programs []Program
	Property Property

	// Faults may happen in an execution. Stores that are not Fallible suffer none.
	Faults Faults

	// Timing makes the system timed; nil means untimed.
	Timing *Timing

	// Setup is executed, in this order, after every reset of the stores and
	// before any task starts. It is part of no trace.
	Setup []Request

	// Patience is how much real time the code of a task may take up to its next
	// request or its end, and that of a constructor. Then a [System.Guard] takes it
	// for hung. The zero value means 5 seconds.
	Patience time.Duration

	of         *System // that this one is with another property; nil if it is none
	stray      atomic.Pointer[TaskError]
	obstacles  map[obstacle]bool  // whether the request was blocked there
	places     map[string][]Place // of goroutines, by the kind of their programs
	aging      []string           // processes of goroutines: see Aging
	hasty      []string           // see Hasty
	overtaking []string           // the same: see Overtaking
	told       told               // to processes of goroutines
	isolation  *Isolation         // that goes on; nil if there is none
	watchdog   *watchdog          // nil until it is needed
}

// An obstacle is a request in a content of its store, by its key.
type obstacle struct {
	content string
	request Request
}

// origin returns the system that all executions are of, whatever the property.
func (s *System) origin() *System {
	if s.of != nil {
		return s.of
	}
	return s
}

// A TaskRef says where a task is.
type TaskRef struct {
	TaskSpec
	Program int   // index in System.Programs
	Index   int   // in the tasks of that program, and what they have started
	Place   Place // in its process
	Alone   bool  // the process has no other task

	// Folded says that the reply to a request arrives in the step that executes it:
	// nobody can tell when it arrives, since the task is alone and no time passes.
	Folded bool
}

// Spawned says that it is none of the tasks of its program, but the clock of a process of
// goroutines, or a goroutine that the code there has started. It is in the background.
func (t *TaskRef) Spawned() bool { return t.Place.Path != "" }

// Tasks returns the tasks of all programs, those of each followed by what is known to ask
// for something beside them: see [Program.Goroutines]. Everywhere else a task is named by
// its index in this list.
func (s *System) Tasks() []TaskRef {
	var tasks []TaskRef
	for i := range s.Programs {
		p := &s.Programs[i]
		specs, places := p.specs(), s.placesOf(i)
		alone := len(specs)+len(places) == 1
		for j, spec := range specs {
			tasks = append(tasks, TaskRef{spec, i, j, Place{Task: j}, alone, alone && s.Timing == nil})
		}
		for j, at := range places {
			spec := TaskSpec{Name: p.nameOf(at), Background: true}
			tasks = append(tasks, TaskRef{spec, i, len(specs) + j, at, false, false})
		}
	}
	return tasks
}

// Describe returns a request and its reply, each in one line.
func (s *System) Describe(req Request, reply Reply) (request, answer string) {
	if req.Local() {
		return req.Body, ""
	}
	store := s.Stores[s.Store(req.Store)]
	if reply.Fault != "" {
		request, _ = store.Describe(req, Reply{})
		return request, reply.Fault.Describe()
	}
	return store.Describe(req, reply)
}

// Process starts the i-th process of the system by itself, outside any execution.
func (s *System) Process(i int) (Machine, error) { return s.start(i, nil) }

// Restart starts the i-th process again after a crash: with fresh memory and the
// background tasks alone. results are those of all its tasks; of the background
// tasks they do not matter.
func (s *System) Restart(i int, results []string) (Machine, error) {
	return s.start(i, results)
}

// Environment returns the state of the environment in which every execution starts.
func (s *System) Environment() (EnvironmentState, error) { return s.Faults.begin(), s.Faults.check() }

// Fallible returns the i-th store if faults can strike it, or nil.
func (s *System) Fallible(i int) Fallible {
	f, _ := s.Stores[i].(Fallible)
	return f
}

// FailingStore returns the index of the store that can be down, or -1.
func (s *System) FailingStore() int {
	for i := range s.Stores {
		if f := s.Fallible(i); f != nil && f.Fails(Outage, Request{}) {
			return i
		}
	}
	return -1
}

// strikes returns the kinds of faults that can strike a request in this state of the environment.
//
// [Crash] strikes a folded task after its request was executed and before the reply
// is there, which is one step. That is a move of its own only of
// the last request: after any other it is the same as before the next one. It needs no
// store that is [Fallible], and of a sleep it is the same as during it.
func (s *System) strikes(w EnvironmentState, t TaskRef, req Request) (kinds []FaultKind) {
	if len(s.Faults) == 0 || req.Local() {
		return nil
	}
	i := s.Store(req.Store)
	if w.Down() && i == s.FailingStore() {
		return nil
	}
	f := s.Fallible(i)
	for _, kind := range struck {
		if f != nil && w.Allows(kind) && f.Fails(kind, req) {
			kinds = append(kinds, kind)
		}
	}
	if _, sleeps := req.Sleeps(); t.Folded && !t.Background && !sleeps && w.Allows(Crash) {
		kinds = append(kinds, Crash)
	}
	return kinds
}

// refused says whether the store of the request is down.
func (s *System) refused(w EnvironmentState, req Request) bool {
	return w.Down() && !req.Local() && s.Store(req.Store) == s.FailingStore()
}

// Incidents returns the faults that can happen to the i-th store in the content that it
// has now, as long as they are allowed, and what can lapse if time passes; and the
// requests by which they do.
func (s *System) Incidents(i int) (faults []Fault, requests []Request, err error) {
	f := s.Fallible(i)
	if len(s.Faults) == 0 && s.Timing == nil || f == nil {
		return nil, nil, nil
	}
	begin := s.Faults.begin()
	for _, kind := range incidents {
		if !begin.Allows(kind) || kind == Lapse && s.Timing == nil {
			continue
		}
		all, err := f.Incidents(kind)
		if err != nil {
			return nil, nil, fmt.Errorf("%s of %s: %w", kind, s.Stores[i].Name(), err)
		}
		for _, in := range all {
			faults = append(faults, Fault{kind, in.Target})
			requests = append(requests, in.Request)
		}
	}
	return faults, requests, nil
}

// Stray returns the error of a client that was called outside the simulation
// since the system was made, even if the execution in which that happened had
// ended meanwhile.
func (s *System) Stray() error {
	if err := s.origin().stray.Load(); err != nil {
		return err
	}
	return nil
}

// An Isolation keeps the processes that are started while it goes on apart from those
// before and after it: what clients consist of, such as goroutines and channels, was
// made in it and is not used outside. So they can run in a bubble of package
// testing/synctest. The clients are closed at its end and not when their process ends,
// so that a call which comes in between is seen.
type Isolation struct {
	sys   *System
	atEnd []func()
}

// Isolate begins an isolation. There is one at a time.
func (s *System) Isolate() *Isolation {
	i := &Isolation{sys: s.origin()}
	i.sys.isolation = i
	return i
}

// AtEnd registers f to be called at the end of the isolation.
func (i *Isolation) AtEnd(f func()) { i.atEnd = append(i.atEnd, f) }

// End ends the isolation, of which all processes have ended.
func (i *Isolation) End() {
	if i.sys.isolation == i {
		i.sys.isolation = nil
	}
	for _, f := range i.atEnd {
		f()
	}
}

// With returns the same system with another property. Only one of the two may run at
// a time.
func (s *System) With(p Property) *System {
	return &System{Stores: s.Stores, Programs: s.Programs, Property: p, Faults: s.Faults, Timing: s.Timing, Setup: s.Setup,
		Patience: s.Patience, watchdog: s.watch(), of: s.origin()}
}

// After returns the state of the monitor after a step; v is the view then. The error is
// a [*PropertyError].
func (s *System) After(m *Monitor, state string, step Step, v View) (next string, err error) {
	v.Monitor = ""
	defer func() {
		if e, ok := recover().(*PropertyError); ok {
			err = e
		}
	}()
	defer s.Blame("the monitor", v)
	e := Event{Step: step, View: v}
	if step.Task != Environment {
		e.Name = s.Tasks()[step.Task].Name
		e.Finished = v.Pending[step.Task] == (Request{}) && !v.parked(step.Task)
	}
	return m.After(state, e), nil
}

// Reset puts the i-th store into the content in which every execution starts.
func (s *System) Reset(i int) error {
	st := s.Stores[i]
	if t, ok := st.(Timed); ok {
		t.SetTimed(s.Timing != nil)
	}
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

// Execute has the i-th store execute the request of a task.
func (s *System) Execute(i int, req Request) (Reply, error) {
	if s.Dated() {
		if err := turnBack(s.Stores[i]); err != nil {
			return Reply{}, err
		}
	}
	return s.Stores[i].Execute(req)
}

// Content returns what the i-th store holds.
func (s *System) Content(i int) (Content, error) {
	c, err := s.Stores[i].Content()
	if err != nil {
		return nil, fmt.Errorf("content of %s: %w", s.Stores[i].Name(), err)
	}
	if s.Dated() {
		c = withoutInstants(c)
	}
	return c, nil
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
