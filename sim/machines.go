package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// machines are the real ones: the [World] of an [Execution].
type machines struct {
	execution *Execution
	sys       *System
	tasks     []TaskRef
	procs     []Machine
	arrives   []arrival // by task
	ages      []Age     // by task
	fresh     []bool    // by task: it is alone in its process and has not done anything
	env       EnvironmentState
	monitor   string
	held      []Content // of a dated system, by store, as they return them
	living    []Lifetime
	changes   Changes
}

// An arrival is a reply on its way to a task.
type arrival struct {
	reply Reply
	is    bool
}

// begin resets the stores and starts the processes. It returns machines also with an
// error, if there is something to stop.
func (e *Execution) begin(env EnvironmentState) (*machines, error) {
	for i := range e.sys.Stores {
		if err := e.sys.Reset(i); err != nil {
			return nil, err
		}
	}
	tasks := e.relation.tasks
	w := &machines{execution: e, sys: e.sys, tasks: tasks, procs: make([]Machine, 0, len(e.sys.Programs)),
		arrives: make([]arrival, len(tasks)), ages: make([]Age, len(tasks)), fresh: make([]bool, len(tasks)), env: env}
	for i, t := range tasks {
		w.fresh[i] = t.Alone
	}
	for i := range e.sys.Programs {
		p, err := e.sys.Process(i)
		if p != nil {
			w.procs = append(w.procs, p)
		}
		if err != nil {
			return w, err
		}
	}
	if m := e.sys.Property.Monitor; m != nil {
		w.monitor = m.Start
	}
	return w, nil
}

func (w *machines) stop() {
	for _, p := range w.procs {
		p.Stop()
	}
}

func (w *machines) process(task int) (Machine, Place) {
	t := &w.tasks[task]
	return w.procs[t.Program], t.Place
}

func (w *machines) Pending(task int) (Request, bool) {
	if w.arrives[task].is {
		return Arrive, true
	}
	p, at := w.process(task)
	return p.Pending().At(at)
}

func (w *machines) Arriving(task int) Reply { return w.arrives[task].reply }

func (w *machines) Waited(task int) (Age, bool) { return w.ages[task], w.fresh[task] }

func (w *machines) Execute(task int) (Reply, error) {
	p, at := w.process(task)
	req, _ := p.Pending().At(at)
	i := w.sys.Store(req.Store)
	reply, err := w.sys.Execute(i, req)
	if err == nil && w.sys.Timing != nil {
		var content Content
		if content, err = w.Content(i); err == nil {
			err = w.sys.CheckTTLs(content)
		}
	}
	if err != nil && !errors.Is(err, ErrBlocked) {
		err = fmt.Errorf("%s: %w", req.Store, err)
	}
	return reply, err
}

// Blocked is a function of the content of the store, and tried once for each: afterwards
// the execution is run once more up to where it was.
func (w *machines) Blocked(task int) (bool, error) {
	p, at := w.process(task)
	req, _ := p.Pending().At(at)
	content, err := w.Content(w.sys.Store(req.Store))
	if err != nil {
		return false, err
	}
	place := obstacle{content.Key(), req}
	if blocked, known := w.sys.obstacles[place]; known {
		return blocked, nil
	}
	undo := w.Mark()
	_, err = w.sys.Stores[w.sys.Store(req.Store)].Execute(req)
	blocked := errors.Is(err, ErrBlocked)
	switch {
	case blocked:
	case err != nil:
		return false, fmt.Errorf("%s: %s: %w", w.tasks[task].Name, req.Store, err)
	default:
		if err := undo(); err != nil {
			return false, err
		}
	}
	if w.sys.obstacles == nil {
		w.sys.obstacles = map[obstacle]bool{}
	}
	w.sys.obstacles[place] = blocked
	return blocked, nil
}

func (w *machines) Answer(task int, r Reply) error {
	w.fresh[task] = false
	p, at := w.process(task)
	if w.tasks[task].Folded {
		w.ages[task] = Age{}
		return w.deliver(task, r)
	}
	req, _ := p.Pending().At(at)
	w.arrives[task] = arrival{r, true}
	if w.sys.Rests(req) {
		w.ages[task] = Age{}
	}
	return nil
}

func (w *machines) Resume(task int) error {
	reply := w.arrives[task].reply
	w.arrives[task], w.ages[task], w.fresh[task] = arrival{}, Age{}, false
	return w.deliver(task, reply)
}

