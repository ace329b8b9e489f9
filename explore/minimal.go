package explore

import (
	"fmt"
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

var errEndless = fmt.Errorf("an execution has more than %d steps; does a task wait in a loop?", maxSteps)

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
	best, afterwards := g.violent(order, violates)
	if best.of(0)[0] >= hopeless {
		return nil
	}
	w := g.walk()
	for {
		if violates[w.state] == violated {
			best = afterwards
		}
		if best.of(w.state)[0] == 0 {
			return w.schedule
		}
		w.take(w.cheapest(best))
	}
}

// violent returns the ways to a violation, and those on to any end once a property
// that has to hold always has been violated.
func (g *graph) violent(order []uint32, violates []badness) (best, afterwards ways) {
	if g.sys.Property.Always {
		afterwards = g.ways(order, nil, holds, ways{})
	}
	return g.ways(order, violates, violatedAtEnd, afterwards), afterwards
}

// A walk goes from the initial state along a schedule, with the states of the
// labelled processes: those of the graph are merged.
type walk struct {
	g        *graph
	state    uint32
	values   []uint32 // of the state
	own      []uint32 // the same, with the process of every program in its own slot
	schedule Schedule
}

func (g *graph) walk() *walk {
	return &walk{g: g, values: g.values(0), own: g.begins, schedule: Schedule{}}
}

// A labelledMove is a move of labelled processes, and its edge.
type labelledMove struct {
	sim.Move
	edge edge
}

// labelledMoves returns every move from the state; one may be there more than once.
func (w *walk) labelledMoves() (all []labelledMove) {
	for program := range w.g.slots {
		slot := w.find(program)
		for e, m := range w.g.out(w.state) {
			if e.covers(slot) {
				all = append(all, labelledMove{w.g.move(e, m.Fault, w.g.slotOf[program]), e})
			}
		}
	}
	return all
}

// labelled returns the move that a process makes which is in the state of the one that
// makes this move in the graph.
func (w *walk) labelled(m sim.Move) sim.Move {
	slot := w.g.mover(m)
	for program := range w.g.slots {
		if m.Task == sim.Environment && m.Fault.Kind != sim.Crash || w.values[w.find(program)] == w.values[slot] && w.g.slots[w.find(program)].group == w.g.slots[slot].group {
			task := noTask
			if m.Task != sim.Environment {
				task = w.g.tasks[m.Task].Index
			}
			return w.g.move(edge{task: uint8(task)}, m.Fault, w.g.slotOf[program])
		}
	}
	panic("explore: no process makes the move")
}

// cheapest returns the first move whose way on is as cheap as the cheapest; there
// has to be a way.
func (w *walk) cheapest(best ways) (take labelledMove) {
	least := hopeless
	for _, p := range w.labelledMoves() {
		c := w.g.along(best, p.edge, p.Move)
		if n := len(w.schedule); n > 0 && w.schedule[n-1].Task != p.Task {
			c += aSwitch
		}
		if c < least || c == least && p.Compare(take.Move) < 0 {
			least, take = c, p
		}
	}
	return take
}

// take makes a move, which is possible and known.
func (w *walk) take(p labelledMove) {
	own, _, ok, err := w.g.do(w.own, p.Move)
	if !ok || err != nil {
		panic(fmt.Sprintf("explore: %v cannot be made where it was found: %v", p.Move, err))
	}
	w.own, w.state, w.values = own, p.edge.to, w.g.values(p.edge.to)
	w.schedule = append(w.schedule, p.Move)
}

// along returns the cost of an edge and the cheapest way on from its end.
func (g *graph) along(w ways, e edge, m sim.Move) cost {
	next := w.of(e.to)
	c := next[0]
	if !g.ends(e.to) || c > 0 {
		// Going on with the same task costs no switch.
		c = min(c+aSwitch, next[g.column(e.at, e.task)])
	}
	if m.Strikes() {
		c += aFault
	}
	return min(c+aStep, hopeless)
}

// column returns where in the costs of a state a task of the process in a slot is.
func (g *graph) column(slot, task uint8) int {
	if task == noTask {
		return 1 + len(g.tasks)
	}
	return 1 + g.slots[slot].first + int(task)
}

// covers says whether it can be a step of the process in a slot. One of the
// environment that is of no process goes by the first slot.
func (e edge) covers(slot int) bool {
	return int(e.slot) <= slot && slot < int(e.slot)+int(e.many)
}

// find returns a slot of the state in which the process of a program may be; there has
// to be one.
func (w *walk) find(program int) int {
	slot := w.g.slotOf[program]
	for i := w.g.first(slot); i <= w.g.slots[slot].last; i++ {
		if w.values[i] == w.own[slot] {
			return i
		}
	}
	panic("explore: a process is in no slot")
}

// ways returns the costs of the ways to the ends that are wanted; without violates
// that is any. From a bad state on only the cost in afterwards counts: there is no
// way if it is the zero value.
func (g *graph) ways(order []uint32, violates []badness, wanted badness, afterwards ways) ways {
	record := 1 + len(g.tasks)
	if !g.plain {
		record++
	}
	w := ways{record, make([]cost, g.set.n*record)}
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		costs := w.of(s)
		for j := range costs {
			costs[j] = hopeless
		}
		if violates != nil && violates[s] == violated {
			if afterwards.flat != nil {
				copy(costs, afterwards.of(s))
			}
			continue
		}
		if g.ends(s) && (violates == nil || violates[s] == wanted) {
			costs[0] = 0
		}
		for e, m := range g.out(s) {
			c := g.along(w, e, m)
			for slot := e.slot; slot < e.slot+e.many; slot++ {
				at := g.column(slot, e.task)
				costs[at] = min(costs[at], c)
			}
			costs[0] = min(costs[0], c)
		}
	}
	return w
}
