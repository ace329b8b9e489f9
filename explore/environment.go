package explore

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// Faults, and the passing of time, are steps like any other, from a state to a
// state. What they add to a graph is here: a machine that says which faults can
// still happen, which is one number more in every state, and a label for every
// edge. A graph without them has neither. Nor has it monitors, which are machines that
// watch the steps, one number each.

// noTask is the task of an edge that no task takes.
const noTask = 255

// label returns the fault of the i-th edge.
func (g *graph) label(i int) sim.Fault {
	if !g.environmentMoves {
		return sim.Fault{}
	}
	return g.causes.all[*g.labels.at(i)]
}

// envAt and watchAt return where in a state the numbers of the environment and of
// the i-th watch are, if it has them.
func (g *graph) envAt() int        { return len(g.slots) + len(g.stores) }
func (g *graph) watchAt(i int) int { return g.envAt() + 1 + i }

// env returns what the environment can still do in a state of these values.
func (g *graph) env(values []uint32) sim.EnvironmentState {
	if !g.environmentMoves {
		return sim.EnvironmentState{}
	}
	return g.envs.all[values[g.envAt()]]
}

// move returns the move of an edge with this label, if a process of the program
// makes it.
func (g *graph) move(e edge, label sim.Fault, program int) sim.Move {
	switch {
	case e.task != noTask:
		return sim.Move{Task: g.base(program) + int(e.task), Fault: label}
	case label.Kind == sim.Crash:
		label.Target = g.sys.Programs[program].Name
	}
	return sim.Move{Task: sim.Environment, Fault: label}
}

// A step is what happens in one step from a state: the values after it, in which
// interchangeable processes are not in order.
type step struct {
	values []uint32
	step   sim.Step
}

// do makes a move in a state of these values, in the tables, and for real if need
// be. slot is that of its task, or of the process that crashes. It returns false
// if the move is not possible there.
func (g *graph) do(values []uint32, slot int, m sim.Move) (s step, ok bool, err error) {
	s = step{slices.Clone(values), sim.Step{Move: m}}
	var moments sim.Moments
	var waking sim.Waking
	if g.dated {
		if waking, err = g.waking(values, slot, m); err != nil {
			return s, false, err
		}
		if moments, ok = g.sys.Wake(g.env(values), waking); !ok {
			return s, false, nil
		}
	}
	switch {
	case m.Task != sim.Environment:
		ok, err = g.doTask(&s, slot)
	case m.Fault.Kind == sim.Crash:
		ok, err = g.doCrash(&s, slot)
	case m.Fault.Kind == sim.Tick:
		ok, err = g.doTick(&s)
	case m.Fault.Kind == sim.Recovery:
		ok = g.env(values).Allows(sim.Recovery)
	case m.Fault.Kind == sim.Outage:
		outage := g.sys.FailingStore()
		if ok = outage >= 0 && g.env(values).Allows(sim.Outage); ok {
			s.step.Request = g.sys.Fallible(outage).Disconnect("")
			err = g.suffer(s.values, outage, s.step.Request)
		}
	default:
		ok, err = g.doIncident(&s)
	}
	if ok && g.environmentMoves && err == nil {
		after := g.env(values).After(m.Fault.Kind)
		if g.dated {
			leaving := g.leaving(values, &s)
			if err := g.sleepApart(leaving.Asleep); err != nil {
				return s, false, err
			}
			if after, err = g.sys.Leave(after, moments, leaving); err != nil {
				return s, false, err
			}
		}
		s.values[g.envAt()] = g.envs.of(after)
	}
	if ok && len(g.watches) > 0 && err == nil {
		view := g.view(s.values)
		for i, w := range g.watches {
			at := &s.values[g.watchAt(i)]
			next, err := g.sys.After(w.monitor, w.states.all[*at], s.step, w.lookups.View(view))
			if err != nil {
				return s, false, err
			}
			*at = w.states.of(next)
		}
	}
	if m.Fault.Kind == sim.Tick && slices.Equal(values, s.values) {
		ok = false
	}
	return s, ok, err
}

// waking returns what a move says of its moment: see [sim.System.Wake].
func (g *graph) waking(values []uint32, slot int, m sim.Move) (k sim.Waking, err error) {
	k.Before = g.living(values)
	switch {
	case m.Task != sim.Environment && m.Fault.Kind == "":
		table := g.codes[g.slots[slot].code]
		if w := table.nodes[values[slot]].wants[g.tasks[m.Task].Index]; w.store >= 0 {
			k.Sleeper = m.Task
			k.Slept, _ = table.request(w).Sleeps()
		}
	case m.Fault.Kind == sim.Expire:
		for i, t := range g.stores {
			all, err := g.incidents(values, i)
			if err != nil {
				return k, err
			}
			if slices.ContainsFunc(all, func(in incident) bool { return in.fault == m.Fault }) {
				k.Expires = t.store.Name() + "/" + m.Fault.Target
				break
			}
		}
	}
	return k, nil
}

