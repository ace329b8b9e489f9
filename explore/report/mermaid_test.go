package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// A parsed is a diagram as Mermaid's own parser understands it.
type parsed struct {
	Actors, Texts []string
	Error         string
}

func parseMermaid(t *testing.T, diagrams []string) (results []parsed) {
	t.Helper()
	dir := filepath.Join("testdata", "mermaid")
	node := tool(t, "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "mermaid")); err != nil {
		missing(t, "the npm package mermaid is not installed in explore/report/testdata/mermaid")
	}
	in, err := json.Marshal(diagrams)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "parse.mjs")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil || len(results) != len(diagrams) {
		t.Fatalf("%v, %d results\n%s", err, len(results), stderr.String())
	}
	return results
}

// wantTexts returns what the diagram has to say: of every step request and reply,
// where they are, and after the fatal one the violation.
func wantTexts(r *Subject, trace *explore.Trace) (texts []string) {
	pauses := trace.Pauses // in the order of the steps before which they end
	say := func(prefix, s string) {
		text := strings.TrimSpace(prefix + elide(printable(r.brief(s)), longest))
		texts = append(texts, text)
	}
	for i, s := range trace.Steps {
		number := fmt.Sprint(i+1) + " "
		if len(pauses) > 0 && pauses[0].Before == i+1 {
			say("", fmt.Sprintf("pause: at least %s since step %d", pauses[0].AtLeast, pauses[0].After))
			pauses = pauses[1:]
		}
		rest := trace.Steps[i+1:]
		next := slices.IndexFunc(rest, func(n explore.TraceStep) bool { return n.Task == s.Task })
		switch {
		case s.Fault.Kind == sim.Tick: // of a second each, in timed
			if i > 0 && trace.Steps[i-1].Fault.Kind == sim.Tick {
				continue
			}
			n := 1 + slices.IndexFunc(rest, func(n explore.TraceStep) bool { return n.Fault.Kind != sim.Tick })
			say(fmt.Sprintf("%d-%d ", i+1, i+n), fmt.Sprintf("%ds passes", n))
		case s.Request == "arrive" && s.Reply != "": // that of a sleep has none
			say(number, s.Reply)
		case s.Store == "" || s.Task == environment || next >= 0 && rest[next].Request == "arrive":
			say(number, s.Request)
		case s.Store == sim.ClockName: // to sleep has no answer
			say(number, s.Request)
		default:
			say(number, s.Request)
			say("", s.Reply)
		}
		if i+1 == trace.Fatal {
			texts = append(texts, strings.TrimSpace(printable(r.brief(trace.Violation))))
		}
	}
	return texts
}

// TestMermaid asks Mermaid about the diagram of every counterexample, and of a
// trace in which every text is nasty.
func TestMermaid(t *testing.T) {
	var answers []Answer
	for _, s := range append(counterexamples(t), timed(t)) {
		answers = append(answers, s)
	}
	odd := example(3, 60)
	odd.tasks[1] = "the end"
	for i := range odd.Trace.Steps {
		s := &odd.Trace.Steps[i]
		s.Task = odd.tasks[i%3]
		s.Request = syntax[i%len(syntax)]
	}
	odd.Trace.Fatal, odd.Trace.Violation = 7, strings.Join(syntax, " ")
	fault := race(t)
	c := fault.trace()
	at := c.Steps[1].Contents
	c.Steps = slices.Insert(c.Steps, 2, explore.TraceStep{Task: environment, Request: "crash server-1", Contents: at},
		explore.TraceStep{Task: environment, Store: "cache", Request: "expire product:1", Contents: at})
	c.Fatal += 2
	paused := exploredWith(t, "lock", "", model.Workload{Readers: 1, Writers: 1}, sim.Faults{sim.Expire: 1}, explore.ProductOptions{}, "")
	if len(paused.trace().Pauses) == 0 {
		t.Error("the lease of a lock runs out, and nobody has to pause for it")
	}
	answers = append(answers, odd, fault, paused)
	var diagrams []string
	for _, a := range answers {
		diagrams = append(diagrams, a.subject().mermaid(a.trace()))
	}
	// One that it has to refuse: otherwise the test could not fail.
	results := parseMermaid(t, append(diagrams, "sequenceDiagram\n    a->>b: one; two\n"))
	if results[len(diagrams)].Error == "" {
		t.Error("Mermaid accepts a semicolon in a text")
	}
	for i, a := range answers {
		got, r := results[i], a.subject()
		if got.Error != "" {
			t.Errorf("%s: %s in\n%s", r.Strategy, got.Error, diagrams[i])
			continue
		}
		for _, name := range r.tasks {
			if !slices.Contains(got.Actors, name) {
				t.Errorf("%s: no participant %s in %q", r.Strategy, name, got.Actors)
			}
		}
		if want := wantTexts(r, a.trace()); !slices.Equal(got.Texts, want) {
			t.Errorf("%s: Mermaid reads\n%q, want\n%q", r.Strategy, got.Texts, want)
		}
	}
}

// syntax are texts that mean something to Mermaid, Markdown or a browser.
var syntax = append([]string{
	"a; b", "# no comment", "#35;", "%% comment", "end", "END of it", "rect rgb(0,0,0)", "a->>b: c", "Note over a: b", "style a:b#1;", "classDef x:y",
	"</script><script>alert(1)</script>", "<br/>", "$$x$$", "```", "` `", "a|b", `a\|b`, `\`, "**bold** _it_ ~~no~~", "[a](b)", "![a](b)",
	"<!-- -->", "http://example.org www.example.org a@example.org", "&amp; &#59;", "{\"a\": [1, 2]}", "  spaces  ", "|", "wrap: no", "\u2028", "''",
}, nasty...)
