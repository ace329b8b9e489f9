package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"quiesce/explore"
	"quiesce/sim"
)

// A tab is a page in a real Chromium, with all that it complains about.
type tab struct {
	*testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// An opener opens the HTML that is written in the tab of the test, where it replaces what
// was there.
type opener func(write func(io.Writer) error) *tab

// TestPage looks at pages in a real Chromium, which takes a while to start.
func TestPage(t *testing.T) {
	browser := browse(t)
	for name, test := range map[string]func(*testing.T, opener){
		"shows what the JSON says": testPageShowsWhatTheJSONSays, "switch": testPageSwitch,
		"executes no data": testPageExecutesNoData, "on a phone": testPageOnAPhone,
		"comparison says what the JSON says": testComparisonSaysWhatTheJSONSays, "comparison by keyboard": testComparisonByKeyboard,
		"comparison executes no data": testComparisonExecutesNoData, "comparison fits": testComparisonFits,
	} {
		t.Run(name, func(t *testing.T) {
			b := newTab(t, browser)
			test(t, func(write func(io.Writer) error) *tab { b.open(write); return b })
		})
	}
}

// browse starts the browser.
func browse(t *testing.T) context.Context {
	t.Helper()
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(tool(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1280, 900),
	)
	timeout, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(timeout, opts...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	return browser
}

// newTab opens an empty tab.
func newTab(t *testing.T, browser context.Context) *tab {
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx}
	if err := errors.Join(chromedp.Do(ctx), chromedp.Listen(ctx, b.listen)); err != nil {
		t.Fatal(err)
	}
	return b
}

// open goes to a page of its own.
func (b *tab) open(write func(io.Writer) error) {
	file := filepath.Join(b.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(htmlOf(b.T, write)), 0o644); err != nil {
		b.Fatal(err)
	}
	b.run(chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String()))
}

// listen collects whatever should not happen: a message on the console, an
// exception, a violation of the policy, a dialogue, a request for anything but the file.
func (b *tab) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *cdpruntime.EventConsoleAPICalled:
		complaint = fmt.Sprint("console: ", e.Args)
	case *cdpruntime.EventExceptionThrown:
		complaint = fmt.Sprintf("exception: %+v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		complaint = e.Entry.Text
	case *cdppage.EventJavascriptDialogOpening:
		complaint = "dialogue: " + e.Message
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "file:") {
			complaint = "request: " + e.Request.URL
		}
	}
	if complaint != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, complaint)
	}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		b.Fatal(b.complaints)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatal(err)
	}
	b.run() // what it complained about
	return value
}

