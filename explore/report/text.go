package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/explore"
)

// DefaultWidth is the width of text that is not for a terminal, in columns.
const DefaultWidth = 100

// TextOptions say how an answer is laid out as text.
type TextOptions struct {
	// Width is the number of columns that the text may fill, except for the
	// two lines that are there to be copied; 0 means [DefaultWidth], and less than 40 is
	// taken as 40.
	Width int

	// Colour is for a terminal that shows colours.
	Colour bool

	// ASCII is for a terminal that shows nothing else; other characters are written
	// as in a Go string.
	ASCII bool
}

// Text writes the answer for people at a terminal.
func (r Report) Text(w io.Writer, opts TextOptions) error {
	t := newTextWriter(r.subject(), w, opts)
	t.answer(r)
	return t.err
}

func newTextWriter(s *Subject, w io.Writer, opts TextOptions) *textWriter {
	if opts.Width == 0 {
		opts.Width = DefaultWidth
	}
	return &textWriter{Subject: s, TextOptions: opts, w: w, width: max(opts.Width, 40)}
}

// A textWriter keeps the first error, so that the lines need not care.
type textWriter struct {
	*Subject
	TextOptions
	w     io.Writer
	width int
	err   error
}

// What is coloured. Colour says nothing that words do not say too.
var (
	verdictColour = map[explore.Verdict]text.Colors{
		explore.Holds: {text.Bold, text.FgGreen}, explore.Violated: {text.Bold, text.FgRed}, explore.Incomplete: {text.Bold, text.FgYellow},
		explore.Vacuous: {text.Bold, text.FgYellow},
	}
	labelColour  = text.Colors{text.Faint}
	fatalColour  = text.Colors{text.FgRed}
	changeColour = text.Colors{text.Bold}
)

// paint returns s in colour, if there is any.
func (t *textWriter) paint(c text.Colors, s string) string {
	if !t.Colour || s == "" {
		return s
	}
	return c.EscapeSeq() + s + text.EscapeReset
}

// plain returns s with nothing in it that the terminal could not show in its place.
func (t *textWriter) plain(s string) string {
	s = printable(s)
	if !t.ASCII {
		return s
	}
	s = strings.NewReplacer("→", "->", "…", "...").Replace(s)
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// labelWidth is that of the words at the begin of the lines.
const labelWidth = 14

// labelled writes one line with a label, wrapped to the width.
func (t *textWriter) labelled(l line) {
	label := l.label
	for i, part := range wrap(t.plain(l.text), t.width-labelWidth) {
		if i == 0 && label == "verdict" {
			word, rest, _ := strings.Cut(part, ":")
			part = t.paint(verdictColour[explore.Verdict(word)], word) + ":" + rest
		}
		t.copied(label, part)
		label = ""
	}
}

// copied writes one line with a label as it is.
func (t *textWriter) copied(label, s string) {
	gap := strings.Repeat(" ", max(labelWidth-len(label), 0))
	if label != "" {
		label = t.paint(labelColour, label)
	}
	t.print(strings.TrimRight(label+gap+s, " ") + "\n")
}

func (t *textWriter) print(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, s)
	}
}

func (t *textWriter) answer(a Answer) {
	for _, l := range append(a.summary(), a.explanation()...) {
		t.labelled(l)
	}
	if trace := a.trace(); trace != nil {
		t.print("\n")
		t.table(trace)
		t.print("\n")
		if trace.Violation != "" {
			t.labelled(line{"difference", t.brief(trace.Violation)})
		}
		// Not wrapped: both are there to be copied.
		t.copied("schedule", trace.Token)
		t.copied("replay", t.command(trace.Token))
	}
}
