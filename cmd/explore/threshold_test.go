package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
)

// The threshold is what is right by hand. A reader has selected the old row when the
// writer updates it, and its SET comes at most one stall later. The second DEL comes
// at least the delay after the UPDATE. So the SET can be the last of the two if the
// delay is at most one stall, and cannot if it is more: the threshold is the first
// multiple of the tick above the stall. The tick is the greatest common divisor of
// the stall and the TTL of 60 s.
//
// The bisection assumes that a longer delay is never worse: here every delay is tried
// up to two ticks above the threshold.
func TestThreshold(t *testing.T) {
	for _, c := range []struct{ stall, tick, want string }{
		{"1s", "1s", "2s"},
		{"1500ms", "1.5s", "3s"}, // 60 s are 40 of 1.5 s
		{"7s", "1s", "8s"},
		{"2m", "1m0s", "3m0s"},
	} {
		out, code := explored(t, t.Context(), strings.Fields("-strategy delayed-double-delete -max-tasks 3 -format json -threshold delay -max-stall "+c.stall)...)
		var doc struct {
			Verdict        explore.Verdict
			Workload       struct{ Delay string }
			Threshold      struct{ Delay, Tick string }
			Counterexample struct{ Schedule string }
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatal(err)
		}
		if code != exitHolds || doc.Verdict != explore.Violated || doc.Threshold.Tick != c.tick || doc.Threshold.Delay != c.want || doc.Counterexample.Schedule == "" {
			t.Errorf("stall %s: exit code %d, %+v, want %s", c.stall, code, doc, c.want)
			continue
		}
		want, tick := duration(t, c.want), duration(t, c.tick)
		if below := duration(t, doc.Workload.Delay); below != want-tick {
			t.Errorf("stall %s: the trace is one of a delay of %s", c.stall, below)
		}
		for d := tick; d <= want+2*tick; d += tick {
			args := fmt.Sprintf("-strategy delayed-double-delete -max-tasks 3 -max-stall %s -delay %s", c.stall, d)
			code := exitHolds
			if d < want {
				code = exitViolated
			}
			if _, got := explored(t, t.Context(), strings.Fields(args)...); got != code {
				t.Errorf("%s: exit code %d, want %d", args, got, code)
			}
		}
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What there is to say if no delay is the answer: a property that no delay helps, one
// that needs none, and a search that was ended.
func TestNoThreshold(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"-property db-load=0 -max-tasks 2", exitViolated, `(?s)\Athreshold     none: db-load=0 is violated with the longest delay.*delay 8m20s`},
		{"-property no-deadlock -max-tasks 2", exitHolds, `\Athreshold     delay 1s: no-deadlock holds, as below; no multiple of 1s is shorter\nverdict       holds`},
		{"-limit-states 50", exitIncomplete, `\Athreshold     unknown: .*\nverdict       incomplete`},
	} {
		out, code := explored(t, t.Context(), strings.Fields("-strategy delayed-double-delete -max-stall 1s -threshold delay "+c.args)...)
		if code != c.code {
			t.Errorf("%s: exit code %d", c.args, code)
		}
		says(t, out, c.says)
	}
}