func htmlOf(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// held reads what the page shows of the places: by place and item the value in
// full. A JSON object is read from its table of columns.
const held = `Object.fromEntries([...document.querySelectorAll(".place")].map(place => [place.querySelector("h3").textContent,
	Object.fromEntries([...place.querySelectorAll(".item")].filter(item => !item.querySelector("del.value")).map(item => {
		const rows = [...item.querySelectorAll(".columns tr")].map(tr => JSON.stringify(tr.cells[0].textContent) + ":" + tr.cells[1].textContent);
		const full = rows.length ? "{" + rows.join(",") + "}" : item.querySelector("pre") ? item.querySelector("pre").textContent : item.querySelector(".value").textContent;
		return [item.querySelector(".key").textContent, full];
	}))]))`

type places map[string]map[string]string

// A jsonStep is what the JSON of the same report says about a step.
type jsonStep struct {
	task, fault string
	after       places // but for the clock, which holds nothing
}

func jsonSteps(t *testing.T, r *Search) (steps []jsonStep) {
	t.Helper()
	var b bytes.Buffer
	if err := (Report{r}).JSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Counterexample struct {
			Trace []map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Counterexample.Trace {
		step := jsonStep{after: places{}}
		for name, into := range map[string]*string{"task": &step.task, "fault": &step.fault} {
			if s[name] != nil {
				if err := json.Unmarshal(s[name], into); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, field := range s {
			if strings.HasPrefix(string(field), "{") { // no other field is an object
				var items map[string]string
				if err := json.Unmarshal(field, &items); err != nil {
					t.Fatal(err)
				}
				step.after[name] = items
			}
		}
		if len(step.after[sim.ClockName]) > 0 {
			t.Errorf("%s: the clock holds something", r.Strategy)
		}
		delete(step.after, sim.ClockName)
		steps = append(steps, step)
	}
	return steps
}

// numbers are those of the steps in the rows that are marked.
func numbers(of string) string {
	return `[...document.querySelectorAll(".trace:not([hidden]) ` + of + ` button")].map(e => e.textContent)`
}

// The keys go through the trace, and after each row the page shows the values of
// the JSON of the same run. The rows have all steps of it, and only ticks share one.
func testPageShowsWhatTheJSONSays(t *testing.T, open opener) {
	for _, r := range append(counterexamples(t), timed(t)) {
		steps := jsonSteps(t, r)
		if len(steps) != len(r.trace().Steps) || len(steps) == 0 {
			t.Fatalf("%s: %d steps", r.Strategy, len(steps))
		}
		b := open(Report{r}.HTML)
		b.run(chromedp.KeyEvent(kb.Home))
		rows, last := eval[[]string](b, numbers("tr[data-row]")), 0
		for _, number := range rows {
			b.run(chromedp.KeyEvent(kb.ArrowRight))
			first := last + 1
			last = first
			if number != fmt.Sprint(first) {
				if n, err := fmt.Sscanf(number, fmt.Sprint(first, "-%d"), &last); n != 1 || last <= first || last > len(steps) {
					t.Fatalf("%s: the row with step %d says %q: %v", r.Strategy, first, number, err)
				}
				for _, s := range steps[first-1 : last] {
					if s.fault != string(sim.Tick) {
						t.Errorf("%s: %v is in the row %s", r.Strategy, s, number)
					}
				}
			}
			step := steps[last-1]
			if got := eval[places](b, held); !reflect.DeepEqual(got, step.after) {
				t.Errorf("%s, step %s: the page shows %v, the JSON %v", r.Strategy, number, got, step.after)
			}
			if now, want := eval[string](b, `document.getElementById("now").textContent`), fmt.Sprintf("Step %s of %d %s: ", number, len(steps), step.task); !strings.HasPrefix(now, want) {
				t.Errorf("%s: the page says %q, want %q", r.Strategy, now, want)
			}
			if current := eval[[]string](b, numbers("tr.current")); !slices.Equal(current, []string{number}) {
				t.Errorf("%s: current is %q, want %s", r.Strategy, current, number)
			}
		}
		if last != len(steps) {
			t.Errorf("%s: the rows are %q, and there are %d steps", r.Strategy, rows, len(steps))
		}
		b.run(chromedp.KeyEvent(kb.ArrowRight)) // there is no further row
		if at := eval[int](b, `Number(document.getElementById("scrubber").value)`); at != len(rows) {
			t.Errorf("%s: after the last row it is at %d", r.Strategy, at)
		}
		if fatal := eval[[]string](b, numbers("tr.fatal")); !slices.Equal(fatal, []string{fmt.Sprint(r.trace().Fatal)}) {
			t.Errorf("%s: step %s is marked as fatal, want %d", r.Strategy, fatal, r.trace().Fatal)
		}
	}
}

// The switch shows the closest passing interleaving, and the buttons and the
// scrubber go through it.
func testPageSwitch(t *testing.T, open opener) {
	r := race(t)
	b := open(Report{r}.HTML)
	requests := `[...document.querySelectorAll(".trace:not([hidden]) tr[data-row] td:not(.idle) > code")].map(e => e.textContent)`
	shown := func(trace *explore.Trace) (texts []string) {
		for _, s := range trace.Steps {
			texts = append(texts, r.brief(s.Request))
		}
		return texts
	}
	if got, want := eval[[]string](b, requests), shown(r.trace()); !slices.Equal(got, want) {
		t.Errorf("the counterexample is %q, want %q", got, want)
	}
	if n := eval[int](b, `document.querySelectorAll(".diagram:not([hidden])").length`); n != 1 {
		t.Errorf("%d diagrams", n)
	}
	b.run(chromedp.Click(chromedp.CSS(`[data-view="1"]`)), chromedp.Click(chromedp.CSS("#first")), chromedp.Click(chromedp.CSS("#next")), chromedp.Click(chromedp.CSS("#next")), chromedp.Click(chromedp.CSS("#next")))
	if got, want := eval[[]string](b, requests), shown(r.result().Closest); !slices.Equal(got, want) {
		t.Errorf("the closest passing interleaving is %q, want %q", got, want)
	}
	if fork := eval[string](b, `[...document.querySelectorAll("tr.fork")].map(tr => tr.dataset.row).join()`); fork != "4,4" {
		t.Errorf("the two part at %s, want step 4 in both", fork)
	}
	if got := eval[places](b, held); got["cache"]["product:1"] != "" || !strings.Contains(got["db"]["products/1"], `"price":7900`) {
		t.Errorf("after the step 3 of it: %v", got)
	}
	if pressed := eval[string](b, `document.querySelector('[aria-pressed="true"]').textContent`); pressed != "closest passing" {
		t.Errorf("%q is pressed", pressed)
	}
	b.run(chromedp.Evaluate[chromedp.Void](`scrubber.value = 4; scrubber.dispatchEvent(new Event("input")); undefined`))
	if got := eval[places](b, held); !strings.Contains(got["cache"]["product:1"], `"price":9900`) {
		t.Errorf("after step 4 of it: %v", got)
	}
	b.run(chromedp.Click(chromedp.CSS(`.trace:not([hidden]) tr[data-row="5"]`)))
	if got := eval[places](b, held); len(got["cache"]) != 0 {
		t.Errorf("after step 5 of it: %v", got)
	}
}

// evil is what must not become HTML or a script.
var evil = []string{
	"</script><script>window.pwned = 1</script>", "<img src=x onerror=window.pwned=1>", `" onmouseover="window.pwned=1" x="`,
	"'-window.pwned-'", "a\u2028b\u2029c", "<!--<script>", "]]>", "javascript:window.pwned=1", "{{.Script}}", "</title><svg onload=window.pwned=1>", "__proto__",
}

// evilReport has nothing else in it.
func evilReport() *Replay {
	r := example(2, 2*len(evil))
	r.Strategy, r.Property, r.Meaning = evil[0], evil[1], evil[0]
	for i := range r.Trace.Steps {
		s, text := &r.Trace.Steps[i], evil[i%len(evil)]
		s.Request, s.Reply = text, text
		s.Contents = []sim.Content{{{Name: text, Value: text, Note: text}}, {{Name: "row", Value: fmt.Sprintf(`{%q:%q}`, text, text)}}}
	}
	r.Trace.Violation, r.Trace.Fatal = strings.Join(evil, " "), len(evil)
	r.Trace.Places[1] = evil[1]
	return r
}

// Whatever keys and values are, it is text.
func testPageExecutesNoData(t *testing.T, open opener) {
	r := evilReport()
	b := open(Report{r}.HTML)
	b.run(chromedp.KeyEvent(kb.Home))
	for i := range r.Trace.Steps {
		text := printable(evil[i%len(evil)])
		b.run(chromedp.KeyEvent(kb.ArrowRight))
		got := eval[places](b, held)
		if v, ok := got["cache"][text]; !ok || v != text {
			t.Errorf("step %d: the cache is %q, want %q", i+1, got["cache"], text)
		}
		if !strings.Contains(eval[string](b, `document.getElementById("now").textContent`), text) {
			t.Errorf("step %d: it does not say %q", i+1, text)
		}
	}
	b.executedNothing(2) // the data and the script
}

// executedNothing fails if there is anything from outside among that many scripts.
func (b *tab) executedNothing(scripts int) {
	b.Helper()
	if eval[bool](b, `"pwned" in window`) {
		b.Error("data was executed")
	}
	if n := eval[int](b, `document.scripts.length + document.images.length`); n != scripts {
		b.Errorf("%d scripts and images, want %d", n, scripts)
	}
	// The policy is what it has to be: a script that gets in nevertheless is refused.
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](`{ const s = document.createElement("script"); s.textContent = "window.pwned = 1"; document.body.append(s); }; undefined`)); err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.complaints = nil
	b.mu.Unlock()
	if eval[bool](b, `"pwned" in window`) {
		b.Error("the policy let another script in")
	}
}

// On a phone nothing but the diagram has to be scrolled sideways.
func testPageOnAPhone(t *testing.T, open opener) {
	long := example(5, 20)
	long.Trace.Fatal = 3
	for _, r := range append(counterexamples(t), found(long)) {
		b := open(Report{r}.HTML)
		b.run(chromedp.EmulateViewport(390, 844))
		if width := eval[int](b, `document.documentElement.scrollWidth`); width > 390 {
			t.Errorf("%s: %d pixels wide", r.Strategy, width)
		}
		small := `[...document.querySelectorAll("button")].filter(e => e.offsetParent && (e.offsetWidth < 30 || e.offsetHeight < 30)).map(e => e.textContent).join()`
		if buttons := eval[string](b, small); buttons != "" {
			t.Errorf("%s: too small for a finger: %s", r.Strategy, buttons)
		}
	}
}
