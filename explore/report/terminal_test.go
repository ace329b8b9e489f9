package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/sim"
)

// Colour adds nothing but escape sequences, and ASCII nothing but what it replaces.
func TestColourAndASCII(t *testing.T) {
	write := func(opts TextOptions) string {
		var b bytes.Buffer
		if err := (Report{race(t)}).Text(&b, opts); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, width := range []int{40, 80, 140} {
		plain, colour := write(TextOptions{Width: width}), write(TextOptions{Width: width, Colour: true})
		if colour == plain || text.StripEscape(colour) != plain {
			t.Errorf("width %d: with colour\n%s\nwithout\n%s", width, colour, plain)
		}
		ascii := write(TextOptions{Width: width, ASCII: true})
		if strings.ContainsFunc(ascii, func(r rune) bool { return r > unicode.MaxASCII }) || !strings.Contains(ascii, "| step |") {
			t.Errorf("width %d: not ASCII:\n%s", width, ascii)
		}
	}
}

// Many servers share a column rather than make lines too wide.
func TestManyPlacesFit(t *testing.T) {
	for _, width := range []int{40, 80} {
		r := example(2, 4)
		for i := range 10 {
			r.Trace.Places = append(r.Trace.Places, fmt.Sprintf("server-%d", i+1))
			r.Trace.Initial = append(r.Trace.Initial, nil)
			for j := range r.Trace.Steps {
				s := &r.Trace.Steps[j]
				s.Contents = append(s.Contents, sim.Content{{Name: "k", Value: fmt.Sprint(i, j)}})
			}
		}
		for line := range strings.Lines(textOf(t, r, width)) {
			if strings.HasPrefix(line, "│") && displayed(strings.TrimSuffix(line, "\n")) > width {
				t.Fatalf("width %d: %q", width, line)
			}
		}
	}
}
