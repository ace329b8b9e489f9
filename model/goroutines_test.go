package model_test

import (
	"testing"

	"quiesce/explore"
	"quiesce/model"
)

// TestGoroutines compares every strategy with itself, once with the tasks as coroutines
// and once as goroutines in bubbles, which share no code that runs a task.
func TestGoroutines(t *testing.T) {
	for _, s := range model.Strategies() {
		t.Run(s.Name, func(t *testing.T) {
			load := model.Workload{Keys: 1}
			if s.Race == nil {
				load.Readers, load.Writers = 2, 1
			} else {
				load.Workers = 2
			}
			w := open(t, s.Name, 1)
			sys := coherent(t, w, load)
			want := product(t, sys, explore.ProductOptions{})
			again := coherent(t, open(t, s.Name, 1), load)
			for i := range again.Programs {
				again.Programs[i].Goroutines = true
			}
			got := product(t, again, explore.ProductOptions{Audit: 20})
			if got.Verdict != want.Verdict || got.Interleavings.Cmp(want.Interleavings) != 0 || got.Violating.Cmp(want.Violating) != 0 {
				t.Errorf("%s, %s interleavings, %s violating; as coroutines %s, %s, %s", got.Verdict, got.Interleavings, got.Violating, want.Verdict, want.Interleavings, want.Violating)
			}
			for _, task := range again.Tasks() {
				if task.Spawned() {
					t.Logf("place %s", task.Name)
				}
			}
		})
	}
}
