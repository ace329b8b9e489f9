package main

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/model"
)

// list writes the strategies, group by group, and the properties, wrapped to the
// width.
func list(w io.Writer, width int) error {
	var b strings.Builder
	entry := func(indent int, s string) {
		for line := range strings.Lines(text.WrapSoft(s, width-indent)) {
			b.WriteString(strings.Repeat(" ", indent) + strings.TrimRight(line, " \n") + "\n")
		}
	}
	for _, g := range model.Groups() {
		entry(0, g.String()+":")
		for _, s := range model.InGroup(g) {
			entry(2, s.Name)
			entry(6, s.Summary)
			entry(6, "claimed: "+s.Claim)
		}
	}
	entry(0, "properties:")
	for _, p := range model.Properties() {
		entry(2, p.Name)
		entry(6, p.Summary)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
