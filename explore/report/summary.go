package report

import (
	"fmt"
	"math/big"

	"github.com/dustin/go-humanize"

	"quiesce/explore"
)

// A line is one labelled statement about the run. A line without a label goes on
// with what the one before is about.
type line struct{ label, text string }

// verdictTitle returns strategy, property and verdict as the title of a document.
func (about *Subject) verdictTitle(v explore.Verdict) string {
	is := "is undecided"
	switch v {
	case explore.Holds:
		is = "holds"
	case explore.Violated:
		is = "is violated"
	case explore.Vacuous:
		is = "is vacuous"
	}
	return fmt.Sprintf("%s: %s %s", about.Strategy, about.Property, is)
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
