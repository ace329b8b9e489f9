package explore

import (
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
	if g.plain {
		return sim.Fault{}
	}
	return g.causes.All[*g.labels.at(i)]
}

// envAt and watchAt return where in a state the numbers of the environment and of
// the i-th watch are, if it has them.
func (g *graph) envAt() int        { return len(g.slots) + len(g.stores) }
func (g *graph) watchAt(i int) int { return g.envAt() + 1 + i }

// env returns what the environment can still do in a state of these values.
func (g *graph) env(values []uint32) sim.EnvironmentState {
	return g.envs.All[values[g.envAt()]]
}

// move returns the move of an edge with this label, if the process in a slot makes it.
func (g *graph) move(e edge, label sim.Fault, slot int) sim.Move {
	if e.task != noTask {
		return sim.Move{Task: g.slots[slot].base + int(e.task), Fault: label}
	}
	if label.Kind == sim.Crash {
		label.Target = g.sys.Programs[g.slots[slot].program].Name
	}
	return sim.Move{Task: sim.Environment, Fault: label}
}

// mover returns the slot of the process of a move: that of its task, or the one
// that crashes; 0 if there is none.
func (g *graph) mover(m sim.Move) int {
	switch {
	case m.Task != sim.Environment:
		return g.slotOf[g.tasks[m.Task].Program]
	case m.Fault.Kind == sim.Crash:
		return g.slotOf[slices.IndexFunc(g.sys.Programs, func(p sim.Program) bool { return p.Name == m.Fault.Target })]
	}
	return 0
}

// expandMoves appends the steps from a state of these values, and their labels.
func (g *graph) expandMoves(values []uint32, steps []edge, labels []uint32) ([]edge, []uint32, error) {
	moves, _, err := g.relation.Moves(&tables{g: g, values: values})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range moves {
		first, last := g.run(values, m)
		if first < 0 {
			continue
		}
		after, _, ok, err := g.do(values, m)
		if err != nil {
			return nil, nil, g.failed(m, err)
		}
		if !ok {
			continue
		}
		if !g.fits() {
			g.relayout()
		}
		e := edge{slot: uint8(first), many: uint8(last - first + 1), task: noTask}
		if m.Task != sim.Environment {
			e.task = uint8(g.tasks[m.Task].Index)
		}
		e.to, _ = g.set.add(g.key(after))
		if m.Task != sim.Environment || m.Fault.Kind == sim.Crash {
			group := slices.Clone(after[g.first(last) : g.slots[last].last+1])
			slices.Sort(group)
			e.at = uint8(g.first(last) + slices.Index(group, after[last]))
		}
		if m.Fault.Kind == sim.Crash {
			m.Fault.Target = "" // it says the slot
		}
		steps, labels = append(steps, e), append(labels, g.causes.Of(m.Fault))
	}
	return steps, labels, nil
}

// run returns the first and the last slot of the interchangeable processes that are in the
// same state as the one that makes a move. The move is one of each of them: it is made by the
// last, and first is -1 for the others.
func (g *graph) run(values []uint32, m sim.Move) (first, last int) {
	if m.Task == sim.Environment && m.Fault.Kind != sim.Crash {
		return 0, 0
	}
	last = g.mover(m)
	if last < g.slots[last].last && values[last+1] == values[last] {
		return -1, last
	}
	for first = last; first > g.first(last) && values[first-1] == values[last]; first-- {
	}
	return first, last
}

// sticks says whether an execution cannot go on in a state of these values, in which
// the steps with these labels are possible, although it is not at its end: see
// [sim.Relation.Stuck].
func (g *graph) sticks(values []uint32, labels []uint32) (bool, error) {
	if g.sys.Timing == nil && !g.dated || slices.ContainsFunc(labels, func(l uint32) bool { return certain(g.causes.All[l]) }) {
		return false, nil
	}
	return g.relation.Stuck(&tables{g: g, values: values})
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
