package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
)

func explored(t *testing.T, ctx context.Context, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	if code != exitError && errs.Len() > 0 {
		t.Errorf("explore %v: stderr is no terminal, and there is %q", args, errs.String())
	}
	if code == exitError && (out.Len() > 0 || strings.Count(errs.String(), "\n") != 1) {
		t.Errorf("explore %v: exit code 2 with stdout %q and stderr %q", args, out.String(), errs.String())
	}
	return out.String(), code
}

// What is written to stdout is a function of the arguments, whatever the number
// of cores.
func TestDeterminism(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, args := range []string{
		"-strategy cache-aside -max-tasks 3",
		"-strategy versioned -max-tasks 3 -audit 3",
		"-strategy double-delete -readers 2 -writers 2 -keys 2 -cache warm",
		"-strategy double-delete -readers 1 -writers 1 -engine direct",
		"-strategy write-through -readers 2 -writers 2 -limit 50",
		"-strategy versioned -readers 5 -writers 2 -limit-states 1500",
		"-strategy cache-aside -schedule reader-1:2,writer-1:2,reader-1:1",
	} {
		for _, format := range []string{"text", "json", "markdown", "html"} {
			args := append(strings.Fields(args), "-format", format)
			var want string
			for i, cores := range []int{1, 2} {
				runtime.GOMAXPROCS(cores)
				got, code := explored(t, t.Context(), args...)
				if code == exitError || got == "" {
					t.Fatalf("explore %v: exit code %d, stdout %q", args, code, got)
				}
				if i == 0 {
					want = got
				} else if got != want {
					t.Errorf("explore %v: with %d cores\n%s\nbefore\n%s", args, cores, got, want)
				}
			}
		}
	}
}

// document is the JSON report: every field that there may be.
type document struct {
	Version  int      `json:"version"`
	Strategy string   `json:"strategy"`
	Workload workload `json:"workload"`
	Engine   string   `json:"engine"`
	Property string   `json:"property"`
	counts
	Reason   string `json:"reason"`
	Executed *struct {
		Store int `json:"store"`
		Task  int `json:"task"`
	} `json:"executed"`
	Probability string `json:"probability"`
	Fraction    string `json:"probability_fraction"`
	Audit       *int   `json:"audit"`
	Workloads   []struct {
		workload
		counts
	} `json:"workloads"`
	Caveats        []string `json:"caveats"`
	Counterexample *trace   `json:"counterexample"`
	Cause          []struct {
		Before int `json:"before"`
		After  int `json:"after"`
	} `json:"cause"`
	Closest *trace `json:"closest"`
	Replay  *trace `json:"replay"`
}

type workload struct {
	Readers int    `json:"readers"`
	Writers int    `json:"writers"`
	Keys    int    `json:"keys"`
	Cache   string `json:"cache"`
}

type counts struct {
	Verdict       explore.Verdict `json:"verdict"`
	Interleavings string          `json:"interleavings"`
	Violating     string          `json:"violating"`
	States        int             `json:"states"`
	Transitions   int             `json:"transitions"`
	Premise       string          `json:"premise"`
}

type trace struct {
	Schedule  string            `json:"schedule"`
	Steps     int               `json:"steps"`
	Switches  int               `json:"switches"`
	Violation string            `json:"violation"`
	Fatal     int               `json:"fatal"`
	Cache     map[string]string `json:"cache"`
	DB        map[string]string `json:"db"`
	Trace     []struct {
		Step    int               `json:"step"`
		Task    string            `json:"task"`
		Store   string            `json:"store"`
		Request string            `json:"request"`
		Reply   string            `json:"reply"`
		Cache   map[string]string `json:"cache"`
		DB      map[string]string `json:"db"`
	} `json:"trace"`
}

// The two formats say the same.
func TestJSONAgreesWithText(t *testing.T) {
	for _, args := range []string{
		"-strategy cache-aside",
		"-strategy naive -readers 2 -writers 2 -cache warm",
		"-strategy setnx-fill -readers 1 -writers 1 -engine direct",
		"-strategy versioned -max-tasks 3 -audit 3",
		"-strategy versioned -readers 5 -writers 2 -limit-states 1500",
		"-strategy cache-aside -readers 0 -writers 1",
		"-strategy refresh-ahead -readers 1 -writers 1 -cache warm -engine direct",
		"-strategy cache-aside -readers 2 -writers 2 -limit 150",
		"-strategy cache-aside -schedule reader-1:2,writer-1:2,reader-1:1",
		"-strategy cache-aside -schedule writer-1:2,reader-1:3",
	} {
		t.Run(args, func(t *testing.T) {
			text, textCode := explored(t, t.Context(), append(strings.Fields(args), "-width", "1000")...)
			out, code := explored(t, t.Context(), append(strings.Fields(args), "-format", "json")...)
			var doc document
			d := json.NewDecoder(strings.NewReader(out))
			d.DisallowUnknownFields()
			if err := d.Decode(&doc); err != nil {
				t.Fatalf("%v in\n%s", err, out)
			}
			if d.More() {
				t.Error("more than one object")
			}
			if code != textCode {
				t.Errorf("exit code %d with text, %d with json", textCode, code)
			}
			if want := map[explore.Verdict]int{explore.Holds: 0, explore.Violated: 1, explore.Incomplete: 3, explore.Vacuous: 3}[doc.Verdict]; code != want {
				t.Errorf("verdict %s with exit code %d", doc.Verdict, code)
			}
			says(t, text, `(?m)^verdict       `+string(doc.Verdict)+`: `)
			says(t, text, `(?m)^strategy      `+doc.Strategy+`$`)
			if doc.Version != 1 || doc.Property != "coherent" {
				t.Errorf("version %d, property %s", doc.Version, doc.Property)
			}
			if doc.Engine == "replay" {
				if violated := doc.Verdict == explore.Violated; doc.Replay == nil || (doc.Counterexample != nil) != violated {
					t.Errorf("replay %v, counterexample %v", doc.Replay, doc.Counterexample)
				}
				doc.Replay.agrees(t, text)
				return
			}
			doc.agrees(t, text)
		})
	}
}

