package main

import (
	"context"
	"time"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
	"quiesce/sim"
)

// findThreshold looks for the smallest delay, in multiples of the tick of all other
// durations, for which the property holds. The delay is doubled from one tick on
// until the property holds, and then the gap is bisected, which is right if a longer
// delay is never worse. The report is that of the delay one tick below, whose
// violation shows why it is too short.
func (o options) findThreshold(ctx context.Context, world *model.World, progress *progress) (*report.Report, error) {
	tick := o.strategy.Tick(o.workload)
	reports := map[int]*report.Report{} // by delay, in ticks
	search := func(ticks int) (explore.Verdict, error) {
		try := o
		try.workload.Delay = time.Duration(ticks) * tick
		r, err := try.explore(ctx, world, input{}, progress)
		if err != nil {
			return "", err
		}
		reports[ticks] = r
		return r.Verdict(), nil
	}
	t := &report.Threshold{Tick: tick}
	conclude := func(ticks int) *report.Report {
		reports[ticks].Threshold = t
		return reports[ticks]
	}
	violated, holds := 0, 0 // the longest delay that is known to be too short, and the shortest that is known to do
	for next := 1; holds-violated != 1; {
		verdict, err := search(next)
		if err != nil {
			return nil, err
		}
		switch verdict {
		case explore.Incomplete, explore.Vacuous:
			return conclude(next), nil
		case explore.Violated:
			violated = next
		default:
			holds = next
		}
		switch {
		case violated == sim.MostTicks:
			return conclude(violated), nil
		case holds > 0:
			next = (violated + holds) / 2
		default:
			next = min(2*next, sim.MostTicks)
		}
	}
	t.Delay = time.Duration(holds) * tick
	if violated == 0 { // there is no delay below one tick
		return conclude(holds), nil
	}
	return conclude(violated), nil
}
