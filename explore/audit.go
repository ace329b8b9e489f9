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
	slotOf := make([]int, len(g.slots)) // by program
	for i, s := range g.slots {
		slotOf[s.program] = i
	}
	for {
		task, err := g.auditStep(e, random)
		if err != nil {
			return err
		}
		if task < 0 {
			break
		}
		i, ref := slotOf[g.tasks[task].Program], g.tasks[task]
		s := g.slots[i]
		n := g.codes[s.code].nodes[nodes[i]]
		w := n.wants[ref.Index]
		if w.store == finished {
			return g.differs("a task takes a step that has finished in the tables", expected, e)
		}
		state, step := uint32(0), sim.Step{Task: task, Request: sim.Start}
		if w.store != local {
			state = stores[w.store]
		} else if n.arrives != nil && n.arrives[ref.Index] > 0 {
			h := g.codes[s.code].histories[n.history].wants[ref.Index]
			step.Request, step.Reply = sim.Arrive, g.stores[h.store].replies[n.arrives[ref.Index]-1]
		}
		m, err := g.learn(s.code, nodes[i], ref.Index, state)
		if err != nil {
			return err
		}
		if m.kind == blocked {
			return g.differs("a task takes a step that is blocked in the tables", expected, e)
		}
		if w.store != local {
			t := g.stores[w.store]
			step.Request, step.Reply = t.requests[w.request], t.replies[t.states[state].next[w.request].reply]
			stores[w.store] = m.state
		}
		expected = append(expected, step)
		if trace := e.Trace(); trace[len(trace)-1] != step {
			return g.differs("", expected, e)
		}
		nodes[i] = m.node
	}
	return g.auditEnd(e, nodes, stores, expected)
}

// auditStep takes a step of a random enabled task and returns which, -1 if no
// task is enabled.
func (g *graph) auditStep(e *sim.Execution, random *rand.Rand) (int, error) {
	for _, task := range random.Perm(len(g.tasks)) {
		if _, ok := e.Pending(task); !ok {
			continue
		}
		if err := e.Step(task); errors.Is(err, sim.ErrBlocked) {
			continue
		} else if err != nil {
			return -1, err
		}
		return task, nil
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
		for k, w := range g.codes[s.code].nodes[nodes[i]].wants {
			task := g.base(s.program) + k
			if _, waits := e.Pending(task); waits != (w.store != finished) || view.Results[task] != w.result {
				return g.differs("the end of "+g.tasks[task].Name+" is another one", expected, e)
			}
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
