package explore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"quiesce/sim"
)

// audit runs random complete schedules for real, each from a fresh world, and
// compares every request, every reply and the last contents with what the tables
// say. The schedules are the same in every run.
//
// It returns how many were run: fewer only if ctx is canceled.
func (g *graph) audit(ctx context.Context, schedules int) (int, error) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range schedules {
		if ctx.Err() != nil {
			return n, nil
		}
		if err := g.auditOne(random); err != nil {
			return n, fmt.Errorf("audit: %w", err)
		}
	}
	return schedules, nil
}

func (g *graph) auditOne(random *rand.Rand) error {
	e, err := g.sys.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	nodes := make([]uint32, len(g.slots))
	stores := make([]uint32, len(g.stores))
	var expected []sim.Step
	for {
		i, err := g.auditStep(e, random)
		if err != nil {
			return err
		}
		if i < 0 {
			break
		}
		s := g.slots[i]
		n := g.codes[s.code].nodes[nodes[i]]
		if n.store < 0 {
			return g.differs("a task takes a step that has finished in the tables", expected, e)
		}
		t := g.stores[n.store]
		m, err := g.move(s.code, nodes[i], stores)
		if err != nil {
			return err
		}
		if m.kind == blocked {
			return g.differs("a task takes a step that is blocked in the tables", expected, e)
		}
		reply := t.states[stores[n.store]].next[n.request].reply
		expected = append(expected, sim.Step{Task: s.program, Request: t.requests[n.request], Reply: t.replies[reply]})
		if trace := e.Trace(); trace[len(trace)-1] != expected[len(expected)-1] {
			return g.differs("", expected, e)
		}
		nodes[i], stores[n.store] = m.node, m.state
	}
	return g.auditEnd(e, nodes, stores, expected)
}

// auditStep takes a step of a random enabled task and returns its slot, -1 if
// no task is enabled.
func (g *graph) auditStep(e *sim.Execution, random *rand.Rand) (int, error) {
	for _, i := range random.Perm(len(g.slots)) {
		task := g.slots[i].program
		if _, ok := e.Pending(task); !ok {
			continue
		}
		if err := e.Step(task); errors.Is(err, sim.ErrBlocked) {
			continue
		} else if err != nil {
			return -1, err
		}
		return i, nil
	}
	return -1, nil
}

// auditEnd compares the end of a real execution with that in the tables, and
// looks the state up among those that were searched.
func (g *graph) auditEnd(e *sim.Execution, nodes, stores []uint32, expected []sim.Step) error {
	view, err := e.View()
	if err != nil {
		return err
	}
	for i, t := range g.stores {
		if view.Contents[i].Key() != t.states[stores[i]].key {
			return g.differs("the content of "+t.store.Name()+" is another one", expected, e)
		}
	}
	values := slices.Concat(nodes, stores)
	for i, s := range g.slots {
		n := g.codes[s.code].nodes[nodes[i]]
		if _, waits := e.Pending(s.program); waits != (n.store >= 0) || view.Results[s.program] != n.result {
			return g.differs("the end of "+g.sys.Programs[s.program].Name+" is another one", expected, e)
		}
		if i == 0 || s.group != g.slots[i-1].group {
			slices.Sort(values[i : s.last+1])
		}
	}
	key := make([]uint64, g.layout.words)
	g.layout.pack(values, key)
	state, fresh := g.set.add(key)
	if fresh {
		return g.differs("its last state was not searched", expected, e)
	}
	if len(g.from(state)) > 0 {
		return g.differs("nothing is enabled, but in the tables something is", expected, e)
	}
	return nil
}

func (g *graph) differs(what string, expected []sim.Step, e *sim.Execution) error {
	err := &NondeterminismError{Machine: "the system", Before: transcript(g.sys, expected), Now: transcript(g.sys, e.Trace())}
	if what != "" {
		err.Now = append(err.Now, what)
	}
	return err
}
