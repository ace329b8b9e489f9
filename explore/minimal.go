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
		afterwards = g.ways(order, nil, ways{})
	}
	best := g.ways(order, violates, afterwards)
	if best.of(0)[0] >= hopeless {
		return nil
	}

	// Walk from the initial state, with the states of the labelled processes,
	// and take the first task whose way is as cheap as the cheapest.
	values := make([]uint32, len(g.slots)+len(g.stores))
	nodes := make([]uint32, len(g.slots)) // by program
	for i, s := range g.slots {
		nodes[s.program] = g.begins[i]
	}
	schedule := Schedule{}
	for state, last := uint32(0), -1; !g.ends(state); {
		if violates[state] {
			best = afterwards
		}
		g.layout.unpack(g.set.key(int(state)), values)
		least, take, at := hopeless, -1, 0
		for task, ref := range g.tasks {
			slot := g.find(ref.Program, nodes[ref.Program], values)
			c := best.of(state)[1+g.slots[slot].first+ref.Index]
			if last >= 0 && task != last {
				c += aSwitch
			}
			if c < least {
				least, take, at = c, task, slot
			}
		}
		ref := g.tasks[take]
		for _, e := range g.from(state) {
			if e.covers(at, ref.Index) {
				g.layout.unpack(g.set.key(int(e.to)), values)
				nodes[ref.Program] = values[e.at]
				state = e.to
				break
			}
		}
		schedule = append(schedule, take)
		last = take
	}
	return schedule
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
func (g *graph) ways(order []uint32, violates []bool, afterwards ways) ways {
	record := 1 + len(g.tasks)
	w := ways{record, make([]cost, g.set.n*record)}
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		costs := w.of(s)
		bad := violates != nil && violates[s]
		if bad && !g.ends(s) {
			copy(costs, afterwards.of(s))
			continue
		}
		for j := range costs {
			costs[j] = hopeless
		}
		if g.ends(s) && (bad || violates == nil) {
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
