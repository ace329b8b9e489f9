package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/explore"
)

// A Comparison is what is said about several strategies and properties.
type Comparison struct {
	Properties []string
	Workloads  string // what all workloads have in common, in words
	MaxTasks   int    // of the largest; 0 if they do not grow
	Rows       []Row
}

// A Row is what is said about a strategy.
type Row struct {
	Strategy string
	Cells    []Cell // one for each property
	Costs    *Costs // nil of a strategy without a cache
}

// A Cell says whether a property holds. The zero value is that of a property which
// cannot be asked of the strategy.
type Cell struct {
	Search *Search // nil if there is none
	Error  string  // why a workload could not be run to its end
}

// Costs are what a strategy costs.
type Costs struct {
	RoundTrips RoundTrips
	Workload   Workload // in which Loads and Stale were measured

	// Loads is the largest number of tasks that load the same product from the
	// database at once; -1 if it is unknown, for the reason that Unknown gives.
	Loads   int
	Unknown string

	Stale *explore.Window // nil if it is unknown
}

// Verdict returns the verdict of a cell; "" if the property cannot be asked.
func (c Cell) Verdict() explore.Verdict {
	switch {
	case c.Error != "":
		return explore.Incomplete
	case c.Search == nil:
		return ""
	}
	return c.Search.Verdict()
}

// qualified says whether the cell has caveats.
func (c Cell) qualified() bool { return c.Search != nil && len(c.Search.caveats()) > 0 }

// String returns the cell in words.
func (c Cell) String() string {
	switch c.Verdict() {
	case "":
		return "-"
	case explore.Violated:
		t := c.Search.trace()
		s := fmt.Sprintf("violated: %s, %s", c.Search.workload.Tasks(), plural(t.Schedule.Switches(), "switch", "switches"))
		if n := t.Schedule.Faults(); n > 0 {
			s += ", " + plural(n, "fault", "faults")
		}
		return s
	}
	return string(c.Verdict())
}

// Verdict returns holds if every cell does, violated if any is, and else incomplete or
// vacuous.
func (c *Comparison) Verdict() explore.Verdict {
	n := c.count()
	switch {
	case n[explore.Violated] > 0:
		return explore.Violated
	case n[explore.Incomplete] > 0:
		return explore.Incomplete
	case n[explore.Vacuous] > 0:
		return explore.Vacuous
	}
	return explore.Holds
}

// Sentence says how many cells have which verdict.
func (c *Comparison) Sentence() string {
	n := c.count()
	s := fmt.Sprintf("%d hold, %d are violated, %d incomplete", n[explore.Holds], n[explore.Violated], n[explore.Incomplete])
	if n[explore.Vacuous] > 0 {
		s += fmt.Sprintf(", %d vacuous", n[explore.Vacuous])
	}
	return s
}

func (c *Comparison) count() map[explore.Verdict]int {
	n := map[explore.Verdict]int{}
	for _, row := range c.Rows {
		for _, cell := range row.Cells {
			n[cell.Verdict()]++
		}
	}
	return n
}

// grid returns the table, the first row of which is the head.
func (c *Comparison) grid() [][]string {
	rows := [][]string{append([]string{"strategy"}, c.Properties...)}
	for _, r := range c.Rows {
		row := []string{r.Strategy}
		for _, cell := range r.Cells {
			row = append(row, cell.String())
		}
		rows = append(rows, row)
	}
	return rows
}

// costs returns the table of costs in the same way.
func (c *Comparison) costs() [][]string {
	rows := [][]string{{"strategy", "read hit", "read miss", "write", "loads at once", "stale window"}}
	for _, r := range c.Rows {
		if r.Costs == nil {
			continue
		}
		trips, loads, stale := r.Costs.RoundTrips, "unknown", "unknown"
		if r.Costs.Loads >= 0 {
			loads = fmt.Sprint(r.Costs.Loads)
		}
		if r.Costs.Stale != nil {
			stale = window(r.Costs.Stale, r.Costs.Workload)
		}
		rows = append(rows, []string{r.Strategy, fmt.Sprint(trips.Hit), fmt.Sprint(trips.Miss), fmt.Sprint(trips.Write), loads, stale})
	}
	return rows
}

