package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"

	"quiesce/explore"
	"quiesce/sim"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed diagram.html
	diagramHTML string
	//go:embed comparison.html
	comparisonHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageScript string
	//go:embed comparison.js
	comparisonScript string

	// What the templates can call: something is repeated, and diagrams have places.
	templates = template.Must(template.New("diagram").Funcs(template.FuncMap{
		"repeat": func(n int) []struct{} { return make([]struct{}, n) },
		"sub":    func(a, b int) int { return a - b },
	}).Parse(diagramHTML))

	pageTemplate       = template.Must(template.Must(templates.Clone()).New("page").Parse(pageHTML))
	comparisonTemplate = template.Must(template.Must(templates.Clone()).New("comparison").Parse(comparisonHTML))
)

// HTML writes the answer as one file that needs nothing else, not even a network.
// A policy in it lets the browser execute its own script and nothing more.
func (r Report) HTML(w io.Writer) error {
	return pageTemplate.Execute(w, r.page())
}

// A page is what the template shows.
type page struct {
	Policy          string
	Style           template.CSS
	Script          template.JS
	Title, Sentence string
	Verdict         explore.Verdict
	Summary         []pageLine
	Property        string
	Meaning         string
	Scope           string // of the cause
	Known           bool   // whether the cause is
	Cause, Instead  []string
	Parting         string
	Command         string
	Views           []view
	Data            any
}

type pageLine struct {
	Label string
	Texts []string
}

// A view is one trace: the counterexample, the closest passing interleaving, a
// replay or what was claimed.
type view struct {
	Name      string
	Lanes     []string
	Rows      []laneRow
	Diagram   svg
	Violation string
}

// A laneRow is one row in the lane of its task.
type laneRow struct {
	Row     int    // from 1
	Number  string // of the steps in it
	Task    string
	Colour  int // of the task
	Before  int // lanes to the left
	After   int // lanes to the right
	Span    int // lanes that the step is in: all, if it is the environment's
	Request string
	Reply   string
	Fatal   bool
	Other   string // where the two views part, how the other one goes on
}

// colours is how many the style has for tasks.
const colours = 6

func (r Report) page() page {
	about := r.subject()
	p := page{
		Policy: allowing(pageScript),
		Style:  template.CSS(pageCSS), Script: template.JS(pageScript),
		Title: printable(r.title()), Sentence: printable(r.sentence()), Verdict: r.Verdict(),
		Meaning: printable(about.Meaning), Property: printable(about.Property),
	}
	for _, l := range r.summary() {
		if l.label != "" {
			p.Summary = append(p.Summary, pageLine{Label: l.label})
		}
		last := &p.Summary[len(p.Summary)-1]
		last.Texts = append(last.Texts, printable(l.text))
	}
	t := r.trace()
	if t == nil {
		return p
	}
	p.Command = about.command(t.Token)
	w := r.why()
	p.Scope, p.Known, p.Parting = w.scope, w.is != nil, printable(w.parting)
	for i := range w.is {
		p.Cause, p.Instead = append(p.Cause, printable(w.is[i])), append(p.Instead, printable(w.instead[i]))
	}
	var data pageData
	show := func(name string, t, other *explore.Trace) shown {
		s := about.shown(t, parts(t, other))
		p.Views = append(p.Views, about.view(name, t, other, s))
		data.Traces = append(data.Traces, about.pageTrace(t, s))
		return s
	}
	s := show(r.role(), t, w.closest)
	data.Places, data.Begin = s.places, cmp.Or(s.fatal, len(s.rows))
	if w.closest != nil {
		show("closest passing", w.closest, t)
	}
	p.Data = data
	return p
}

// allowing returns the policy that lets a browser apply the style and execute a
// script, and do nothing else.
func allowing(script string) string {
	return "default-src 'none'; style-src 'sha256-" + hash(pageCSS) + "'; base-uri 'none'; form-action 'none'; script-src 'sha256-" + hash(script) + "'"
}

// hash returns what a policy calls a script or a style.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// parts returns after how many steps another trace parts from t; -1 if there is none,
// or if it only goes on where t ends.
func parts(t, other *explore.Trace) int {
	if other != nil {
		if n := fork(t, other); n < len(t.Steps) {
			return n
		}
	}
	return -1
}

