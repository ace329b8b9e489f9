package quiesce_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// sound are the strategies that keep cache and database equal.
var sound = []string{"lease", "outbox-versioned", "versioned", "watch-marker", "lock", "lock-fenced", "versioned-tombstone"}

// worlds opens the stores of all strategies for 1 to 3 products.
func worlds(t *testing.T) map[string][]*model.World {
	all := map[string][]*model.World{}
	for _, s := range model.Caches() {
		for keys := 1; keys <= 3; keys++ {
			w, err := model.NewWorld(s, keys)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			})
			all[s.Name] = append(all[s.Name], w)
		}
	}
	return all
}

// drawSystem draws a workload of at most that many tasks. Its property is that of the
// strategy, which is coherent for those that keep a cache.
func drawSystem(rt *rapid.T, worlds []*model.World, tasks int) *sim.System {
	load := model.Workload{
		Readers: rapid.IntRange(0, tasks).Draw(rt, "readers"),
		Warm:    rapid.Bool().Draw(rt, "warm"),
	}
	load.Writers = rapid.IntRange(0, tasks-load.Readers).Draw(rt, "writers")
	w := rapid.SampledFrom(worlds).Draw(rt, "world")
	p, err := model.LookupProperty("", w.Strategy())
	if err != nil {
		rt.Fatal(err)
	}
	sys, err := w.System(load, p)
	if err != nil {
		rt.Fatal(err)
	}
	return sys
}

// drawExecution runs one schedule for real, every choice drawn.
func drawExecution(rt *rapid.T, sys *sim.System) (explore.Schedule, sim.View) {
	e, err := sys.Start()
	if err != nil {
		rt.Fatal(err)
	}
	defer e.Stop()
	var schedule explore.Schedule
	for tasks := waiting(sys, e); len(tasks) > 0; {
		task := rapid.SampledFrom(tasks).Draw(rt, "task")
		err := e.Step(task)
		if errors.Is(err, sim.ErrBlocked) {
			tasks = slices.DeleteFunc(tasks, func(t int) bool { return t == task })
			continue
		}
		if err != nil {
			rt.Fatal(err)
		}
		schedule = append(schedule, sim.Move{Task: task})
		tasks = waiting(sys, e)
	}
	v, err := e.View()
	if err != nil {
		rt.Fatal(err)
	}
	return schedule, v
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

// A sound strategy is coherent at quiescence, whatever the workload and the
// schedule: also at workloads that are too large to be explored.
func TestSoundStrategiesAreCoherent(t *testing.T) {
	worlds := worlds(t)
	for _, name := range sound {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				sys := drawSystem(rt, worlds[name], 10)
				schedule, v := drawExecution(rt, sys)
				if violation := sys.Property.Violation(v); violation != "" {
					rt.Fatalf("%s\nschedule %s", violation, schedule.Format(sys))
				}
			})
		})
	}
}

// What a random schedule finds, the exhaustive search must find: a violation
// that it denies would be a wrong "holds".
func TestExhaustiveSearchMissesNothing(t *testing.T) {
	worlds := worlds(t)
	found := map[string]int{}
	for _, s := range model.Caches() {
		t.Run(s.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				tasks := 4
				if _, busy := s.Prototype().(model.Backgrounder); busy {
					tasks = 2 // beside those in the background
				}
				sys := drawSystem(rt, worlds[s.Name], tasks)
				schedule, v := drawExecution(rt, sys)
				violation := sys.Property.Violation(v)
				if violation == "" {
					return
				}
				found[s.Name]++
				r, err := explore.Product(t.Context(), sys, explore.ProductOptions{Audit: explore.NoAudit})
				if err != nil {
					rt.Fatal(err)
				}
				if r.Verdict != explore.Violated {
					rt.Fatalf("the search says %s, but schedule %s violates: %s", r.Verdict, schedule.Format(sys), violation)
				}
				if c := r.Counterexample; c.Schedule.Switches() > schedule.Switches() ||
					c.Schedule.Switches() == schedule.Switches() && len(c.Steps) > len(schedule) {
					rt.Fatalf("schedule %s violates too and is shorter than the counterexample %s", schedule.Format(sys), c.Token)
				}
			})
		})
	}
	// The test says something only if there was something to find. naive
	// violates in most schedules that have a writer; the others need luck.
	if found["naive"] == 0 {
		t.Error("no random schedule violates naive")
	}
}

// A schedule determines everything that is seen.
func TestReplayIsDeterministic(t *testing.T) {
	worlds := worlds(t)
	names := slices.Sorted(maps.Keys(worlds))
	rapid.Check(t, func(rt *rapid.T) {
		sys := drawSystem(rt, worlds[rapid.SampledFrom(names).Draw(rt, "strategy")], 6)
		schedule, v := drawExecution(rt, sys)
		parsed, err := explore.ParseSchedule(sys, schedule.Format(sys))
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(parsed, schedule) {
			rt.Fatalf("schedule %v is %v after a round trip", schedule, parsed)
		}
		first, err := explore.Replay(sys, schedule)
		if err != nil {
			rt.Fatal(err)
		}
		second, err := explore.Replay(sys, parsed)
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(first, second) {
			rt.Fatalf("two replays of %s differ:\n%+v\n%+v", first.Token, first, second)
		}
		if first.Violation != sys.Property.Violation(v) {
			rt.Fatalf("the replay of %s ends with %q, the execution with %q", first.Token, first.Violation, sys.Property.Violation(v))
		}
	})
}
