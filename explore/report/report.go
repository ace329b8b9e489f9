// Package report writes what an exploration found: for people as text, Markdown or
// HTML, for machines as JSON, which it also reads back, and for Graphviz as a graph.
// What it writes is a function of the report alone; there are no times, rates or
// paths in it.
package report

import (
	"math/big"
	"slices"
	"time"

	"quiesce/explore"
	"quiesce/sim"
)

// A Report is everything that is said about one run.
type Report struct {
	Strategy string
	Property string

	// Meaning says in one line what the property is; "" if nobody needs to know.
	Meaning string

	// Brief shortens a request, a reply or a value for people; nil leaves them as
	// they are.
	Brief func(string) string

	// Grown says that the workloads were explored from the smallest on, up to
	// the first that is violated or incomplete.
	Grown bool

	// Expression is the name of what explore.Result.Values are the values of; "" if
	// none was asked for.
	Expression string

	// Explained says that the root cause of a violation and the closest passing
	// interleaving were asked for.
	Explained bool

	// Threshold is the smallest delay for which the property holds; nil if none was
	// looked for.
	Threshold *Threshold

	// RoundTrips are those of the strategy. If they are not nil, what the searches
	// measured is shown too.
	RoundTrips *RoundTrips

	// Results are what the searches found, in the order of Begin. It is nil if
	// one schedule was replayed.
	Results []*explore.Result

	// Replay is the trace of the schedule that was replayed; nil if all were
	// searched.
	Replay *explore.Trace

	// Reproduction is what came of a trace file that was run again; nil if there
	// was none. Then there are neither Results nor Replay.
	Reproduction *explore.Reproduction

	// Claim is what became of a claim, and ClaimLines are its steps; nil if none
	// was made. Then there is nothing else.
	Claim      *explore.ClaimResult
	ClaimLines []string

	workloads []Workload
	tasks     []string // names, of the last workload
	faults    sim.Faults
	tick      time.Duration // 0 if the last workload is untimed
	command   func(token string) string
}

// A Workload is what the tasks of a system do.
type Workload struct {
	Readers int    `json:"readers"`
	Writers int    `json:"writers"`
	Keys    int    `json:"keys"`
	Cache   string `json:"cache"`             // "cold" or "warm"
	Servers int    `json:"servers,omitempty"` // 0: one for each task
	Workers int    `json:"workers,omitempty"`

	Faults   string `json:"faults,omitempty"`    // as sim.ParseFaults reads them; "": none
	Delay    string `json:"delay,omitempty"`     // as time.ParseDuration reads it; "": that of the strategy
	TTL      string `json:"ttl,omitempty"`       // the same; "0s": none
	MaxStall string `json:"max_stall,omitempty"` // the same; "": untimed
	MaxWait  string `json:"max_wait,omitempty"`  // the same; "": no bound

	Words string `json:"-"` // the same for people
}

// Begin says which workload is explored next, as which system. replayCommand
// returns the command line that replays a schedule of it.
func (r *Report) Begin(w Workload, sys *sim.System, replayCommand func(token string) string) {
	r.workloads = append(r.workloads, w)
	r.tasks, r.command = nil, replayCommand
	r.faults, r.tick = sys.Faults, 0
	if sys.Timing != nil {
		r.tick = sys.Timing.Tick
	}
	for _, p := range sys.Tasks() {
		r.tasks = append(r.tasks, p.Name)
	}
}

// brief shortens text for people.
func (r *Report) brief(s string) string {
	if r.Brief == nil {
		return s
	}
	return r.Brief(s)
}

// workload returns the last workload, which decided the verdict.
func (r *Report) workload() Workload { return r.workloads[len(r.workloads)-1] }

// result returns the last result, which decided the verdict; nil for a replay.
func (r *Report) result() *explore.Result {
	if len(r.Results) == 0 {
		return nil
	}
	return r.Results[len(r.Results)-1]
}

// Verdict returns the verdict on the whole run: that of the last workload, or holds if
// that is vacuous and a smaller one is not. One schedule that keeps the property proves
// nothing, so its verdict is incomplete.
func (r *Report) Verdict() explore.Verdict {
	switch {
	case r.Results != nil && r.result().Verdict == explore.Vacuous && r.vacuous() < len(r.Results):
		return explore.Holds
	case r.Results != nil:
		return r.result().Verdict
	case r.trace() != nil && r.trace().Violation != "":
		return explore.Violated
	}
	return explore.Incomplete
}

// vacuous returns in how many workloads there is nothing to judge.
func (r *Report) vacuous() (n int) {
	for _, res := range r.Results {
		if res.Verdict == explore.Vacuous {
			n++
		}
	}
	return n
}

// caveats returns those of all workloads of which something is proved.
func (r *Report) caveats() (all []string) {
	if v := r.Verdict(); v != explore.Holds && v != explore.Vacuous {
		return nil
	}
	for _, res := range r.Results {
		for _, c := range res.Caveats {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// trace returns the trace to show, or nil.
func (r *Report) trace() *explore.Trace {
	switch {
	case r.Replay != nil:
		return r.Replay
	case r.Reproduction != nil:
		return r.Reproduction.Trace
	case r.Claim != nil:
		return r.Claim.Trace
	}
	return r.result().Counterexample
}

// proving returns how many there are in the workloads of which something is proved.
func (r *Report) proving() *big.Int {
	sum := new(big.Int)
	for _, res := range r.Results {
		if res.Verdict == explore.Holds {
			sum.Add(sum, res.Interleavings)
		}
	}
	return sum
}

// interleavings returns how many were explored in all workloads together.
func (r *Report) interleavings() *big.Int {
	sum := new(big.Int)
	for _, res := range r.Results {
		sum.Add(sum, res.Interleavings)
	}
	return sum
}
