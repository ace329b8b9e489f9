package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"quiesce/explore"
	"quiesce/model"
)

// allCompared has been explored once for all tests.
var allCompared *Comparison

// compared is what -strategy all is about: every strategy with a cache, each really
// explored, with two properties. Then there are a strategy that has neither, and one
// of which nothing is known.
func compared(t *testing.T) *Comparison {
	t.Helper()
	if allCompared == nil {
		allCompared = compareAll(t)
	}
	c := *allCompared
	c.Rows = slices.Clone(c.Rows)
	return &c
}

func compareAll(t *testing.T) *Comparison {
	t.Helper()
	c := &Comparison{Properties: []string{"coherent", "eventual"}, Workloads: "1 key, cold cache", MaxTasks: 2}
	for i, s := range model.Caches() {
		row := Row{Strategy: s.Name}
		for _, property := range c.Properties {
			row.Cells = append(row.Cells, Cell{Search: exploredWith(t, s.Name, property, model.Workload{Readers: 1, Writers: 1}, nil, explore.ProductOptions{Audit: explore.NoAudit}, "")})
		}
		row.Costs = &Costs{RoundTrips: RoundTrips{Hit: i, Miss: i + 1, Write: i + 2}, Workload: row.Cells[0].Search.workload, Loads: i, Stale: &explore.Window{Steps: i}}
		c.Rows = append(c.Rows, row)
	}
	c.Rows = append(c.Rows, Row{Strategy: "counter-naive", Cells: make([]Cell, 2)}, Row{Strategy: "unknown", Cells: []Cell{{Error: "it fails"}, {Error: "it fails"}}})
	return c
}

// comparisonDocument is what a test needs of the JSON.
type comparisonDocument struct {
	Rows []struct {
		Strategy string
		Cells    []*struct {
			Property, Verdict string
			Workload          struct{ Readers, Writers int }
			Counterexample    *struct {
				Steps, Switches int
				Replay          string
			}
		}
		Costs *struct {
			RoundTrips struct {
				Hit   int `json:"read_hit"`
				Miss  int `json:"read_miss"`
				Write int
			} `json:"round_trips"`
			Loads int
			Stale struct{ Steps int } `json:"stale_window"`
		}
	}
}