// legend says what the tables mean.
func (c *Comparison) legend() []string {
	lines := []string{
		"the workload of " + c.Workloads,
		"holds: in every interleaving; violated: by that many context switches and faults at least",
	}
	if c.MaxTasks > 0 {
		lines = []string{
			fmt.Sprintf("workloads of %s, from the smallest up to %d tasks", c.Workloads, c.MaxTasks),
			"holds: in every interleaving of all these workloads; violated: in the smallest workload that violates it, by that many context switches and faults at least",
		}
	}
	n := c.count()
	if n[""] > 0 {
		lines = append(lines, "-: the property is not one of this strategy")
	}
	if n[explore.Incomplete] > 0 {
		lines = append(lines, "incomplete: nothing is proved, see below")
	}
	if n[explore.Vacuous] > 0 {
		lines = append(lines, "vacuous: there is nothing to judge in any of these workloads, see below")
	}
	if slices.ContainsFunc(c.Rows, func(row Row) bool { return slices.ContainsFunc(row.Cells, Cell.qualified) }) {
		lines = append(lines, "what holds may have caveats, which a run of that strategy and property alone prints")
	}
	return lines
}

// costLegend says what the costs are; "" if there are none.
func (c *Comparison) costLegend() string {
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Costs != nil })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("round trips of a read hit, a read miss and a write, each alone; of %s the largest number of tasks that load the same product from the database at once, and the longest that a cache is stale before every task has finished, or stays so", c.Rows[i].Costs.Workload.Tasks())
}

// notes say why something is not known.
func (c *Comparison) notes() (notes []string) {
	for _, row := range c.Rows {
		var reasons []string
		of := map[string][]string{} // what is not known, by reason
		note := func(reason, what string) {
			if of[reason] == nil {
				reasons = append(reasons, reason)
			}
			of[reason] = append(of[reason], what)
		}
		for i, cell := range row.Cells {
			reason := cell.Error
			if v := cell.Verdict(); reason == "" && (v == explore.Incomplete || v == explore.Vacuous) {
				reason = cell.Search.workload.Tasks() + ": " + cell.Search.result().Reason
			}
			if reason != "" {
				note(reason, c.Properties[i])
			}
		}
		if row.Costs != nil && row.Costs.Unknown != "" {
			note(row.Costs.Unknown, "loads at once, stale window")
		}
		for _, reason := range reasons {
			notes = append(notes, fmt.Sprintf("%s (%s): %s", row.Strategy, strings.Join(of[reason], ", "), reason))
		}
	}
	return notes
}

// Text writes the comparison for people at a terminal.
func (c *Comparison) Text(w io.Writer, opts TextOptions) error {
	t := newTextWriter(&Subject{}, w, opts)
	t.grid(c.grid())
	for _, l := range c.legend() {
		t.paragraph(l)
	}
	if legend := c.costLegend(); legend != "" {
		t.print("\n")
		t.grid(c.costs())
		t.paragraph(legend)
	}
	if notes := c.notes(); notes != nil {
		t.print("\n")
		for _, note := range notes {
			t.paragraph(note)
		}
	}
	return t.err
}

// grid draws rows, the first of which is the head, in the colours of the verdicts.
func (t *textWriter) grid(rows [][]string) {
	columns := make([]column, len(rows[0]))
	for i := range columns {
		columns[i] = column{head: rows[0][i], colours: map[int]text.Colors{}}
		for j, row := range rows[1:] {
			verdict, _, _ := strings.Cut(row[i], ":")
			columns[i].cells = append(columns[i].cells, t.plain(row[i]))
			columns[i].colours[j] = verdictColour[explore.Verdict(verdict)]
		}
	}
	width := t.width - 3*len(columns) - 1
	first := min(columns[0].natural(), width/2)
	t.draw(columns, append([]int{first}, fill(width-first, columns[1:])...))
}