// view returns what is shown of a trace, beside another one if that is not nil.
func (about *Subject) view(name string, t, other *explore.Trace, s shown) view {
	v := view{Name: name, Diagram: about.draw(s, t.Violation), Violation: printable(about.brief(t.Violation))}
	lanes := slices.DeleteFunc(slices.Clone(s.lanes), func(name string) bool { return name == environment })
	for _, name := range lanes {
		v.Lanes = append(v.Lanes, printable(name))
	}
	for i, one := range s.rows {
		row := laneRow{
			Row: i + 1, Number: one.number, Task: printable(one.Task), Span: 1, Fatal: i+1 == s.fatal,
			Request: printable(about.brief(one.Request)), Reply: printable(about.reply(one.TraceStep)),
		}
		if i == s.parts {
			row.Other = "ends here"
			if n := parts(t, other); n < len(other.Steps) {
				row.Other = "goes on with " + printable(stepName(other, n))
			}
		}
		if lane := slices.Index(lanes, one.Task); lane >= 0 {
			row.Before, row.After = lane, len(lanes)-lane-1
			row.Colour = slices.Index(about.tasksOf(t), one.Task) % colours
		} else {
			row.Span = max(len(lanes), 1)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// pageData is what the script shows of the rows: the content at the start, and
// what every row changes.
type pageData struct {
	Places []string    `json:"places"`
	Traces []pageTrace `json:"traces"`
	Begin  int         `json:"begin"` // the row that is shown first
}

type pageTrace struct {
	Initial []pageItem `json:"initial"`
	Rows    []pageRow  `json:"rows"`
	Steps   int        `json:"steps"` // how many are in the rows
}

type pageRow struct {
	Number  string     `json:"number"`
	Task    string     `json:"task"`
	Request pageText   `json:"request"`
	Reply   pageText   `json:"reply"`
	Changes []pageItem `json:"changes"`
	Fatal   string     `json:"fatal,omitempty"` // the violation, of the fatal step
}

// A pageText is a text for people, and in full if that is more.
type pageText struct {
	Brief string `json:"brief"`
	Full  string `json:"full,omitempty"`
}

// A pageItem is an item of a place as it is now, or that is there no longer.
type pageItem struct {
	Place int      `json:"place"`
	Name  string   `json:"name"`
	Value pageText `json:"value"`
	Note  string   `json:"note,omitempty"`
	Gone  bool     `json:"gone,omitempty"`
}

func (about *Subject) pageTrace(t *explore.Trace, s shown) pageTrace {
	out := pageTrace{Initial: []pageItem{}, Rows: []pageRow{}, Steps: len(t.Steps)}
	before := s.initial
	for i, c := range s.initial {
		out.Initial = append(out.Initial, about.changes(i, nil, c)...)
	}
	for i, one := range s.rows {
		row := pageRow{Number: one.number, Task: printable(one.Task), Request: about.pageText(one.Request), Reply: about.pageText(one.Reply + struck(one.TraceStep)), Changes: []pageItem{}}
		for j := range one.Contents {
			row.Changes = append(row.Changes, about.changes(j, before[j], one.Contents[j])...)
		}
		if i+1 == s.fatal {
			row.Fatal = printable(about.brief(t.Violation))
		}
		before = one.Contents
		out.Rows = append(out.Rows, row)
	}
	return out
}

// changes returns the items of a place that are not as before, and those that are
// there no longer.
func (about *Subject) changes(place int, before, after sim.Content) (items []pageItem) {
	for _, it := range after {
		if !slices.Contains(before, it) {
			items = append(items, pageItem{Place: place, Name: printable(it.Name), Value: about.pageText(it.Value), Note: printable(it.Note)})
		}
	}
	for _, it := range before {
		if _, ok := after.Lookup(it.Name); !ok {
			items = append(items, pageItem{Place: place, Name: printable(it.Name), Gone: true})
		}
	}
	return items
}

func (about *Subject) pageText(s string) pageText {
	text := pageText{Brief: printable(about.brief(s)), Full: printable(s)}
	if text.Full == text.Brief {
		text.Full = ""
	}
	return text
}
