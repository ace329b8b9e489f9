package sim

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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

	// Monitor, if not nil, is a machine that watches the steps and whose state is
	// seen in the view: for a property of histories. It tells processes apart.
	Monitor *Monitor

	// Premise, if not nil, says whether the property has anything to judge in a view
	// at quiescence. Where it never has, that it holds means nothing. Like Violation
	// it is a function of the view.
	Premise func(View) bool

	// Violation returns the line that shows how the property is violated, and
	// "" if it holds. It is a function of the view alone. A replay asks it in every
	// state, to say since when the violation stands.
	Violation func(View) string
}

// A Monitor is a deterministic machine whose inputs are the steps of an execution.
// Its state is a part of the state of the system, so it should be small: the whole
// history would keep all interleavings apart. Where time passes and nothing else
// happens it must come to rest: it counts up to what the property asks for.
type Monitor struct {
	Start string
	After func(state string, e Event) string
}

// An Event is a step as a [Monitor] sees it.
type Event struct {
	Step
	Name     string // of the task; "" for the environment
	Finished bool   // its task has finished by it
	View     View   // after it, without the state of the monitor
}

// A View is what a property sees of a state.
type View struct {
	Contents []Content // of each store, in the order of System.Stores
	Results  []string  // of each task that has finished, in the order of System.Tasks
	Memories []Content // of each process, as it shows it, in the order of System.Programs
	Pending  []Request // of each task: what it has asked for and has not got yet; or the zero value
	Monitor  string    // its state, if the property has one
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
func (s *System) Process(i int) (*Process, error) { return start(s.Programs[i], nil, &s.stray) }

// Restart starts the i-th process again after a crash: with fresh memory and the
// background tasks alone. results are those of all its tasks; of the background
// tasks they do not matter.
func (s *System) Restart(i int, results []string) (*Process, error) {
	return start(s.Programs[i], results, &s.stray)
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
	return &System{Stores: s.Stores, Programs: s.Programs, Property: p, Faults: s.Faults, Timing: s.Timing, Setup: s.Setup}
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

// A Step is one request executed by a store, and its reply. In a process of
// several tasks the request may be [Start] or [Arrive]. A step of the environment
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
	procs   []*Process
	arrives []arrival // by task
	ages    []int     // by task, in ticks: how long ago it asked for what it waits for
	fresh   []bool    // by task: it is alone in its process and has not done anything
	weather Weather
	monitor string
	trace   []Step
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
	weather, err := s.Weather()
	if err != nil {
		return nil, err
	}
	for i := range s.Stores {
		if err := s.Reset(i); err != nil {
			return nil, err
		}
	}
	e := &Execution{sys: s, tasks: s.Tasks(), procs: make([]*Process, 0, len(s.Programs)), weather: weather}
	e.arrives = make([]arrival, len(e.tasks))
	e.ages, e.fresh = make([]int, len(e.tasks)), make([]bool, len(e.tasks))
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
				return err
			}
			if n == maxBoot {
				return fmt.Errorf("%s: after %d steps it still boots: a task that boots has to wait for something at last", t.Name, n)
			}
		}
	}
	e.trace = nil
	return nil
}

// Pending returns what the next step of a task is: the request that it waits
// for, or [Start] or [Arrive]. It is false if the task has finished.
func (e *Execution) Pending(task int) (Request, bool) {
	if e.arrives[task].is {
		return Arrive, true
	}
	return e.procs[e.tasks[task].Program].Pending(e.tasks[task].Index)
}

// Moves returns what can happen next: first the moves without a fault, of which
// there are n, and of which those of tasks may turn out to be blocked; then the
// faults, and what lapses, which need not happen.
func (e *Execution) Moves() (moves []Move, n int, err error) {
	passes, alive := e.sys.Timing != nil, false
	for task := range e.tasks {
		req, ok := e.Pending(task)
		if !ok {
			continue
		}
		span, err := e.sys.Span(req, e.fresh[task])
		if err != nil {
			return nil, 0, err
		}
		if e.ages[task] >= span.Least {
			moves = append(moves, Move{Task: task})
		}
		_, ok = span.Passes(e.ages[task])
		passes, alive = passes && ok, alive || !span.Waits
	}
	if e.weather.Down() {
		moves = append(moves, Move{Environment, Fault{Kind: RedisUp}})
	}
	if passes && !alive {
		if alive, err = e.goesOn(); err != nil {
			return nil, 0, err
		}
	}
	if passes && alive {
		moves = append(moves, Move{Environment, Fault{Kind: Tick}})
	}
	n = len(moves)
	if len(e.sys.Faults) == 0 && e.sys.Timing == nil {
		return moves, n, nil
	}
	for task := range e.tasks {
		if req, ok := e.Pending(task); ok {
			for _, kind := range e.sys.Struck(e.weather, e.tasks[task], req) {
				moves = append(moves, Move{task, Fault{Kind: kind}})
			}
		}
	}
	if e.weather.Allows(RedisDown) && e.sys.Outage() >= 0 {
		moves = append(moves, Move{Environment, Fault{Kind: RedisDown}})
	}
	for i := range e.sys.Stores {
		faults, _, err := e.sys.Incidents(e.weather, i)
		if err != nil {
			return nil, 0, err
		}
		for _, f := range faults {
			moves = append(moves, Move{Environment, f})
		}
	}
	if e.weather.Allows(Crash) {
		for i := range e.procs {
			if e.lives(i) {
				moves = append(moves, Move{Environment, Fault{Crash, e.sys.Programs[i].Name}})
			}
		}
	}
	return moves, n, nil
}

