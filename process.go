package quiesce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"quiesce/sim"
	"quiesce/sim/history"
)

// A Process is one run of a server: the memory of the service and the tasks that run in it.
// The function of the server gets it, builds the service, and says what its tasks are.
type Process struct {
	*sim.Process

	server   *server
	tasks    []*task
	outcomes []error            // that are declared
	shown    func() sim.Content // by Show; nil if nothing is
	log      *history.Log       // of operations; nil if the world has no History
	complete bool               // the function of the server has returned
}

// UpTo is how many of a task there may be, beside each other, in the largest workload that
// is explored:
//
//	p.Go("view", view, quiesce.UpTo(3)) // one, two, three
//
// The workloads are explored from the smallest on, so a counterexample comes with the
// certificate that no smaller one has any. All of them have to be explored for the test to
// pass: if its deadline comes before that, it fails. With -short there is one of each
// task. Two or more are called view-1, view-2 and so on.
type UpTo int

// A task is what the function of a server has said of one.
type task struct {
	server     *server
	name       string
	most       int // how many there may be
	background bool
	boot       bool
	run        sim.Task
}

// Go adds a task, which calls the service as one of its callers would. It may be called by
// others at the same time. An error ends the test, unless [Process.Returns] declares it or a
// fault has struck before. The context is the one to hand on: it ends with the process.
func (p *Process) Go(name string, run func(context.Context) error, most ...UpTo) {
	p.add(&task{name: name, most: upTo(name, most)}, run)
}

// GoResult is Go for a task with a result that a property looks at by [View.Result]. The
// result is kept as JSON. Tasks with different results are different states, so a task whose
// result nobody looks at is one of Go.
//
//	p.GoResult("view", func(ctx context.Context) (any, error) { return svc.Product(ctx, 1) })
func (p *Process) GoResult(name string, run func(context.Context) (any, error), most ...UpTo) {
	t := &task{name: name, most: upTo(name, most)}
	p.add(t, run)
	t.run = func(ctx context.Context) (string, error) {
		value, err := run(ctx)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("the result of %s is no JSON: %w", name, err)
		}
		return string(text), nil
	}
}

// Background adds a task that need not finish, such as a subscriber or a relay: the world is
// at rest when it is blocked.
func (p *Process) Background(name string, run func(context.Context) error) {
	p.add(&task{name: name, most: 1, background: true}, run)
}

// Boot is Background for what has to be in place before the server serves: the task runs
// up to where it waits, before all others and outside of every trace.
func (p *Process) Boot(name string, run func(context.Context) error) {
	p.add(&task{name: name, most: 1, background: true, boot: true}, run)
}

// Returns declares errors by which the service answers, such as ErrSoldOut. A task that
// returns one of them, as by errors.Is, has done its work: see [View.Outcome].
func (p *Process) Returns(errs ...error) {
	p.building("Returns")
	for _, err := range errs {
		switch {
		case err == nil:
			panic(mistakenly("p.Returns declares nil; declare the errors by which the service answers"))
		case err.Error() == "" || json.Valid([]byte(err.Error())) || err.Error() == sim.Failed || err.Error() == sim.Crashed:
			panic(mistakenly("p.Returns declares an error whose text is %q, which stands for something else; give it another text", err))
		case slices.ContainsFunc(p.outcomes, func(o error) bool { return o.Error() == err.Error() }):
			panic(mistakenly("p.Returns declares two errors whose text is %q; give them different texts", err))
		}
		p.outcomes = append(p.outcomes, err)
	}
}

// Show says what a property sees of the memory of the service: f returns it by name, and is
// called only while no task runs. A string is shown as it is, anything else as JSON. If that
// is all memory which the tasks share, ShowsAll says so.
//
//	p.Show(func() map[string]any { return map[string]any{"product:1": svc.Local(1)} })
func (p *Process) Show(f func() map[string]any) {
	p.building("Show")
	p.shown = func() sim.Content {
		items := f()
		shown := make(sim.Content, 0, len(items))
		for _, name := range slices.Sorted(maps.Keys(items)) {
			it := sim.Item{Name: name}
			if text, ok := items[name].(string); ok {
				it.Value = text
			} else {
				text, err := json.Marshal(items[name])
				if err != nil {
					panic(fmt.Errorf("%s, which p.Show shows, is no JSON: %w", name, err))
				}
				it.Value, it.Note = string(text), fmt.Sprintf("%T", items[name])
			}
			shown = append(shown, it)
		}
		return shown
	}
}

// Name returns the name of the server, such as shop-2. Servers that look at it are not taken
// for interchangeable, which costs time.
func (p *Process) Name() string {
	p.server.world.labelled.Store(true)
	return p.Process.Name()
}

func upTo(name string, most []UpTo) int {
	switch {
	case len(most) == 0:
		return 1
	case len(most) > 1 || most[0] < 1:
		panic(mistakenly("task %s is there up to %v times; give one number from 1 on", name, most))
	}
	return int(most[0])
}

// add adds a task. run is a function that is not nil.
func (p *Process) add(t *task, run any) {
	p.building("Go")
	var missing bool
	switch run := run.(type) {
	case func(context.Context) error:
		missing = run == nil
		t.run = func(ctx context.Context) (string, error) { return "", run(ctx) }
	case func(context.Context) (any, error):
		missing = run == nil
	}
	switch {
	case t.name == "" || strings.ContainsAny(t.name, ":,!'() \t\n/"):
		panic(mistakenly("a task cannot be called %q; give it a name without spaces, colons, commas, quotes, brackets, slashes and exclamation marks", t.name))
	case missing:
		panic(mistakenly("task %s has no function; give it one that calls the service", t.name))
	case slices.ContainsFunc(p.tasks, func(u *task) bool { return u.name == t.name }):
		panic(mistakenly("there are two tasks called %s; give them different names, or say how many there may be: quiesce.UpTo(2)", t.name))
	}
	p.tasks = append(p.tasks, t)
}