func (t *textWriter) paragraph(s string) {
	for _, part := range wrap(t.plain(s), t.width) {
		t.print(part + "\n")
	}
}

// Markdown writes the comparison as GitHub flavoured Markdown.
func (c *Comparison) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Comparison\n\n" + prose(c.Sentence()) + ".\n\n")
	markdownGrid(&b, c.grid())
	b.WriteString("\n")
	for _, l := range c.legend() {
		b.WriteString("- " + prose(l) + "\n")
	}
	if legend := c.costLegend(); legend != "" {
		b.WriteString("\n")
		markdownGrid(&b, c.costs())
		b.WriteString("\n- " + prose(legend) + "\n")
	}
	for _, note := range c.notes() {
		b.WriteString("- " + prose(note) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownGrid(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + prose(cell) + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
}

type jsonComparison struct {
	Version    int       `json:"version"`
	Verdict    string    `json:"verdict"`
	Properties []string  `json:"properties"`
	Workloads  string    `json:"workloads"`
	MaxTasks   int       `json:"max_tasks,omitempty"`
	Rows       []jsonRow `json:"rows"`
}

type jsonRow struct {
	Strategy string      `json:"strategy"`
	Cells    []*jsonCell `json:"cells"` // null: the property cannot be asked
	Costs    *jsonCosts  `json:"costs,omitempty"`
}

type jsonCell struct {
	Property       string          `json:"property"`
	Verdict        explore.Verdict `json:"verdict"`
	Reason         string          `json:"reason,omitempty"`
	Workload       Workload        `json:"workload,omitempty"`
	Caveats        []string        `json:"caveats,omitempty"`
	Counterexample object          `json:"counterexample,omitempty"`
}

type jsonCosts struct {
	RoundTrips RoundTrips  `json:"round_trips"`
	Workload   Workload    `json:"workload"`
	Loads      *int        `json:"loads,omitempty"`
	Stale      *jsonWindow `json:"stale_window,omitempty"`
	Reason     string      `json:"reason,omitempty"`
}

// JSON writes the comparison as one JSON object.
func (c *Comparison) JSON(w io.Writer) error {
	j := jsonComparison{Version: currentVersion, Verdict: string(c.Verdict()), Properties: c.Properties, Workloads: c.Workloads, MaxTasks: c.MaxTasks}
	for _, r := range c.Rows {
		row := jsonRow{Strategy: r.Strategy}
		for i, cell := range r.Cells {
			row.Cells = append(row.Cells, cell.json(c.Properties[i]))
		}
		if r.Costs != nil {
			row.Costs = &jsonCosts{RoundTrips: r.Costs.RoundTrips, Workload: r.Costs.Workload, Stale: newJSONWindow(r.Costs.Stale, r.Costs.Workload), Reason: r.Costs.Unknown}
			if r.Costs.Loads >= 0 {
				row.Costs.Loads = &r.Costs.Loads
			}
		}
		j.Rows = append(j.Rows, row)
	}
	return writeJSON(w, j)
}

func (c Cell) json(property string) *jsonCell {
	if c.Verdict() == "" {
		return nil
	}
	j := &jsonCell{Property: property, Verdict: c.Verdict(), Reason: c.Error}
	if c.Search != nil {
		j.Workload, j.Caveats = c.Search.workload, c.Search.caveats()
		if j.Verdict != explore.Holds {
			j.Reason = c.Search.result().Reason
		}
		if t := c.Search.trace(); t != nil {
			j.Counterexample = object{{"schedule", t.Token}, {"steps", len(t.Steps)}, {"switches", t.Schedule.Switches()}, {"faults", t.Schedule.Faults()}, {"violation", t.Violation}, {"replay", c.Search.command(t.Token)}}
		}
	}
	return j
}
