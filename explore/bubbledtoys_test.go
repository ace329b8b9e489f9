package explore

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"quiesce/sim"
)

var bubbledToys = flag.Int("bubbledtoys", 60, "how many random toy systems are explored as goroutines")

// TestToysAsGoroutines compares the engines with the enumerator of TestEnginesAgree on
// systems in which all processes are of goroutines, or some are.
func TestToysAsGoroutines(t *testing.T) {
	violated, shared, symmetric, faulty, timed, mixed := 0, 0, 0, 0, 0, 0
	for seed := range *bubbledToys {
		r := rand.New(rand.NewPCG(uint64(seed), 21))
		name, toy := fmt.Sprintf("toy %d in bubbles", seed), randomToy(r)
		if r.IntN(3) == 0 {
			name, toy = fmt.Sprintf("rich toy %d in bubbles", seed), richToy(r)
		}
		toy.most = 200 // a run costs some ten times that of coroutines
		is := toy.inBubbles(r)
		c := checkAgreement(t, name, toy)
		if t.Failed() {
			return
		}
		violated += c.violated
		shared += c.shared
		symmetric += c.symmetric
		faulty += c.faulty
		timed += c.timed
		mixed += is
	}
	for name, n := range map[string]int{"violated": violated, "with shared memory": shared, "with symmetry": symmetric, "violated by a fault": faulty, "violated in time": timed, "of coroutines and goroutines": mixed} {
		if n < *bubbledToys/50 {
			t.Errorf("only %d of %d systems are %s", n, *bubbledToys, name)
		}
	}
}

// inBubbles has the processes of all classes, or of some, be of goroutines. It returns 1
// if others are not.
func (t *toy) inBubbles(r *rand.Rand) (mixed int) {
	all, is := r.IntN(2) == 0, map[string]bool{}
	if t.stall > 0 && (t.faults[sim.Crash] > 0 || t.faults[sim.AnyFault] > 0) {
		return 0 // a clock that begins again is not simulated
	}
	for i := range t.processes {
		p := &t.processes[i]
		in, ok := is[p.class]
		if !ok {
			in = all || r.IntN(2) == 0
			is[p.class] = in
		}
		p.goroutines = in
		if !in {
			mixed = 1
		}
	}
	return mixed
}
