// Package report writes what an exploration found: for people as text, for
// machines as JSON. What it writes is a function of the report alone; there are
// no times, rates or paths in it.
package report

import (
	"quiesce/explore"
)

// A Report is everything that is said about one run.
type Report struct {
	Strategy string
	Property string
	Workload Workload
	Tasks    []string // names, in the order of the system
	Stores   []string // names, in the order of the system

	// Result is what the search found; nil if one schedule was replayed.
	Result *explore.Result

	// Replay is the trace of the schedule that was replayed; nil if all were
	// searched.
	Replay *explore.Trace

	// ReplayCommand returns the command line that replays a schedule token.
	ReplayCommand func(token string) string
}

// A Workload is what the tasks of the system do.
type Workload struct {
	Readers int    `json:"readers"`
	Writers int    `json:"writers"`
	Keys    int    `json:"keys"`
	Cache   string `json:"cache"` // "cold" or "warm"
	Words   string `json:"-"`     // the same for people
}

// Verdict returns the verdict on the whole run. One schedule that keeps the
// property proves nothing, so its verdict is incomplete.
func (r *Report) Verdict() explore.Verdict {
	switch {
	case r.Result != nil:
		return r.Result.Verdict
	case r.Replay.Violation != "":
		return explore.Violated
	}
	return explore.Incomplete
}

// trace returns the trace to show, or nil.
func (r *Report) trace() *explore.Trace {
	if r.Replay != nil {
		return r.Replay
	}
	return r.Result.Counterexample
}
