package model_test

import (
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// TestInTransaction has the race that a transaction adds: the cache is cleared
// before the commit can be seen, and a reader in between puts the old row back. With
// a cold cache the old race of cache-aside is as short, and comes first.
//
// The reader is merged with the 4 steps of a writer; of two, one commits before the
// other UPDATEs, whose BEGIN is at one of 5 places before that.
func TestInTransaction(t *testing.T) {
	w := open(t, "in-transaction", 1)
	for writers, want := range map[int]int64{1: merges(3, 4).Int64(), 2: 2 * 5 * merges(3, 8).Int64()} {
		if r := product(t, coherent(t, w, model.Workload{Readers: 1, Writers: writers}), explore.ProductOptions{}); r.Interleavings.Int64() != want {
			t.Errorf("%d writers: %s interleavings, want %d", writers, r.Interleavings, want)
		}
	}
	r := product(t, coherent(t, w, model.Workload{Readers: 1, Writers: 1, Warm: true}), explore.ProductOptions{})
	var got []string
	for _, s := range r.Counterexample.Steps {
		verb, _, _ := strings.Cut(s.Request, " ")
		got = append(got, s.Task+" "+verb)
	}
	want := []string{"writer-1 BEGIN", "writer-1 UPDATE", "writer-1 DEL", "reader-1 GET", "reader-1 SELECT", "reader-1 SET", "writer-1 COMMIT"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSeatForUpdate has exactly one of up to 3 callers told that the seat is his:
// at-most-one-booking alone would be content with none.
func TestSeatForUpdate(t *testing.T) {
	w := open(t, "seat-for-update", 1)
	for workers := 1; workers <= 3; workers++ {
		ends := 0
		r := product(t, coherent(t, w, model.Workload{Workers: workers}), explore.ProductOptions{Quiescent: func(v sim.View) {
			ends++
			told := slices.Sorted(slices.Values(v.Results))
			if told[0] != "booked" || slices.Contains(told[1:], "booked") {
				t.Errorf("%d workers were told %q", workers, told)
			}
		}})
		if r.Verdict != explore.Holds || ends == 0 {
			t.Errorf("%d workers: %s, %d ends", workers, r.Verdict, ends)
		}
	}
}

// TestDeadlock has two workers, each with BEGIN, SELECT, UPDATE and COMMIT.
//
// Where reads are locked, a SELECT before the other's COMMIT leaves both waiting: the
// BEGIN and SELECT of one are merged with the first 3 steps of the other, which is the
// one to UPDATE. Otherwise one works after the other, whose BEGIN is at one of 5 places.
//
// On snapshots nobody waits for a reader. Who is late to UPDATE is told so and tries
// again, alone by then; so there are as many interleavings, and all end.
func TestDeadlock(t *testing.T) {
	load := model.Workload{Workers: 2}
	stuck, serial := 2*merges(2, 3).Int64(), int64(2*5)
	locked := product(t, coherent(t, open(t, "counter-serializable", 1), load), explore.ProductOptions{})
	if locked.Violating.Int64() != stuck || locked.Interleavings.Int64() != stuck+serial {
		t.Errorf("%s of %s interleavings violate, want %d of %d", locked.Violating, locked.Interleavings, stuck, stuck+serial)
	}
	if got, want := locked.Counterexample.Violation, "deadlock: worker-1 waits for worker-2 in COMMIT; worker-2 waits for worker-1 in UPDATE counters SET value = 1 WHERE id = 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	snapshot := product(t, coherent(t, open(t, "counter-snapshot", 1), load), explore.ProductOptions{})
	if snapshot.Verdict != explore.Holds || snapshot.Interleavings.Int64() != stuck+serial {
		t.Errorf("%s in %s interleavings, want all of %d", snapshot.Verdict, snapshot.Interleavings, stuck+serial)
	}
}
