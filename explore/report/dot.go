package report

import (
	"fmt"
	"io"
	"strings"
)

// dotStates is the largest graph that is drawn: nobody can look at a larger one.
const dotStates = 2000

// dot writes the graph of the last workload.
func (s *Search) dot(w io.Writer) error {
	res := s.result()
	g := res.Graph
	if n := g.States(); n > dotStates {
		return fmt.Errorf("%d states are too many to draw; at most %d are, so give a smaller workload, such as -readers 1 -writers 1", n, dotStates)
	}
	t := &textWriter{Subject: &s.Subject, w: w}
	t.print(fmt.Sprintf("// %s, %s: %s %s\n", printable(s.Strategy), s.workload, printable(s.Property), res.Verdict))
	t.print("digraph states {\n\tnode [shape=box fontname=monospace]\n\tedge [fontname=monospace]\n")
	for state := range g.States() {
		var lines []string
		for _, c := range g.Contents(state) {
			lines = append(lines, dotText(printable(s.content(c))))
		}
		look := ""
		switch {
		case g.Violates(state):
			look = " style=filled fillcolor=lightcoral peripheries=2"
		case g.Ends(state):
			look = " peripheries=2"
		}
		t.print(fmt.Sprintf("\ts%d [label=\"%s\"%s]\n", state, strings.Join(lines, `\n`), look))
	}
	for step, err := range g.Steps() {
		if err != nil {
			return err
		}
		label := dotText(printable(strings.Join(step.Tasks, " or "))) + `\n` + dotText(printable(s.brief(step.Request)))
		if step.Fault.Kind != "" && step.Request != step.Fault.String() {
			label += ` (` + dotText(printable(step.Fault.String())) + `)`
		}
		t.print(fmt.Sprintf("\ts%d -> s%d [label=\"%s\"]\n", step.From, step.To, label))
	}
	t.print("}\n")
	return t.err
}

// dotText returns s as it stands between the quotes of a label.
func dotText(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
