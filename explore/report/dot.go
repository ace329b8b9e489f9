package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// dotStates is the largest graph that is drawn: nobody can look at a larger one.
const dotStates = 2000

// Dot writes the graph of the states of the last workload in the language of
// Graphviz. It is
// an error if there is no graph, or if it has more than 2,000 states.
func (r *Report) Dot(w io.Writer) error {
	res := r.result()
	if res == nil || res.Graph == nil {
		return errors.New("there is no graph of states")
	}
	g := res.Graph
	if n := g.States(); n > dotStates {
		return fmt.Errorf("%d states are too many to draw; at most %d are, so give a smaller workload, such as -readers 1 -writers 1", n, dotStates)
	}
	t := &textWriter{Report: r, w: w}
	t.print(fmt.Sprintf("// %s, %s: %s %s\n", printable(r.Strategy), r.workload().Words, printable(r.Property), res.Verdict))
	t.print("digraph states {\n\tnode [shape=box fontname=monospace]\n\tedge [fontname=monospace]\n")
	for state := range g.States() {
		var lines []string
		for _, c := range g.Contents(state) {
			lines = append(lines, dotText(printable(r.content(c))))
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
	for s, err := range g.Steps() {
		if err != nil {
			return err
		}
		label := dotText(printable(strings.Join(s.Tasks, " or "))) + `\n` + dotText(printable(r.brief(s.Request)))
		if s.Fault.Kind != "" && s.Request != s.Fault.String() {
			label += ` (` + dotText(printable(s.Fault.String())) + `)`
		}
		t.print(fmt.Sprintf("\ts%d -> s%d [label=\"%s\"]\n", s.From, s.To, label))
	}
	t.print("}\n")
	return t.err
}

// dotText returns s as it stands between the quotes of a label.
func dotText(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
