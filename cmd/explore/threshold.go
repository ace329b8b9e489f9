package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
	"quiesce/sim"
)

// findThreshold looks for the smallest delay, in multiples of a unit, for which the
// property holds. A longer delay is taken to be never worse. It returns the search of the
// delay one unit below, whose violation shows why it is too short.
func (o options) findThreshold(ctx context.Context, world *model.World, progress *progress) (*report.Search, error) {
	t := &report.Threshold{Unit: cmp.Or(o.unit, o.strategy.Unit(o.workload))}
	s := &thresholdSearch{searches: map[time.Duration]*report.Search{}, explore: func(delay time.Duration) (*report.Search, error) {
		try := o
		try.workload.Delay = delay
		r, err := try.searchOne(ctx, world, progress)
		if err != nil {
			return nil, fmt.Errorf("delay %s, of -unit %s: %w", delay, t.Unit, err)
		}
		return r, nil
	}}
	// Delays that are multiples of the tick of all other durations have that tick, and so
	// the fewest states; a finer unit is tried between two of them. A longest delay has as
	// many ticks as there may be.
	tick := o.strategy.Tick(o.workload)
	step := t.Unit
	if tick%t.Unit == 0 {
		step = tick
	}
	last, err := s.double(step, max(step, sim.MostTicks*divisor(step, tick)/step*step))
	if last == explore.Holds {
		if last, err = s.bisect(step); last == explore.Holds && step > t.Unit {
			// Mostly a violation needs a delay that ends no later than something else, so
			// one unit more is enough.
			if last, err = s.try(s.violated + t.Unit); !undecided(last) && err == nil {
				last, err = s.bisect(t.Unit)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	r := s.searches[s.violated]
	switch {
	case undecided(last):
		r = s.searches[s.tried]
	case last == explore.Holds:
		t.Delay = s.holds
		if s.violated == 0 { // there is no delay below one unit
			r = s.searches[s.holds]
		}
	}
	r.Threshold = t
	return r, nil
}

// undecided says whether a verdict says nothing about a delay.
func undecided(v explore.Verdict) bool {
	return v == explore.Incomplete || v == explore.Vacuous
}

// divisor returns the greatest common divisor.
func divisor(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// A thresholdSearch knows the longest delay that is too short, and the shortest one
// that is not; 0 is none.
type thresholdSearch struct {
	explore         func(delay time.Duration) (*report.Search, error)
	searches        map[time.Duration]*report.Search // by delay
	tried           time.Duration                    // at last
	violated, holds time.Duration
}

func (s *thresholdSearch) try(delay time.Duration) (explore.Verdict, error) {
	r, err := s.explore(delay)
	if err != nil {
		return "", err
	}
	s.searches[delay], s.tried = r, delay
	switch r.Verdict() {
	case explore.Violated:
		s.violated = delay
	case explore.Incomplete, explore.Vacuous: // neither is known
	default:
		s.holds = delay
	}
	return r.Verdict(), nil
}

// double tries one unit, two, four and so on, up to the longest delay, until one is
// not too short. It returns the last verdict.
func (s *thresholdSearch) double(unit, longest time.Duration) (v explore.Verdict, err error) {
	for delay := unit; ; delay = min(2*delay, longest) {
		if v, err = s.try(delay); err != nil || v != explore.Violated || delay == longest {
			return v, err
		}
	}
}

// bisect tries multiples of the unit between the two delays until there is none. It
// returns holds, or that a search was incomplete.
func (s *thresholdSearch) bisect(unit time.Duration) (explore.Verdict, error) {
	for s.holds-s.violated > unit {
		middle := (s.violated + s.holds) / 2
		if v, err := s.try(middle - middle%unit); err != nil || undecided(v) {
			return v, err
		}
	}
	return explore.Holds, nil
}
