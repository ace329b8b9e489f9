package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"quiesce/explore"
)

// comparison is what the tests need of the JSON.
type comparison struct {
	Verdict string
	Rows    []struct {
		Strategy string
		Cells    []*struct {
			Property       string
			Verdict        explore.Verdict
			Reason         string
			Workload       workload
			Counterexample *struct {
				Schedule string
				Switches int
			}
		}
		Costs *struct {
			Loads *int
			Stale *struct{ Steps int } `json:"stale_window"`
		}
	}
}

func compared(t *testing.T, args string) (c comparison, code int) {
	t.Helper()
	out, code := explored(t, t.Context(), strings.Fields(args+" -audit 0 -format json")...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return c, code
}

// A cell says what a run of its own says, and is empty where such a run is refused.
func TestComparisonAgreesWithSingleRuns(t *testing.T) {
	c, code := compared(t, "-strategy cache-aside,lease-shared-token,versioned,counter-naive -property coherent,eventual,no-lost-update -faults lost-reply=1")
	if code != exitViolated || c.Verdict != "violated" || len(c.Rows) != 4 {
		t.Fatalf("exit code %d, %+v", code, c)
	}
	for _, row := range c.Rows {
		for i, property := range []string{"coherent", "eventual", "no-lost-update"} {
			cell := row.Cells[i]
			args := strings.Fields(fmt.Sprintf("-strategy %s -property %s -max-tasks 3 -faults lost-reply=1 -audit 0 -format json", row.Strategy, property))
			if cell == nil {
				var errs strings.Builder
				if run(t.Context(), args, &strings.Builder{}, &errs) != exitError || !strings.Contains(errs.String(), "is not one of") {
					t.Errorf("%s, %s is empty", row.Strategy, property)
				}
				continue
			}
			out, _ := explored(t, t.Context(), args...)
			var single document
			if err := json.Unmarshal([]byte(out), &single); err != nil {
				t.Fatal(err)
			}
			if cell.Verdict != single.Verdict || cell.Workload != single.Workload || (cell.Counterexample == nil) != (single.Counterexample == nil) ||
				cell.Counterexample != nil && cell.Counterexample.Schedule != single.Counterexample.Schedule {
				t.Errorf("%s, %s: %+v", row.Strategy, property, cell)
			}
		}
		if (row.Costs == nil) != (row.Strategy == "counter-naive") {
			t.Errorf("%s: costs %v", row.Strategy, row.Costs)
		}
	}
}

// The exit status: 0 only if every cell holds, and an incomplete one never passes.
func TestComparisonStatus(t *testing.T) {
	for args, want := range map[string]int{
		"-strategy versioned,lease":                        exitHolds,
		"-strategy versioned -property coherent,eventual":  exitHolds,
		"-strategy versioned,cache-aside":                  exitViolated,
		"-strategy versioned,lease -limit-states 20":       exitIncomplete,
		"-strategy versioned,cache-aside -limit-states 20": exitViolated,   // which 17 states show
		"-strategy versioned -property coherent,available": exitIncomplete, // since nothing fails
		"-strategy versioned,cache-aside -max-stall 1ms":   exitIncomplete, // which has too many ticks of 1 ms
	} {
		c, code := compared(t, args)
		if code != want {
			t.Errorf("%s: exit code %d, want %d", args, code, want)
		}
		for _, row := range c.Rows {
			for _, cell := range row.Cells {
				if (cell.Verdict == explore.Incomplete || cell.Verdict == explore.Vacuous) != (cell.Reason != "") {
					t.Errorf("%s: %s: %+v", args, row.Strategy, cell)
				}
			}
		}
	}
}

// Both readers of cache-aside can miss before the first has its answer; the writer of
// write-through reads its row back, so it is a third.
func TestComparedLoads(t *testing.T) {
	c, _ := compared(t, "-strategy cache-aside,write-through -max-tasks 3")
	for i, want := range []int{2, 3} {
		if loads := c.Rows[i].Costs.Loads; loads == nil || *loads != want {
			t.Errorf("%s: %v, want %d", c.Rows[i].Strategy, loads, want)
		}
	}
	if c, _ = compared(t, "-strategy cache-aside,lease -max-tasks 4 -limit-states 30"); c.Rows[0].Costs.Loads != nil || c.Rows[0].Costs.Stale != nil {
		t.Error("costs of a search that was not complete")
	}
}

// Every violated cell of the page links to a trace that is there, no text is wider
// than the width, and the summary of -o counts the cells.
func TestComparisonFormats(t *testing.T) {
	args := "-strategy cache-aside,naive,versioned,counter-naive -property coherent,eventual -audit 0"
	page, _ := explored(t, t.Context(), strings.Fields(args+" -format html")...)
	links := regexp.MustCompile(`<td class="violated"><a href="#(trace-\d+)">`).FindAllStringSubmatch(page, -1)
	if len(links) != 2 || strings.Count(page, `<td class="violated">`) != 2 || strings.Count(page, "<script") != 1 || len(page) > 300_000 {
		t.Errorf("%d links in %d bytes", len(links), len(page))
	}
	for _, link := range links {
		if strings.Count(page, `<section id="`+link[1]+`"`) != 1 {
			t.Errorf("%s is not there once", link[1])
		}
	}
	for _, width := range []int{40, 80, 140} {
		text, _ := explored(t, t.Context(), strings.Fields(fmt.Sprint(args, " -width ", width))...)
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(line) - 1; n > width {
				t.Errorf("width %d: %d in %q", width, n, line)
			}
		}
	}
	out, code := explored(t, t.Context(), strings.Fields(args+" -o "+t.TempDir()+"/comparison")...)
	if want := "4 hold, 2 are violated, 0 incomplete\n"; code != exitViolated || out != want {
		t.Errorf("exit code %d, stdout %q, want %q", code, out, want)
	}
}

// The costs of a workload that is given are those that a search of it measures: the
// stale window of -metrics, and the least N for which db-load=N holds.
func TestComparedSizes(t *testing.T) {
	for _, size := range []string{"-readers 1 -writers 1", "-readers 2 -writers 1", "-readers 1 -writers 1 -servers 1"} {
		c, code := compared(t, "-strategy cache-aside,versioned,write-through "+size)
		if code == exitError {
			t.Fatalf("%s: exit code %d", size, code)
		}
		for _, row := range c.Rows {
			args := "-audit 0 -format json -strategy " + row.Strategy + " " + size
			var single struct {
				document
				Metrics struct {
					Stale struct{ Steps int } `json:"stale_window"`
				}
			}
			out, _ := explored(t, t.Context(), strings.Fields(args+" -metrics")...)
			if err := json.Unmarshal([]byte(out), &single); err != nil {
				t.Fatal(err)
			}
			if cell := row.Cells[0]; cell.Verdict != single.Verdict || cell.Workload != single.Workload {
				t.Errorf("%s: %+v, want %s of %+v", args, cell, single.Verdict, single.Workload)
			}
			if row.Costs.Stale == nil || row.Costs.Stale.Steps != single.Metrics.Stale.Steps {
				t.Errorf("%s: stale for %v, want %d steps", args, row.Costs.Stale, single.Metrics.Stale.Steps)
			}
			for load, want := range map[int]int{*row.Costs.Loads: exitHolds, *row.Costs.Loads - 1: exitViolated} {
				if load < 0 {
					continue
				}
				if _, code := explored(t, t.Context(), strings.Fields(fmt.Sprintf("%s -property db-load=%d", args, load))...); code != want {
					t.Errorf("%s: db-load=%d has the exit code %d, want %d", args, load, code, want)
				}
			}
		}
	}
}
