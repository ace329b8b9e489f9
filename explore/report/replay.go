package report

import (
	"fmt"

	"quiesce/explore"
)

// A Replay is the answer of one schedule.
type Replay struct {
	Subject
	Trace *explore.Trace
}

// Verdict returns violated, or incomplete: one schedule that keeps the property proves
// nothing about the others.
func (r *Replay) Verdict() explore.Verdict { return ofTrace(r.Trace) }

func (r *Replay) trace() *explore.Trace { return r.Trace }

func (r *Replay) role() string { return "replay" }

func (r *Replay) title() string { return r.verdictTitle(r.Verdict()) }

func (r *Replay) sentence() string {
	if r.Trace.Violation == "" {
		return fmt.Sprintf("This schedule of %s keeps %s, which proves nothing about the others.", r.workload, r.Property)
	}
	return fmt.Sprintf("This schedule of %s violates %s: %s.", r.workload, r.Property, r.brief(r.Trace.Violation))
}

func (r *Replay) summary() []line {
	verdict := fmt.Sprintf("violated: this schedule violates %s", r.Property)
	if r.Trace.Violation == "" {
		verdict = fmt.Sprintf("incomplete: this schedule keeps %s; nothing is proved about the others", r.Property)
	}
	lines := []line{{"verdict", verdict}, r.named(), {"workload", r.workload.String()}, {"replayed", size(r.Trace)}}
	return append(lines, pauses(r.Trace)...)
}

func (r *Replay) fill(j *jsonReport) {
	j.Engine = "replay"
	j.fillTrace(r.Trace)
}