// goesOn says whether one of the tasks, all of which may have to wait for others, need
// not wait now. That is tried, and afterwards the execution is run once more up to
// where it was.
func (e *Execution) goesOn() (bool, error) {
	for task := range e.tasks {
		if _, ok := e.Pending(task); !ok {
			continue
		}
		done := slices.Clone(e.trace)
		if err := e.take(Move{Task: task}); errors.Is(err, ErrBlocked) {
			continue
		} else if err != nil {
			return false, err
		}
		return true, e.rewind(done)
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
	do := e.take
	if m.Task == Environment {
		do = e.strike
	} else if m.Fault.Kind == Crash {
		do = e.die
	}
	if err := do(m); err != nil || e.sys.Property.Monitor == nil {
		return err
	}
	v, err := e.View()
	e.monitor = e.sys.After(e.sys.Property.Monitor, e.monitor, e.trace[len(e.trace)-1], v)
	return err
}

// take takes the next step of a task.
func (e *Execution) take(m Move) error {
	ref := &e.tasks[m.Task]
	p := e.procs[ref.Program]
	req, ok := e.Pending(m.Task)
	if !ok {
		panic("sim: Step of " + ref.Name + ", which has finished")
	}
	if span, err := e.sys.Span(req, e.fresh[m.Task]); err != nil {
		return err
	} else if e.ages[m.Task] < span.Least {
		return ErrBlocked
	}
	if req.Local() {
		reply := e.arrives[m.Task].reply
		e.arrives[m.Task], e.ages[m.Task] = arrival{}, 0
		e.trace = append(e.trace, Step{m, req, reply})
		return p.Deliver(ref.Index, reply)
	}
	reply, err := e.execute(m, req)
	if errors.Is(err, ErrBlocked) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", ref.Name, req.Store, err)
	}
	e.weather = e.weather.After(m.Fault.Kind)
	e.trace = append(e.trace, Step{m, req, reply})
	if ref.Alone {
		e.ages[m.Task], e.fresh[m.Task] = 0, false
		return p.Deliver(ref.Index, reply)
	}
	e.arrives[m.Task] = arrival{reply, true}
	if _, ok := req.Sleeps(); ok {
		e.ages[m.Task] = 0 // its reply is due from the end of the sleep on
	}
	return nil
}

// die takes the last step of a task, whose process crashes before the reply is there.
func (e *Execution) die(m Move) error {
	ref := &e.tasks[m.Task]
	req, ok := e.Pending(m.Task)
	if !ok || !slices.Contains(e.sys.Struck(e.weather, *ref, req), Crash) {
		return ErrBlocked
	}
	done := slices.Clone(e.trace)
	if err := e.take(Move{Task: m.Task}); err != nil {
		return err
	}
	if _, ok := e.Pending(m.Task); ok { // it was not the last
		if err := e.rewind(done); err != nil {
			return err
		}
		return ErrBlocked
	}
	e.trace[len(done)] = Step{m, req, Failure(Crash)}
	e.weather = e.weather.After(Crash)
	return e.end(ref.Program, []string{Crashed})
}

// execute executes the request of a task, which a fault may strike.
func (e *Execution) execute(m Move, req Request) (Reply, error) {
	i := e.sys.Store(req.Store)
	store, f, kind := e.sys.Stores[i], e.sys.Fallible(i), m.Fault.Kind
	if e.sys.Refused(e.weather, req) {
		kind = RedisDown
	}
	switch {
	case kind == "":
		reply, err := store.Execute(req)
		if err != nil || e.sys.Timing == nil {
			return reply, err
		}
		content, err := store.Content()
		if err != nil {
			return "", fmt.Errorf("content: %w", err)
		}
		return reply, e.sys.Fit(content)
	case kind == RedisDown && f.Retries(req):
		return "", ErrBlocked
	case kind == LostReply:
		if _, err := store.Execute(req); err != nil {
			return "", err
		}
	}
	if after, ok := f.Aftermath(kind, req); ok {
		if err := environment(store, after); err != nil {
			return "", err
		}
	}
	return Failure(kind), nil
}

