package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/explore"
	"quiesce/sim"
)

// By default the width of an arrow or an ellipsis depends on the locale.
func init() { text.OverrideRuneWidthEastAsianWidth(false) }

// narrowest is the least width of a task's column. Where there is less, all
// tasks share one.
const narrowest = 10

// A column has one cell for the initial state and one for every step.
type column struct {
	head    string
	cells   []string
	colours map[int]text.Colors // by the index of the cell
	right   bool                // the cells are aligned to the right; of the first column
}

// table writes the trace with one column for every task that takes a step and
// one for every store. Where that is too narrow to read, the tasks share a
// column.
func (t *textWriter) table(trace *explore.Trace) {
	s := t.shown(trace, -1)
	steps := column{head: "step", cells: []string{""}, right: true}
	for _, row := range s.rows {
		steps.cells = append(steps.cells, row.number)
	}
	stores := t.storeColumns(s)
	if len(stores) > 2 && t.width/(1+len(stores)) < narrowest {
		stores = []column{t.sharedPlaces(stores)}
	}
	tasks := t.taskColumns(s)
	left := func() int {
		const border = 3
		return t.width - 1 - border*(1+len(tasks)+len(stores)) - steps.natural()
	}
	widths, room := storeWidths(left(), stores)
	if len(tasks) > 1 && room < len(tasks)*narrowest {
		tasks = []column{t.sharedColumn(tasks)}
		widths, room = storeWidths(left(), stores)
	}
	taskWidths := fill(room, tasks)
	for _, w := range taskWidths {
		room -= w
	}
	for i, c := range stores { // what the tasks do not need
		more := min(c.natural()-widths[i], room)
		widths[i] += more
		room -= more
	}
	t.draw(slices.Concat([]column{steps}, tasks, stores), slices.Concat([]int{steps.natural()}, taskWidths, widths))
}

// taskColumns returns one column for every lane.
func (t *textWriter) taskColumns(s shown) []column {
	var columns []column
	for _, name := range s.lanes {
		c := column{head: t.plain(name), cells: make([]string, 1+len(s.rows))}
		for i, row := range s.rows {
			if row.Task == name {
				c.cells[1+i] = t.plain(t.event(row.TraceStep))
			}
		}
		if s.fatal > 0 {
			c.colours = map[int]text.Colors{s.fatal: fatalColour}
		}
		columns = append(columns, c)
	}
	return columns
}

// lanes returns the names of the tasks that take a step, in the order of the
// system, and then of the environment if it does.
func (about *Subject) lanes(trace *explore.Trace) (names []string) {
	for _, name := range append(about.tasksOf(trace), environment) {
		if slices.ContainsFunc(trace.Steps, func(s explore.TraceStep) bool { return s.Task == name }) {
			names = append(names, name)
		}
	}
	return names
}

// tasksOf returns the tasks of the system, and behind each the goroutines that it has started:
// those are found while a system is explored.
func (about *Subject) tasksOf(trace *explore.Trace) []string {
	names := slices.Clone(about.tasks)
	var found []string
	for _, s := range trace.Steps {
		if s.Task != environment && !slices.Contains(names, s.Task) && !slices.Contains(found, s.Task) {
			found = append(found, s.Task)
		}
	}
	slices.Sort(found)
	for _, name := range found {
		starter, _, _ := strings.Cut(name, "/")
		at := len(names)
		for i, n := range names {
			if n == starter || strings.HasPrefix(n, starter+"/") {
				at = i + 1
			}
		}
		names = slices.Insert(names, at, name)
	}
	return names
}

// event returns what a step is, in one line.
func (about *Subject) event(s explore.TraceStep) string {
	answer := about.reply(s)
	if answer == "" {
		return about.brief(s.Request)
	}
	return about.brief(s.Request) + " → " + answer
}

// reply returns the reply, and the fault that struck the request if one did.
func (about *Subject) reply(s explore.TraceStep) string { return about.brief(s.Reply) + struck(s) }

// sharedColumn returns one column that says what the tasks' columns say.
func (t *textWriter) sharedColumn(tasks []column) column {
	shared := column{head: t.plain("task: request → reply"), cells: make([]string, len(tasks[0].cells))}
	for _, c := range tasks {
		for i, cell := range c.cells {
			if cell != "" {
				shared.cells[i] = c.head + ": " + cell
			}
		}
	}
	return shared
}

