package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// A Relation is the step relation of a system: what may happen next, and what comes of
// it. It is the only place that knows. A fault, for example, is possible in an execution
// and in a search by what is said here.
type Relation struct {
	sys      *System
	tasks    []TaskRef
	programs []span // of their tasks
	timed    bool
	dated    bool
	clock    bool // tasks can sleep
	faulty   bool // faults may happen
	outage   int  // the store that can be down; -1 if none can
}

// A span is a range of tasks.
type span struct{ first, after int }

// Relation returns the step relation.
func (s *System) Relation() *Relation {
	r := &Relation{sys: s, tasks: s.Tasks(), programs: make([]span, len(s.Programs)),
		timed: s.Timing != nil, dated: s.Dated(), clock: s.clock(), faulty: len(s.Faults) > 0, outage: s.FailingStore()}
	for i, t := range r.tasks {
		if t.Index == 0 {
			r.programs[t.Program].first = i
		}
		r.programs[t.Program].after = i + 1
	}
	return r
}

// Moves returns what may happen next: first the moves without a fault, of which there
// are n; then the faults, and what lapses, which need not happen. Whether one can happen
// says [Relation.Do]: a request can be blocked, for example, and time cannot pass while
// something is due.
func (r *Relation) Moves(w World) (moves []Move, n int, err error) {
	env := w.Environment()
	for task := range r.tasks {
		req, ok := w.Pending(task)
		if !ok {
			continue
		}
		if due, err := r.due(w, task, req); err != nil {
			return nil, 0, err
		} else if due {
			moves = append(moves, Move{Task: task})
		}
	}
	if env.Allows(Recovery) {
		moves = append(moves, Move{Environment, Fault{Kind: Recovery}})
	}
	if r.timed {
		moves = append(moves, Move{Environment, Fault{Kind: Tick}})
	}
	n = len(moves)
	if !r.faulty && !r.timed {
		return moves, n, nil
	}
	for task := range r.tasks {
		if req, ok := w.Pending(task); ok {
			for _, kind := range r.sys.strikes(env, r.tasks[task], req) {
				moves = append(moves, Move{task, Fault{Kind: kind}})
			}
		}
	}
	for _, kind := range lasting {
		if r.outage >= 0 && env.Allows(kind) {
			moves = append(moves, Move{Environment, Fault{Kind: kind}})
		}
	}
	for i := range r.sys.Stores {
		faults, _, err := r.incidents(w, i)
		if err != nil {
			return nil, 0, err
		}
		for _, f := range faults {
			moves = append(moves, Move{Environment, f})
		}
	}
	if r.faulty && env.Allows(Crash) {
		for i, p := range r.sys.Programs {
			if r.lives(w, i) {
				moves = append(moves, Move{Environment, Fault{Crash, p.Name}})
			}
		}
	}
	return moves, n, nil
}

// Do makes a move and returns the step that it is. It returns [ErrBlocked], and nothing
// has changed, if the move cannot be made. Any other error ends the run; then the step is
// the zero value if it has not been taken, such as that of a request that a store refuses,
// and is not if what comes of it has failed, such as in the code of the task.
func (r *Relation) Do(w World, m Move) (step Step, err error) {
	before, undo := "", func() {}
	if m.Fault.Kind == Tick {
		if before, err = w.State(); err != nil {
			return step, err
		}
		undo = w.Ages()
	}
	if r.dated {
		step, err = r.dateMove(w, m)
	} else {
		step, err = r.move(w, m)
	}
	if err == nil {
		err = w.Observe(step)
	}
	if err != nil || m.Fault.Kind != Tick {
		return step, err
	}
	// A tick that changes nothing, not even for a monitor, could pass for ever. There may be
	// clocks that go on for nobody.
	after, err := w.State()
	if err == nil && after == before {
		undo()
		return Step{}, ErrBlocked
	}
	return step, err
}

// maxBoot is how many steps a task may take to boot.
const maxBoot = 1000

// Boot runs the tasks that boot, each until it is blocked, and what it has started as well:
// see [TaskSpec]. It returns their steps, also with an error. No monitor sees them, and all
// are of one moment.
func (r *Relation) Boot(w World) (steps []Step, err error) {
	for i, t := range r.tasks {
		if !t.Boot {
			continue
		}
		for goesOn := true; goesOn && err == nil; {
			before, members := len(steps), 0
			for j, u := range r.tasks {
				if err == nil && u.Program == t.Program && (i == j || u.Spawned() && u.Place.Task == t.Place.Task) {
					members++
					steps, err = r.boot(w, j, steps)
				}
			}
			goesOn = len(steps) > before && members > 1 // one that is blocked is not asked again
		}
	}
	return steps, err
}

