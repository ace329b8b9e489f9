package report

import (
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// tool returns the path of the first of some programs that is installed. Without
// any the test is skipped; where CI_REQUIRE is set, as in .ci/run, it fails.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, names[0]+" is not installed")
	return ""
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI_REQUIRE") != "" {
		t.Fatal(what)
	}
	t.Skip(what + "; .ci/run installs it")
}

// explored returns the report of a search of the only workload, really explored.
// closest is the schedule of a passing interleaving; "" for none.
func explored(t *testing.T, strategy string, w model.Workload, closest string) *Search {
	t.Helper()
	return exploredWith(t, strategy, "", w, nil, explore.ProductOptions{}, closest)
}

// crashed is the report of a writer that crashes before it deletes the entry. With
// no more than this one fault, the closest passing interleaving has none.
func crashed(t *testing.T) *Search {
	t.Helper()
	return exploredWith(t, "cache-aside", "", model.Workload{Readers: 1, Writers: 1, Warm: true}, sim.Faults{sim.Crash: 1}, explore.ProductOptions{Explain: true}, "")
}

// timed is the report of a pause that is too short, by several ticks: the stalls of
// up to 5 s are longer.
func timed(t *testing.T) *Search {
	t.Helper()
	return explored(t, "delayed-double-delete", model.Workload{Readers: 1, Writers: 1, Delay: 3 * time.Second, MaxStall: 5 * time.Second}, "")
}

func exploredWith(t *testing.T, strategy, property string, w model.Workload, faults sim.Faults, opts explore.ProductOptions, closest string) *Search {
	t.Helper()
	s, err := model.LookupStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.LookupProperty(property, s)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = max(w.Keys, 1)
	world, err := model.NewWorld(s, w.Keys)
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	sys, err := world.System(w, p)
	if err != nil {
		t.Fatal(err)
	}
	sys.Faults = faults
	r := &Search{Subject: Subject{Strategy: s.Name, Property: p.Name, Meaning: p.Summary, Brief: model.Brief}}
	r.Begin(w, sys, func(token string) string { return "explore -schedule " + token })
	res, err := explore.Product(t.Context(), sys, opts)
	if err != nil {
		t.Fatal(err)
	}
	if closest != "" {
		schedule, err := explore.ParseSchedule(sys, closest)
		if err != nil {
			t.Fatal(err)
		}
		if res.Closest, err = explore.Replay(sys, schedule); err != nil || res.Closest.Violation != "" {
			t.Fatal(res.Closest, err)
		}
	}
	r.Results = []*explore.Result{res}
	return r
}

// comparison returns one strategy a row, each with the one property.
func comparison(searches ...*Search) *Comparison {
	c := &Comparison{Properties: []string{"coherent"}}
	for _, r := range searches {
		c.Rows = append(c.Rows, Row{Strategy: r.Strategy, Cells: []Cell{{Search: r}}})
	}
	return c
}

// race is cache-aside with its cause, and the passing interleaving in which the
// reader stores its value one step earlier.
func race(t *testing.T) *Search {
	t.Helper()
	r := explored(t, "cache-aside", model.Workload{Readers: 1, Writers: 1}, "reader-1:2,writer-1:1,reader-1:1,writer-1:1")
	r.Explained, r.Results[0].Cause = true, []explore.Order{{Before: 1, After: 2}, {Before: 3, After: 4}}
	return r
}

// violating have been explored once for all tests.
var violating []*Search

// counterexamples are searches of every strategy that has a counterexample, and
// about servers with several tasks.
func counterexamples(t *testing.T) []*Search {
	t.Helper()
	if violating == nil {
		violating = exploreAll(t)
	}
	return slices.Clone(violating)
}

func exploreAll(t *testing.T) []*Search {
	t.Helper()
	searches := []*Search{race(t), crashed(t), explored(t, "cache-aside", model.Workload{Readers: 1, Writers: 1, Servers: 1}, "")}
	for _, s := range model.Strategies() {
		w := model.Workload{Readers: 2, Writers: 1, Keys: 1}
		if s.Race != nil {
			w = model.Workload{Workers: 3}
		}
		if s.Group == model.LocalCaches {
			w.Readers = 1 // background tasks make many states
		}
		if r := exploredWith(t, s.Name, "", w, nil, explore.ProductOptions{Audit: explore.NoAudit}, ""); r.Verdict() == explore.Violated {
			searches = append(searches, r)
		}
	}
	return searches
}

// found is the search that has found what a replay shows.
func found(r *Replay) *Search {
	one := big.NewInt(1)
	return &Search{Subject: r.Subject, Results: []*explore.Result{{Verdict: explore.Violated, Interleavings: one, Violating: one, Counterexample: r.Trace}}}
}

// words are a workload of which nothing else matters.
type words string

func (w words) String() string { return string(w) }

func (w words) Tasks() string { return string(w) }

func (w words) Timed() bool { return false }

func (w words) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"words": string(w)})
}

// written is a workload as a trace file has it.
type written struct {
	words
	json.RawMessage
}

func (w written) MarshalJSON() ([]byte, error) { return w.RawMessage.MarshalJSON() }

func step(task, request string) explore.TraceStep {
	return explore.TraceStep{Task: task, Request: request, Contents: []sim.Content{nil, nil}}
}
