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
	values := slices.Clone(g.begins)
	nodes, stores := values[:len(g.slots)], values[len(g.slots):]
	var expected []sim.Step
	for {
		task, err := g.auditStep(e, random)
		if err != nil {
			return err
		}
		if task < 0 {
			break
		}
		i := g.slot(g.tasks[task].Program)
		step, store, m, err := g.predict(task, g.slots[i].code, nodes[i], stores)
		if err != nil {
			return err
		}
		if m.kind != done {
			return g.differs("in the tables it is not enabled", expected, e)
		}
		expected = append(expected, step)
		if trace := e.Trace(); trace[len(trace)-1] != step {
			return g.differs("", expected, e)
		}
		nodes[i] = m.node
		if store != local {
			stores[store] = m.state
		}
	}
	return g.auditEnd(e, values, expected)
}

// predict returns what the tables say about the next step of a task: the step,
// the store that takes part, and where it leads; a step that is not done is not
// enabled.
func (g *graph) predict(task, code int, node uint32, stores []uint32) (step sim.Step, store int, m move, err error) {
	process, index := g.codes[code], g.tasks[task].Index
	n := process.nodes[node]
	w := n.wants[index]
	step = sim.Step{Task: task, Request: sim.Start}
	state := uint32(0)
	switch {
	case w.store == finished:
		return step, w.store, move{}, nil
	case w.store != local:
		state = stores[w.store]
	case n.arrives != nil && n.arrives[index] > 0:
		asked := process.histories[n.history].wants[index].store
		step.Request, step.Reply = sim.Arrive, g.stores[asked].replies[n.arrives[index]-1]
	}
	m, err = g.learn(code, node, index, state)
	if err == nil && m.kind == done && w.store != local {
		t := g.stores[w.store]
		step.Request, step.Reply = t.requests[w.request], t.replies[t.states[state].next[w.request].reply]
	}
	return step, w.store, m, err
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
func (g *graph) auditEnd(e *sim.Execution, values []uint32, expected []sim.Step) error {
	nodes, stores := values[:len(g.slots)], values[len(g.slots):]
	view, err := e.View()
	if err != nil {
		return err
	}
	for i, t := range g.stores {
		if view.Contents[i].Key() != t.states[stores[i]].key {
			return g.differs("the content of "+t.store.Name()+" is another one", expected, e)
		}
	}
	for i, s := range g.slots {
		code := g.codes[s.code]
		if view.Memories[s.program].Key() != code.histories[code.nodes[nodes[i]].history].key {
			return g.differs("the memory of "+g.sys.Programs[s.program].Name+" is another one", expected, e)
		}
		for k, w := range g.codes[s.code].nodes[nodes[i]].wants {
			task := g.base(s.program) + k
			if _, waits := e.Pending(task); waits != (w.store != finished) || view.Results[task] != w.result {
				return g.differs("the end of "+g.tasks[task].Name+" is another one", expected, e)
			}
		}
	}
	state, fresh := g.set.add(g.key(values))
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
