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
func (s *Search) metrics() (lines []line) {
	if s.RoundTrips == nil {
		return nil
	}
	label := "metrics"
	add := func(text string) {
		lines = append(lines, line{label, text})
		label = ""
	}
	res := s.result()
	if res.Verdict == explore.Incomplete {
		add("of interleavings: unknown, the search is incomplete")
	}
	for _, m := range res.Measured {
		of := fmt.Sprintf("%s: %d to %d", m.Name, m.Least, m.Most)
		if !math.IsNaN(m.Mean) {
			of += ", mean " + mean(m.Mean)
		}
		add(of)
	}
	add(fmt.Sprintf("round trips: read hit %d, read miss %d, write %d", s.RoundTrips.Hit, s.RoundTrips.Miss, s.RoundTrips.Write))
	if res.Stale != nil {
		add("longest stale window: " + window(res.Stale, s.workload))
	}
	return lines
}

// window says how long something is stale.
func window(w *explore.Window, of Workload) string {
	s := plural(w.Steps, "step", "steps")
	if of.Timed() {
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

func (s *Search) jsonMetrics() *jsonMetrics {
	if s.RoundTrips == nil {
		return nil
	}
	res := s.result()
	j := &jsonMetrics{RoundTrips: *s.RoundTrips, Stale: newJSONWindow(res.Stale, s.workload)}
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
	if of.Timed() {
		j.Time = w.Time.String()
	}
	return j
}
