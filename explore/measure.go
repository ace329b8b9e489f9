package explore

import (
	"math"
	"time"

	"quiesce/sim"
)

// A Measure counts something along an interleaving: of a step, and of the view
// before it, how much it adds. It does not tell interchangeable processes apart.
type Measure struct {
	Name string
	Of   func(s sim.Step, before sim.View) int
}

// A Measured is what a [Measure] comes to over all complete interleavings.
type Measured struct {
	Name        string
	Least, Most int // 0 if there is no interleaving

	// Mean is the expected value if every decision of the scheduler is uniform
	// among the enabled tasks; it is NaN if the environment decides as well.
	Mean float64
}

// A Window is the longest stretch of one interleaving in which something is so.
type Window struct {
	Steps int           // taken while it is so, the one that ends it included
	Time  time.Duration // that passes meanwhile, in a timed system; of the window that takes longest
	Stays bool          // at the end of some interleaving it is still so
}

// total returns what a measure comes to. It is a sum along paths in a graph
// without cycles, so one pass from the end suffices.
func (g *graph) total(order []uint32, m Measure) (Measured, error) {
	least, most, mean := make([]int32, g.set.n), make([]int32, g.set.n), make([]float64, g.set.n)
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		lo, hi, sum, ways := int32(math.MaxInt32), int32(math.MinInt32), 0.0, 0
		if g.ends(s) {
			lo, hi = 0, 0
		}
		err := g.stepsFrom(s, func(e edge, step sim.Step, before sim.View) {
			w := int32(asking(g.sys, m.Name, func(v sim.View) int { return m.Of(step, v) })(before))
			lo, hi = min(lo, w+least[e.to]), max(hi, w+most[e.to])
			sum += float64(e.many) * (float64(w) + mean[e.to])
			ways += int(e.many)
		})
		if err != nil {
			return Measured{}, err
		}
		least[s], most[s] = lo, hi
		if ways > 0 {
			mean[s] = sum / float64(ways)
		}
	}
	r := Measured{m.Name, int(least[0]), int(most[0]), mean[0]}
	if r.Least > r.Most { // there is no interleaving
		r = Measured{Name: m.Name}
	}
	if g.restless() || g.stuck != nil {
		r.Mean = math.NaN()
	}
	return r, nil
}

// stepsFrom calls f for every edge of a state, with the step that it is for one of
// the tasks that can take it.
func (g *graph) stepsFrom(state uint32, f func(edge, sim.Step, sim.View)) error {
	values := g.values(state)
	before := g.view(values)
	for e, m := range g.out(state) {
		_, s, _, err := g.do(values, m)
		if err != nil {
			return err
		}
		f(e, s, before)
	}
	return nil
}

// window returns the longest stretch in which something is so, from the first step
// that makes it so.
func (g *graph) window(order []uint32, is func(sim.View) bool) Window {
	is = asking(g.sys, "Stale", is)
	so := make([]bool, g.set.n)
	for s := range so {
		so[s] = is(g.view(g.values(uint32(s))))
	}
	steps, ticks := make([]int32, g.set.n), make([]int32, g.set.n) // from a state that is so, on
	var w Window
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		if !so[s] || int(s) >= g.expanded {
			continue
		}
		w.Stays = w.Stays || g.ends(s)
		for e, m := range g.out(s) {
			var tick int32
			if m.Fault.Kind == sim.Tick {
				tick = 1
			}
			steps[s] = max(steps[s], 1+steps[e.to])
			ticks[s] = max(ticks[s], tick+ticks[e.to])
		}
		w.Steps = max(w.Steps, int(steps[s]))
		if g.sys.Timing != nil {
			w.Time = max(w.Time, time.Duration(ticks[s])*g.sys.Timing.Tick)
		}
	}
	return w
}
