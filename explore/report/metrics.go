package report

import (
	"fmt"
	"math"
	"strconv"

	"quiesce/explore"
)

// RoundTrips are how many requests an operation makes if nothing else happens.
type RoundTrips struct {
	Hit   int `json:"read_hit"`
	Miss  int `json:"read_miss"`
	Write int `json:"write"`
}

// metrics says what the interleavings of the last workload come to.
func (r *Report) metrics() (lines []line) {
	if r.RoundTrips == nil {
		return nil
	}
	label := "metrics"
	add := func(s string) {
		lines = append(lines, line{label, s})
		label = ""
	}
	res := r.result()
	if res.Reason != "" && res.Verdict != explore.Vacuous {
		add("of interleavings: unknown, the search is incomplete")
	}
	for _, m := range res.Measured {
		s := fmt.Sprintf("%s: %d to %d", m.Name, m.Least, m.Most)
		if !math.IsNaN(m.Mean) {
			s += ", mean " + mean(m.Mean)
		}
		add(s)
	}
	add(fmt.Sprintf("round trips: read hit %d, read miss %d, write %d", r.RoundTrips.Hit, r.RoundTrips.Miss, r.RoundTrips.Write))
	if res.Stale != nil {
		add("longest stale window: " + window(res.Stale, r.workload()))
	}
	return lines
}

// window says how long something is stale.
func window(w *explore.Window, of Workload) string {
	s := plural(w.Steps, "step", "steps")
	if of.MaxStall != "" {
		s += ", " + w.Time.String()
	}
	if w.Stays {
		s += ", or stays"
	}
	return s
}

// mean rounds a mean to three decimals, which is a function of the number alone.
func mean(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }

type jsonMetrics struct {
	Measures   []jsonMeasure `json:"measures,omitempty"`
	RoundTrips RoundTrips    `json:"round_trips"`
	Stale      *jsonWindow   `json:"stale_window,omitempty"`
}

type jsonMeasure struct {
	Name string `json:"name"`
	Min  int    `json:"min"`
	Max  int    `json:"max"`
	Mean string `json:"mean,omitempty"`
}

type jsonWindow struct {
	Steps int    `json:"steps"`
	Time  string `json:"time,omitempty"`
	Stays bool   `json:"stays,omitempty"`
}

func (r *Report) jsonMetrics() *jsonMetrics {
	if r.RoundTrips == nil {
		return nil
	}
	res := r.result()
	j := &jsonMetrics{RoundTrips: *r.RoundTrips, Stale: newJSONWindow(res.Stale, r.workload())}
	for _, m := range res.Measured {
		one := jsonMeasure{Name: m.Name, Min: m.Least, Max: m.Most}
		if !math.IsNaN(m.Mean) {
			one.Mean = mean(m.Mean)
		}
		j.Measures = append(j.Measures, one)
	}
	return j
}

func newJSONWindow(w *explore.Window, of Workload) *jsonWindow {
	if w == nil {
		return nil
	}
	j := &jsonWindow{Steps: w.Steps, Stays: w.Stays}
	if of.MaxStall != "" {
		j.Time = w.Time.String()
	}
	return j
}
