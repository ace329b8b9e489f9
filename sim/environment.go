package sim

import (
	"errors"
	"fmt"
	"slices"
)

// die takes the last step of a task, whose process crashes before the reply is there.
func (e *Execution) die(m Move) error {
	ref := &e.tasks[m.Task]
	req, ok := e.Pending(m.Task)
	if !ok || !slices.Contains(e.sys.Struck(e.env, *ref, req), Crash) {
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
	e.trace[len(done)] = Step{m, req, Reply{Fault: Crash}}
	e.env = e.env.After(Crash)
	return e.end(ref.Program, []string{Crashed})
}

// execute executes the request of a task, which a fault may strike.
func (e *Execution) execute(m Move, req Request) (Reply, error) {
	i := e.sys.Store(req.Store)
	store, f, kind := e.sys.Stores[i], e.sys.Fallible(i), m.Fault.Kind
	if e.sys.Refused(e.env, req) {
		kind = Outage
	}
	switch {
	case kind == "":
		reply, err := e.sys.Execute(i, req)
		if err != nil || e.sys.Timing == nil {
			return reply, err
		}
		content, err := store.Content()
		if err != nil {
			return Reply{}, fmt.Errorf("content: %w", err)
		}
		return reply, e.sys.CheckTTLs(content)
	case kind == Outage && f.Retries(req):
		return Reply{}, ErrBlocked
	case kind == LostReply:
		if _, err := e.sys.Execute(i, req); err != nil {
			return Reply{}, err
		}
	}
	if after, ok := f.Cleanup(kind, req); ok {
		if err := environment(store, after); err != nil {
			return Reply{}, err
		}
	}
	return Reply{Fault: kind}, nil
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
	case Recovery:
	case Outage:
		step.Request = e.sys.Fallible(e.sys.FailingStore()).Disconnect("")
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
	e.env = e.env.After(m.Fault.Kind)
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
	ages, passes, err := e.older()
	if err != nil {
		return err
	}
	if !passes {
		return ErrBlocked
	}
	changed := !slices.Equal(ages, e.ages)
	e.ages = ages
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
		if err != nil {
			return err
		}
		next, err := e.sys.After(e.sys.Property.Monitor, e.monitor, Step{Move: Move{Environment, Fault{Kind: Tick}}}, v)
		if err != nil || next != e.monitor {
			return err
		}
	}
	return ErrBlocked
}

// incident returns the request of a fault in the content of a store.
func (e *Execution) incident(f Fault) (Request, error) {
	for i := range e.sys.Stores {
		faults, requests, err := e.sys.Incidents(e.env, i)
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
		result, _ := e.procs[program].Result(t.Index)
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
			e.arrives[i], e.ages[i], e.fresh[i] = arrival{}, Age{}, t.Alone
		}
	}
	e.procs[program].Stop()
	for i, st := range e.sys.Stores {
		if f := e.sys.Fallible(i); f != nil {
			if err := environment(st, f.Disconnect(e.sys.Programs[program].Name)); err != nil {
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