// leaving returns what there is after a step from a state of these values.
func (g *graph) leaving(before []uint32, s *step) (l sim.Leaving) {
	l.After = g.living(s.values)
	if req := s.step.Request; s.step.Task != sim.Environment && !req.Local() {
		i := g.sys.Store(req.Store)
		known := g.stores[i].states[before[len(g.slots)+i]].next
		if n := g.stores[i].requests.of(req); s.step.Executes() && int(n) < len(known) {
			l.Changes = known[n].changes
		}
	}
	for task, t := range g.tasks {
		slot := g.slot(t.Program)
		if !g.sleeps(s.values, slot, t.Index) {
			continue
		}
		l.Asleep = append(l.Asleep, task)
		if task == s.step.Task || s.step.Fault.Kind == sim.Crash && s.step.Fault.Target == g.sys.Programs[t.Program].Name || !g.sleeps(before, slot, t.Index) {
			l.Fell = append(l.Fell, task)
		}
	}
	return l
}

// living returns the items that go away by themselves in a state of these values.
func (g *graph) living(values []uint32) (all []sim.Lifetime) {
	for i, t := range g.stores {
		all = append(all, t.states[values[len(g.slots)+i]].living...)
	}
	return all
}

// sleeps says whether a task of the process in a slot sleeps in a state of these values.
func (g *graph) sleeps(values []uint32, slot, task int) bool {
	table := g.codes[g.slots[slot].code]
	w := table.nodes[values[slot]].wants[task]
	if w.store < 0 {
		return false
	}
	_, sleeps := table.request(w).Sleeps()
	return sleeps
}

func (g *graph) doTask(s *step, slot int) (bool, error) {
	code := g.slots[slot].code
	table, node := g.codes[code], s.values[slot]
	kind := s.step.Fault.Kind
	index := g.tasks[s.step.Task].Index
	n := &table.nodes[node]
	w := n.wants[index]
	if due, err := table.due(node, index); err != nil || !due {
		return false, err
	}
	switch {
	case w.store == finished || w.store == local && kind != "":
		return false, nil
	case w.store == local:
		if s.step.Request = n.local(index); s.step.Request == sim.Arrive {
			asked := table.histories[n.history].wants[index].store
			s.step.Reply = g.stores[asked].replies.all[n.arrives[index]-1]
		}
		m, err := g.learn(code, node, index, 0)
		s.values[slot] = m.node
		return err == nil, err
	}
	store, fallible := g.stores[w.store], g.sys.Fallible(w.store)
	state := &s.values[len(g.slots)+w.store]
	s.step.Request = store.requests.all[w.request]
	env := g.env(s.values)
	switch {
	case kind == "" && !g.sys.Refused(env, s.step.Request):
		m, err := g.learn(code, node, index, *state)
		if err != nil || m.kind != done {
			return false, err
		}
		s.step.Reply = store.replies.all[store.states[*state].next[w.request].reply]
		s.values[slot], *state = m.node, m.state
		return true, nil
	case kind == "" && fallible.Retries(s.step.Request):
		return false, nil
	case kind == "":
		kind = sim.Outage
	case !slices.Contains(g.sys.Struck(env, g.tasks[s.step.Task], s.step.Request), kind):
		return false, nil
	case kind == sim.Crash:
		m, err := g.learn(code, node, index, *state)
		if err != nil || m.kind != done || table.lives(m.node) { // it was not the last
			return false, err
		}
		s.step.Reply, *state = sim.Reply{Fault: kind}, m.state
		return true, g.end(s.values, slot)
	}
	s.step.Reply = sim.Reply{Fault: kind}
	if err := g.tellsApart(table, s.step.Request); err != nil {
		return false, err
	}
	if kind == sim.LostReply {
		next, err := store.step(*state, w.request)
		if err != nil || next.kind != done {
			return false, err
		}
		*state = next.state
	}
	if after, ok := fallible.Cleanup(kind, s.step.Request); ok {
		if err := g.suffer(s.values, w.store, after); err != nil {
			return false, err
		}
	}
	var err error
	s.values[slot], err = table.step(node, index, store.replies.of(s.step.Reply))
	return err == nil, err
}

