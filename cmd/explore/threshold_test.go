package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
)

// The threshold is the delay that a loop over all multiples of the unit finds: every
// shorter one is violated, and it and the next two hold. Of a stall of 2s it is not the
// next even number of seconds, although 2s divides all other durations.
func TestThreshold(t *testing.T) {
	for _, c := range []struct{ strategy, args, unit string }{
		{"delayed-double-delete", "-max-stall 1s", "1s"},
		{"delayed-double-delete", "-max-stall 2s", "1s"},
		{"delayed-double-delete", "-max-stall 2s -unit 2s", "2s"},
		{"delayed-double-delete", "-max-stall 2s -unit 500ms", "500ms"},
		{"delayed-double-delete", "-max-stall 2s -unit 1500ms", "1.5s"}, // no multiple of the tick of 2s
		{"delayed-double-delete", "-max-stall 1500ms", "500ms"},
		{"delayed-double-delete", "-max-stall 7s", "1s"},
		{"delayed-double-delete", "-max-stall 2m", "1m0s"}, // which would be 120 ticks of 1s
		{"lock", "-max-stall 2s -ttl 4s -property no-deadlock", "1s"},
	} {
		args := fmt.Sprintf("-strategy %s -readers 1 -writers 1 -format json %s", c.strategy, c.args)
		out, code := explored(t, t.Context(), strings.Fields(args+" -threshold delay")...)
		var doc struct {
			Verdict        explore.Verdict
			Workload       struct{ Delay string }
			Threshold      struct{ Delay, Unit string }
			Counterexample struct{ Schedule string }
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if code != exitHolds || doc.Threshold.Unit != c.unit {
			t.Errorf("%s: exit code %d, %+v, want %s", args, code, doc, c.unit)
			continue
		}
		args, _, _ = strings.Cut(args, " -unit ")
		unit, smallest := duration(t, c.unit), time.Duration(0)
		for d := unit; smallest == 0 || d <= smallest+2*unit; d += unit {
			_, code := explored(t, t.Context(), strings.Fields(args+" -audit 0 -delay "+d.String())...)
			switch {
			case code == exitHolds && smallest == 0:
				smallest = d
			case code == exitHolds || code == exitViolated && smallest == 0:
			default:
				t.Fatalf("%s: exit code %d with the delay %s", args, code, d)
			}
		}
		if got := duration(t, doc.Threshold.Delay); got != smallest {
			t.Errorf("%s: %s, want %s", args, got, smallest)
		}
		below := smallest - unit
		if violated := below > 0; violated != (doc.Verdict == explore.Violated) || violated != (doc.Counterexample.Schedule != "") ||
			violated && duration(t, doc.Workload.Delay) != below {
			t.Errorf("%s: the trace is one of the delay %s, verdict %s", args, doc.Workload.Delay, doc.Verdict)
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
