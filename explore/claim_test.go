package explore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"quiesce/sim"
)

// A toldStep is a step of a toy in words.
type toldStep struct {
	task, request, reply string
	replies              bool // the reply is one to the request
}

func tell(sys *sim.System, s sim.Step) toldStep {
	switch {
	case s.Fault.Kind == sim.Tick:
		return toldStep{task: "environment", request: "1s passes"}
	case s.Task == sim.Environment:
		return toldStep{task: "environment", request: s.Fault.String()}
	}
	told := toldStep{task: sys.Tasks()[s.Task].Name, replies: !s.Request.Local()}
	told.request, told.reply = sys.Describe(s.Request, s.Reply)
	return told
}

// TestClaimsAboutToys draws claims from what toys do, some with another reply, and
// looks each up among all interleavings that the direct engine runs.
func TestClaimsAboutToys(t *testing.T) {
	possible, impossible, instead, faulty := 0, 0, 0, 0
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 13))
		toy := randomToy(random)
		if !toy.enumerable() {
			continue
		}
		sys := toy.system()
		var runs [][]toldStep
		var faults []int // of each run
		d := newDirect(sys)
		for {
			_, _, ok, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			var steps []toldStep
			for _, c := range d.choices {
				if c.step != (sim.Step{}) { // to end here is no step
					steps = append(steps, tell(sys, c.step))
				}
			}
			runs, faults = append(runs, steps), append(faults, d.schedule().Faults())
		}
		var steps []toldStep // those that are claimed
		for range 1 + random.IntN(4) {
			if run := runs[random.IntN(len(runs))]; len(run) > 0 {
				s := run[random.IntN(len(run))]
				if s.replies && random.IntN(4) == 0 {
					s.reply = strconv.Itoa(random.IntN(toyReplies))
				}
				steps = append(steps, s)
			}
		}
		// The longest prefix by definition, and what comes instead of the next.
		most, fewest := 0, sim.MostFaults // and the fewest faults with which all come
		replies := map[int]map[string]bool{}
		for i, run := range runs {
			come := 0
			for _, s := range run {
				if come == len(steps) {
					break
				}
				switch {
				case s.task != steps[come].task || s.request != steps[come].request:
				case s.reply == steps[come].reply:
					come++
				default:
					if replies[come] == nil {
						replies[come] = map[string]bool{}
					}
					replies[come][s.reply] = true
				}
			}
			most = max(most, come)
			if come == len(steps) {
				fewest = min(fewest, faults[i])
			}
		}
		var claim Claim
		for _, s := range steps {
			claim = append(claim, ClaimedStep{s.task,
				func(request string) bool { return request == s.request },
				func(reply string) bool { return !s.replies || reply == s.reply }})
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
		if fewest > 0 {
			faulty++
		}
		if n := r.Trace.Schedule.Faults(); n != fewest {
			t.Errorf("seed %d: %s has %d faults, want %d", seed, r.Trace.Token, n, fewest)
		}
		if len(r.Steps) != len(steps) || !slices.IsSorted(r.Steps) {
			t.Fatalf("seed %d: the claimed steps are %v", seed, r.Steps)
		}
		for i, at := range r.Steps {
			got := r.Trace.Steps[at]
			if s := steps[i]; got.Task != s.task || got.Request != s.request || s.replies && got.Reply != s.reply {
				t.Errorf("seed %d: step %d is %+v, want %+v", seed, at, got, s)
			}
		}
	}
	if possible < 20 || impossible < 20 || instead < 5 || faulty < 5 {
		t.Errorf("%d claims are possible, %d of them with faults, %d are not, %d of them see something else", possible, faulty, impossible, instead)
	}
}

// TestClaimsAboutNothing claims, beside steps that toys make, a request that is not among
// those of all interleavings that the direct engine runs: of a toy that has made it, of
// another toy or of none. What the task does make is what it has made in any of them.
func TestClaimsAboutNothing(t *testing.T) {
	mistaken, impossible := 0, 0
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 14))
		toy := randomToy(random)
		if !toy.enumerable() {
			continue
		}
		sys := toy.system()
		made := map[string]map[string]bool{} // requests by task
		d := newDirect(sys)
		for {
			_, _, ok, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			for _, c := range d.choices {
				if c.step != (sim.Step{}) && c.step.Task != sim.Environment {
					s := tell(sys, c.step)
					if made[s.task] == nil {
						made[s.task] = map[string]bool{}
					}
					made[s.task][s.request] = true
				}
			}
		}
		var all []string
		for _, of := range made {
			all = append(all, slices.Sorted(maps.Keys(of))...)
		}
		if slices.Sort(all); len(all) == 0 {
			continue
		}
		var claim Claim
		first, task := 0, ""
		for i := range 1 + random.IntN(3) {
			name := sys.Tasks()[random.IntN(len(sys.Tasks()))].Name
			request := all[random.IntN(len(all))]
			if random.IntN(4) == 0 {
				request = "nothing"
			}
			if request == "nothing" && first == 0 {
				first, task = i+1, name
			}
			claim = append(claim, ClaimedStep{name, func(s string) bool { return s == request }, func(string) bool { return true }})
		}
		r, err := CheckClaim(context.Background(), sys, claim, 0)
		var unheard *RequestError
		switch errors.As(err, &unheard) {
		case true:
			mistaken++
			if unheard.Step != first || unheard.Task != task || !slices.Equal(unheard.Made, slices.Sorted(maps.Keys(made[task]))) {
				t.Errorf("seed %d: %+v, want step %d, by %s of %v", seed, unheard, first, task, made[task])
			}
		default:
			if err != nil || first > 0 {
				t.Fatalf("seed %d: %v, and step %d is about nothing", seed, err, first)
			}
			if r.Trace == nil {
				impossible++
			}
		}
	}
	if mistaken < 20 || impossible < 20 {
		t.Errorf("%d claims are mistaken, %d impossible", mistaken, impossible)
	}
}
