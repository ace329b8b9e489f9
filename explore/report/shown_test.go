package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
)

// Ticks are one row in everything that people read, and the numbers of the steps
// after them are those of the trace.
func TestTicksAreOneRow(t *testing.T) {
	r := timed(t)
	if want := "reader-1:4,writer-1:4,!tick,!tick,!tick,writer-1:4,reader-1:2"; r.trace().Token != want {
		t.Fatalf("the schedule is %s", r.trace().Token)
	}
	for out, want := range map[string][]string{
		textOf(t, r, 140):             {"│ 9-11 │", "3s passes", "│   12 │", "sleep 3s "},
		markdownOf(t, r):              {"| 9-11 | environment | `3s passes` |", "| 12 | writer-1 | `sleep 3s` |", ": 9-11 3s passes\n", ": 12 sleep 3s\n", "\n9-11 environment: 3s passes\n"},
		htmlOf(t, Report{r}.HTML):     {`aria-label="Step 9-11"`, `"number":"9-11"`, ">3s passes</text>", ">sleep 3s</text>"},
		htmlOf(t, comparison(r).HTML): {`<span class="number">9-11</span> environment: <code>3s passes</code>`, `<span class="number">12</span> writer-1: <code>sleep 3s</code>`},
	} {
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("no %q in\n%s", part, out)
			}
		}
		if strings.Contains(out, "1s passes") || strings.Contains(out, "clock") {
			t.Errorf("a tick or the clock is there:\n%s", out)
		}
	}
}

// The step after which the violation stands, and that in which another trace parts,
// are to be seen among the ticks.
func TestNothingIsHiddenAmongTicks(t *testing.T) {
	for n := range 6 {
		for fatal := range n + 1 {
			for parts := -1; parts < n; parts++ {
				trace := &explore.Trace{Places: []string{"cache", sim.ClockName}, Initial: []sim.Content{nil, nil}, Fatal: fatal}
				for i := range n {
					trace.Steps = append(trace.Steps, explore.TraceStep{Task: environment, Fault: sim.Fault{Kind: sim.Tick}, Contents: []sim.Content{{{Name: fmt.Sprint(i + 1)}}, nil}})
				}
				s := (&Subject{tick: time.Second}).shown(trace, parts)
				// A row begins with the first step, with the fatal one, after it and with the parting one.
				begins := slices.DeleteFunc([]int{0, fatal - 1, fatal, parts}, func(i int) bool { return i < 0 || i >= n })
				slices.Sort(begins)
				begins = slices.Compact(begins)
				var numbers, requests []string
				for i, first := range begins {
					last := n
					if i+1 < len(begins) {
						last = begins[i+1]
					}
					number, request := fmt.Sprint(last), ""
					if last > first+1 {
						number, request = fmt.Sprintf("%d-%d", first+1, last), fmt.Sprintf("%ds passes", last-first)
					}
					numbers, requests = append(numbers, number), append(requests, request)
					if row := s.rows[i]; len(row.Contents) != 1 || row.Contents[0][0].Name != fmt.Sprint(last) || (s.fatal == i+1) != (last == fatal) || (s.parts == i) != (first == parts) {
						t.Errorf("%d ticks, fatal %d, parting %d, row %d: %+v of %+v", n, fatal, parts, i, row, s)
					}
				}
				for i, row := range s.rows {
					if row.number != numbers[i] || row.Request != requests[i] {
						t.Errorf("%d ticks, fatal %d, parting %d: row %d is %q %q, want %q %q", n, fatal, parts, i, row.number, row.Request, numbers[i], requests[i])
					}
				}
				if len(s.rows) != len(begins) || !slices.Equal(s.places, []string{"cache"}) || len(s.initial) != 1 {
					t.Errorf("%d ticks, fatal %d, parting %d: %+v", n, fatal, parts, s)
				}
			}
		}
	}
}
