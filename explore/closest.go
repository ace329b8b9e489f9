package explore

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// closest returns the passing interleaving that shares the longest prefix with a
// violating one; of several that with the fewest faults, then context switches,
// then steps, then the first in the order of the moves. It has no more faults than
// the violating one, since one more is no remedy: many a violation would pass if
// the wrong entry happened to expire at the end. It returns nil if there is none.
func (g *graph) closest(order []uint32, violates []badness, bad Schedule) Schedule {
	best := g.ways(order, violates, holds, ways{})
	w := g.walk()
	// passes says whether there is a way on from a state after these faults.
	passes := func(state uint32, faults int) bool {
		c := best.of(state)[0]
		return c < hopeless && faults+int(c/aFault) <= bad.Faults()
	}
	if !passes(w.state, 0) {
		return nil
	}
	for n := range bad {
		i := slices.IndexFunc(w.labelledMoves(), func(p labelledMove) bool {
			return p.Move == bad[n] && passes(p.edge.to, bad[:n+1].Faults())
		})
		if i < 0 {
			break
		}
		w.take(w.labelledMoves()[i])
	}
	for best.of(w.state)[0] > 0 {
		w.take(w.cheapest(best))
	}
	return w.schedule
}

// confirmPassing runs the schedule of a passing interleaving for real.
func confirmPassing(sys *sim.System, schedule Schedule) (*Trace, error) {
	t, err := Replay(sys, schedule)
	if err != nil {
		return nil, fmt.Errorf("the closest passing interleaving does not replay: %w", err)
	}
	if t.Violation != "" {
		return nil, fmt.Errorf("the interleaving %s violates %s when it is run for real: the system is not deterministic", t.Token, sys.Property.Name)
	}
	return t, nil
}
