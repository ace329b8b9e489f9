package explore

import "math"

// A cost is a number of context switches, in the upper half, and of steps: less
// means better, so switches count first.
type cost uint64

const (
	aSwitch  cost = 1 << 32
	aStep    cost = 1
	hopeless cost = math.MaxUint64 / 2 // no way; a step more is no way either
)

// ways holds for every edge the cost of the cheapest way that begins with it and
// gets to an end that is wanted.
type ways []cost

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
		afterwards = g.ways(order, nil, nil)
	}
	best := g.ways(order, violates, afterwards)

	// Walk from the initial state, with the states of the labelled processes,
	// and take the first task whose way is as cheap as the cheapest.
	values := make([]uint32, len(g.slots)+len(g.stores))
	nodes := make([]uint32, len(g.sys.Programs)) // by program
	var schedule Schedule
	state, last := uint32(0), -1
	for {
		if best != nil && violates[state] {
			best = afterwards
		}
		if len(g.from(state)) == 0 {
			return schedule
		}
		g.layout.unpack(g.set.key(int(state)), values)
		least, take, via := hopeless, -1, 0
		for program, node := range nodes {
			e := g.edge(state, values, g.slotOf(program), node)
			if e < 0 {
				continue
			}
			c := best[e]
			if last >= 0 && program != last {
				c += aSwitch
			}
			if c < least {
				least, take, via = c, program, e
			}
		}
		if take < 0 {
			return nil
		}
		s := g.slots[g.slotOf(take)]
		m := g.rows[s.code][nodes[take]].next[values[len(g.slots)+g.rows[s.code][nodes[take]].store]]
		nodes[take] = m.node
		schedule = append(schedule, take)
		state, last = g.edges[via].to, take
	}
}

// slotOf returns a slot of the group of a program.
func (g *graph) slotOf(program int) int {
	for i, s := range g.slots {
		if s.program == program {
			return i
		}
	}
	panic("explore: no slot for a program")
}

// edge returns the index of the edge on which a process that is in the state
// node, in the group of a slot, takes a step; -1 if there is none.
func (g *graph) edge(state uint32, values []uint32, slot int, node uint32) int {
	for i, e := range g.from(state) {
		if g.slots[e.slot].group == g.slots[slot].group && values[e.slot] == node {
			return int(g.offset[state]) + i
		}
	}
	return -1
}

// ways returns the cost of the ways to violation: to the end of an interleaving
// that comes through a state in violates, from where on only the cost in
// afterwards counts. Without violates it is the cost of the ways to any end.
func (g *graph) ways(order []uint32, violates []bool, afterwards ways) ways {
	best := make(ways, len(g.edges))
	cheapest := make([]cost, g.set.n) // over the edges of a state
	values := make([]uint32, len(g.slots)+len(g.stores))
	next := make([]uint32, len(values))
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		g.layout.unpack(g.set.key(int(s)), values)
		cheapest[s] = hopeless
		edges := g.from(s)
		if len(edges) == 0 {
			if terminal, _ := g.terminal(s, values); terminal && (violates == nil || violates[s]) {
				cheapest[s] = 0
			}
			continue
		}
		for j, e := range edges {
			c := cheapest[e.to]
			if len(g.from(e.to)) > 0 {
				// Going on with the same task costs no switch.
				from := best
				if violates != nil && violates[e.to] {
					from = afterwards
				}
				c = min(c+aSwitch, g.goOn(from, values, next, e))
			}
			c = min(c+aStep, hopeless)
			best[int(g.offset[s])+j] = c
			cheapest[s] = min(cheapest[s], c)
		}
		if violates != nil && violates[s] {
			cheapest[s] = hopeless
			for j := range edges {
				cheapest[s] = min(cheapest[s], afterwards[int(g.offset[s])+j])
			}
		}
	}
	return best
}

// goOn returns the cost of the cheapest way from the end of an edge on which the
// task of that edge takes the next step too.
func (g *graph) goOn(best ways, values, next []uint32, e edge) cost {
	slot := g.slots[e.slot]
	r := &g.rows[slot.code][values[e.slot]]
	m := r.next[values[len(g.slots)+r.store]]
	g.layout.unpack(g.set.key(int(e.to)), next)
	if i := g.edge(e.to, next, int(e.slot), m.node); i >= 0 {
		return best[i]
	}
	return hopeless
}
