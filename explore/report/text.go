package report

import (
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/explore"
	"quiesce/sim"
)

// TextOptions say how a report is laid out as text.
type TextOptions struct {
	// Width is the number of columns that the table may fill; 0 means 100.
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
	wrapped := text.WrapSoft(fmt.Sprintf(format, args...), max(t.width-labelWidth, 20))
	for i, l := range strings.Split(wrapped, "\n") {
		if i > 0 {
			label = ""
		}
		t.print(strings.TrimRight(fmt.Sprintf("%-*s%s", labelWidth, label, l), " ") + "\n")
	}
}

func (t *textWriter) print(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, s)
	}
}

func (t *textWriter) report() {
	if t.Replay != nil {
		t.replayed()
	} else {
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
		t.print(fmt.Sprintf("%-*s%s\n", labelWidth, "schedule", trace.Token))
		t.print(fmt.Sprintf("%-*s%s\n", labelWidth, "replay", t.command(trace.Token)))
	}
}

func (t *textWriter) replayed() {
	keeps := "keeps"
	if t.Replay.Violation != "" {
		keeps = "violates"
	}
	t.line("verdict", "%s: this schedule %s %s", t.Verdict(), keeps, t.Property)
	t.line("strategy", "%s", t.Strategy)
	t.line("workload", "%s", t.workload().Words)
	t.line("replayed", "%s", size(t.Replay))
}

func (t *textWriter) searched() {
	r := t.result()
	switch r.Verdict {
	case explore.Holds:
		t.line("verdict", "holds: %s in every interleaving of %s", t.Property, plural(len(t.Results), "workload", "workloads"))
	case explore.Violated:
		t.line("verdict", "violated: %s", t.Property)
	case explore.Incomplete:
		t.line("verdict", "incomplete: %s; nothing is proved about this workload", r.Reason)
	}
	t.line("strategy", "%s", t.Strategy)
	last := ""
	if len(t.Results) > 1 {
		last = fmt.Sprintf(" (the last of %d)", len(t.Results))
	}
	t.line("workload", "%s%s", t.workload().Words, last)
	t.counts(r)
	t.certificate(r)
}

// counts writes what was explored of the last workload, and how.
func (t *textWriter) counts(r *explore.Result) {
	line := fmt.Sprintf("%s, violating %s", r.Interleavings, r.Violating)
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
	if r.Verdict == explore.Holds {
		t.line("audit", "%s of each workload run for real, every reply as learned", plural(r.Audited, "random schedule", "random schedules"))
	}
}

// oncein says how often something of that probability happens.
func oncein(p *big.Rat) string {
	runs := new(big.Rat).Inv(p)
	// The nearest integer.
	n := new(big.Int).Add(new(big.Int).Lsh(runs.Num(), 1), runs.Denom())
	n.Quo(n, new(big.Int).Lsh(runs.Denom(), 1))
	if n.Cmp(big.NewInt(1)) == 0 {
		return "in " + p.FloatString(2) + " of all runs"
	}
	return fmt.Sprintf("once in %s runs", n)
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
			t.line(label, "%s: %s interleavings", t.workloads[i].Words, res.Interleavings)
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
		minimal = fmt.Sprintf("no smaller workload violates %s (%s, %s interleavings explored); ", t.Property,
			plural(len(t.Results), "workload", "workloads"), humanize.BigComma(t.interleavings())) + minimal
	}
	t.line("minimal", "%s", minimal)
	t.line("length", "%s", size(r.Counterexample))
}

func size(t *explore.Trace) string {
	return plural(len(t.Steps), "step", "steps") + ", " + plural(t.Schedule.Switches(), "context switch", "context switches")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// table writes the trace with one column for every task that takes a step and
// one for every store.
func (t *textWriter) table(trace *explore.Trace) {
	var tasks []string
	for _, name := range t.tasks {
		if slices.ContainsFunc(trace.Steps, func(s explore.TraceStep) bool { return s.Task == name }) {
			tasks = append(tasks, name)
		}
	}
	tw := table.NewWriter()
	tw.SetStyle(table.StyleLight)
	tw.Style().Format.Header = text.FormatDefault
	header := table.Row{"step"}
	for _, name := range slices.Concat(tasks, t.stores) {
		header = append(header, name)
	}
	tw.AppendHeader(header)
	row := func(step any, contents []sim.Content) table.Row {
		r := table.Row{step}
		for range tasks {
			r = append(r, "")
		}
		for _, c := range contents {
			r = append(r, t.content(c))
		}
		return r
	}
	tw.AppendRow(row("", trace.Initial))
	for i, s := range trace.Steps {
		r := row(i+1, s.Contents)
		r[1+slices.Index(tasks, s.Task)] = t.brief(s.Request) + " → " + t.brief(s.Reply)
		tw.AppendRow(r)
	}
	tw.SetColumnConfigs(t.columns(tasks, trace))
	t.print(tw.Render() + "\n")
}

// columns shares the width among the columns: the stores take what they need,
// up to a third, and the tasks divide the rest.
func (t *textWriter) columns(tasks []string, trace *explore.Trace) []table.ColumnConfig {
	const step, border = 4, 3
	left := t.width - step - border*(1+len(tasks)+len(t.stores)) - 1
	narrowest := max((left-left/3)/max(len(tasks), 1), 8)
	configs := []table.ColumnConfig{{Number: 1, Align: text.AlignRight}}
	storesLeft := left / 3
	var stores []table.ColumnConfig
	for i, name := range t.stores {
		width := len(name)
		for _, c := range append([][]sim.Content{trace.Initial}, contents(trace)...) {
			width = max(width, text.StringWidthWithoutEscSequences(t.content(c[i])))
		}
		width = max(min(width, storesLeft/len(t.stores)), 6)
		left -= width
		stores = append(stores, table.ColumnConfig{Number: 2 + len(tasks) + i, WidthMax: width, WidthMaxEnforcer: text.WrapSoft})
	}
	if len(tasks) > 0 {
		narrowest = max(left/len(tasks), narrowest)
	}
	for i := range tasks {
		configs = append(configs, table.ColumnConfig{Number: 2 + i, WidthMax: narrowest, WidthMaxEnforcer: text.WrapSoft})
	}
	return append(configs, stores...)
}

func contents(t *explore.Trace) [][]sim.Content {
	all := make([][]sim.Content, len(t.Steps))
	for i, s := range t.Steps {
		all[i] = s.Contents
	}
	return all
}

// content returns what a store holds in one line.
func (t *textWriter) content(c sim.Content) string {
	if len(c) == 0 {
		return "-"
	}
	items := make([]string, len(c))
	for i, it := range c {
		items[i] = it.Name + " " + t.brief(it.Value)
	}
	return strings.Join(items, ", ")
}