func says(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("no match for %s in\n%s", pattern, text)
	}
}

func (d *document) agrees(t *testing.T, text string) {
	plain := strings.ReplaceAll(text, ",", "") // no thousands separators
	says(t, plain, `(?m)^interleavings (at least )?`+d.Interleavings+` violating `+d.Violating+`\b`)
	if d.Verdict == explore.Vacuous {
		says(t, plain, `(?m)^premise       there is nothing to judge in any interleaving$`)
	} else {
		says(t, plain, `(?m)^premise       there is something to judge in `+d.Premise+` interleavings?$`)
	}
	_, caveats, _ := strings.Cut(text, "\ncaveats       ")
	if all := strings.Join(d.Caveats, "\n"+strings.Repeat(" ", 14)); !strings.HasPrefix(caveats, all) || (all == "") != (caveats == "") {
		t.Errorf("caveats %q in\n%s", d.Caveats, text)
	}
	if d.Engine == "product" {
		f := regexp.MustCompile(`(?m)^engine        product: (\d+) states (\d+) transitions; learned from (\d+) real store executions and (\d+) coroutine runs$`).FindStringSubmatch(plain)
		want, _ := json.Marshal([]int{d.States, d.Transitions, d.Executed.Store, d.Executed.Task})
		if f == nil || "["+strings.Join(f[1:], ",")+"]" != string(want) {
			t.Errorf("%s, want %s", f, want)
		}
	} else if d.Executed != nil || d.Audit != nil || d.Probability != "" || d.States != 0 {
		t.Errorf("the direct engine has learned something: %+v", d)
	}
	if (d.Reason != "") != (d.Verdict == explore.Incomplete || d.Verdict == explore.Vacuous) || !strings.Contains(text, d.Reason) {
		t.Errorf("verdict %s, reason %q", d.Verdict, d.Reason)
	}
	if d.Probability != "" {
		p, ok := new(big.Rat).SetString(d.Probability)
		exact, ok2 := new(big.Rat).SetString(d.Fraction)
		if !ok || !ok2 || new(big.Rat).Sub(p, exact).Abs(new(big.Rat).Sub(p, exact)).Cmp(big.NewRat(1, 1000000)) > 0 {
			t.Errorf("probability %s, exactly %s", d.Probability, d.Fraction)
		}
		if positive := exact.Sign() > 0; positive != (d.Verdict == explore.Violated) {
			t.Errorf("verdict %s with probability %s", d.Verdict, d.Fraction)
		}
	}
	if last := d.Workloads[len(d.Workloads)-1]; last.workload != d.Workload || last.counts != d.counts {
		t.Errorf("the last of the workloads is %+v, the result %+v", last, d.counts)
	}
	if d.Counterexample == nil {
		if d.Violating != "0" {
			t.Errorf("%s violate, and there is no counterexample", d.Violating)
		}
		return
	}
	if d.Violating == "0" || d.Counterexample.Violation == "" {
		t.Errorf("a counterexample with the violation %q, and %s violate", d.Counterexample.Violation, d.Violating)
	}
	d.Counterexample.agrees(t, text)
}