// boot runs a task until it is blocked, and appends its steps.
func (r *Relation) boot(w World, task int, steps []Step) ([]Step, error) {
	for {
		if _, ok := w.Pending(task); !ok {
			return steps, nil
		}
		step, err := r.move(w, Move{Task: task})
		if errors.Is(err, ErrBlocked) {
			return steps, nil
		}
		if step != (Step{}) {
			steps = append(steps, step)
		}
		if err != nil {
			return steps, err
		}
		if len(steps) > maxBoot {
			return steps, fmt.Errorf("%s: after %d steps it still boots: a task that boots has to wait for something at last", r.tasks[task].Name, len(steps)-1)
		}
	}
}

// Begin sets the moments of what is there before the first step.
func (r *Relation) Begin(w World) error {
	if !r.dated {
		return nil
	}
	if _, err := w.Changes(""); err != nil {
		return err
	}
	w.SetEnvironment(r.sys.begin(w.Environment(), w.Living(), r.asleep(w)))
	return nil
}

// Stuck says of a state in which nothing happens any more, unless by a fault, whether it
// is none in which an execution ends: a task sleeps, and no time can pass, since another
// one would wait for longer than [Timing.MaxWait], or since a key would have to expire.
// Such an execution is none.
func (r *Relation) Stuck(w World) (bool, error) {
	if !r.timed && !r.dated {
		return false, nil
	}
	for task := range r.tasks {
		req, ok := w.Pending(task)
		if !ok {
			continue
		}
		due, err := r.due(w, task, req)
		if err != nil {
			return false, err
		}
		if _, sleeps := req.Sleeps(); !due || sleeps && r.dated {
			return true, nil
		}
	}
	return false, nil
}

// dateMove makes a move of a dated system, if there is a moment for it.
func (r *Relation) dateMove(w World, m Move) (step Step, err error) {
	if r.sys.timeless(w.Environment()) {
		if step, err = r.move(w, m); err == nil {
			_, err = w.Changes(step.executedBy())
		}
		return step, err
	}
	k := Waking{Before: w.Living()}
	switch {
	case m.Task != Environment && m.Fault.Kind == "":
		if req, ok := w.Pending(m.Task); ok {
			k.Sleeper = m.Task
			k.Slept, _ = req.Sleeps()
		}
	case m.Fault.Kind == Expire:
		_, req, err := r.incident(w, m.Fault)
		if err != nil {
			return step, err
		}
		k.Expires = req.Store + "/" + m.Fault.Target
	}
	moments, ok := r.sys.wake(w.Environment(), k)
	if !ok {
		return step, ErrBlocked
	}
	before := r.asleep(w)
	if step, err = r.move(w, m); err != nil {
		return step, err
	}
	var l Leaving
	if l.Changes, err = w.Changes(step.executedBy()); err != nil {
		return step, err
	}
	l.After, l.Asleep = w.Living(), r.asleep(w)
	for _, task := range l.Asleep {
		crashed := m.Fault.Kind == Crash && r.sys.Programs[r.tasks[task].Program].Name == m.Fault.Target
		if task == m.Task || crashed || !slices.Contains(before, task) {
			l.Fell = append(l.Fell, task)
		}
	}
	env, err := r.sys.leave(w.Environment(), moments, l)
	w.SetEnvironment(env)
	return step, err
}

// asleep returns the tasks that sleep.
func (r *Relation) asleep(w World) (tasks []int) {
	if !r.clock {
		return nil
	}
	for task := range r.tasks {
		if req, ok := w.Pending(task); ok {
			if _, sleeps := req.Sleeps(); sleeps {
				tasks = append(tasks, task)
			}
		}
	}
	return tasks
}

// move makes a move of whichever kind, and spends its fault.
func (r *Relation) move(w World, m Move) (step Step, err error) {
	switch {
	case m.Task == Environment:
		step, err = r.strike(w, m)
	case m.Fault.Kind == Crash:
		step, err = r.die(w, m)
	default:
		step, err = r.take(w, m)
	}
	if err == nil && m.Fault.Kind != "" {
		w.SetEnvironment(w.Environment().After(m.Fault.Kind))
	}
	return step, err
}

