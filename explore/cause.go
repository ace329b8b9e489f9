package explore

import (
	"context"
	"math"
	"strings"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// The bounds of the search for a root cause. None depends on the clock, so the
// answer is a function of the system.
const (
	causeOrders = 4          // the most orders of a cause
	causeStates = 200_000    // the most states of the graph without symmetry
	causeEffort = 10_000_000 // the most transitions looked at and sets of orders tried
)

// A named step is a step of the counterexample, as it is recognised in other
// interleavings: the n-th step of its task, or of the environment, that is this
// operation, from 1.
//
// An interleaving keeps the order of two named steps if both occur in it, the one
// before the other. So one in which a task takes another way and never comes to
// the step does not keep the order. The operation is the store and the first word
// of the request, and leaves out the values: with them "DEL before SET 9900" would
// say without words that the price was read before it was changed. A fault is part
// of it: a request that is struck is another operation than one that is not, and
// of a step of the environment there is nothing else.
type namedStep struct {
	task int
	operation
	n int
}

type operation struct {
	store, verb string
	fault       sim.Fault
}

func newOperation(store, request string) operation {
	verb, _, _ := strings.Cut(request, " ")
	return operation{store: store, verb: verb}
}

// A causeSearch looks for the smallest set of orders that no passing interleaving
// keeps. It proposes sets in turn and looks in the graph for a passing interleaving
// that keeps all orders of the set. If there is one it refutes the set, and with it
// every other set of which it keeps all orders, at no further cost. So a cause is a
// smallest hitting set of what the passing interleavings break, which are found
// while they are needed (Reiter 1987; implicit hitting sets, Moreno-Centeno, Karp
// 2013).
type causeSearch struct {
	ctx        context.Context // ends the search
	g          *graph          // without symmetry
	operations [][]operation   // by code, and then by node and task
	violates   []badness
	passes     []bool         // by state: a passing interleaving goes on from here
	steps      []namedStep    // of the counterexample
	orders     []Order        // of which a cause is made, the preferred first
	broken     []map[int]bool // orders that each passing interleaving found so far breaks
	effort     int            // what is left of it
}

// cause returns the root cause of a counterexample: the smallest set of orders such
// that every interleaving that keeps them violates the property. Interleavings with
// more faults than the counterexample are left out, as in closest: with them, there
// would hardly be a cause. Of several sets it
// is the first if orders of steps in one store come before others, and then those
// of earlier steps. It returns nil if a bound is reached before it is known; an
// empty set, if every interleaving violates, is not nil.
func (g *graph) cause(ctx context.Context, t *Trace) ([]Order, error) {
	c := &causeSearch{g: g.apart(), effort: causeEffort, ctx: ctx}
	err := c.g.search(ctx, causeStates, func() bool { return c.g.set.n > causeStates })
	if err != nil || c.g.expanded < c.g.set.n {
		return nil, err
	}
	if c.violates, err = c.g.evaluate(); err != nil {
		return nil, err
	}
	c.pass(t.Schedule.Faults())
	c.name(t)
	for size := range causeOrders + 1 {
		if set, done := c.choose(nil, 0, size); done {
			return set, nil
		}
	}
	return nil, nil
}

// pass finds out from which states a passing interleaving goes on that has no more
// than these faults. How many there have been is known in every state.
func (c *causeSearch) pass(faults int) {
	c.passes = make([]bool, c.g.set.n)
	values := make([]uint32, c.g.fields())
	least := c.g.sys.Faults.Total() - faults // that are left
	order := c.g.order()
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		c.g.layout.unpack(c.g.set.key(int(s)), values)
		if c.violates[s] == violated || c.g.env(values).Left() < least {
			continue
		}
		c.passes[s] = c.g.ends(s) && c.violates[s] == holds
		for _, e := range c.g.from(s) {
			c.passes[s] = c.passes[s] || c.passes[e.to]
		}
	}
}

// name names the steps of the counterexample and of the graph, and lists the orders.
func (c *causeSearch) name(t *Trace) {
	for i, s := range t.Steps {
		step := namedStep{t.Schedule[i].Task, operation{fault: s.Fault}, 1}
		if step.task != sim.Environment {
			step.operation = newOperation(s.Store, s.Request)
			step.fault = s.Fault
		}
		for _, earlier := range c.steps {
			if earlier.task == step.task && earlier.operation == step.operation {
				step.n++
			}
		}
		c.steps = append(c.steps, step)
	}
	for _, same := range []bool{true, false} {
		for i, a := range t.Steps {
			for j := i + 1; j < len(t.Steps); j++ {
				if b := t.Steps[j]; a.Task != b.Task && (a.Store == b.Store) == same {
					c.orders = append(c.orders, Order{i, j})
				}
			}
		}
	}
	for _, code := range c.g.codes {
		c.operations = append(c.operations, c.g.operations(code))
	}
}

