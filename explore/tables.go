package explore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// tables are the [sim.World] of what was learned: the machines of a graph in a state of
// these values. What is not known yet is done for real.
type tables struct {
	g        *graph
	values   []uint32
	executed learn.StoreStep // by the last request of a task
}

// do makes a move in a state of these values. It returns those after it, in which
// interchangeable processes are not in order, and the step that it is; false if the move
// is not possible there.
func (g *graph) do(values []uint32, m sim.Move) (after []uint32, s sim.Step, ok bool, err error) {
	w := &tables{g: g, values: slices.Clone(values)}
	s, err = g.relation.Do(w, m)
	if errors.Is(err, sim.ErrBlocked) {
		return nil, s, false, nil
	}
	return w.values, s, err == nil, err
}

// process returns the table of the process of a task, and where in the values its state
// is.
func (w *tables) process(task int) (table *learn.Process, node *uint32, index int) {
	t := &w.g.tasks[task]
	slot := w.g.slotOf[t.Program]
	return w.g.codes[w.g.slots[slot].code], &w.values[slot], t.Index
}

func (w *tables) store(i int) *uint32 { return &w.values[len(w.g.slots)+i] }

func (w *tables) Pending(task int) (sim.Request, bool) {
	table, node, i := w.process(task)
	return table.Pending(*node, i)
}

func (w *tables) Arriving(task int) sim.Reply {
	table, node, i := w.process(task)
	return table.Arriving(*node, i)
}

func (w *tables) Waited(task int) (age sim.Age, fresh bool) {
	table, node, i := w.process(task)
	return table.Waited(*node, i)
}

func (w *tables) Execute(task int) (reply sim.Reply, err error) {
	table, node, i := w.process(task)
	want := table.Wants(*node)[i]
	store, state := w.g.stores[want.Store], w.store(want.Store)
	if err := w.g.tellsApart(table, table.Request(want)); err != nil {
		return reply, err
	}
	next, err := store.Step(*state, want.Request)
	if err != nil {
		return reply, err
	}
	if next.Kind == learn.Blocked {
		return reply, sim.ErrBlocked
	}
	*state, w.executed = next.State, next
	return store.Replies.All[next.Reply], nil
}

func (w *tables) Blocked(task int) (bool, error) {
	table, node, i := w.process(task)
	want := table.Wants(*node)[i]
	next, err := w.g.stores[want.Store].Step(*w.store(want.Store), want.Request)
	return next.Kind == learn.Blocked, err
}

func (w *tables) Answer(task int, r sim.Reply) error {
	table, node, i := w.process(task)
	want := table.Wants(*node)[i]
	if err := w.g.tellsApart(table, table.Request(want)); err != nil {
		return err
	}
	return w.tell(table, node, i, w.g.stores[want.Store].Replies.Of(r))
}

func (w *tables) Resume(task int) error {
	table, node, i := w.process(task)
	return w.tell(table, node, i, 0)
}

func (w *tables) tell(table *learn.Process, node *uint32, task int, reply uint32) error {
	next, err := table.Step(*node, task, reply)
	if err != nil {
		return err
	}
	w.g.suspect = w.g.suspect || table.Suspect
	*node = next
	return w.g.sleepsApart(table, next)
}

func (w *tables) Crash(program int) error {
	slot := w.g.slotOf[program]
	table := w.g.codes[w.g.slots[slot].code]
	next, err := table.Crash(w.values[slot])
	if err != nil {
		return err
	}
	w.values[slot] = next
	return w.g.sleepsApart(table, next)
}

func (w *tables) Age(program int, blocked uint64) (err error) {
	slot := w.g.slotOf[program]
	w.values[slot], err = w.g.codes[w.g.slots[slot].code].Tick(w.values[slot], blocked)
	return err
}

func (w *tables) Content(store int) (sim.Content, error) {
	return w.g.stores[store].Content(*w.store(store)), nil
}

func (w *tables) Incidents(store int) ([]sim.Fault, []sim.Request, error) {
	return w.g.stores[store].Incidents(*w.store(store))
}

func (w *tables) Impose(store int, r sim.Request) error {
	t, state := w.g.stores[store], w.store(store)
	next, err := t.Step(*state, t.Requests.Of(r))
	if err == nil && next.Kind != learn.Done {
		return fmt.Errorf("%s: a request of the environment is blocked", t.Name())
	}
	*state = next.State
	return err
}

func (w *tables) Environment() sim.EnvironmentState { return w.g.env(w.values) }

func (w *tables) SetEnvironment(env sim.EnvironmentState) {
	w.values[w.g.envAt()] = w.g.envs.Of(env)
}

func (w *tables) Changes(store string) (c sim.Changes, err error) {
	if store != "" {
		c = w.executed.Changes
	}
	return c, nil
}

func (w *tables) Living() (all []sim.Lifetime) {
	for i, t := range w.g.stores {
		all = append(all, t.Lifetimes(*w.store(i))...)
	}
	return all
}

func (w *tables) Observe(step sim.Step) error {
	if len(w.g.watches) == 0 {
		return nil
	}
	view := w.g.view(w.values)
	for i, watch := range w.g.watches {
		at := &w.values[w.g.watchAt(i)]
		next, err := w.g.sys.After(watch.monitor, watch.states.All[*at], step, watch.lookups.View(view))
		if err != nil {
			return err
		}
		*at = watch.states.Of(next)
	}
	return nil
}

func (w *tables) State() (string, error) {
	var b []byte
	for i, v := range w.values {
		if i < len(w.g.slots) {
			v = w.g.codes[w.g.slots[i].code].Clockless(v)
		}
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(b), nil
}

func (w *tables) Ages() (undo func()) {
	before := slices.Clone(w.values)
	return func() { copy(w.values, before) }
}

func (w *tables) Mark() (undo func() error) {
	before := slices.Clone(w.values)
	return func() error {
		copy(w.values, before)
		return nil
	}
}

// sleepsApart returns a *connectionError if a task sleeps in a state of a process that
// shares its table: the times of a state name the sleepers, so they have to stay in
// their slots from when they fall asleep.
func (g *graph) sleepsApart(table *learn.Process, node uint32) error {
	if !g.dated || !table.Shared {
		return nil
	}
	for task := range table.Tasks {
		if req, ok := table.Pending(node, task); ok {
			if _, sleeps := req.Sleeps(); sleeps {
				return &connectionError{g.sys.Programs[table.Program].Class}
			}
		}
	}
	return nil
}
