package report

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"quiesce/explore"
	"quiesce/sim"
)

// A Search is the answer of a search: whether the property holds in every interleaving of
// one workload, or of several, from the smallest on.
type Search struct {
	Subject

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

	// Results are what the searches found, in the order of Begin.
	Results []*explore.Result

	workloads []Workload
}

// Begin is that of [Subject], once for every workload.
func (s *Search) Begin(w Workload, sys *sim.System, replayCommand func(token string) string) {
	s.Subject.Begin(w, sys, replayCommand)
	s.workloads = append(s.workloads, w)
}

// result returns the last result, which decided the verdict.
func (s *Search) result() *explore.Result { return s.Results[len(s.Results)-1] }

// Verdict returns the verdict on the whole run: that of the last workload, or holds if
// that is vacuous and a smaller one is not.
func (s *Search) Verdict() explore.Verdict {
	if v := s.result().Verdict; v != explore.Vacuous || s.vacuous() == len(s.Results) {
		return v
	}
	return explore.Holds
}

func (s *Search) trace() *explore.Trace { return s.result().Counterexample }

func (s *Search) role() string { return "counterexample" }

// vacuous returns in how many workloads there is nothing to judge.
func (s *Search) vacuous() (n int) {
	for _, res := range s.Results {
		if res.Verdict == explore.Vacuous {
			n++
		}
	}
	return n
}

// caveats returns those of all workloads of which something is proved.
func (s *Search) caveats() (all []string) {
	if v := s.Verdict(); v != explore.Holds && v != explore.Vacuous {
		return nil
	}
	for _, res := range s.Results {
		for _, c := range res.Caveats {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// proving returns how many interleavings there are in the workloads of which something is
// proved.
func (s *Search) proving() *big.Int {
	sum := new(big.Int)
	for _, res := range s.Results {
		if res.Verdict == explore.Holds {
			sum.Add(sum, res.Interleavings)
		}
	}
	return sum
}

// interleavings returns how many were explored in all workloads together.
func (s *Search) interleavings() *big.Int {
	sum := new(big.Int)
	for _, res := range s.Results {
		sum.Add(sum, res.Interleavings)
	}
	return sum
}

func (s *Search) title() string { return s.verdictTitle(s.Verdict()) }

func (s *Search) sentence() string {
	res := s.result()
	switch {
	case s.Verdict() == explore.Holds:
		return fmt.Sprintf("Every interleaving of %s keeps %s: %s in all.", plural(len(s.Results)-s.vacuous(), "workload", "workloads"), s.Property, interleavings(s.proving()))
	case res.Counterexample == nil:
		return fmt.Sprintf("Nothing is proved about %s: %s.", s.workload, res.Reason)
	case res.Verdict == explore.Incomplete:
		return fmt.Sprintf("Not every interleaving of %s was explored (%s), but one ends with a violation: %s.", s.workload, res.Reason, s.brief(res.Counterexample.Violation))
	}
	verb := "violate"
	if res.Violating.Cmp(big.NewInt(1)) == 0 {
		verb = "violates"
	}
	return fmt.Sprintf("%s of %s of %s %s %s, such as this one: %s.", humanize.BigComma(res.Violating), interleavings(res.Interleavings),
		s.workload, verb, s.Property, s.brief(res.Counterexample.Violation))
}

func (s *Search) summary() []line {
	res := s.result()
	var verdict string
	switch s.Verdict() {
	case explore.Holds:
		verdict = fmt.Sprintf("holds: %s in every interleaving of %s", s.Property, plural(len(s.Results)-s.vacuous(), "workload", "workloads"))
	case explore.Vacuous:
		verdict = fmt.Sprintf("vacuous: %s; nothing is proved", res.Reason)
	case explore.Violated:
		verdict = "violated: " + s.Property
	case explore.Incomplete:
		known := "nothing is proved about this workload"
		if res.Counterexample != nil {
			known = s.Property + " is violated, but not every interleaving was explored"
		}
		verdict = fmt.Sprintf("incomplete: %s; %s", res.Reason, known)
	}
	last := ""
	if len(s.Results) > 1 {
		last = fmt.Sprintf(" (the last of %d)", len(s.Results))
	}
	lines := append(s.threshold(), line{"verdict", verdict}, s.named(), line{"workload", s.workload.String() + last})
	lines = append(lines, counts(res)...)
	if s.Expression != "" {
		lines = append(lines, line{"values", fmt.Sprintf("of %s at quiescence", s.Expression)})
		for _, v := range res.Values {
			lines = append(lines, line{"", fmt.Sprintf("%s: %s", v.Value, interleavings(v.Interleavings))})
		}
	}
	lines = append(lines, s.metrics()...)
	return append(lines, s.certificate(res)...)
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

// certificate says what was proved: of the smaller workloads, and of the
// counterexample.
func (s *Search) certificate(res *explore.Result) (lines []line) {
	if s.Grown {
		lines = s.proved()
	}
	for i, c := range s.caveats() {
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
	if s.faults.Total() > 0 {
		minimal = "no schedule of this workload violates with fewer faults, none with as many and fewer context switches, none with as many of both and fewer steps"
	}
	if s.Grown {
		minimal = fmt.Sprintf("no smaller workload violates %s (%s, %s explored); ", s.Property,
			plural(len(s.Results), "workload", "workloads"), interleavings(s.interleavings())) + minimal
	}
	lines = append(lines, line{"minimal", minimal}, line{"length", size(res.Counterexample)})
	lines = append(lines, s.broken(res.Counterexample)...)
	return append(lines, pauses(res.Counterexample)...)
}

// proved says of which workloads something is proved, and in which of the others there
// is nothing to judge.
func (s *Search) proved() (lines []line) {
	if !slices.ContainsFunc(s.Results, func(res *explore.Result) bool { return res.Verdict == explore.Holds }) {
		return nil
	}
	for i, res := range s.Results {
		words := s.workloads[i].String() + ": "
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
func (s *Search) broken(t *explore.Trace) []line {
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
		return []line{{"faults", fmt.Sprintf("%s holds with no fault; one %s breaks it", s.Property, kinds[0])}}
	}
	return []line{{"faults", fmt.Sprintf("%s holds with fewer faults; %s together break it", s.Property, strings.Join(kinds, " and "))}}
}
