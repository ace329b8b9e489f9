package report

import (
	"fmt"
	"time"

	"quiesce/explore"
)

// A Threshold is the smallest delay for which the property holds. If the search that
// it belongs to is of a violation, that is one of a delay one unit shorter, or of the
// longest that was tried.
type Threshold struct {
	Delay time.Duration // 0: none was found
	Unit  time.Duration // delays that are multiples of it were tried
}

// threshold says what was found, and what the rest of the report is about.
func (s *Search) threshold() (lines []line) {
	t := s.Threshold
	if t == nil {
		return nil
	}
	var found string
	switch {
	case s.Verdict() == explore.Incomplete:
		found = "unknown: the search with the delay below is incomplete"
	case s.Verdict() == explore.Vacuous:
		found = "unknown: with the delay below there is nothing to judge"
	case t.Delay == 0:
		found = fmt.Sprintf("none: %s is violated with the longest delay that is tried, below", s.Property)
	case s.Verdict() == explore.Holds:
		found = fmt.Sprintf("delay %s: %s holds, as below; no multiple of %s is shorter", t.Delay, s.Property, t.Unit)
	default:
		found = fmt.Sprintf("delay %s: the smallest multiple of %s for which %s holds, if a longer delay is never worse; %s is violated, as below",
			t.Delay, t.Unit, s.Property, t.Delay-t.Unit)
	}
	return []line{{"threshold", found}}
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
