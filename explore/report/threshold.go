package report

import (
	"fmt"
	"time"

	"quiesce/explore"
)

// A Threshold is the smallest delay for which the property holds. If the report that
// it belongs to is of a violation, that is one of a delay one unit shorter, or of the
// longest that was tried.
type Threshold struct {
	Delay time.Duration // 0: none was found
	Unit  time.Duration // delays that are multiples of it were tried
}

// threshold says what was found, and what the rest of the report is about.
func (r *Report) threshold() (lines []line) {
	t := r.Threshold
	if t == nil {
		return nil
	}
	var s string
	switch {
	case r.Verdict() == explore.Incomplete:
		s = "unknown: the search with the delay below is incomplete"
	case r.Verdict() == explore.Vacuous:
		s = "unknown: with the delay below there is nothing to judge"
	case t.Delay == 0:
		s = fmt.Sprintf("none: %s is violated with the longest delay that is tried, below", r.Property)
	case r.Verdict() == explore.Holds:
		s = fmt.Sprintf("delay %s: %s holds, as below; no multiple of %s is shorter", t.Delay, r.Property, t.Unit)
	default:
		s = fmt.Sprintf("delay %s: the smallest multiple of %s for which %s holds, if a longer delay is never worse; %s is violated, as below",
			t.Delay, t.Unit, r.Property, t.Delay-t.Unit)
	}
	return []line{{"threshold", s}}
}

// jsonThreshold has no delay if none was found.
type jsonThreshold struct {
	Delay string `json:"delay,omitempty"`
	Unit  string `json:"unit"`
}

func newJSONThreshold(t *Threshold) *jsonThreshold {
	if t == nil {
		return nil
	}
	j := &jsonThreshold{Unit: t.Unit.String()}
	if t.Delay > 0 {
		j.Delay = t.Delay.String()
	}
	return j
}
