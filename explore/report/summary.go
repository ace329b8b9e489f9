package report

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"quiesce/explore"
)

// A line is one labelled statement about the run. A line without a label goes on
// with what the one before is about.
type line struct{ label, text string }

// summary returns what is said about the run beside its trace, for people. Every
// format says the same.
func (r *Report) summary() []line {
	switch {
	case r.Replay != nil:
		return r.replayed()
	case r.Reproduction != nil:
		return r.reproduced()
	case r.Claim != nil:
		return r.claimed()
	}
	return r.searched()
}

func (r *Report) replayed() []line {
	verdict := fmt.Sprintf("violated: this schedule violates %s", r.Property)
	if r.Replay.Violation == "" {
		verdict = fmt.Sprintf("incomplete: this schedule keeps %s; nothing is proved about the others", r.Property)
	}
	lines := []line{{"verdict", verdict}, {"strategy", r.Strategy}, {"workload", r.workload().Words}, {"replayed", size(r.Replay)}}
	return append(lines, pauses(r.Replay)...)
}

// outcome says what became of the schedule of a trace file.
func (r *Report) outcome() string {
	switch p := r.Reproduction; p.Outcome {
	case explore.Reproduced:
		return "the schedule of the file still violates " + r.Property
	case explore.NoLongerViolates:
		return fmt.Sprintf("the schedule of the file keeps %s; nothing is proved about the others", r.Property)
	default:
		return fmt.Sprintf("step %d of the schedule of the file %s; nothing is proved, so search again", p.Step, r.brief(p.Reason))
	}
}

func (r *Report) reproduced() []line {
	p := r.Reproduction
	lines := []line{{"outcome", string(p.Outcome) + ": " + r.outcome()}}
	if p.Outcome != explore.NoLongerPossible && p.Step > 0 {
		lines = append(lines, line{"differs", fmt.Sprintf("step %d: %s", p.Step, r.brief(p.Reason))})
	}
	lines = append(lines, line{"strategy", r.Strategy}, line{"workload", r.workload().Words})
	if p.Trace != nil {
		lines = append(lines, line{"replayed", size(p.Trace)})
	}
	return lines
}

func (r *Report) searched() []line {
	res := r.result()
	var verdict string
	switch r.Verdict() {
	case explore.Holds:
		verdict = fmt.Sprintf("holds: %s in every interleaving of %s", r.Property, plural(len(r.Results)-r.vacuous(), "workload", "workloads"))
	case explore.Vacuous:
		verdict = fmt.Sprintf("vacuous: %s; nothing is proved", res.Reason)
	case explore.Violated:
		verdict = "violated: " + r.Property
	case explore.Incomplete:
		known := "nothing is proved about this workload"
		if res.Counterexample != nil {
			known = r.Property + " is violated, but not every interleaving was explored"
		}
		verdict = fmt.Sprintf("incomplete: %s; %s", res.Reason, known)
	}
	last := ""
	if len(r.Results) > 1 {
		last = fmt.Sprintf(" (the last of %d)", len(r.Results))
	}
	lines := append(r.threshold(), line{"verdict", verdict}, line{"strategy", r.Strategy}, line{"workload", r.workload().Words + last})
	lines = append(lines, counts(res)...)
	if r.Expression != "" {
		lines = append(lines, line{"values", fmt.Sprintf("of %s at quiescence", r.Expression)})
		for _, v := range res.Values {
			lines = append(lines, line{"", fmt.Sprintf("%s: %s", v.Value, interleavings(v.Interleavings))})
		}
	}
	lines = append(lines, r.metrics()...)
	return append(lines, r.certificate(res)...)
}

// counts says what was explored of the last workload, and how.
func counts(r *explore.Result) []line {
	n := fmt.Sprintf("%s, violating %s", humanize.BigComma(r.Interleavings), humanize.BigComma(r.Violating))
	if r.Verdict == explore.Incomplete {
		n = "at least " + n
	} else if r.Probability != nil && r.Probability.Sign() > 0 {
		n += "; a random scheduler fails " + oncein(r.Probability)
	}
	lines := []line{{"interleavings", n}}
	switch {
	case r.Premise == nil:
	case r.Premise.Sign() == 0 && r.Verdict != explore.Incomplete:
		lines = append(lines, line{"premise", "there is nothing to judge in any interleaving"})
	default:
		lines = append(lines, line{"premise", "there is something to judge in " + interleavings(r.Premise)})
	}
	if r.Engine == "direct" {
		return append(lines, line{"engine", "direct: every interleaving was run for real"})
	}
	s := r.Statistics
	lines = append(lines, line{"engine", fmt.Sprintf("product: %s, %s; learned from %s and %s", plural(s.States, "state", "states"), plural(s.Transitions, "transition", "transitions"),
		plural(s.StoreExecuted, "real store execution", "real store executions"), plural(s.TaskRuns, "coroutine run", "coroutine runs"))})
	if (r.Verdict == explore.Holds || r.Verdict == explore.Vacuous) && r.Audited > 0 {
		lines = append(lines, line{"audit", plural(r.Audited, "random schedule", "random schedules") + " of each workload run for real, every reply as learned"})
	}
	return lines
}

