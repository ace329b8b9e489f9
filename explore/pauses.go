package explore

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"quiesce/sim"
)

// In an untimed system a key may expire at any moment, by a fault, and a sleep may end at
// any moment. What an execution in which that happens says of the moments of its steps
// (see sim/times.go) are difference constraints (Bellman 1958; Cormen et al., section
// 22.4). How long a task has to pause follows from the longest paths in their graph.

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

// A lifetime is what is known of a TTL: it was set in a step, or in the setup if
// that is 0.
type lifetime struct {
	set int
	ttl time.Duration
}

// pauses returns how long the tasks have to pause in a schedule, nil if no time has
// to pass.
func pauses(sys *sim.System, schedule Schedule) ([]Pause, error) {
	if !sys.Dated() {
		return nil, nil
	}
	var c constraints
	asked := map[int]int{} // the last step of each task
	slept := make([]time.Duration, len(schedule))
	var living []map[string]lifetime // after every step
	err := sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		step := len(e.Trace())
		var before map[string]lifetime
		if step > 0 {
			before = living[step-1]
		}
		living = append(living, lifetimes(before, step, e))
		if step == 0 {
			return follow(schedule, step)
		}
		took := e.Trace()[step-1]
		c.after(step-1, step, 0)
		for item, l := range before {
			c.within(l.set, step, l.ttl)
			if took.Fault.Kind == sim.Expire && item == took.Request.Store+"/"+took.Fault.Target {
				c.after(l.set, step, l.ttl)
			}
		}
		if d, ok := took.Request.Sleeps(); ok && took.Task != sim.Environment {
			slept[step-1] = d
			c.after(asked[took.Task], step, d)
		}
		asked[took.Task] = step
		return follow(schedule, step)
	})
	if err != nil {
		return nil, err
	}
	if _, ok := c.apart(0, len(schedule)); !ok {
		return nil, fmt.Errorf("no times fit the schedule %s, though each of its steps was possible", schedule.Format(sys))
	}
	var all []Pause
	for task, t := range sys.Tasks() {
		var own []int // steps
		for i, m := range schedule {
			if m.Task == task {
				own = append(own, i+1)
			}
		}
		all = append(all, c.pausesOf(t.Name, own, slept)...)
	}
	return all, nil
}

// lifetimes returns the TTLs after a step, by item; before are those before it.
func lifetimes(before map[string]lifetime, step int, e *sim.Execution) map[string]lifetime {
	all := map[string]lifetime{}
	living, changes := e.Living()
	for _, l := range living {
		was, renamed := changes.Was[l.Item]
		if !renamed {
			was = l.Item
		}
		all[l.Item] = before[was]
		if step == 0 || slices.Contains(changes.Set, l.Item) {
			all[l.Item] = lifetime{step, l.TTL}
		}
	}
	return all
}

// pausesOf returns between which of its own steps a task has to pause, the closest
// ones, and for how long beside its sleeps. slept is by step, from 0.
func (c constraints) pausesOf(task string, own []int, slept []time.Duration) (all []Pause) {
	for apart := 1; apart < len(own); apart++ {
		for i := 0; i+apart < len(own); i++ {
			from, to := own[i], own[i+apart]
			times, _ := c.apart(from, len(slept))
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

// apart returns how much later than one step each other one is at least; false if
// that is without end, so that there are no such times.
func (c constraints) apart(from, steps int) ([]time.Duration, bool) {
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
