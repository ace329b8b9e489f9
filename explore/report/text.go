package report

import (
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/dustin/go-humanize"

	"quiesce/explore"
)

// TextOptions say how a report is laid out as text.
type TextOptions struct {
	// Width is the number of columns that the report may fill, except for the
	// two lines that are there to be copied; 0 means 100, and less than 40 is
	// taken as 40.
	Width int

	// Brief shortens a request, a reply or a value; nil leaves them as they are.
	Brief func(string) string
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer, opts TextOptions) error {
	t := &textWriter{Report: r, w: w, width: opts.Width, brief: opts.Brief}
	if t.width == 0 {
		t.width = 100
	}
	t.width = max(t.width, 40)
	if t.brief == nil {
		t.brief = func(s string) string { return s }
	}
	t.report()
	return t.err
}

// A textWriter keeps the first error, so that the lines need not care.
type textWriter struct {
	*Report
	w     io.Writer
	width int
	brief func(string) string
	err   error
}

// labelWidth is that of the words at the begin of the lines.
const labelWidth = 14

// line writes one labelled line, wrapped to the width.
func (t *textWriter) line(label, format string, args ...any) {
	for _, l := range wrap(printable(fmt.Sprintf(format, args...)), t.width-labelWidth) {
		t.labelled(label, l)
		label = ""
	}
}

func (t *textWriter) labelled(label, s string) {
	t.print(strings.TrimRight(fmt.Sprintf("%-*s%s", labelWidth, label, s), " ") + "\n")
}

func (t *textWriter) print(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, s)
	}
}

func (t *textWriter) report() {
	switch {
	case t.Replay != nil:
		t.replayed()
	case t.Reproduction != nil:
		t.reproduced()
	case t.Claim != nil:
		t.claimed()
	default:
		t.searched()
	}
	if trace := t.trace(); trace != nil {
		t.print("\n")
		t.table(trace)
		t.print("\n")
		if trace.Violation != "" {
			t.line("difference", "%s", t.brief(trace.Violation))
		}
		// Not wrapped: both are there to be copied.
		t.labelled("schedule", trace.Token)
		t.labelled("replay", t.command(trace.Token))
	}
}

func (t *textWriter) replayed() {
	if t.Replay.Violation != "" {
		t.line("verdict", "violated: this schedule violates %s", t.Property)
	} else {
		t.line("verdict", "incomplete: this schedule keeps %s; nothing is proved about the others", t.Property)
	}
	t.line("strategy", "%s", t.Strategy)
	t.line("workload", "%s", t.workload().Words)
	t.line("replayed", "%s", size(t.Replay))
}

func (t *textWriter) reproduced() {
	r := t.Reproduction
	switch r.Outcome {
	case explore.Reproduced:
		t.line("outcome", "%s: the schedule of the file still violates %s", r.Outcome, t.Property)
	case explore.NoLongerViolates:
		t.line("outcome", "%s: the schedule of the file keeps %s; nothing is proved about the others", r.Outcome, t.Property)
	case explore.NoLongerPossible:
		t.line("outcome", "%s: step %d of the schedule of the file %s; nothing is proved, so search again", r.Outcome, r.Step, t.brief(r.Reason))
	}
	if r.Outcome != explore.NoLongerPossible && r.Step > 0 {
		t.line("differs", "step %d: %s", r.Step, t.brief(r.Reason))
	}
	t.line("strategy", "%s", t.Strategy)
	t.line("workload", "%s", t.workload().Words)
	if r.Trace != nil {
		t.line("replayed", "%s", size(r.Trace))
	}
}

func (t *textWriter) searched() {
	r := t.result()
	switch r.Verdict {
	case explore.Holds:
		t.line("verdict", "holds: %s in every interleaving of %s", t.Property, plural(len(t.Results), "workload", "workloads"))
	case explore.Violated:
		t.line("verdict", "violated: %s", t.Property)
	case explore.Incomplete:
		known := "nothing is proved about this workload"
		if r.Counterexample != nil {
			known = t.Property + " is violated, but not every interleaving was explored"
		}
		t.line("verdict", "incomplete: %s; %s", r.Reason, known)
	}
	t.line("strategy", "%s", t.Strategy)
	last := ""
	if len(t.Results) > 1 {
		last = fmt.Sprintf(" (the last of %d)", len(t.Results))
	}
	t.line("workload", "%s%s", t.workload().Words, last)
	t.counts(r)
	if t.Expression != "" {
		t.line("values", "of %s at quiescence", t.Expression)
		for _, v := range r.Values {
			t.line("", "%s: %s", v.Value, interleavings(v.Interleavings))
		}
	}
	t.certificate(r)
}

// counts writes what was explored of the last workload, and how.
func (t *textWriter) counts(r *explore.Result) {
	line := fmt.Sprintf("%s, violating %s", humanize.BigComma(r.Interleavings), humanize.BigComma(r.Violating))
	if r.Verdict == explore.Incomplete {
		line = "at least " + line
	} else if r.Probability != nil && r.Probability.Sign() > 0 {
		line += "; a random scheduler fails " + oncein(r.Probability)
	}
	t.line("interleavings", "%s", line)
	if r.Engine == "direct" {
		t.line("engine", "direct: every interleaving was run for real")
		return
	}
	s := r.Statistics
	t.line("engine", "product: %s, %s; learned from %s and %s", plural(s.States, "state", "states"), plural(s.Transitions, "transition", "transitions"),
		plural(s.StoreExecuted, "real store execution", "real store executions"), plural(s.TaskRuns, "coroutine run", "coroutine runs"))
	if r.Verdict == explore.Holds && r.Audited > 0 {
		t.line("audit", "%s of each workload run for real, every reply as learned", plural(r.Audited, "random schedule", "random schedules"))
	}
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

// certificate writes what was proved: of the smaller workloads, and of the
// counterexample.
func (t *textWriter) certificate(r *explore.Result) {
	proved := len(t.Results)
	if r.Verdict != explore.Holds {
		proved--
	}
	if t.Grown {
		for i, res := range t.Results[:proved] {
			label := ""
			if i == 0 {
				label = "proved"
			}
			t.line(label, "%s: %s", t.workloads[i].Words, interleavings(res.Interleavings))
		}
	}
	switch {
	case r.Counterexample == nil:
		return
	case r.Verdict == explore.Incomplete:
		t.line("found", "%s; a shorter one may exist", size(r.Counterexample))
		return
	}
	minimal := "no schedule of this workload violates with fewer context switches, none with as many and fewer steps"
	if t.Grown {
		minimal = fmt.Sprintf("no smaller workload violates %s (%s, %s explored); ", t.Property,
			plural(len(t.Results), "workload", "workloads"), interleavings(t.interleavings())) + minimal
	}
	t.line("minimal", "%s", minimal)
	t.line("length", "%s", size(r.Counterexample))
	if t.Explained {
		t.explain(r)
	}
}

func size(t *explore.Trace) string {
	return plural(len(t.Steps), "step", "steps") + ", " + plural(t.Schedule.Switches(), "context switch", "context switches")
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