// doTick lets time pass, which may change nothing.
func (g *graph) doTick(s *step) (bool, error) {
	alive, before := false, slices.Clone(s.values)
	for i, slot := range g.slots {
		blocked, lives, err := g.blocked(before, i)
		if err != nil {
			return false, err
		}
		next, ok, err := g.codes[slot.code].tick(s.values[i], blocked)
		if err != nil || !ok {
			return false, err
		}
		s.values[i], alive = next, alive || lives
	}
	if !alive {
		return false, nil
	}
	for i, req := range g.sys.Ticking() {
		if req == (sim.Request{}) {
			continue
		}
		if err := g.suffer(s.values, i, req); err != nil {
			return false, err
		}
	}
	return true, nil
}

// blocked returns which tasks of the process in a slot have a request that is blocked in
// a state of these values, a bit for each, and whether time has to pass for any: another
// one has not finished, or what blocks one ends by time, see [sim.System.Outlasts].
func (g *graph) blocked(values []uint32, slot int) (tasks uint32, lives bool, err error) {
	table := g.codes[g.slots[slot].code]
	for task, w := range table.nodes[values[slot]].wants {
		if w.store == finished {
			continue
		}
		is, err := g.waitsFor(values, table, values[slot], task)
		if err != nil {
			return 0, false, err
		}
		if !is {
			lives = true
			continue
		}
		tasks |= 1 << task
		held := g.stores[w.store].states[values[len(g.slots)+w.store]].content
		lives = lives || g.sys.Outlasts(g.env(values), table.specs[task], table.request(w), held)
	}
	return tasks, lives, nil
}

// waitsFor says whether the request of a task is one that may have to wait, and is
// blocked.
func (g *graph) waitsFor(values []uint32, table *processTable, node uint32, task int) (bool, error) {
	span, err := table.span(node, task)
	if err != nil || span.Waits == sim.NoWait {
		return false, err
	}
	w := table.nodes[node].wants[task]
	if req := table.request(w); g.sys.Refused(g.env(values), req) {
		return g.sys.Fallible(w.store).Retries(req), nil
	}
	next, err := g.stores[w.store].step(values[len(g.slots)+w.store], w.request)
	return next.kind == blocked, err
}

// doCrash ends the process in a slot. What the stores keep for its connections is
// gone.
func (g *graph) doCrash(s *step, slot int) (bool, error) {
	table := g.codes[g.slots[slot].code]
	if !table.lives(s.values[slot]) || !g.env(s.values).Allows(sim.Crash) {
		return false, nil
	}
	return true, g.end(s.values, slot)
}

// end sets in values that the process in a slot has crashed.
func (g *graph) end(values []uint32, slot int) (err error) {
	for i := range g.stores {
		if f := g.sys.Fallible(i); f != nil {
			if err := g.suffer(values, i, f.Disconnect(g.sys.Programs[g.slots[slot].program].Name)); err != nil {
				return err
			}
		}
	}
	values[slot], err = g.codes[g.slots[slot].code].crash(values[slot])
	return err
}

func (g *graph) doIncident(s *step) (bool, error) {
	for i, t := range g.stores {
		all, err := g.incidents(s.values, i)
		if err != nil {
			return false, err
		}
		for _, in := range all {
			if in.fault != s.step.Fault {
				continue
			}
			s.step.Request = t.requests.all[in.request]
			if err := g.suffer(s.values, i, s.step.Request); err != nil || in.fault.Kind != sim.Lapse {
				return true, err
			}
			left, err := g.incidents(s.values, i)
			if err == nil && lapses(left) >= lapses(all) {
				err = fmt.Errorf("%s: %w", in.fault, sim.ErrLapse)
			}
			return true, err
		}
	}
	return false, nil
}

// lapses returns how many of the incidents are lapses.
func lapses(all []incident) (n int) {
	for _, in := range all {
		if in.fault.Kind == sim.Lapse {
			n++
		}
	}
	return n
}

// incidents returns what can happen to a store in a state of these values.
func (g *graph) incidents(values []uint32, store int) ([]incident, error) {
	all, err := g.stores[store].incidents(values[len(g.slots)+store])
	env := g.env(values)
	down := env.Down() && store == g.sys.FailingStore()
	return slices.DeleteFunc(slices.Clone(all), func(in incident) bool {
		return !env.Allows(in.fault.Kind) || down && in.fault.Kind != sim.Expire
	}), err
}

// suffer has a store execute a request of the environment.
func (g *graph) suffer(values []uint32, store int, req sim.Request) error {
	t := g.stores[store]
	state := &values[len(g.slots)+store]
	next, err := t.step(*state, t.requests.of(req))
	if err == nil && next.kind != done {
		return fmt.Errorf("%s: a request of the environment is blocked", t.store.Name())
	}
	*state = next.state
	return err
}

