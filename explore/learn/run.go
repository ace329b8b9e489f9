package learn

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quiesce/sim"
)

// What is not known of a process yet is found out by a run of it.

// begin starts a process: from the start, or after a crash.
func (t *Process) begin(d delivery) (sim.Machine, error) {
	t.Runs++
	var p sim.Machine
	var err error
	if d.task == crashed {
		p, err = t.sys.Restart(t.Program, t.ends[d.reply])
	} else {
		p, err = t.sys.Process(t.Program)
	}
	if err != nil && p != nil {
		p.Stop()
	}
	return p, err
}

// deliver returns the history after a delivery, for real if it is a new one.
func (t *Process) deliver(d delivery) (uint32, error) {
	if h, ok := t.delivered[d]; ok {
		return h, nil
	}
	h, ok := t.derive(d)
	if !ok {
		var err error
		if h, err = t.run(d); err != nil {
			return 0, err
		}
	}
	var err error
	if t.Suspect, err = t.loops(h, d.task); err != nil {
		return 0, err
	}
	t.delivered[d] = h
	return h, nil
}

// run returns the history after a delivery, which it finds out for real.
func (t *Process) run(d delivery) (uint32, error) {
	p, err := t.replay(d.before)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	if err := t.tell(p, d); err != nil {
		return 0, err
	}
	if err := t.agrees(p, d); err != nil {
		return 0, err
	}
	if moved := t.movedBy(p, d); moved != 0 {
		t.moved[d] = moved
	}
	return t.record(p, d), nil
}

// tell makes a delivery to p.
func (t *Process) tell(p sim.Machine, d delivery) error {
	if d.ticks > 0 {
		p.Pass(time.Duration(d.ticks) * t.sys.Timing.Tick)
	}
	return p.Deliver(t.Tasks[d.task].Place, t.reply(d))
}

// reply returns the reply of a delivery.
func (t *Process) reply(d delivery) sim.Reply {
	w := t.histories[d.before].wants[d.task]
	if w.Store == Local {
		return sim.Reply{}
	}
	return t.stores[w.Store].Replies.All[d.reply]
}

// way returns the way to a history in the tree, from the start or a crash on.
func (t *Process) way(h uint32) (root uint32, path []delivery) {
	for ; h != 0 && t.histories[h].last.task != crashed; h = t.histories[h].last.before {
		path = append(path, t.histories[h].last)
	}
	slices.Reverse(path)
	return h, path
}

// replay runs the process again from the start, or from a crash, through a history, answering from
// the recorded replies. What it asks for has to be what it asked for before.
func (t *Process) replay(h uint32) (sim.Machine, error) {
	root, path := t.way(h)
	p, err := t.begin(t.histories[root].last)
	if err != nil {
		return nil, err
	}
	err = t.same(p, root, nil)
	for i, d := range path {
		if err == nil {
			err = t.tell(p, d)
		}
		if err == nil {
			err = t.same(p, t.delivered[d], path[:i+1])
		}
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// same returns an error unless p, which has come along a path to a history, wants
// what was wanted there before.
func (t *Process) same(p sim.Machine, h uint32, path []delivery) error {
	memory, shown := t.histories[h].key, p.Memory().Key()
	kept := t.merged == nil || t.merged.number(p) == t.histories[h].recall.memory
	for task, before := range t.histories[h].wants {
		now := t.wants(p, task)
		if now == before && shown == memory && kept {
			continue
		}
		lines := make([]string, 0, len(path)+1)
		for _, d := range path {
			lines = append(lines, t.describe(d.task, t.histories[d.before].wants[d.task], t.reply(d)))
		}
		course := t.along(t.way(h))
		return &NondeterminismError{
			Cause:   course.cause(t.sys, t.Program),
			Machine: "task " + t.Tasks[task].Name,
			Before:  append(slices.Clone(lines), t.describe(task, before, sim.Reply{}), fmt.Sprintf("memory %q", memory)),
			Now:     append(lines, t.describe(task, now, sim.Reply{}), fmt.Sprintf("memory %q", shown)),
		}
	}
	return nil
}

func (t *Process) describe(task int, w Want, reply sim.Reply) string {
	text := ""
	switch w.Store {
	case Finished:
		text = fmt.Sprintf("has finished with %q", w.Result)
	case Parked:
		text = "waits for nothing but other tasks"
	case Local:
		text = t.localRequest(w).Body
	default:
		text = strings.TrimSuffix(t.stores[w.Store].Describe(w.Request, reply), " -> ")
	}
	if t.alone() {
		return text
	}
	return t.Tasks[task].Name + ": " + text
}