// environment executes a request of the environment, which may not be blocked: as a
// move that is not possible it would be left out, and nobody would know.
func environment(s Store, req Request) error {
	_, err := s.Execute(req)
	if errors.Is(err, ErrBlocked) {
		return fmt.Errorf("%s: a request of the environment is blocked", s.Name())
	}
	return err
}

// strike makes a move of the environment.
func (e *Execution) strike(m Move) error {
	step := Step{Move: m}
	var err error
	switch m.Fault.Kind {
	case Tick:
		err = e.tick()
	case RedisUp:
	case RedisDown:
		step.Request = e.sys.Fallible(e.sys.Outage()).Leave("")
	case Crash:
		err = e.crash(m.Fault.Target)
	default:
		step.Request, err = e.incident(m.Fault)
	}
	if err == nil && !step.Request.Local() {
		err = e.suffer(m.Fault.Kind, step.Request)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.Fault, err)
	}
	e.weather = e.weather.After(m.Fault.Kind)
	e.trace = append(e.trace, step)
	return nil
}

// suffer has a store execute the request of the environment.
func (e *Execution) suffer(kind FaultKind, req Request) error {
	i := e.sys.Store(req.Store)
	if kind != Lapse {
		return environment(e.sys.Stores[i], req)
	}
	f := e.sys.Fallible(i)
	before, err := f.Incidents(Lapse)
	if err != nil {
		return err
	}
	if err := environment(f, req); err != nil {
		return err
	}
	after, err := f.Incidents(Lapse)
	if err == nil && len(after) >= len(before) {
		err = ErrLapse
	}
	return err
}

// tick lets a tick pass. It returns [ErrBlocked] if that changes nothing, not even for
// the monitor.
func (e *Execution) tick() error {
	changed := false
	for task := range e.tasks {
		req, ok := e.Pending(task)
		if !ok {
			continue
		}
		span, err := e.sys.Span(req, e.fresh[task])
		if err != nil {
			return err
		}
		age, ok := span.Passes(e.ages[task])
		if !ok {
			return ErrBlocked
		}
		changed = changed || age != e.ages[task]
		e.ages[task] = age
	}
	for i, req := range e.sys.Ticking() {
		if req == (Request{}) {
			continue
		}
		before, err := e.sys.Stores[i].Content()
		if err != nil {
			return err
		}
		key := before.Key()
		if err := environment(e.sys.Stores[i], req); err != nil {
			return err
		}
		after, err := e.sys.Stores[i].Content()
		if err != nil {
			return err
		}
		changed = changed || after.Key() != key
	}
	if changed {
		return nil
	}
	if e.sys.Property.Monitor != nil {
		v, err := e.View()
		if err != nil || e.sys.After(e.sys.Property.Monitor, e.monitor, Step{Move: Move{Environment, Fault{Kind: Tick}}}, v) != e.monitor {
			return err
		}
	}
	return ErrBlocked
}

// incident returns the request of a fault in the content of a store.
func (e *Execution) incident(f Fault) (Request, error) {
	for i := range e.sys.Stores {
		faults, requests, err := e.sys.Incidents(e.weather, i)
		if err != nil {
			return Request{}, err
		}
		if at := slices.Index(faults, f); at >= 0 {
			return requests[at], nil
		}
	}
	return Request{}, ErrBlocked
}

// crash ends all tasks of a process and starts its background tasks again.
func (e *Execution) crash(name string) error {
	program := slices.IndexFunc(e.sys.Programs, func(p Program) bool { return p.Name == name })
	if program < 0 || !e.lives(program) {
		return ErrBlocked
	}
	var results []string
	for i, t := range e.tasks {
		if t.Program != program {
			continue
		}
		result := e.procs[program].Result(t.Index)
		if _, ok := e.Pending(i); ok {
			result = Crashed
		}
		results = append(results, result)
	}
	return e.end(program, results)
}

// end ends a process with these results of its tasks, and starts its background tasks
// again.
func (e *Execution) end(program int, results []string) error {
	for i, t := range e.tasks {
		if t.Program == program {
			e.arrives[i], e.ages[i], e.fresh[i] = arrival{}, 0, t.Alone
		}
	}
	e.procs[program].Stop()
	for i, st := range e.sys.Stores {
		if f := e.sys.Fallible(i); f != nil {
			if err := environment(st, f.Leave(e.sys.Programs[program].Name)); err != nil {
				return err
			}
		}
	}
	p, err := e.sys.Restart(program, results)
	if p != nil {
		e.procs[program] = p
	}
	return err
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
	v.Pending = make([]Request, len(e.tasks))
	for i, t := range e.tasks {
		v.Results[i] = e.procs[t.Program].Result(t.Index)
		if req, ok := e.procs[t.Program].Pending(t.Index); ok && !req.Local() {
			v.Pending[i] = req
		}
	}
	v.Monitor = e.monitor
	return v, nil
}

// Stop ends the execution; tasks that have not finished are unwound. It is
// safe to call more than once.
func (e *Execution) Stop() {
	for _, p := range e.procs {
		p.Stop()
	}
}
