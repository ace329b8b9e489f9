package report

import (
	"fmt"
	"html/template"
	"io"

	"quiesce/explore"
)

// HTML writes the comparison as one file that needs nothing else. Every violated
// cell links to its trace, which opens then.
func (c *Comparison) HTML(w io.Writer) error {
	return comparisonTemplate.Execute(w, c.page())
}

// A comparisonPage is what the template shows.
type comparisonPage struct {
	Policy     string
	Style      template.CSS
	Script     template.JS
	Verdict    explore.Verdict
	Sentence   string
	Head       []string
	Rows       []gridRow
	Legend     []string
	Costs      [][]string
	CostLegend string
	Notes      []string
	Traces     []pageCounterexample
}

type gridRow struct {
	Strategy string
	Cells    []gridCell
}

type gridCell struct {
	Verdict explore.Verdict
	Text    string
	Anchor  string // of the trace; "" if there is none
}

// A pageCounterexample is the trace of one cell.
type pageCounterexample struct {
	Anchor, Title, Sentence, Command string
	View                             view
}

func (c *Comparison) page() comparisonPage {
	p := comparisonPage{
		Policy: allowing(comparisonScript), Style: template.CSS(pageCSS), Script: template.JS(comparisonScript), Verdict: c.Verdict(), Sentence: c.Sentence(),
		Legend: c.legend(), Costs: c.costs(), CostLegend: c.costLegend(),
	}
	for _, name := range c.grid()[0] {
		p.Head = append(p.Head, printable(name))
	}
	for _, note := range c.notes() {
		p.Notes = append(p.Notes, printable(note))
	}
	for _, row := range c.Rows {
		shown := gridRow{Strategy: printable(row.Strategy)}
		for _, cell := range row.Cells {
			one := gridCell{Verdict: cell.Verdict(), Text: cell.String()}
			if s := cell.Search; s != nil && s.trace() != nil {
				t := s.trace()
				one.Anchor = fmt.Sprintf("trace-%d", len(p.Traces)+1)
				p.Traces = append(p.Traces, pageCounterexample{
					one.Anchor, printable(s.title()), printable(s.sentence()), s.command(t.Token), s.view("violating", t, nil, s.shown(t, -1)),
				})
			}
			shown.Cells = append(shown.Cells, one)
		}
		p.Rows = append(p.Rows, shown)
	}
	return p
}
