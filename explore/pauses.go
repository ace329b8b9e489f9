package explore

import (
	"fmt"
	"slices"
	"time"

	"quiesce/sim"
)

// In an untimed system a key may expire at any moment, by a fault, and a sleep may
// end at any moment. An execution in which that happens says something about the
// times of its steps: a key expires when its TTL has passed, and not later; a sleep
// takes at least as long as it was asked for; and steps follow one another. These
// are difference constraints (Bellman 1958; Cormen et al., section 22.4): times that
// satisfy them exist unless the graph of the constraints has a cycle that asks for
// more time than none.

// A Pause says how long a task pauses at least, in all, between two of its steps for
// an execution to be possible; it may take other steps between them.
type Pause struct {
	Task          string
	After, Before int // the steps, from 1
	AtLeast       time.Duration
}

// String returns the pause in words.
func (p Pause) String() string {
	return fmt.Sprintf("%s pauses for at least %s between steps %d and %d", p.Task, p.AtLeast, p.After, p.Before)
}

// An ImpossibleError says that no clock can show the times of an execution.
type ImpossibleError struct{ Token string }

func (e *ImpossibleError) Error() string {
	return fmt.Sprintf("no times fit the schedule %s: a key would have to expire too early or too late", e.Token)
}

// instant is by how much a store turns time back before every step to find out when
// a TTL was set: all TTLs are multiples of a millisecond, so what is beyond one says
// how many steps ago that was. Commands see whole milliseconds, so what they answer
// is what it was; if time passed, PTTL would be one less.
const instant = time.Microsecond

// A lifetime is what is known of a TTL: it was set in a step, or in the setup if
// that is 0.
type lifetime struct {
	set int
	ttl time.Duration
}

// pauses returns how long the tasks have to pause in a schedule, nil if no time has
// to pass. It returns an [*ImpossibleError] if there are no such times.
func pauses(sys *sim.System, schedule Schedule) ([]Pause, error) {
	if sys.Timing != nil || !passes(sys, schedule) {
		return nil, nil
	}
	lives, err := lifetimes(sys, schedule)
	if err != nil {
		return nil, err
	}
	var c constraints
	last := map[int]int{} // step of each task
	steps := sys.Tasks()
	requests, err := sleeps(sys, schedule)
	if err != nil {
		return nil, err
	}
	for i, m := range schedule {
		step := i + 1
		c.after(i, step, 0)
		if m.Fault.Kind == sim.Expire {
			if l, ok := lives[i][m.Fault.Target]; ok {
				if l.set > 0 { // how long before the first step the setup was is open
					c.after(l.set, step, l.ttl)
				}
				c.within(l.set, step, l.ttl)
			}
		}
		if d := requests[i]; d > 0 {
			c.after(last[m.Task], step, d)
		}
		for _, l := range lives[step] {
			c.within(l.set, step, l.ttl)
		}
		last[m.Task] = step
	}
	if _, ok := c.longest(0, len(schedule)); !ok {
		return nil, &ImpossibleError{schedule.Format(sys)}
	}
	var all []Pause
	for task, t := range steps {
		var own []int // steps
		for i, m := range schedule {
			if m.Task == task {
				own = append(own, i+1)
			}
		}
		all = append(all, c.pausesOf(t.Name, own, requests)...)
	}
	return all, nil
}

// pausesOf returns between which of its own steps a task has to pause, the closest
// ones, and for how long beside its sleeps. slept is by step, from 0.
func (c constraints) pausesOf(task string, own []int, slept []time.Duration) (all []Pause) {
	for apart := 1; apart < len(own); apart++ {
		for i := 0; i+apart < len(own); i++ {
			from, to := own[i], own[i+apart]
			times, _ := c.longest(from, len(slept))
			least := times[to]
			for _, step := range own[i+1 : i+apart+1] {
				least -= slept[step-1]
			}
			inside := slices.ContainsFunc(all, func(p Pause) bool { return from <= p.After && p.Before <= to && p.AtLeast >= least })
			if least > 0 && !inside {
				all = append(all, Pause{task, from, to, least})
			}
		}
	}
	return all
}

// passes says whether time has to pass in a schedule.
func passes(sys *sim.System, schedule Schedule) bool {
	for _, s := range sys.Stores {
		if s.Name() == sim.ClockName {
			return true
		}
	}
	for _, m := range schedule {
		if m.Fault.Kind == sim.Expire {
			return true
		}
	}
	return false
}

// sleeps returns for every step how long it ends a sleep of.
func sleeps(sys *sim.System, schedule Schedule) ([]time.Duration, error) {
	all := make([]time.Duration, len(schedule))
	err := follow(sys, schedule, func(i int, e *sim.Execution) error {
		if i > 0 {
			all[i-1], _ = e.Trace()[i-1].Request.Sleeps()
		}
		return nil
	})
	return all, err
}

// follow runs a schedule and calls f before the first step and after each.
func follow(sys *sim.System, schedule Schedule, f func(int, *sim.Execution) error) error {
	e, err := sys.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	if err := f(0, e); err != nil {
		return err
	}
	for i, m := range schedule {
		if err := e.Do(m); err != nil {
			return err
		}
		if err := f(i+1, e); err != nil {
			return err
		}
	}
	return nil
}

// lifetimes returns the TTLs after every step, by item; the first are those before
// any step.
func lifetimes(sys *sim.System, schedule Schedule) ([]map[string]lifetime, error) {
	var all []map[string]lifetime
	err := follow(sys, schedule, func(step int, e *sim.Execution) error {
		v, err := e.View()
		if err != nil {
			return err
		}
		lives := map[string]lifetime{}
		for _, c := range v.Contents {
			for _, it := range c {
				if it.TTL > 0 {
					ago := it.TTL % time.Millisecond
					lives[it.Name] = lifetime{step - int(ago/instant), it.TTL - ago}
				}
			}
		}
		all = append(all, lives)
		for _, s := range sys.Stores {
			t, ok := s.(sim.Timed)
			if !ok {
				continue
			}
			if req := t.Tick(-instant); req != (sim.Request{}) {
				if _, err := t.Execute(req); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return all, err
}

// constraints say of the times of steps that one is at least so much later than
// another.
type constraints []struct {
	from, to int
	least    time.Duration
}

func (c *constraints) after(from, to int, d time.Duration) {
	*c = append(*c, struct {
		from, to int
		least    time.Duration
	}{from, to, d})
}

// within says that to is at most so much later than from.
func (c *constraints) within(from, to int, d time.Duration) { c.after(to, from, -d) }

// longest returns how much later than one step each other one is at least; false if
// that is without end, so that there are no such times.
func (c constraints) longest(from, steps int) ([]time.Duration, bool) {
	const never = -1 << 62
	times := make([]time.Duration, steps+1)
	for i := range times {
		times[i] = never
	}
	times[from] = 0
	for range len(times) + 1 {
		changed := false
		for _, e := range c {
			if times[e.from] > never && times[e.from]+e.least > times[e.to] {
				times[e.to], changed = times[e.from]+e.least, true
			}
		}
		if !changed {
			return times, true
		}
	}
	return times, false
}
