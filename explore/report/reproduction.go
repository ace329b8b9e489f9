package report

import (
	"fmt"

	"quiesce/explore"
)

// A Reproduction is the answer of a trace file that was run again.
type Reproduction struct {
	Subject
	Result *explore.Reproduction
}

// Verdict returns violated if the schedule still violates, and else incomplete.
func (r *Reproduction) Verdict() explore.Verdict { return ofTrace(r.Result.Trace) }

func (r *Reproduction) trace() *explore.Trace { return r.Result.Trace }

func (r *Reproduction) role() string { return "replay" }

func (r *Reproduction) title() string {
	return fmt.Sprintf("%s, %s: %s", r.Strategy, r.Property, r.Result.Outcome)
}

func (r *Reproduction) sentence() string {
	return fmt.Sprintf("With %s, %s.", r.workload, r.outcome())
}

// outcome says what became of the schedule of the file.
func (r *Reproduction) outcome() string {
	switch r.Result.Outcome {
	case explore.Reproduced:
		return "the schedule of the file still violates " + r.Property
	case explore.NoLongerViolates:
		return fmt.Sprintf("the schedule of the file keeps %s; nothing is proved about the others", r.Property)
	default:
		return fmt.Sprintf("step %d of the schedule of the file %s; nothing is proved, so search again", r.Result.Step, r.brief(r.Result.Reason))
	}
}

func (r *Reproduction) summary() []line {
	res := r.Result
	lines := []line{{"outcome", string(res.Outcome) + ": " + r.outcome()}}
	if res.Outcome != explore.NoLongerPossible && res.Step > 0 {
		lines = append(lines, line{"differs", fmt.Sprintf("step %d: %s", res.Step, r.brief(res.Reason))})
	}
	lines = append(lines, r.named(), line{"workload", r.workload.String()})
	if res.Trace != nil {
		lines = append(lines, line{"replayed", size(res.Trace)})
	}
	return lines
}

func (r *Reproduction) fill(j *jsonReport) {
	j.Engine, j.Reproduction = "replay", &jsonReproduction{r.Result.Outcome, r.Result.Step, r.Result.Reason}
	j.fillTrace(r.Result.Trace)
}