// expand appends the steps from a state of a system with faults, and their labels.
func (g *graph) expand(values []uint32, steps []edge, labels []uint32) ([]edge, []uint32, error) {
	add := func(first, last, task int, slot int, m sim.Move) error {
		s, ok, err := g.do(values, slot, m)
		if err != nil {
			return g.failed(first, task, m.Fault, err)
		}
		if !ok {
			return nil
		}
		if !g.fits() {
			g.relayout()
		}
		e := edge{slot: uint8(first), many: uint8(last - first + 1), task: uint8(task)}
		node := s.values[slot]
		e.to, _ = g.set.add(g.key(s.values))
		f := m.Fault
		if task != noTask || f.Kind == sim.Crash {
			group := s.values[g.first(slot) : g.slots[slot].last+1]
			slices.Sort(group)
			e.at = uint8(g.first(slot) + slices.Index(group, node))
		}
		steps, labels = append(steps, e), append(labels, g.causes.of(f))
		return nil
	}
	env := g.env(values)
	for i := 0; i < len(g.slots); i++ {
		s := &g.slots[i]
		first := i
		for i < s.last && values[i+1] == values[i] {
			i++ // interchangeable, and in the same state
		}
		table := g.codes[s.code]
		for task := range s.tasks {
			index := g.base(s.program) + task
			kinds := []sim.FaultKind{""}
			if w := table.nodes[values[i]].wants[task]; w.store >= 0 {
				kinds = append(kinds, g.sys.Struck(env, g.tasks[index], g.stores[w.store].requests.all[w.request])...)
			}
			for _, kind := range kinds {
				if err := add(first, i, task, i, sim.Move{Task: index, Fault: sim.Fault{Kind: kind}}); err != nil {
					return nil, nil, err
				}
			}
		}
		crash := sim.Fault{Kind: sim.Crash, Target: g.sys.Programs[s.program].Name}
		if err := add(first, i, noTask, i, sim.Move{Task: sim.Environment, Fault: crash}); err != nil {
			return nil, nil, err
		}
	}
	faults := []sim.Fault{{Kind: sim.Recovery}, {Kind: sim.Outage}}
	if g.sys.Timing != nil {
		faults = append(faults, sim.Fault{Kind: sim.Tick})
	}
	for i := range g.stores {
		all, err := g.incidents(values, i)
		if err != nil {
			return nil, nil, err
		}
		for _, in := range all {
			faults = append(faults, in.fault)
		}
	}
	for _, f := range faults {
		if err := add(0, 0, noTask, 0, sim.Move{Task: sim.Environment, Fault: f}); err != nil {
			return nil, nil, err
		}
	}
	return steps, labels, nil
}

// sticks says whether an execution cannot go on in a state of these values, in which
// the steps with these labels are possible, although it is not at its end: see
// [sim.Execution.Stuck].
func (g *graph) sticks(values []uint32, labels []uint32) (bool, error) {
	if g.sys.Timing == nil && !g.dated || slices.ContainsFunc(labels, func(l uint32) bool { return certain(g.causes.all[l]) }) {
		return false, nil
	}
	for i, s := range g.slots {
		table := g.codes[s.code]
		for task, w := range table.nodes[values[i]].wants {
			if w.store == finished {
				continue
			}
			if due, err := table.due(values[i], task); err != nil || !due || g.dated && g.sleeps(values, i, task) {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// stick notes that a state is no end.
func (g *graph) stick(state uint32) {
	if g.stuck == nil {
		g.stuck = map[uint32]bool{}
	}
	g.stuck[state] = true
}

// certain says whether a step with this label happens unless another one does, which a
// fault need not, nor a lapse.
func certain(label sim.Fault) bool {
	return label.Kind != sim.Lapse && !(sim.Move{Fault: label}).Strikes()
}

// first returns the first slot of the group of a slot.
func (g *graph) first(slot int) int {
	for slot > 0 && g.slots[slot-1].group == g.slots[slot].group {
		slot--
	}
	return slot
}

// sorted returns all states so that every step goes from an earlier to a later
// one, for any graph without a cycle. This one has none: every fault takes one
// from what can still happen, between faults histories only grow, and while they
// do not grow the time that passes comes nearer to what it was waited for, also by
// the monitor: see [sim.Monitor].
func (g *graph) sorted() []uint32 {
	before := make([]uint32, g.set.n) // steps to the state from states that are not in order yet
	for s := range g.set.n {
		for _, e := range g.from(uint32(s)) {
			before[e.to]++
		}
	}
	order := make([]uint32, 0, g.set.n)
	for s, n := range before {
		if n == 0 { // the initial one; and if a search has ended in an error others
			order = append(order, uint32(s))
		}
	}
	for i := 0; i < len(order); i++ {
		for _, e := range g.from(order[i]) {
			if before[e.to]--; before[e.to] == 0 {
				order = append(order, e.to)
			}
		}
	}
	if len(order) < g.set.n {
		panic("explore: the graph has a cycle")
	}
	return order
}
