package explore

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// closest returns the passing interleaving that shares the longest prefix with a
// violating one; of several that with the fewest context switches, then the fewest
// steps, then the first in the order of the tasks. It returns nil if every
// interleaving violates.
func (g *graph) closest(order []uint32, violates []bool, bad Schedule) Schedule {
	never := slices.Repeat([]cost{hopeless}, 1+len(g.tasks))
	best := g.ways(order, func(end uint32) bool { return !violates[end] }, func(state uint32) []cost {
		if violates[state] {
			return never
		}
		return nil
	})
	w := g.walk()
	if best.of(w.state)[0] >= hopeless {
		return nil
	}
	for shared := true; !g.ends(w.state); {
		task := w.cheapest(best)
		if shared {
			// Along the violating one for as long as a way out is left after the step.
			next := *w
			next.nodes, next.values = slices.Clone(w.nodes), slices.Clone(w.values)
			next.take(bad[len(w.schedule)])
			if shared = best.of(next.state)[0] < hopeless; shared {
				task = bad[len(w.schedule)]
			}
		}
		w.take(task)
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
