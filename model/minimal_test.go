package model_test

import (
	"errors"
	"slices"
	"testing"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// TestMinimal enumerates small workloads by hand, without an engine, and looks
// for a violating schedule that is shorter than the counterexample. They have at most
// half as many interleavings as -direct says.
func TestMinimal(t *testing.T) {
	t.Parallel()
	for _, s := range model.Caches() {
		if busy(s) {
			continue // too many schedules
		}
		w := open(t, s.Name, 1)
		for _, load := range []model.Workload{{Readers: 1, Writers: 1}, {Readers: 1, Writers: 1, Warm: true}, {Readers: 1, Writers: 2}, {Writers: 2}} {
			sys := coherent(t, w, load)
			r := product(t, sys, explore.ProductOptions{})
			if r.Interleavings.Int64() > *directLimit/2 {
				continue
			}
			least, steps, found := 0, 0, false
			everySchedule(t, sys, nil, func(schedule explore.Schedule, v sim.View) {
				if sys.Property.Violation(v) == "" {
					return
				}
				n := schedule.Switches()
				if !found || n < least || n == least && len(schedule) < steps {
					least, steps, found = n, len(schedule), true
				}
			})
			if found != (r.Verdict == explore.Violated) {
				t.Errorf("%s, %v: verdict %s, violations by hand: %v", s.Name, load, r.Verdict, found)
			}
			if found && (len(r.Counterexample.Steps) != steps || r.Counterexample.Schedule.Switches() != least) {
				t.Errorf("%s, %v: counterexample %s, but %d steps with %d switches are enough", s.Name, load, r.Counterexample.Token, steps, least)
			}
		}
	}
}

// everySchedule calls f with every complete schedule that starts with prefix, of which
// there is none if the last step of prefix is blocked. One run goes on with the first
// task that is not blocked; what could come instead is a run of its own.
func everySchedule(t *testing.T, sys *sim.System, prefix explore.Schedule, f func(explore.Schedule, sim.View)) {
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	do := func(m sim.Move) (blocked bool) {
		err := e.Do(m)
		if err != nil && !errors.Is(err, sim.ErrBlocked) {
			t.Fatal(err)
		}
		return err != nil
	}
	for i, move := range prefix {
		switch blocked := do(move); {
		case blocked && i < len(prefix)-1:
			t.Fatalf("%s: step %d is blocked", prefix.Format(sys), i+1)
		case blocked:
			e.Stop()
			return
		}
	}
	schedule := slices.Clone(prefix)
	var others []explore.Schedule
	for over := false; !over; {
		over = true
		for _, task := range waiting(sys, e) {
			switch m := (sim.Move{Task: task}); {
			case !over:
				others = append(others, append(slices.Clone(schedule[:len(schedule)-1]), m))
			case !do(m):
				schedule, over = append(schedule, m), false
			}
		}
	}
	v, err := e.View()
	if err != nil {
		t.Fatal(err)
	}
	e.Stop()
	f(schedule, v)
	for _, other := range others {
		everySchedule(t, sys, other, f)
	}
}

// waiting returns the tasks that have not finished, of which some may be blocked.
func waiting(sys *sim.System, e *sim.Execution) (tasks []int) {
	for task := range sys.Tasks() {
		if _, ok := e.Pending(task); ok {
			tasks = append(tasks, task)
		}
	}
	return tasks
}