// deliver hands a reply to a task. In a process of goroutines it may be that others do
// not wait any more for what is on its way to them.
func (w *machines) deliver(task int, r Reply) error {
	p, at := w.process(task)
	if clock := w.clock(w.tasks[task].Program); clock >= 0 {
		p.Pass(time.Duration(w.ages[clock].Asked) * w.sys.Timing.Tick)
		w.ages[clock] = Age{}
	}
	err := p.Deliver(at, r)
	if err != nil || !w.sys.Programs[w.tasks[task].Program].Goroutines {
		return err
	}
	pending := p.Pending()
	for i, t := range w.tasks {
		if t.Program == w.tasks[task].Program && i != task && t.Place != clockPlace && pending.Fresh(t.Place) {
			w.arrives[i], w.ages[i] = arrival{}, Age{}
		}
	}
	return nil
}

// clock returns the clock of a process, whose age is how much time has passed since it
// was told something; -1 if it has none that is kept.
func (w *machines) clock(program int) int {
	if w.sys.Timing == nil {
		return -1
	}
	return slices.IndexFunc(w.tasks, func(t TaskRef) bool { return t.Program == program && t.Place == clockPlace })
}

func (w *machines) Crash(program int) error {
	var results []string
	for task, t := range w.tasks {
		if t.Program != program {
			continue
		}
		w.arrives[task], w.ages[task], w.fresh[task] = arrival{}, Age{}, t.Alone
		if t.Spawned() {
			continue
		}
		result, finished := w.procs[program].Result(t.Index)
		if !finished {
			result = Crashed
		}
		results = append(results, result)
	}
	w.procs[program].Stop()
	p, err := w.sys.Restart(program, results)
	if p != nil {
		w.procs[program] = p
	}
	return err
}

func (w *machines) Age(program int, blocked uint64) error {
	for task, t := range w.tasks {
		if t.Program != program {
			continue
		}
		if req, ok := w.Pending(task); ok {
			span, err := w.sys.Span(t, req, w.fresh[task])
			if err != nil {
				return err
			}
			w.ages[task], _ = span.Passes(w.ages[task], blocked>>t.Index&1 == 1)
		} else if t.Place == clockPlace {
			w.ages[task].Asked++
		}
	}
	return nil
}

func (w *machines) Content(store int) (Content, error) {
	st := w.sys.Stores[store]
	content, err := st.Content()
	if err != nil {
		return nil, fmt.Errorf("content of %s: %w", st.Name(), err)
	}
	return content, nil
}

func (w *machines) Incidents(store int) ([]Fault, []Request, error) { return w.sys.Incidents(store) }

// Impose may not be blocked: as a move that is not possible it would be left out, and
// nobody would know.
func (w *machines) Impose(store int, r Request) error {
	st := w.sys.Stores[store]
	_, err := st.Execute(r)
	if errors.Is(err, ErrBlocked) {
		return fmt.Errorf("%s: a request of the environment is blocked", st.Name())
	}
	return err
}

func (w *machines) Environment() EnvironmentState { return w.env }

func (w *machines) SetEnvironment(env EnvironmentState) { w.env = env }

func (w *machines) Changes(store string) (Changes, error) {
	w.changes, w.living = Changes{}, nil
	held := make([]Content, len(w.sys.Stores))
	for i, st := range w.sys.Stores {
		var err error
		if held[i], err = w.Content(i); err != nil {
			return w.changes, err
		}
		var before Content
		if st.Name() == store {
			before = w.held[i]
		}
		items, done := Lifetimes(st.Name(), before, held[i])
		if w.living = append(w.living, items...); st.Name() == store {
			w.changes = done
		}
	}
	w.held = held
	return w.changes, nil
}

func (w *machines) Living() []Lifetime { return w.living }

func (w *machines) Observe(step Step) error {
	m := w.sys.Property.Monitor
	if m == nil {
		return nil
	}
	v, err := w.execution.View()
	if err == nil {
		w.monitor, err = w.sys.After(m, w.monitor, step, v)
	}
	return err
}

func (w *machines) State() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", w.monitor)
	for task := range w.tasks {
		if _, ok := w.Pending(task); ok { // else it is a clock that goes on for nobody
			fmt.Fprintf(&b, " %d:%v", task, w.ages[task])
		}
	}
	for i := range w.sys.Stores {
		c, err := w.Content(i)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, " %q", c.Key())
	}
	return b.String(), nil
}

func (w *machines) Ages() (undo func()) {
	before := slices.Clone(w.ages)
	return func() { copy(w.ages, before) }
}

// Mark undoes by running the execution once more up to where it was.
func (w *machines) Mark() (undo func() error) {
	taken := slices.Clone(w.execution.trace)
	return func() error { return w.execution.rewind(taken) }
}
