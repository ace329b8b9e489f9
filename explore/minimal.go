package explore

import (
	"math"

	"quiesce/sim"
)

// A cost is a number of faults, in the upper bits, of context switches, and of
// steps, in the lower ones: less means better, so faults count first.
type cost uint32

const (
	aFault   cost = 1 << 28
	aSwitch  cost = 1 << 14
	aStep    cost = 1
	hopeless cost = math.MaxUint32 / 2 // no way; a step more is no way either
)

// maxSteps is how many steps an execution may have. It leaves room for those of
// the states between two looks at the limits.
const maxSteps = 1 << 13

// ways says what the cheapest way on from each state costs that gets to a wanted
// end: of all ways, and of those that begin with a step of each task of the
// process in each slot, and of the environment if there are faults.
type ways struct {
	record int // of a state: the cost of all ways, then that of each task
	flat   []cost
}

func (w ways) of(state uint32) []cost {
	return w.flat[int(state)*w.record : (int(state)+1)*w.record]
}

// minimal returns the violating schedule with the fewest faults, then context
// switches, then steps, then the first in the order of the moves; nil if there is
// none.
//
// It is a shortest path over pairs of a state and the task that stepped last,
// where a step costs a switch if the task is another one. The graph has no
// cycles, so one pass from the end takes the place of a 0-1 breadth-first search
// and needs no queue. Neither may run on a graph that a partial-order reduction
// has thinned out: that would lose minimal schedules.
func (g *graph) minimal(order []uint32, violates []badness) Schedule {
	var afterwards ways // once the property has been violated, on to any end
	if g.sys.Property.Always {
		afterwards = g.ways(order, nil, ways{})
	}
	best := g.ways(order, violates, afterwards)
	if best.of(0)[0] >= hopeless {
		return nil
	}

	// Walk from the initial state, with the states of the labelled processes,
	// and take the first move whose way is as cheap as the cheapest.
	w := walk{g: g, nodes: make([]uint32, len(g.slots)), values: make([]uint32, g.fields())}
	for i, s := range g.slots {
		w.nodes[s.program] = g.begins[i]
	}
	schedule := Schedule{}
	for state := uint32(0); ; {
		if violates[state] == bad {
			best = afterwards
		}
		if g.ends(state) && best.of(state)[0] == 0 {
			return schedule
		}
		least := hopeless
		var take sim.Move
		var along edge
		w.moves(state, func(m sim.Move, e edge, f sim.Fault) {
			c := g.along(best, e, f)
			if n := len(schedule); n > 0 && schedule[n-1].Task != m.Task {
				c += aSwitch
			}
			if c < least || c == least && m.Compare(take) < 0 {
				least, take, along = c, m, e
			}
		})
		w.take(take, along)
		state = along.to
		schedule = append(schedule, take)
	}
}

// A walk goes through the graph with labelled processes.
type walk struct {
	g      *graph
	nodes  []uint32 // of the processes, by program
	values []uint32
}

// moves calls f for every move of labelled processes from a state, with its edge
// and fault.
func (w *walk) moves(state uint32, f func(sim.Move, edge, sim.Fault)) {
	g := w.g
	g.layout.unpack(g.set.key(int(state)), w.values)
	slots := make([]int, len(g.slots)) // by program
	for program := range slots {
		slots[program] = g.find(program, w.nodes[program], w.values)
	}
	begin, n := g.span(state)
	for i := range n {
		e, fault := *g.edges.at(begin + i), g.label(begin+i)
		switch {
		case e.task != aside:
			for task, ref := range g.tasks {
				if e.covers(slots[ref.Program], ref.Index) {
					f(sim.Move{Task: task, Fault: fault}, e, fault)
				}
			}
		case fault.Kind == sim.Crash:
			for program, slot := range slots {
				if e.covers(slot, aside) {
					f(sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.Crash, Target: g.sys.Programs[program].Name}}, e, fault)
				}
			}
		default:
			f(sim.Move{Task: sim.Environment, Fault: fault}, e, fault)
		}
	}
}

// take makes a move along an edge.
func (w *walk) take(m sim.Move, e edge) {
	w.g.layout.unpack(w.g.set.key(int(e.to)), w.values)
	switch {
	case m.Task != sim.Environment:
		w.nodes[w.g.tasks[m.Task].Program] = w.values[e.at]
	case m.Fault.Kind == sim.Crash:
		w.nodes[w.g.slots[w.g.mover(m)].program] = w.values[e.at]
	case m.Fault.Kind == sim.Tick:
		for _, s := range w.g.slots {
			w.nodes[s.program], _, _, _ = w.g.codes[s.code].tick(w.nodes[s.program]) // known by now
		}
	}
}

// along returns the cost of an edge and the cheapest way on from its end.
func (g *graph) along(w ways, e edge, f sim.Fault) cost {
	next := w.of(e.to)
	c := next[0]
	if !g.ends(e.to) || c > 0 {
		// Going on with the same task costs no switch.
		c = min(c+aSwitch, next[g.column(e.at, e.task)])
	}
	if (sim.Move{Fault: f}).Strikes() {
		c += aFault
	}
	return min(c+aStep, hopeless)
}

// column returns where in the costs of a state a task of the process in a slot is.
func (g *graph) column(slot, task uint8) int {
	if task == aside {
		return 1 + len(g.tasks)
	}
	return 1 + g.slots[slot].first + int(task)
}

// covers says whether it is a step of this task of the process in a slot.
func (e edge) covers(slot, task int) bool {
	return int(e.task) == task && int(e.slot) <= slot && slot < int(e.slot)+int(e.many)
}

// find returns a slot of the group of a program whose process is in the state
// node; there has to be one.
func (g *graph) find(program int, node uint32, values []uint32) int {
	group := -1
	for _, s := range g.slots {
		if s.program == program {
			group = s.group
		}
	}
	for i, s := range g.slots {
		if s.group == group && values[i] == node {
			return i
		}
	}
	panic("explore: a process is in no slot")
}

// ways returns the costs of the ways to a violation: to the end of an
// interleaving that comes through a state in violates, from where on only the
// cost in afterwards counts. Without violates it is the cost to any end.
func (g *graph) ways(order []uint32, violates []badness, afterwards ways) ways {
	record := 1 + len(g.tasks)
	if g.moody {
		record++
	}
	w := ways{record, make([]cost, g.set.n*record)}
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		costs := w.of(s)
		if violates != nil && violates[s] == bad {
			copy(costs, afterwards.of(s))
			continue
		}
		for j := range costs {
			costs[j] = hopeless
		}
		if g.ends(s) && (violates == nil || violates[s] == badEnd) {
			costs[0] = 0
		}
		if int(s) >= g.expanded {
			continue
		}
		begin, n := g.span(s)
		for j, e := range g.edges.slice(begin, n) {
			c := g.along(w, e, g.label(begin+j))
			for slot := e.slot; slot < e.slot+e.many; slot++ {
				at := g.column(slot, e.task)
				costs[at] = min(costs[at], c)
			}
			costs[0] = min(costs[0], c)
		}
	}
	return w
}
