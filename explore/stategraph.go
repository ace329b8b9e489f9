package explore

import (
	"iter"
	"strings"

	"quiesce/sim"
)

// A Graph is what a product search went through. States are numbered from 0, the
// initial one, in the order in which they were found. One state stands for all
// permutations of interchangeable processes. It is read only.
type Graph struct {
	g        *graph
	violates []badness
}

// A GraphStep is a step from one state to another.
type GraphStep struct {
	From, To int
	Tasks    []string  // names; several if interchangeable tasks can take it; "environment" if none does
	Fault    sim.Fault // the zero value is none; its target is several processes if they are interchangeable

	// Request and Reply are as the store describes them. Both are "" of a start and
	// an arrival but for the request, which says which of the two it is. Of a step of
	// the environment the request says what happens.
	Request, Reply string
}

// States returns the number of states.
func (g *Graph) States() int { return g.g.set.n }

// Ends says whether nothing can happen any more in a state, unless by a fault.
func (g *Graph) Ends(state int) bool { return g.g.ends(uint32(state)) }

// Violates says whether the property is violated in a state. One that need not
// hold always is violated in last states only.
func (g *Graph) Violates(state int) bool { return g.violates[state] != holds }

// Contents returns what the stores hold in a state, in the order of
// sim.System.Stores.
func (g *Graph) Contents(state int) []sim.Content {
	return g.g.view(g.g.values(uint32(state))).Contents
}

// Steps returns every step, in the order of the states that they go from. It stops
// at an error, which says that a machine is not deterministic.
func (g *Graph) Steps() iter.Seq2[GraphStep, error] {
	return func(yield func(GraphStep, error) bool) {
		for state := range g.g.set.n {
			values := g.g.values(uint32(state))
			for e, m := range g.g.out(uint32(state)) {
				step, err := g.step(e, m.Fault, values)
				step.From = state
				if !yield(step, err) || err != nil {
					return
				}
			}
		}
	}
}

func (g *Graph) step(e edge, label sim.Fault, values []uint32) (GraphStep, error) {
	step := GraphStep{To: int(e.to), Fault: label}
	var targets []string
	for slot := e.slot; slot < e.slot+e.many; slot++ {
		m := g.g.move(e, label, int(slot))
		_, s, _, err := g.g.do(values, m)
		if err != nil {
			return step, err
		}
		var task string
		task, step.Request, step.Reply = described(g.g.sys, s)
		step.Tasks, targets = append(step.Tasks, task), append(targets, m.Fault.Target)
	}
	step.Fault.Target = strings.Join(targets, " or ")
	if e.task == noTask && label.Kind == sim.Crash {
		step.Tasks, step.Request = step.Tasks[:1], step.Fault.String()
	}
	return step, nil
}