// take takes the next step of a task, whose request a fault may strike.
func (r *Relation) take(w World, m Move) (step Step, err error) {
	req, ok := w.Pending(m.Task)
	if !ok {
		return step, ErrBlocked
	}
	if due, err := r.due(w, m.Task, req); err != nil || !due {
		return step, cmp.Or(err, ErrBlocked)
	}
	if req.Local() {
		if m.Fault.Kind != "" {
			return step, ErrBlocked
		}
		return Step{m, req, w.Arriving(m.Task)}, w.Resume(m.Task)
	}
	reply, err := r.execute(w, m, req)
	if err != nil {
		return step, r.of(m.Task, err)
	}
	return Step{m, req, reply}, w.Answer(m.Task, reply)
}

// of says in an error whose request it is about. One about the timing is about nobody's.
func (r *Relation) of(task int, err error) error {
	if tick := (*TickError)(nil); errors.Is(err, ErrBlocked) || errors.As(err, &tick) {
		return err
	}
	return fmt.Errorf("%s: %w", r.tasks[task].Name, err)
}

// execute executes the pending request of a task, or strikes it.
func (r *Relation) execute(w World, m Move, req Request) (Reply, error) {
	env, kind := w.Environment(), m.Fault.Kind
	refused := r.sys.refused(env, req)
	i := r.sys.Store(req.Store)
	f := r.sys.Fallible(i)
	switch {
	case kind == "" && !refused:
		return w.Execute(m.Task)
	case kind == "" && f.Retries(req):
		return Reply{}, ErrBlocked
	case kind == "":
		kind = Outage
	case !slices.Contains(r.sys.strikes(env, r.tasks[m.Task], req), kind):
		return Reply{}, ErrBlocked
	case kind == LostReply:
		if _, err := w.Execute(m.Task); err != nil {
			return Reply{}, err
		}
	}
	if after, ok := f.Cleanup(kind, req); ok {
		if err := w.Impose(i, after); err != nil {
			return Reply{}, err
		}
	}
	return Reply{Fault: kind}, nil
}

// die takes the last step of a task, whose process crashes before the reply is there.
func (r *Relation) die(w World, m Move) (Step, error) {
	req, ok := w.Pending(m.Task)
	if !ok || !slices.Contains(r.sys.strikes(w.Environment(), r.tasks[m.Task], req), Crash) {
		return Step{}, ErrBlocked
	}
	undo := w.Mark()
	if step, err := r.take(w, Move{Task: m.Task}); err != nil {
		return step, err
	}
	_, goesOn := w.Pending(m.Task)
	if err := undo(); err != nil {
		return Step{}, err
	}
	if goesOn { // it was not the last
		return Step{}, ErrBlocked
	}
	if _, err := w.Execute(m.Task); err != nil {
		return Step{}, r.of(m.Task, err)
	}
	return Step{m, req, Reply{Fault: Crash}}, r.end(w, r.tasks[m.Task].Program)
}

// strike makes a move of the environment.
func (r *Relation) strike(w World, m Move) (Step, error) {
	var req Request
	var err error
	env, kind := w.Environment(), m.Fault.Kind
	switch {
	case !env.Allows(kind):
		err = ErrBlocked
	case kind == Tick:
		err = r.tick(w)
	case kind == Recovery:
	case slices.Contains(lasting[:], kind) && r.outage < 0:
		err = ErrBlocked
	case kind == Outage:
		req = r.sys.Fallible(r.outage).Disconnect("")
		err = w.Impose(r.outage, req)
	case kind == Crash:
		err = r.crash(w, m.Fault.Target)
	default:
		req, err = r.happen(w, m.Fault)
	}
	if err != nil && !errors.Is(err, ErrBlocked) {
		err = fmt.Errorf("%s: %w", m.Fault, err)
	}
	if err != nil {
		return Step{}, err
	}
	return Step{m, req, Reply{}}, nil
}

// happen lets something happen to the content of a store, and returns the request by
// which it does.
func (r *Relation) happen(w World, f Fault) (Request, error) {
	i, req, err := r.incident(w, f)
	if err != nil {
		return req, err
	}
	before := 0
	if f.Kind == Lapse {
		if before, err = r.lapses(w, i); err != nil {
			return req, err
		}
	}
	if err := w.Impose(i, req); err != nil || f.Kind != Lapse {
		return req, err
	}
	after, err := r.lapses(w, i)
	if err == nil && after >= before {
		err = ErrLapse
	}
	return req, err
}

