package model

import (
	"slices"
	"time"
)

// tick returns the greatest common divisor of all durations of a timed workw.
func (s Strategy) tick(w Workload) time.Duration {
	return divisor(s.Tick(w), s.delay(w))
}

// Tick returns the greatest common divisor of all durations of a timed workload but
// the delay, so that delays which are multiples of it have it for their tick.
func (s Strategy) Tick(w Workload) time.Duration {
	var tick time.Duration
	for _, d := range s.durations(w) {
		tick = divisor(tick, d)
	}
	return tick
}

// Unit returns the unit in which a threshold of the delay is looked for unless another
// is asked for: 1s, or what divides all other durations too if that is less. If one of
// them is longer than a minute, the unit is their greatest common divisor, since there
// would be many ticks.
func (s Strategy) Unit(w Workload) time.Duration {
	if slices.Max(s.durations(w)) > time.Minute {
		return s.Tick(w)
	}
	return divisor(s.Tick(w), time.Second)
}

// durations returns those of a timed workload but the delay.
func (s Strategy) durations(w Workload) []time.Duration {
	return slices.Concat([]time.Duration{w.MaxStall, w.MaxWait, s.ttl(w)}, s.TTLs, s.Durations)
}

// divisor returns the greatest common divisor, by Euclid's algorithm; that with 0 is
// the other one.
func divisor(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
