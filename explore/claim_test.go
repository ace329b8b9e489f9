package explore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"quiesce/sim"
)

// TestClaimsAboutToys draws claims from what toys do, some with another reply, and
// looks each up among all interleavings that the direct engine
// runs.
func TestClaimsAboutToys(t *testing.T) {
	possible, impossible, instead := 0, 0, 0
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 13))
		sys := randomToy(random).system()
		names := taskNames(sys)
		var runs [][]sim.Step
		d := &direct{sys: sys, tasks: sys.Tasks(), judge: newJudge(&sys.Property)}
		for {
			_, _, ok, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			var steps []sim.Step
			for _, c := range d.choices {
				if c.step.Request == sim.Arrive {
					c.step.Reply = ""
				}
				steps = append(steps, c.step)
			}
			runs = append(runs, steps)
		}
		var steps []sim.Step // those that are claimed
		for range 1 + random.IntN(4) {
			if run := runs[random.IntN(len(runs))]; len(run) > 0 {
				s := run[random.IntN(len(run))]
				if !s.Request.Local() && random.IntN(4) == 0 {
					s.Reply = sim.Reply(strconv.Itoa(random.IntN(toyReplies)))
				}
				steps = append(steps, s)
			}
		}
		// The longest prefix by definition, and what comes instead of the next.
		most := 0
		replies := map[int]map[string]bool{}
		for _, run := range runs {
			come := 0
			for _, s := range run {
				if come == len(steps) {
					break
				}
				switch {
				case s.Task != steps[come].Task || s.Request.Body != steps[come].Request.Body:
				case s.Reply == steps[come].Reply:
					come++
				default:
					if replies[come] == nil {
						replies[come] = map[string]bool{}
					}
					replies[come][string(s.Reply)] = true
				}
			}
			most = max(most, come)
		}
		var claim Claim
		for _, s := range steps {
			claim = append(claim, ClaimedStep{names[s.Task],
				func(request string) bool { return request == s.Request.Body },
				func(reply string) bool { return s.Request.Local() || reply == string(s.Reply) }})
		}
		r, err := CheckClaim(context.Background(), sys, claim, 0)
		if err != nil {
			t.Fatal(err)
		}
		if r.Possible != most || (r.Trace != nil) != (most == len(steps)) {
			t.Errorf("seed %d: %d of %d are possible, want %d", seed, r.Possible, len(steps), most)
			continue
		}
		if r.Trace == nil {
			impossible++
			if len(r.Instead) > 0 {
				instead++
			}
			if len(r.Instead) != len(replies[most]) || slices.ContainsFunc(r.Instead, func(s string) bool { return !replies[most][s] }) {
				t.Errorf("seed %d: instead %q, want %v", seed, r.Instead, replies[most])
			}
			continue
		}
		possible++
		if len(r.Steps) != len(steps) || !slices.IsSorted(r.Steps) {
			t.Fatalf("seed %d: the claimed steps are %v", seed, r.Steps)
		}
		for i, at := range r.Steps {
			got := r.Trace.Steps[at]
			if s := steps[i]; fmt.Sprint(got.Task, got.Request) != fmt.Sprint(names[s.Task], s.Request.Body) || !s.Request.Local() && got.Reply != string(s.Reply) {
				t.Errorf("seed %d: step %d is %+v, want %+v", seed, at, got, s)
			}
		}
	}
	if possible < 20 || impossible < 20 || instead < 5 {
		t.Errorf("%d claims are possible, %d are not, %d of them see something else", possible, impossible, instead)
	}
}