// incident returns in which store a fault can happen, and its request there.
func (r *Relation) incident(w World, f Fault) (store int, req Request, err error) {
	for i := range r.sys.Stores {
		faults, requests, err := r.incidents(w, i)
		if err != nil {
			return 0, req, err
		}
		if at := slices.Index(faults, f); at >= 0 {
			return i, requests[at], nil
		}
	}
	return 0, req, ErrBlocked
}

// incidents returns what can happen to a store, and what can lapse if time passes. In a
// store that is down keys expire, for an outage can last longer than they, and nothing
// else happens.
func (r *Relation) incidents(w World, store int) (faults []Fault, requests []Request, err error) {
	all, reqs, err := w.Incidents(store)
	env := w.Environment()
	down := env.Down() && store == r.outage
	for i, f := range all {
		if env.Allows(f.Kind) && (!down || f.Kind == Expire) {
			faults, requests = append(faults, f), append(requests, reqs[i])
		}
	}
	return faults, requests, err
}

// lapses returns how many things can lapse in a store.
func (r *Relation) lapses(w World, store int) (n int, err error) {
	faults, _, err := r.incidents(w, store)
	for _, f := range faults {
		if f.Kind == Lapse {
			n++
		}
	}
	return n, err
}

// crash ends all tasks of a process and starts its background tasks again.
func (r *Relation) crash(w World, name string) error {
	program := slices.IndexFunc(r.sys.Programs, func(p Program) bool { return p.Name == name })
	if program < 0 || !r.lives(w, program) {
		return ErrBlocked
	}
	return r.end(w, program)
}

// end ends a process. What the stores keep for its connections is gone.
func (r *Relation) end(w World, program int) error {
	if err := w.Crash(program); err != nil {
		return err
	}
	for i := range r.sys.Stores {
		if f := r.sys.Fallible(i); f != nil {
			if err := w.Impose(i, f.Disconnect(r.sys.Programs[program].Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lives says whether a process has a task that has not finished.
func (r *Relation) lives(w World, program int) bool {
	for task := r.programs[program].first; task < r.programs[program].after; task++ {
		if _, ok := w.Pending(task); ok {
			return true
		}
	}
	return false
}

// tick lets a tick pass. None can if something is due, or if no task that has not
// finished could do anything by itself or because time has passed, so that time would
// pass for nobody.
func (r *Relation) tick(w World) error {
	blocked := make([]uint64, len(r.programs))
	alive := false
	for task := range r.tasks {
		req, ok := w.Pending(task)
		if !ok {
			continue
		}
		age, fresh := w.Waited(task)
		span, err := r.sys.Span(r.tasks[task], req, fresh)
		if err != nil {
			return err
		}
		is := false
		if span.Waits != NoWait {
			if is, err = r.blocked(w, task, req); err != nil {
				return err
			}
		}
		if is {
			blocked[r.tasks[task].Program] |= 1 << r.tasks[task].Index
		}
		if is && !alive {
			content, err := w.Content(r.sys.Store(req.Store))
			if err != nil {
				return err
			}
			alive = r.sys.outlasts(w.Environment(), r.tasks[task], req, content)
		}
		alive = alive || !is
		if _, ok := span.Passes(age, is); !ok {
			return ErrBlocked
		}
	}
	if !alive {
		return ErrBlocked
	}
	for i := range r.programs {
		if err := w.Age(i, blocked[i]); err != nil {
			return err
		}
	}
	for i, req := range r.sys.ticking() {
		if req == (Request{}) {
			continue
		}
		if err := w.Impose(i, req); err != nil {
			return err
		}
	}
	return nil
}

// blocked says whether the pending request of a task is blocked, also by an outage.
func (r *Relation) blocked(w World, task int, req Request) (bool, error) {
	if r.sys.refused(w.Environment(), req) {
		return r.sys.Fallible(r.outage).Retries(req), nil
	}
	return w.Blocked(task)
}

// due says whether the next step of a task need not wait for time to pass.
func (r *Relation) due(w World, task int, req Request) (bool, error) {
	if !r.timed {
		return true, nil
	}
	age, fresh := w.Waited(task)
	span, err := r.sys.Span(r.tasks[task], req, fresh)
	return age.Asked >= span.Least, err
}