func documentOf(t *testing.T, c *Comparison) (doc comparisonDocument) {
	t.Helper()
	var b bytes.Buffer
	if err := c.JSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// grid reads the n-th table, without its head.
func grid(n int) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".grid")[%d].tBodies[0].rows].map(tr => [...tr.cells].map(cell => cell.textContent))`, n)
}

// Every cell has the values of the JSON of the same comparison, and every violated
// one, and no other, leads to its own trace, which opens.
func testComparisonSaysWhatTheJSONSays(t *testing.T, open opener) {
	c := compared(t)
	doc := documentOf(t, c)
	b := open(c.HTML)
	var verdicts, costs [][]string
	links := 0
	for i, row := range doc.Rows {
		shown := []string{row.Strategy}
		for j, cell := range row.Cells {
			link := fmt.Sprintf(`.grid tbody tr:nth-child(%d) td:nth-child(%d) a`, i+1, j+2)
			if n := eval[int](b, fmt.Sprintf(`document.querySelectorAll(%q).length`, link)); (n == 1) != (cell != nil && cell.Verdict == "violated") {
				t.Errorf("%s, %s: %d links", row.Strategy, c.Properties[j], n)
			}
			switch {
			case cell == nil:
				shown = append(shown, "-")
				continue
			case cell.Verdict != "violated":
				shown = append(shown, cell.Verdict)
				continue
			}
			links++
			shown = append(shown, fmt.Sprintf("violated: %dR %dW, %s", cell.Workload.Readers, cell.Workload.Writers, counted(cell.Counterexample.Switches, "switch", "switches")))
			b.run(chromedp.Click(chromedp.CSS(link)))
			got := b.trace()
			if want := row.Strategy + ": " + cell.Property + " is violated"; got.Title != want || !got.Visible {
				t.Errorf("%s, %s leads to %+v", row.Strategy, cell.Property, got)
			}
			if want := fmt.Sprint(cell.Counterexample.Steps); got.Last != want || got.Bands == 0 || got.Command != cell.Counterexample.Replay {
				t.Errorf("%s, %s: %+v, want %s steps and %s", row.Strategy, cell.Property, got, want, cell.Counterexample.Replay)
			}
		}
		verdicts = append(verdicts, shown)
		if row.Costs != nil {
			costs = append(costs, []string{row.Strategy, fmt.Sprint(row.Costs.RoundTrips.Hit), fmt.Sprint(row.Costs.RoundTrips.Miss), fmt.Sprint(row.Costs.RoundTrips.Write),
				fmt.Sprint(row.Costs.Loads), counted(row.Costs.Stale.Steps, "step", "steps")})
		}
	}
	if links < 20 {
		t.Errorf("only %d links", links)
	}
	for n, want := range [][][]string{verdicts, costs} {
		got := eval[[][]string](b, grid(n))
		if len(got) != len(want) {
			t.Fatalf("table %d has %d rows, want %d", n, len(got), len(want))
		}
		for i := range got {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("the page says %q, the JSON %q", got[i], want[i])
			}
		}
	}
	// An address with a trace works from the begin, and a trace can be folded again.
	address, _, _ := strings.Cut(eval[string](b, `location.href`), "#")
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(address+"#trace-2"))
	if got := b.trace(); !got.Visible {
		t.Errorf("it leads to %+v", got)
	}
	b.run(chromedp.Click(chromedp.CSS("#trace-2 summary")))
	if eval[bool](b, isOpen) {
		t.Error("it is still open")
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprint(n, " ", many)
}

// An openTrace is the trace that the address names, as the page shows it.
type openTrace struct {
	Title, Last, Command string
	Bands                int // of the diagram
	Visible              bool
}

const isOpen = `document.querySelector(location.hash + " details").open`

// trace waits until the trace is open, which is after the address has changed.
func (b *tab) trace() openTrace {
	b.Helper()
	b.run(chromedp.WaitVisible(chromedp.CSS("section:target ol")))
	return eval[openTrace](b, `(() => {
		const e = document.querySelector(location.hash), top = e.getBoundingClientRect().top;
		return {
			Title: e.querySelector("h3").textContent, Last: [...e.querySelectorAll(".number")].filter(n => n.localName === "span").pop().textContent,
			Command: e.querySelector("pre").textContent, Bands: e.querySelectorAll(".band").length,
			Visible: -1 < top && top < innerHeight,
		};
	})()`)
}

// Tab goes to the table and through its links in their order, Enter follows one, and
// goes on in the trace: to fold it, to its diagram and to the command.
func testComparisonByKeyboard(t *testing.T, open opener) {
	b := open(compared(t).HTML)
	links := eval[[]string](b, `[...document.querySelectorAll(".grid a")].map(a => a.hash)`)
	focus := `document.activeElement.hash || document.activeElement.getAttribute("aria-label") || document.activeElement.localName`
	b.run(chromedp.KeyEvent(kb.Tab))
	if got := eval[string](b, focus); got != "Verdicts, scrollable" {
		t.Errorf("the first is %q", got)
	}
	for _, want := range links {
		b.run(chromedp.KeyEvent(kb.Tab))
		if got := eval[string](b, focus); got != want {
			t.Fatalf("Tab goes to %q, want %q", got, want)
		}
		if !eval[bool](b, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("%s: nobody sees that it has the focus", want)
		}
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	if got := b.trace(); !got.Visible {
		t.Errorf("Enter leads to %+v", got)
	}
	for _, want := range []string{"summary", "Sequence diagram, scrollable", "The command that replays this"} {
		b.run(chromedp.KeyEvent(kb.Tab))
		if got := eval[string](b, focus); got != want {
			t.Errorf("Tab goes to %q, want %q", got, want)
		}
	}
	b.run(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(8)), chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(8)), chromedp.KeyEvent(kb.Enter)) // with Shift
	if eval[bool](b, isOpen) {
		t.Error("Enter does not fold it")
	}
}

// Whatever strategies, properties and values are, it is text.
func testComparisonExecutesNoData(t *testing.T, open opener) {
	r := evilReport()
	c := &Comparison{Workloads: evil[0]}
	for _, text := range evil {
		c.Properties = append(c.Properties, text)
		c.Rows = append(c.Rows, Row{Strategy: text, Costs: &Costs{Workload: words(""), Loads: -1, Unknown: text}})
	}
	for i := range c.Rows {
		for _, text := range evil {
			c.Rows[i].Cells = append(c.Rows[i].Cells, Cell{Error: text})
		}
	}
	c.Rows[0].Cells[0] = Cell{Search: found(r)}
	b := open(c.HTML)
	b.run(chromedp.Click(chromedp.CSS(".grid a")))
	page := eval[string](b, `document.body.innerText`)
	for i, row := range eval[[][]string](b, grid(0)) {
		if row[0] != printable(evil[i]) {
			t.Errorf("a strategy is %q, want %q", row[0], evil[i])
		}
		if n := strings.Count(page, printable(evil[i])); n < 4 {
			t.Errorf("%q is there %d times", evil[i], n)
		}
	}
	b.executedNothing(1)
}

// Nothing but what says so has to be scrolled sideways, in both colour schemes and
// with every trace open.
func testComparisonFits(t *testing.T, open opener) {
	c := compared(t)
	c.Rows = append(c.Rows, comparison(found(example(5, 20)), timed(t)).Rows...)
	c.Rows[len(c.Rows)-2].Strategy = strings.Repeat("long", 40)
	b := open(c.HTML)
	grounds := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.run(chromedp.EmulateViewport(width, 844), prefers(scheme))
			for _, all := range []string{"false", "true"} {
				got := eval[int64](b, `(document.querySelectorAll("details").forEach(d => d.open = `+all+`), document.documentElement.scrollWidth)`)
				if got > width {
					t.Errorf("%s, open %s: %d pixels wide, want %d", scheme, all, got, width)
				}
			}
		}
		grounds[eval[string](b, `getComputedStyle(document.body).backgroundColor`)] = true
	}
	if len(grounds) != 2 {
		t.Errorf("the schemes have the grounds %v", grounds)
	}
}

// prefers asks for a colour scheme.
func prefers(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}
