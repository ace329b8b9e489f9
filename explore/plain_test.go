package explore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"quiesce/sim"
)

// TestPlain compares the steps of plain graphs with those that the relation says, on
// toys: the way that is fast with the way that is used everywhere else.
func TestPlain(t *testing.T) {
	plain, steps := 0, 0
	for seed := uint64(0); plain < 100; seed++ {
		sys := randomToy(rand.New(rand.NewPCG(seed, 7))).system()
		fast := searched(t, sys, false)
		if !fast.plain {
			continue
		}
		plain++
		steps += fast.steps
		slow := searched(t, sys, true)
		if fast.set.n != slow.set.n {
			t.Errorf("seed %d: %d states, by the relation %d", seed, fast.set.n, slow.set.n)
		}
		if got, want := stepsOf(fast), stepsOf(slow); !slices.Equal(got, want) {
			t.Errorf("seed %d: %d steps\n%q\nby the relation %d\n%q", seed, len(got), got, len(want), want)
		}
	}
	if steps < 1000 {
		t.Errorf("%d steps in all", steps)
	}
}

// searched returns the graph of a system, by the relation if that is asked for.
func searched(t *testing.T, sys *sim.System, byRelation bool) *graph {
	t.Helper()
	apart := map[string]bool{}
	for {
		g, err := newGraph(sys, []sim.Property{sys.Property}, true, true, apart)
		if err == nil {
			if byRelation {
				g.plain = false
				g.relayout()
			}
			err = g.search(context.Background(), 0, func() bool { return false })
		}
		if conn, ok := err.(*connectionError); ok {
			apart[conn.class] = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// stepsOf returns the steps of a graph, each with the views of its states and how many
// processes can take it, sorted.
func stepsOf(g *graph) (all []string) {
	look := func(state uint32) string {
		v := g.view(g.values(state))
		return fmt.Sprint(v.Contents, v.Results, v.Memories, v.Pending)
	}
	for state := range uint32(g.set.n) {
		for e, m := range g.out(state) {
			all = append(all, fmt.Sprintf("%s -%v×%d-> %s", look(state), m, e.many, look(e.to)))
		}
	}
	slices.Sort(all)
	return all
}
