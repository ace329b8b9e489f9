package explore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// check tells the processes again what they were told in the first run, once, and, if
// that is asked for, in all that was learned: for the from-th up to the to-th time.
func (g *graph) check(ctx context.Context, first []learn.Course, learned bool, from, to int) error {
	k := learn.Check{Sys: g.sys, Courses: slices.Clone(first), Class: g.class}
	if learned {
		for _, t := range g.codes {
			k.Courses = append(k.Courses, t.Leaves(to)...)
		}
	}
	return k.Run(ctx, from)
}

// class returns the programs of which the processes share a table with that of one.
func (g *graph) class(program int) (all []int) {
	code := g.slots[g.slotOf[program]].code
	for _, s := range g.slots {
		if s.code == code {
			all = append(all, s.program)
		}
	}
	slices.Sort(all)
	return all
}

// audit runs random complete schedules for real, each from a fresh world, and
// compares every request, every reply and the last contents with what the tables
// say. The schedules are the same in every run.
//
// It returns how many were run: fewer only if ctx is canceled.
func (g *graph) audit(ctx context.Context, schedules int) (int, error) {
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
	for n < schedules && ctx.Err() == nil {
		err := learn.Bubble(g.sys, "", func() error {
			for end := min(n+learn.Together, schedules); n < end && ctx.Err() == nil; n++ {
				if err := g.auditOne(random); err != nil {
					return err
				}
			}
			return nil
		})
		var nd, again *NondeterminismError
		if errors.As(err, &nd) && errors.As(g.check(ctx, nil, true, learn.TimesAgain, learn.MostAgain), &again) {
			nd.Cause = again.Cause
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return n, fmt.Errorf("audit: %w\nmost likely cause: %s", err, learn.CauseDeadline)
		case err != nil:
			return n, fmt.Errorf("audit: %w", err)
		}
	}
	return n, nil
}

func (g *graph) auditOne(random *rand.Rand) error {
	values := g.begins
	var expected []sim.Step
	err := g.sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		return func(yield func(sim.Move, error) bool) {
			var err error
			if len(e.Trace()) > 0 {
				values, expected, err = g.auditStep(e, values, expected)
			}
			var moves []sim.Move
			if err == nil {
				moves, err = shuffled(e, random)
			}
			for i := 0; i < len(moves) && err == nil; i++ {
				if !yield(moves[i], nil) {
					return
				}
			}
			if err == nil {
				err = g.auditEnd(e, values, expected)
			}
			if err != nil {
				yield(sim.Move{}, err)
			}
		}
	})
	return ended(g.sys, err)
}

// auditStep compares the last step of a real execution with that in the tables, from the
// state of these values, and returns what it expects of the steps up to there.
func (g *graph) auditStep(e *sim.Execution, values []uint32, expected []sim.Step) ([]uint32, []sim.Step, error) {
	trace := e.Trace()
	took := trace[len(trace)-1]
	learn.Elapse(g.sys, took.Move)
	after, s, ok, err := g.do(values, took.Move)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, g.differs("in the tables it is not possible", expected, e)
	}
	if expected = append(expected, s); took != s {
		return nil, nil, g.differs("", expected, e)
	}
	return after, expected, nil
}

// shuffled returns the moves of which the first that is possible is to be made. There may
// be none without a fault, where the execution ends, which need not be as long as faults
// can happen.
func shuffled(e *sim.Execution, random *rand.Rand) ([]sim.Move, error) {
	moves, certain, err := e.Moves()
	if err != nil {
		return nil, err
	}
	order := random.Perm(certain)
	faults := random.Perm(len(moves) - certain)
	for i := range faults {
		faults[i] += certain
	}
	if len(faults) > 0 {
		switch random.IntN(8) {
		case 0:
			order = append(faults, order...)
		case 1, 2:
			order = append(order, faults...)
		}
	}
	all := make([]sim.Move, len(order))
	for i, k := range order {
		all[i] = moves[k]
	}
	return all, nil
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
		if view.Contents[i].Key() != t.Key(stores[i]) {
			return g.differs("the content of "+t.Name()+" is another one", expected, e)
		}
	}
	for i, s := range g.slots {
		code := g.codes[s.code]
		if view.Memories[s.program].Key() != code.MemoryKey(nodes[i]) {
			return g.differs("the memory of "+g.sys.Programs[s.program].Name+" is another one", expected, e)
		}
		for k, w := range g.codes[s.code].Wants(nodes[i]) {
			task := g.base(s.program) + k
			if _, waits := e.Pending(task); waits == w.Idle() || view.Results[task] != w.Result {
				return g.differs("the end of "+g.tasks[task].Name+" is another one", expected, e)
			}
		}
	}
	state, fresh := g.set.add(g.key(values))
	if fresh {
		return g.differs("its last state was not searched", expected, e)
	}
	stuck, err := e.Stuck()
	if err != nil {
		return err
	}
	if !g.ends(state) && !stuck {
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
