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
// -direct interleavings.
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
			if r.Interleavings.Int64() > *directLimit {
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

// everySchedule calls f with every complete schedule that starts with prefix, and
// says whether there is one: the last step of prefix may be blocked.
func everySchedule(t *testing.T, sys *sim.System, prefix explore.Schedule, f func(explore.Schedule, sim.View)) bool {
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	for i, move := range prefix {
		err := e.Do(move)
		if i == len(prefix)-1 && errors.Is(err, sim.ErrBlocked) {
			e.Stop()
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	waiting := waiting(sys, e)
	v, err := e.View()
	if err != nil {
		t.Fatal(err)
	}
	e.Stop()
	over := true
	for _, task := range waiting {
		if everySchedule(t, sys, append(slices.Clone(prefix), sim.Move{Task: task}), f) {
			over = false
		}
	}
	if over {
		f(prefix, v)
	}
	return true
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
