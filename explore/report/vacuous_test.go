package report

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
)

// grown returns a search of a growing workload with these verdicts. Every workload has a
// caveat of its own and one that all have.
func grown(verdicts ...explore.Verdict) *Search {
	r := &Search{Subject: Subject{Strategy: "s", Property: "p"}, Grown: true}
	for i, v := range verdicts {
		r.Begin(words(strings.Repeat("more and ", i)+"more"), &sim.System{}, func(string) string { return "" })
		res := &explore.Result{Engine: "direct", Verdict: v, Interleavings: big.NewInt(int64(10 + i)), Violating: new(big.Int),
			Caveats: []string{"all", "caveat " + string(rune('a'+i))}}
		if v == explore.Vacuous {
			res.Reason = "nobody is there"
		}
		r.Results = append(r.Results, res)
	}
	return r
}

// TestVacuousLast has workloads of which some are vacuous, the last one too: what is
// proved of the others holds, in every format. If all are, nothing does.
func TestVacuousLast(t *testing.T) {
	texts := func(r *Search) string {
		var text, markdown, html, js bytes.Buffer
		for _, err := range []error{Report{r}.Text(&text, TextOptions{}), Report{r}.Markdown(&markdown), Report{r}.HTML(&html), Report{r}.JSON(&js)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		var doc struct {
			Verdict explore.Verdict
			Reason  string
			Caveats []string
		}
		if err := json.Unmarshal(js.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Verdict != r.Verdict() || !slices.Equal(doc.Caveats, r.caveats()) {
			t.Errorf("%+v, want %s, %q", doc, r.Verdict(), r.caveats())
		}
		for name, page := range map[string]string{"Markdown": markdown.String(), "HTML": html.String()} {
			for _, c := range r.caveats() {
				if !strings.Contains(page, c) {
					t.Errorf("%s has not %q", name, c)
				}
			}
		}
		return text.String() + "\n" + doc.Reason
	}
	some := grown(explore.Vacuous, explore.Holds, explore.Vacuous)
	want := `verdict       holds: p in every interleaving of 1 workload
strategy      s
workload      more and more and more (the last of 3)
interleavings 12, violating 0
engine        direct: every interleaving was run for real
proved        more: vacuous, nothing is proved of it
              more and more: 11 interleavings
              more and more and more: vacuous, nothing is proved of it
caveats       all
              caveat a
              caveat b
              caveat c

`
	if got := texts(some); got != want || some.Verdict() != explore.Holds {
		t.Errorf("%s:\n%s", some.Verdict(), got)
	}
	if got, want := some.sentence(), "Every interleaving of 1 workload keeps p: 11 interleavings in all."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	all := grown(explore.Vacuous, explore.Vacuous)
	want = `verdict       vacuous: nobody is there; nothing is proved
strategy      s
workload      more and more (the last of 2)
interleavings 11, violating 0
engine        direct: every interleaving was run for real
caveats       all
              caveat a
              caveat b

nobody is there`
	if got := texts(all); got != want || all.Verdict() != explore.Vacuous {
		t.Errorf("%s:\n%s", all.Verdict(), got)
	}
	if got := texts(grown(explore.Holds, explore.Incomplete)); strings.Contains(got, "caveat") {
		t.Errorf("incomplete, with caveats:\n%s", got)
	}
}