func (c *trace) agrees(t *testing.T, text string) {
	says(t, text, `(?m)^schedule      `+c.Schedule+`$`)
	says(t, text, `(?m)^replay        go run ./cmd/explore .* -schedule `+c.Schedule+`$`)
	if c.Violation != "" {
		says(t, text, `(?m)^difference    `+regexp.QuoteMeta(model.Brief(c.Violation))+`$`)
	}
	if (c.Fatal > 0) != (c.Violation != "") || c.Fatal > c.Steps {
		t.Errorf("step %d of %d is fatal, and the violation is %q", c.Fatal, c.Steps, c.Violation)
	}
	if c.Steps != len(c.Trace) || c.Switches != strings.Count(c.Schedule, ",") {
		t.Errorf("steps %d, switches %d of %s with %d steps", c.Steps, c.Switches, c.Schedule, len(c.Trace))
	}
	for i, s := range c.Trace {
		if s.Step != i+1 || s.Cache == nil || s.DB == nil {
			t.Errorf("step %d: %+v", i+1, s)
		}
		says(t, text, `(?m)^│ +`+strconv.Itoa(s.Step)+` │.*`+regexp.QuoteMeta(model.Brief(s.Request)+" → "+model.Brief(s.Reply)))
	}
	last := c.Trace[len(c.Trace)-1]
	if !mapsEqual(last.Cache, c.Cache) || !mapsEqual(last.DB, c.DB) {
		t.Errorf("at the end %v %v, after the last step %v %v", c.Cache, c.DB, last.Cache, last.DB)
	}
}

func mapsEqual(a, b map[string]string) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// The last line of every report replays its counterexample: the same table, the
// same difference.
func TestReplayCommand(t *testing.T) {
	for _, s := range model.Strategies() {
		for _, more := range []string{"", "-cache warm -keys 2 -readers 2 -writers 2", "-workers 3"} {
			if more != "" && (s.Race != nil) != (more == "-workers 3") {
				continue
			}
			if _, busy := s.Prototype().(model.Backgrounder); busy && more != "" {
				continue // too many states
			}
			args := append([]string{"-strategy", s.Name, "-audit", "1", "-max-tasks", "3"}, strings.Fields(more)...)
			if more != "" {
				args = slices.Delete(args, 4, 6) // the workload does not grow
			}
			found, code := explored(t, t.Context(), args...)
			if code == exitHolds {
				continue
			}
			_, command, ok := strings.Cut(found, "go run ./cmd/explore ")
			if !ok || code != exitViolated {
				t.Errorf("explore %v: exit code %d, no command in\n%s", args, code, found)
				continue
			}
			again, code := explored(t, t.Context(), strings.Fields(command)...)
			if code != exitViolated {
				t.Errorf("explore %s: exit code %d", command, code)
			}
			_, want, _ := strings.Cut(found, "┌")
			if _, got, _ := strings.Cut(again, "┌"); got != want {
				t.Errorf("explore %s:\n%s\nwas found as\n%s", command, got, want)
			}
		}
	}
}

// An interrupt ends a search within a moment, with what was covered.
func TestInterrupt(t *testing.T) {
	for _, args := range []string{
		"-strategy cache-aside -readers 5 -writers 4",
		"-strategy cache-aside -readers 4 -writers 3 -engine direct",
		"-strategy cache-aside -readers 5 -writers 4 -format json",
	} {
		for _, after := range []time.Duration{0, 100 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			begin := time.Now()
			out, code := explored(t, ctx, strings.Fields(args)...)
			cancel()
			if passed := time.Since(begin) - after; passed > 5*time.Second {
				t.Errorf("explore %s: stopped %v after the interrupt", args, passed)
			}
			if code != exitIncomplete || !strings.Contains(out, "interrupted") || !strings.Contains(out, "incomplete") {
				t.Errorf("explore %s: exit code %d\n%s", args, code, out)
			}
		}
	}
}

// Nothing stays behind: tasks that did not finish, connections, progress.
func TestNoGoroutineIsLeft(t *testing.T) {
	explored(t, t.Context(), "-strategy", "naive") // what starts once
	before := runtime.NumGoroutine()
	for _, args := range []string{
		"-strategy cache-aside",
		"-strategy versioned -max-tasks 2 -audit 5",
		"-strategy cache-aside -readers 2 -writers 2 -limit 50",
		"-strategy versioned -readers 5 -writers 2 -limit-states 1500",
		"-strategy cache-aside -schedule reader-1:1",
		"-strategy cache-aside -schedule reader-1:2,writer-1:2,reader-1:1",
		"-strategy cache-asid",
	} {
		explored(t, t.Context(), strings.Fields(args)...)
	}
	now := 0
	for range 100 { // a goroutine that has been told to end may take a moment
		if now = runtime.NumGoroutine(); now <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, %d now:\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
}

// Every strategy and every property is listed, and no line is wider than the
// least width.
func TestList(t *testing.T) {
	out, code := explored(t, t.Context(), "-list", "-width", "40")
	if code != exitHolds {
		t.Errorf("exit code %d", code)
	}
	for _, s := range model.Strategies() {
		says(t, out, `(?m)^  `+s.Name+`\n      \S`)
	}
	for _, p := range model.Properties() {
		says(t, out, `(?m)^  `+p.Name+`\n      \S`)
	}
	for line := range strings.Lines(out) {
		if len(line) > 41 {
			t.Errorf("%q is wider than 40", line)
		}
	}
	if wide, _ := explored(t, t.Context(), "-list"); len(strings.Fields(wide)) != len(strings.Fields(out)) {
		t.Errorf("without a width -list says\n%s", wide)
	}
}