// oncein says how often something of that probability happens, p > 0.
func oncein(p *big.Rat) string {
	if p.Cmp(big.NewRat(1, 1)) >= 0 {
		return "in every run"
	}
	about := "about "
	runs := new(big.Rat).Inv(p)
	if runs.IsInt() {
		about = ""
	}
	if n := nearest(runs); n.Cmp(big.NewInt(1)) > 0 {
		return about + "once in " + humanize.BigComma(n) + " runs"
	}
	percent := nearest(new(big.Rat).Mul(p, big.NewRat(100, 1)))
	return fmt.Sprintf("in about %d%% of all runs", min(percent.Int64(), 99))
}

// nearest returns the integer nearest to x, which is not negative.
func nearest(x *big.Rat) *big.Int {
	n := new(big.Int).Add(new(big.Int).Lsh(x.Num(), 1), x.Denom())
	return n.Quo(n, new(big.Int).Lsh(x.Denom(), 1))
}

// certificate says what was proved: of the smaller workloads, and of the
// counterexample.
func (r *Report) certificate(res *explore.Result) (lines []line) {
	if r.Grown {
		lines = r.proved()
	}
	for i, c := range r.caveats() {
		label := ""
		if i == 0 {
			label = "caveats"
		}
		lines = append(lines, line{label, c})
	}
	switch {
	case res.Counterexample == nil:
		return lines
	case res.Verdict == explore.Incomplete:
		return append(lines, line{"found", size(res.Counterexample) + "; a shorter one may exist"})
	}
	minimal := "no schedule of this workload violates with fewer context switches, none with as many and fewer steps"
	if r.faults.Total() > 0 {
		minimal = "no schedule of this workload violates with fewer faults, none with as many and fewer context switches, none with as many of both and fewer steps"
	}
	if r.Grown {
		minimal = fmt.Sprintf("no smaller workload violates %s (%s, %s explored); ", r.Property,
			plural(len(r.Results), "workload", "workloads"), interleavings(r.interleavings())) + minimal
	}
	lines = append(lines, line{"minimal", minimal}, line{"length", size(res.Counterexample)})
	lines = append(lines, r.broken(res.Counterexample)...)
	return append(lines, pauses(res.Counterexample)...)
}

// proved says of which workloads something is proved, and in which of the others there
// is nothing to judge.
func (r *Report) proved() (lines []line) {
	if !slices.ContainsFunc(r.Results, func(res *explore.Result) bool { return res.Verdict == explore.Holds }) {
		return nil
	}
	for i, res := range r.Results {
		words := r.workloads[i].Words + ": "
		switch res.Verdict {
		case explore.Holds:
			words += interleavings(res.Interleavings)
		case explore.Vacuous:
			words += "vacuous, nothing is proved of it"
		default:
			continue
		}
		label := ""
		if len(lines) == 0 {
			label = "proved"
		}
		lines = append(lines, line{label, words})
	}
	return lines
}

// broken says what faults it takes, if it takes any.
func (r *Report) broken(t *explore.Trace) []line {
	var kinds []string
	for _, m := range t.Schedule {
		if m.Strikes() {
			kinds = append(kinds, string(m.Fault.Kind))
		}
	}
	switch len(kinds) {
	case 0:
		return nil
	case 1:
		return []line{{"faults", fmt.Sprintf("%s holds with no fault; one %s breaks it", r.Property, kinds[0])}}
	}
	return []line{{"faults", fmt.Sprintf("%s holds with fewer faults; %s together break it", r.Property, strings.Join(kinds, " and "))}}
}

// pauses says how long tasks pause.
func pauses(t *explore.Trace) (lines []line) {
	for i, p := range t.Pauses {
		label := ""
		if i == 0 {
			label = "pauses"
		}
		lines = append(lines, line{label, p.String()})
	}
	return lines
}

func size(t *explore.Trace) string {
	s := plural(len(t.Steps), "step", "steps") + ", " + plural(t.Schedule.Switches(), "context switch", "context switches")
	if n := t.Schedule.Faults(); n > 0 {
		s += ", " + plural(n, "fault", "faults")
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

func interleavings(n *big.Int) string {
	if n.Cmp(big.NewInt(1)) == 0 {
		return "1 interleaving"
	}
	return humanize.BigComma(n) + " interleavings"
}