func (p *Process) building(what string) {
	if p.complete {
		panic(mistakenly("p.%s is called after the function of the server has returned; call it there, before any task runs", what))
	}
}

// A server is what a world says of one, or of several with the same code.
type server struct {
	world *World
	name  string
	count int // PerTask is one for each task
	run   func(*Process)

	tasks    []*task // that the function adds
	outcomes []error // that it declares
}

// start calls the function of the server for a process.
func (s *server) start(sp *sim.Process) *Process {
	p := &Process{Process: sp, server: s}
	if s.world.remembers {
		p.log = history.NewLog(sp)
	}
	s.run(p)
	p.complete = true
	switch {
	case p.log != nil:
		sp.Show(func() sim.Content {
			if p.shown == nil {
				return p.log.Content()
			}
			return append(p.shown(), p.log.Content()...)
		})
	case p.shown != nil:
		sp.Show(p.shown)
	}
	return p
}

// find starts a process once to find out which tasks it has.
func (s *server) find(sys *sim.System) error {
	var found *Process
	sys.Programs = []sim.Program{s.program(s.name, nil, func(sp *sim.Process) []sim.Task {
		found = s.start(sp)
		return []sim.Task{func(context.Context) (string, error) { return "", nil }}
	})}
	m, err := sys.Process(0)
	for errors.As(err, new(*sim.PlaceError)) { // goroutines of the service wait, which are known now
		m.Stop()
		m, err = sys.Process(0)
	}
	if err != nil {
		return s.failed(err)
	}
	m.Stop()
	if err := sys.Stray(); err != nil {
		return s.failed(err)
	}
	if len(found.tasks) == 0 {
		return fmt.Errorf("server %s has no task; add one by p.Go", s.name)
	}
	s.tasks, s.outcomes = found.tasks, found.outcomes
	for _, t := range s.tasks {
		t.server, t.run = s, nil
	}
	return nil
}

// failed returns the error of a server that cannot be started.
func (s *server) failed(err error) error {
	if m := (*mistake)(nil); errors.As(err, &m) {
		return m
	}
	e := (*sim.TaskError)(nil)
	switch stack := errors.As(err, &e) && e.Stack != ""; {
	case stack && errors.Is(err, sim.ErrOutside):
		return fmt.Errorf("the function of server %s makes a request; it builds the service, and requests are made by tasks: p.Go, or p.Boot for what comes first\n%s", s.name, e.Stack)
	case stack:
		return fmt.Errorf("the function of server %s fails: %w\n%s", s.name, e.Err, e.Stack)
	}
	return fmt.Errorf("the function of server %s fails: %w", s.name, err)
}

// program returns one process of the server. build is the New of it.
func (s *server) program(name string, specs []sim.TaskSpec, build func(*sim.Process) []sim.Task) sim.Program {
	return sim.Program{Name: name, Tasks: specs, Outcomes: s.outcomes, Goroutines: true, New: build}
}

// An instance is one of the tasks of a workload.
type instance struct {
	task *task
	name string
}

// processes returns the programs of the server with these tasks.
func (s *server) processes(foreground, background []instance) (programs []sim.Program) {
	n := s.count
	if n == PerTask {
		n = max(len(foreground), 1)
	}
	for i := range n {
		name := s.name
		if s.count != 1 {
			name = fmt.Sprintf("%s-%d", s.name, i+1)
		}
		var own []instance
		for j := i; j < len(foreground); j += n {
			own = append(own, foreground[j])
		}
		class := ""
		for _, in := range own {
			class += in.task.name + ";"
		}
		for _, in := range background {
			if s.count != 1 {
				in.name = fmt.Sprintf("%s-%d", in.name, i+1)
			}
			own = append(own, in)
		}
		if len(own) == 0 {
			continue // more servers than tasks
		}
		p := s.program(name, specs(own), func(sp *sim.Process) []sim.Task { return s.start(sp).these(s, own) })
		if s.count != 1 && !s.world.labelled.Load() {
			p.Class = s.name + ":" + class
		}
		programs = append(programs, p)
	}
	return programs
}

func specs(own []instance) (specs []sim.TaskSpec) {
	for _, in := range own {
		specs = append(specs, sim.TaskSpec{Name: in.name, Background: in.task.background, Boot: in.task.boot})
	}
	return specs
}

// these returns some of the tasks that the function of the server has added.
func (p *Process) these(s *server, own []instance) (tasks []sim.Task) {
	same := slices.EqualFunc(p.tasks, s.tasks, func(t, u *task) bool {
		return t.name == u.name && t.most == u.most && t.background == u.background && t.boot == u.boot
	})
	if !same || len(p.outcomes) != len(s.outcomes) {
		panic(&mistake{s.name, "its function does not add the same tasks each time, in the same order; it must not depend on anything outside of it"})
	}
	for _, in := range own {
		run := p.tasks[slices.Index(s.tasks, in.task)].run
		tasks = append(tasks, func(ctx context.Context) (string, error) {
			result, err := run(ctx)
			for i, o := range p.outcomes {
				if err != nil && errors.Is(err, o) {
					return result, s.outcomes[i] // of the run that has found it
				}
			}
			return result, err
		})
	}
	return tasks
}
