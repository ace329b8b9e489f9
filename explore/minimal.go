package explore

import "math"

// A cost is a number of context switches, in the upper half, and of steps: less
// means better, so switches count first.
type cost uint32

const (
	aSwitch  cost = 1 << 16
	aStep    cost = 1
	hopeless cost = math.MaxUint32 / 2 // no way; a step more is no way either
)

// maxSteps is how many steps an execution may have. It leaves room for those of
// the states between two looks at the limits.
const maxSteps = 1 << 14

// ways says what the cheapest way on from each state costs that gets to a wanted
// end: of all ways, and of those that begin with a step of each task of the
// process in each slot.
type ways struct {
	record int // of a state: the cost of all ways, then that of each task
	flat   []cost
}

func (w ways) of(state uint32) []cost {
	return w.flat[int(state)*w.record : (int(state)+1)*w.record]
}

// minimal returns the violating schedule with the fewest context switches, then
// the fewest steps, then the first in the order of the tasks; nil if there is
// none.
//
// It is a shortest path over pairs of a state and the task that stepped last,
// where a step costs a switch if the task is another one. The graph has no
// cycles, so one pass from the end takes the place of a 0-1 breadth-first search
// and needs no queue. Neither may run on a graph that a partial-order reduction
// has thinned out: that would lose minimal schedules.
func (g *graph) minimal(order []uint32, violates []bool) Schedule {
	var afterwards ways // once the property has been violated, on to any end
	if g.sys.Property.Always {
		afterwards = g.ways(order, func(uint32) bool { return true }, func(uint32) []cost { return nil })
	}
	best := g.ways(order, func(end uint32) bool { return violates[end] }, func(state uint32) []cost {
		if !violates[state] {
			return nil
		}
		return afterwards.of(state)
	})
	w := g.walk()
	if best.of(w.state)[0] >= hopeless {
		return nil
	}
	for !g.ends(w.state) {
		if violates[w.state] {
			best = afterwards
		}
		w.take(w.cheapest(best))
	}
	return w.schedule
}

// A walk goes from the initial state along a schedule, with the states of the
// labelled processes: those of the graph are merged.
type walk struct {
	g        *graph
	state    uint32
	values   []uint32 // of the state
	nodes    []uint32 // by program
	schedule Schedule
}

func (g *graph) walk() *walk {
	return &walk{g: g, values: make([]uint32, len(g.slots)+len(g.stores)), nodes: make([]uint32, len(g.slots)), schedule: Schedule{}}
}

// slot returns a slot in which the process of a program may stand.
func (w *walk) slot(program int) int {
	w.g.layout.unpack(w.g.set.key(int(w.state)), w.values)
	return w.g.find(program, w.nodes[program], w.values)
}

// cheapest returns the first task whose way on is as cheap as the cheapest; there
// has to be a way.
func (w *walk) cheapest(best ways) (take int) {
	least := hopeless
	for task, ref := range w.g.tasks {
		c := best.of(w.state)[1+w.g.slots[w.slot(ref.Program)].first+ref.Index]
		if n := len(w.schedule); n > 0 && task != w.schedule[n-1] {
			c += aSwitch
		}
		if c < least {
			least, take = c, task
		}
	}
	return take
}

// take takes the next step of a task, which has to be enabled.
func (w *walk) take(task int) {
	ref := w.g.tasks[task]
	slot := w.slot(ref.Program)
	for _, e := range w.g.from(w.state) {
		if e.covers(slot, ref.Index) {
			w.state = e.to
			w.g.layout.unpack(w.g.set.key(int(e.to)), w.values)
			w.nodes[ref.Program] = w.values[e.at]
			w.schedule = append(w.schedule, task)
			return
		}
	}
	panic("explore: a step that is not in the graph")
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

// ways returns the costs of the ways to the ends that are wanted. From a state
// for which beyond returns costs only those count.
func (g *graph) ways(order []uint32, wanted func(end uint32) bool, beyond func(state uint32) []cost) ways {
	record := 1 + len(g.tasks)
	w := ways{record, make([]cost, g.set.n*record)}
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		costs := w.of(s)
		ends := g.ends(s)
		if !ends {
			if other := beyond(s); other != nil {
				copy(costs, other)
				continue
			}
		}
		for j := range costs {
			costs[j] = hopeless
		}
		if ends && wanted(s) {
			costs[0] = 0
		}
		for _, e := range g.from(s) {
			next := w.of(e.to)
			c := next[0]
			if !g.ends(e.to) {
				// Going on with the same task costs no switch.
				c = min(c+aSwitch, next[1+g.slots[e.at].first+int(e.task)])
			}
			c = min(c+aStep, hopeless)
			for slot := e.slot; slot < e.slot+e.many; slot++ {
				costs[1+g.slots[slot].first+int(e.task)] = c
			}
			costs[0] = min(costs[0], c)
		}
	}
	return w
}
