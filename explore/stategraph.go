package explore

import (
	"iter"

	"quiesce/sim"
)

// A Graph is what a product search went through. States are numbered from 0, the
// initial one, in the order in which they were found. One state stands for all
// permutations of interchangeable processes. It is read only.
type Graph struct {
	g        *graph
	violates []bool
}

// A GraphStep is a step from one state to another.
type GraphStep struct {
	From, To int
	Tasks    []string // names; several if interchangeable tasks can take it

	// Request and Reply are as the store describes them. Both are "" of a start and
	// an arrival but for the request, which says which of the two it is.
	Request, Reply string
}

// States returns the number of states.
func (g *Graph) States() int { return g.g.set.n }

// Ends says whether nothing can happen any more in a state.
func (g *Graph) Ends(state int) bool { return g.g.ends(uint32(state)) }

// Violates says whether the property is violated in a state. One that need not
// hold always is violated in last states only.
func (g *Graph) Violates(state int) bool { return g.violates[state] }

// Contents returns what the stores hold in a state, in the order of
// sim.System.Stores.
func (g *Graph) Contents(state int) []sim.Content {
	return g.g.view(g.values(state)).Contents
}

func (g *Graph) values(state int) []uint32 {
	values := make([]uint32, len(g.g.slots)+len(g.g.stores))
	g.g.layout.unpack(g.g.set.key(state), values)
	return values
}

// Steps returns every step, in the order of the states that they go from. It stops
// at an error, which says that a machine is not deterministic.
func (g *Graph) Steps() iter.Seq2[GraphStep, error] {
	return func(yield func(GraphStep, error) bool) {
		for state := range g.g.set.n {
			values := g.values(state)
			for _, e := range g.g.from(uint32(state)) {
				step, err := g.step(e, values)
				step.From = state
				if !yield(step, err) || err != nil {
					return
				}
			}
		}
	}
}

func (g *Graph) step(e edge, values []uint32) (GraphStep, error) {
	step := GraphStep{To: int(e.to)}
	for slot := e.slot; slot < e.slot+e.many; slot++ {
		step.Tasks = append(step.Tasks, g.g.tasks[g.g.base(g.g.slots[slot].program)+int(e.task)].Name)
	}
	s := g.g.slots[e.slot]
	taken, _, _, err := g.g.predict(g.g.base(s.program)+int(e.task), s.code, values[e.slot], values[len(g.g.slots):])
	step.Request, step.Reply = g.g.sys.Describe(taken.Request, taken.Reply)
	return step, err
}