// operations returns what the next step of each task is, by node and task.
func (g *graph) operations(t *learn.Process) []operation {
	var all []operation
	for node := range t.States() {
		for task := range t.Tasks {
			req, ok := t.Pending(uint32(node), task)
			switch {
			case !ok:
				all = append(all, operation{})
			case req.Local():
				all = append(all, newOperation("", req.Body))
			default:
				text, _ := g.sys.Describe(req, "")
				all = append(all, newOperation(req.Store, text))
			}
		}
	}
	return all
}

// choose completes a set by orders from first on to that size. It returns the first
// one that is a cause; done also says that the search is over without one.
func (c *causeSearch) choose(set []int, first, size int) (cause []Order, done bool) {
	if len(set) < size {
		for i := first; i < len(c.orders); i++ {
			if cause, done := c.choose(append(set, i), i+1, size); done {
				return cause, true
			}
		}
		return nil, false
	}
	if c.effort--; c.effort <= 0 || c.ctx.Err() != nil {
		return nil, true
	}
	for _, broken := range c.broken {
		if !hits(set, broken) {
			return nil, false
		}
	}
	cause = []Order{}
	for _, i := range set {
		cause = append(cause, c.orders[i])
	}
	path, found := c.keeping(cause)
	switch {
	case c.effort <= 0:
		return nil, true
	case !found:
		return cause, true
	}
	c.broken = append(c.broken, c.breaks(path))
	return nil, false
}

func hits(set []int, broken map[int]bool) bool {
	for _, i := range set {
		if broken[i] {
			return true
		}
	}
	return false
}

// breaks returns the orders that an interleaving does not keep.
func (c *causeSearch) breaks(path []namedStep) map[int]bool {
	at := make([]int, len(c.steps)) // where the named steps occur in it
	for i, s := range c.steps {
		at[i] = math.MaxInt
		n := 0
		for j, p := range path {
			if p.task == s.task && p.operation == s.operation {
				if n++; n == s.n {
					at[i] = j
				}
			}
		}
	}
	broken := map[int]bool{}
	for i, o := range c.orders {
		if at[o.Before] >= at[o.After] || at[o.After] == math.MaxInt {
			broken[i] = true
		}
	}
	return broken
}

// A monitored is a state of the graph, and of every step that is named in
// the orders how many of the steps up to it have been taken. It is all that
// matters for the way on.
type monitored struct {
	state uint32
	taken [2 * causeOrders]uint16
}

// keeping returns a passing interleaving that keeps all orders, and false if there
// is none: a depth-first search of the product of the graph and the monitor.
func (c *causeSearch) keeping(orders []Order) (path []namedStep, found bool) {
	seen := map[monitored]bool{}
	values := make([]uint32, c.g.fields())
	var visit func(m monitored) bool
	visit = func(m monitored) bool {
		if !c.passes[m.state] || seen[m] {
			return false
		}
		seen[m] = true
		if c.g.ends(m.state) && c.violates[m.state] == holds && c.kept(m, orders) {
			return true
		}
		begin, n := c.g.span(m.state)
		for i, e := range c.g.edges.slice(begin, n) {
			if c.effort--; c.effort <= 0 {
				return false
			}
			c.g.layout.unpack(c.g.set.key(int(m.state)), values)
			step := c.step(e, c.g.label(begin+i), values)
			next, ok := c.advance(m, step, orders)
			if !ok {
				continue
			}
			next.state = e.to
			path = append(path, step)
			if visit(next) {
				return true
			}
			path = path[:len(path)-1]
		}
		return false
	}
	found = visit(monitored{})
	return path, found
}

// kept says whether all orders have been kept when everything has happened.
func (c *causeSearch) kept(m monitored, orders []Order) bool {
	for i, o := range orders {
		if int(m.taken[2*i]) < c.steps[o.Before].n || int(m.taken[2*i+1]) < c.steps[o.After].n {
			return false
		}
	}
	return true
}

// step returns the task and the operation of a step from the state of these values.
func (c *causeSearch) step(e edge, label sim.Fault, values []uint32) namedStep {
	s := c.g.slots[e.slot]
	m := c.g.move(e, label, s.program)
	if m.Task == sim.Environment {
		return namedStep{task: m.Task, operation: operation{fault: m.Fault}}
	}
	step := namedStep{task: m.Task, operation: c.operations[s.code][int(values[e.slot])*s.tasks+int(e.task)]}
	step.fault = label
	return step
}

// advance returns the monitor after a step, and false if the step breaks an order.
func (c *causeSearch) advance(m monitored, step namedStep, orders []Order) (monitored, bool) {
	for i, o := range orders {
		for j, named := range [2]namedStep{c.steps[o.Before], c.steps[o.After]} {
			if n := &m.taken[2*i+j]; step.task == named.task && step.operation == named.operation && int(*n) < named.n {
				*n++
			}
		}
		if int(m.taken[2*i]) < c.steps[o.Before].n && int(m.taken[2*i+1]) == c.steps[o.After].n {
			return m, false
		}
	}
	return m, true
}
