package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What is measured is what is right by hand. From a warm cache the GET of the reader
// comes before the UPDATE (with a probability of 1/2), between UPDATE and DEL (1/4),
// which is a stale hit, or after the DEL (1/4), which is a miss. At most GET and DEL
// are taken while the cache is stale.
func TestMetrics(t *testing.T) {
	args := strings.Fields("-strategy cache-aside -readers 1 -writers 1 -cache warm -metrics")
	type measure struct {
		Name     string
		Min, Max int
		Mean     string
	}
	type metrics struct {
		Measures   []measure
		RoundTrips struct {
			Hit   int `json:"read_hit"`
			Miss  int `json:"read_miss"`
			Write int
		} `json:"round_trips"`
		Stale *struct {
			Steps int
			Time  string
		} `json:"stale_window"`
	}
	of := func(args []string) (doc struct{ Metrics *metrics }) {
		out, _ := explored(t, t.Context(), append(args, "-format", "json")...)
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Metrics == nil {
			t.Fatalf("%v: no metrics", args)
		}
		return doc
	}
	m := of(args).Metrics
	if want := []measure{
		{"hits", 0, 1, "0.750"}, {"stale hits", 0, 1, "0.250"}, {"misses", 0, 1, "0.250"}, {"database loads", 0, 1, "0.250"}, {"expired", 0, 0, "0.000"},
	}; !reflect.DeepEqual(m.Measures, want) {
		t.Errorf("measured %v, want %v", m.Measures, want)
	}
	if r := m.RoundTrips; r.Hit != 1 || r.Miss != 3 || r.Write != 2 { // GET; GET, SELECT, SET; UPDATE, DEL
		t.Errorf("round trips %v", r)
	}
	if m.Stale == nil || m.Stale.Steps != 2 || m.Stale.Time != "" {
		t.Errorf("stale for %v", m.Stale)
	}
	text, _ := explored(t, t.Context(), args...)
	says(t, text, `(?m)^metrics       hits: 0 to 1, mean 0\.750\n`)
	says(t, text, `(?m)^ {14}round trips: read hit 1, read miss 3, write 2\n {14}longest stale window: 2 steps$`)

	// The environment decides when a key expires, so there is no mean.
	for _, m := range of(append(args, "-faults", "expire=1")).Metrics.Measures {
		if m.Mean != "" || m.Name == "expired" && m.Max != 1 {
			t.Errorf("with faults: %v", m)
		}
	}
	// The writer hears of its UPDATE a stall of 1 s late, sleeps for 2 s, hears of that a
	// stall late, and its second DEL is executed another one later.
	timed := of(strings.Fields("-strategy delayed-double-delete -readers 1 -writers 1 -max-stall 1s -metrics"))
	if s := timed.Metrics.Stale; s == nil || s.Time != "5s" {
		t.Errorf("stale for %v, want 5s", s)
	}
	// Nothing is said of interleavings that were not all explored.
	if m := of(strings.Fields("-strategy cache-aside -metrics -limit-states 5")).Metrics; m.Measures != nil || m.Stale != nil || m.RoundTrips.Write != 2 {
		t.Errorf("incomplete: %v", m)
	}
}
