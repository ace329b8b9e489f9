package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Measures of the diagram, in pixels.
const (
	svgGutter   = 36   // for the numbers of the steps
	svgWidth    = 1132 // of the page; a diagram of many participants is wider
	svgColumn   = 208  // between two participants
	svgNarrow   = 147  // the same of many
	svgBox      = 140  // the least width of a note
	svgHead     = 34
	svgRow      = 32
	svgMargin   = 84  // left and right of a lifeline
	svgLetter   = 6.7 // the width of one, in the font of the labels
	svgBaseline = 7   // of a label above its arrow
)

// An svg is a sequence diagram with everything in its place. The template draws it.
type svg struct {
	Width, Height int
	Participants  []svgParticipant
	Steps         []svgStep
}

type svgParticipant struct {
	X         int
	Name      string
	Task      bool
	Top, Foot int // of the lifeline
}

// An svgStep is what is drawn for one row: its arrows, in a band.
type svgStep struct {
	Row         int    // from 1
	Number      string // of the steps in it
	Top, Height int
	Width       int
	Fatal, Fork bool
	Note        string // what is said of the fatal step
	NoteY       int
	Arrows      []svgArrow
}

type svgArrow struct {
	First        bool // of its step
	Note, Reply  bool
	X1, X2, Y    int
	Tip          string // points of the arrowhead
	LabelX       int
	LabelY       int
	Label, Title string // Title is the label in full; "" if Label is that
}

// draw lays out the diagram of a trace with that violation at its end.
func (about *Subject) draw(t shown, violation string) svg {
	s := t.sequence()
	const margins = svgGutter + svgMargin + svgMargin + svgMargin/2
	column := svgColumn
	if n := len(s.participants) - 1; n > 0 {
		column = max(min(column, (svgWidth-margins)/n), svgNarrow)
	}
	x := func(participant int) int { return svgGutter + svgMargin + participant*column }
	d := svg{Width: x(len(s.participants)-1) + margins - x(0)}
	for _, a := range s.arrows { // a label may need more
		need := x(min(a.from, a.to)) + width(printable(about.brief(a.text))) + svgMargin/4
		d.Width = max(d.Width, min(need, svgWidth))
	}
	y := svgHead + 14
	for i, row := range t.rows {
		step := svgStep{Row: i + 1, Number: row.number, Top: y, Width: d.Width, Fatal: i+1 == t.fatal, Fork: i == t.parts}
		y += 4
		for _, a := range s.arrows {
			if a.row != i+1 {
				continue
			}
			y += svgRow
			full := printable(about.brief(a.text))
			arrow := svgArrow{First: a.first, Note: a.note, Reply: a.reply, X1: x(a.from), X2: x(a.to), Y: y - 8}
			switch {
			case a.note && a.from == a.to: // around the lifeline
				box := min(max(width(full)+18, svgBox), d.Width-svgGutter-6)
				arrow.X1 = min(max(arrow.X1-box/2, svgGutter), d.Width-6-box)
				arrow.X2 = arrow.X1 + box
			case a.note:
				arrow.X1, arrow.X2 = arrow.X1-svgBox/2, arrow.X2+svgBox/2
			case arrow.X1 < arrow.X2:
				arrow.Tip = tip(arrow.X2, arrow.Y, -1)
			default:
				arrow.Tip = tip(arrow.X2, arrow.Y, 1)
			}
			arrow.LabelX, arrow.LabelY = min(arrow.X1, arrow.X2)+9, arrow.Y-svgBaseline
			room := d.Width - arrow.LabelX - 6
			if a.note {
				arrow.LabelY = arrow.Y + 1
				room = arrow.X2 - arrow.X1 - 14
			}
			if arrow.Label = elide(full, int(float64(room)/svgLetter)); arrow.Label != full {
				arrow.Title = full
			}
			step.Arrows = append(step.Arrows, arrow)
		}
		if step.Fatal {
			y += 22
			step.NoteY = y - 8
			step.Note = elide(printable(about.brief(violation)), int(float64(d.Width-svgGutter-12)/svgLetter))
		}
		y += 4
		step.Height = y - step.Top
		d.Steps = append(d.Steps, step)
	}
	d.Height = y + 12
	for i, name := range s.participants {
		d.Participants = append(d.Participants, svgParticipant{x(i), elide(printable(name), 17), s.tasks[name], svgHead, d.Height - 6})
	}
	return d
}

// width returns how wide a label is.
func width(label string) int { return int(math.Ceil(float64(text.StringWidth(label)) * svgLetter)) }

// tip returns the points of an arrowhead at x, y whose shaft goes in that direction.
func tip(x, y, direction int) string {
	points := []int{x, y, x + 8*direction, y - 4, x + 8*direction, y + 4}
	var b []byte
	for i, p := range slices.All(points) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(p), 10)
	}
	return string(b)
}
