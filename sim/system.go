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

	stray    atomic.Pointer[TaskError]
	watchdog *watchdog // nil until it is needed
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
	store := s.Stores[s.Store(req.Store)]
	if kind, failed := reply.Failure(); failed {
		request, _ = store.Describe(req, "")
		return request, kind.Describe()
	}
	return store.Describe(req, reply)
}

// Process starts the i-th process of the system by itself, outside any execution.
func (s *System) Process(i int) (*Process, error) { return s.start(s.Programs[i], nil) }

// Restart starts the i-th process again after a crash: with fresh memory and the
// background tasks alone. results are those of all its tasks; of the background
// tasks they do not matter.
func (s *System) Restart(i int, results []string) (*Process, error) {
	return s.start(s.Programs[i], results)
}

// Weather returns the state of the environment in which every execution starts.
func (s *System) Weather() (Weather, error) { return s.Faults.weather(), s.Faults.check() }

// Fallible returns the i-th store if faults can strike it, or nil.
func (s *System) Fallible(i int) Fallible {
	f, _ := s.Stores[i].(Fallible)
	return f
}

// Outage returns the index of the store that can be down, or -1.
func (s *System) Outage() int {
	for i := range s.Stores {
		if f := s.Fallible(i); f != nil && f.Fails(RedisDown, Request{}) {
			return i
		}
	}
	return -1
}

// Struck returns the kinds of faults that can strike a request in this weather.
//
// [Crash] strikes a task that is alone in its process after its request was executed
// and before the reply is there, which is one step. That is a move of its own only of
// the last request: after any other it is the same as before the next one.
func (s *System) Struck(w Weather, t TaskRef, req Request) (kinds []FaultKind) {
	if len(s.Faults) == 0 || req.Local() {
		return nil
	}
	i := s.Store(req.Store)
	f := s.Fallible(i)
	if f == nil || w.down && i == s.Outage() {
		return nil
	}
	for _, kind := range struck {
		if w.Allows(kind) && f.Fails(kind, req) {
			kinds = append(kinds, kind)
		}
	}
	if t.Alone && !t.Background && w.Allows(Crash) {
		kinds = append(kinds, Crash)
	}
	return kinds
}

// Refused says whether the store of the request is down.
func (s *System) Refused(w Weather, req Request) bool {
	return w.down && !req.Local() && s.Store(req.Store) == s.Outage()
}

// Incidents returns the faults that can happen to the i-th store in this weather,
// in the content that it has now, and what can lapse if time passes. A store that is
// down has none.
func (s *System) Incidents(w Weather, i int) (faults []Fault, requests []Request, err error) {
	f := s.Fallible(i)
	if len(s.Faults) == 0 && s.Timing == nil || f == nil || w.down && i == s.Outage() {
		return nil, nil, nil
	}
	for _, kind := range incidents {
		if !w.Allows(kind) || kind == Lapse && s.Timing == nil {
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
	if err := s.stray.Load(); err != nil {
		return err
	}
	return nil
}

// With returns the same system with another property. Only one of the two may run at
// a time.
func (s *System) With(p Property) *System {
	return &System{Stores: s.Stores, Programs: s.Programs, Property: p, Faults: s.Faults, Timing: s.Timing, Setup: s.Setup,
		Patience: s.Patience, watchdog: s.watch()}
}

// After returns the state of the monitor after a step; v is the view then.
func (s *System) After(m *Monitor, state string, step Step, v View) string {
	v.Monitor = ""
	e := Event{Step: step, View: v}
	if step.Task != Environment {
		e.Name = s.Tasks()[step.Task].Name
		e.Finished = v.Pending[step.Task] == (Request{})
	}
	return m.After(state, e)
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