// storeColumns returns one column for every place.
func (t *textWriter) storeColumns(s shown) []column {
	var columns []column
	for i, name := range s.places {
		c := column{head: t.plain(name), cells: []string{t.plain(t.content(s.initial[i]))}, colours: map[int]text.Colors{}}
		for j, row := range s.rows {
			c.cells = append(c.cells, t.plain(t.content(row.Contents[i])))
			if c.cells[j+1] != c.cells[j] {
				c.colours[j+1] = changeColour
			}
		}
		columns = append(columns, c)
	}
	return columns
}

// sharedPlaces returns one column that says what the columns of all places say.
func (t *textWriter) sharedPlaces(places []column) column {
	shared := column{head: "place: content", cells: make([]string, len(places[0].cells)), colours: map[int]text.Colors{}}
	for i := range shared.cells {
		var all []string
		for _, c := range places {
			all = append(all, c.head+": "+c.cells[i])
			if c.colours[i] != nil {
				shared.colours[i] = c.colours[i]
			}
		}
		shared.cells[i] = strings.Join(all, "; ")
	}
	return shared
}

// content returns what a store holds in one line.
func (about *Subject) content(c sim.Content) string {
	if len(c) == 0 {
		return "-"
	}
	items := make([]string, len(c))
	for i, it := range c {
		items[i] = it.Name + " " + about.brief(it.Value)
	}
	return strings.Join(items, ", ")
}

// natural returns the width that the column fills if nothing is wrapped.
func (c column) natural() int {
	w := text.StringWidth(c.head)
	for _, cell := range c.cells {
		w = max(w, text.StringWidth(cell))
	}
	return w
}

// word returns the width of the longest word.
func (c column) word() int {
	w := 0
	for _, cell := range append([]string{c.head}, c.cells...) {
		for word := range strings.FieldsSeq(cell) {
			w = max(w, text.StringWidth(word))
		}
	}
	return w
}

// storeWidths gives the stores what they need, up to a third of the width; more
// only if words would be broken. It returns what is left for the tasks.
func storeWidths(width int, stores []column) (widths []int, left int) {
	left = width
	for _, c := range stores {
		w := max(width/(3*len(stores)), min(c.word(), width/(1+len(stores))), 1)
		w = min(w, c.natural())
		widths = append(widths, w)
		left -= w
	}
	return widths, left
}

// fill divides the width evenly among the columns, but gives none more than it
// needs.
func fill(width int, columns []column) []int {
	widths := make([]int, len(columns))
	order := make([]int, len(columns))
	for i := range columns {
		widths[i], order[i] = columns[i].natural(), i
	}
	slices.SortStableFunc(order, func(i, j int) int { return widths[i] - widths[j] })
	for n, i := range order {
		widths[i] = max(min(widths[i], width/(len(order)-n)), 1)
		width -= widths[i]
	}
	return widths
}

// draw writes the columns, wrapped to the widths.
func (t *textWriter) draw(columns []column, widths []int) {
	tw := table.NewWriter()
	tw.SetStyle(table.StyleLight)
	if t.ASCII {
		tw.SetStyle(table.StyleDefault)
	}
	tw.Style().Format.Header = text.FormatDefault
	if columns[0].right {
		tw.SetColumnConfigs([]table.ColumnConfig{{Number: 1, Align: text.AlignRight}})
	}
	row := func(cell func(column) (string, text.Colors)) table.Row {
		var r table.Row
		for i, c := range columns {
			s, colours := cell(c)
			lines := wrap(s, widths[i])
			for i, l := range lines {
				lines[i] = t.paint(colours, l)
			}
			r = append(r, strings.Join(lines, "\n"))
		}
		return r
	}
	tw.AppendHeader(row(func(c column) (string, text.Colors) { return c.head, labelColour }))
	for i := range columns[0].cells {
		tw.AppendRow(row(func(c column) (string, text.Colors) { return c.cells[i], c.colours[i] }))
	}
	t.print(tw.Render() + "\n")
}

// wrap breaks s into lines of at most that width: at spaces, or inside a word
// that is wider than a line. Nothing but the spaces at the breaks is lost.
func wrap(s string, width int) []string {
	var lines []string
	for {
		end, space := 0, -1 // of what fits; the last space in or right after it
		for w := 0; end < len(s); {
			r, size := utf8.DecodeRuneInString(s[end:])
			if r == ' ' && end > 0 {
				space = end
			}
			if w += text.RuneWidth(r); w > width && end > 0 {
				break
			}
			end += size
		}
		if end == len(s) {
			return append(lines, s)
		}
		if space > 0 {
			end = space
		}
		lines = append(lines, strings.TrimRight(s[:end], " "))
		s = strings.TrimLeft(s[end:], " ")
	}
}

// printable returns s with everything that would not stay in its place on a
// terminal written as in a Go string.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
