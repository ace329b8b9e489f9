//go:build unix

package explore_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// The baseline is what somebody would write by hand who knows cache-aside: the
// protocol as an abstract model, a struct as the key of a Go map, no client and
// no store. It is the oracle for the number of states and the measure for speed.

// abstract is a state of cache-aside with one key. A process is at the step that
// it takes next; a filling reader also knows the value that it has read.
// Values: 0 is nothing, 1 the initial price, 2.. that of each writer.
type abstract struct {
	readers   [6]uint8
	writers   [4]uint8
	cache, db uint8
}

const (
	atGet uint8 = iota
	atSelect
	readerDone
	atSet // + value
)

const (
	atUpdate uint8 = iota
	atDel
	writerDone
)

// baseline returns the numbers of states and transitions and of quiescent states
// in which cache and database differ.
func baseline(readers, writers int) (states, transitions, bad int) {
	var start abstract
	start.db = 1
	for i := readers; i < len(start.readers); i++ {
		start.readers[i] = readerDone
	}
	for i := writers; i < len(start.writers); i++ {
		start.writers[i] = writerDone
	}
	seen := map[abstract]struct{}{start: {}}
	queue := []abstract{start}
	visit := func(s abstract) {
		transitions++
		if _, ok := seen[s]; !ok {
			seen[s] = struct{}{}
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		before := transitions
		for r, at := range s.readers[:readers] {
			next := s
			switch {
			case at == atGet && s.cache != 0:
				next.readers[r] = readerDone
			case at == atGet:
				next.readers[r] = atSelect
			case at == atSelect:
				next.readers[r] = atSet + s.db
			case at == readerDone:
				continue
			default:
				next.cache = at - atSet
				next.readers[r] = readerDone
			}
			visit(next)
		}
		for w, at := range s.writers[:writers] {
			next := s
			switch at {
			case atUpdate:
				next.db = uint8(2 + w)
				next.writers[w] = atDel
			case atDel:
				next.cache = 0
				next.writers[w] = writerDone
			default:
				continue
			}
			visit(next)
		}
		if transitions == before && s.cache != 0 && s.cache != s.db {
			bad++
		}
	}
	return len(seen), transitions, bad
}

// cacheAside returns the real thing.
func cacheAside(t testing.TB, readers, writers int) *sim.System {
	t.Helper()
	strategy, err := model.LookupStrategy("cache-aside")
	if err != nil {
		t.Fatal(err)
	}
	property, err := model.LookupProperty("coherent", strategy)
	if err != nil {
		t.Fatal(err)
	}
	world, err := model.NewWorld(strategy, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { world.Close() })
	sys, err := world.System(model.Workload{Readers: readers, Writers: writers}, property)
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// TestAsFewStatesAsByHand compares the product of the learned machines with the
// abstract model: histories that cannot be told apart any more have to be one.
func TestAsFewStatesAsByHand(t *testing.T) {
	for _, w := range []struct{ readers, writers, states int }{
		{1, 1, 17}, {2, 2, 700}, // the numbers that SPIN and TLC find, too
		{2, 1, 0}, {1, 2, 0}, {3, 2, 0}, {2, 3, 0}, {4, 3, 0},
	} {
		states, transitions, bad := baseline(w.readers, w.writers)
		if w.states != 0 && states != w.states {
			t.Errorf("%dR%dW: the baseline has %d states, want %d", w.readers, w.writers, states, w.states)
		}
		quiescent := 0
		sys := cacheAside(t, w.readers, w.writers)
		r, err := explore.Product(context.Background(), sys, explore.ProductOptions{NoSymmetry: true, Quiescent: func(v sim.View) {
			if sys.Property.Violation(v) != "" {
				quiescent++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if s := r.Statistics; s.States != states || s.Transitions != transitions || quiescent != bad {
			t.Errorf("%dR%dW: %d states, %d transitions, %d bad ends; by hand %d, %d, %d", w.readers, w.writers,
				s.States, s.Transitions, quiescent, states, transitions, bad)
		}
	}
}

// cpu returns the processor time that the program has used. Unlike the time on
// the wall it does not depend on what else the machine does.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProduct explores cache-aside and reports the ratio of its time to
// that of the baseline in the same run; the baseline knows no symmetry. All
// rates are of processor time.
func BenchmarkProduct(b *testing.B) {
	for _, bench := range []struct {
		readers, writers int
		symmetry         bool
	}{{4, 3, false}, {4, 3, true}, {4, 4, true}, {6, 4, true}} {
		name := fmt.Sprintf("%dR%dW", bench.readers, bench.writers)
		if bench.symmetry {
			name += "/symmetry"
		}
		b.Run(name, func(b *testing.B) {
			sys := cacheAside(b, bench.readers, bench.writers)
			var s explore.Statistics
			var product, hand time.Duration
			for b.Loop() {
				begin := cpu(b)
				r, err := explore.Product(context.Background(), sys, explore.ProductOptions{NoSymmetry: !bench.symmetry, Audit: explore.NoAudit})
				if err != nil {
					b.Fatal(err)
				}
				s = r.Statistics
				product += cpu(b) - begin
				if bench.readers == 4 && bench.writers == 3 {
					b.StopTimer()
					begin := cpu(b)
					baseline(bench.readers, bench.writers)
					hand += cpu(b) - begin
					b.StartTimer()
				}
			}
			perRun := product.Seconds() / float64(b.N)
			b.ReportMetric(perRun*1e3, "cpu-ms")
			b.ReportMetric(float64(s.States), "states")
			b.ReportMetric(float64(s.States)/perRun, "states/s")
			b.ReportMetric(float64(s.Transitions)/perRun, "transitions/s")
			b.ReportMetric(float64(s.StateBytes)/float64(s.States), "bytes/state")
			b.ReportMetric(float64(s.EdgeBytes)/float64(s.Transitions), "bytes/transition")
			b.ReportMetric(float64(s.StoreExecuted), "store-executions")
			b.ReportMetric(float64(s.TaskRuns), "coroutine-runs")
			if hand > 0 {
				b.ReportMetric(product.Seconds()/hand.Seconds(), "x-baseline")
			}
		})
	}
}

func BenchmarkBaseline(b *testing.B) {
	for b.Loop() {
		baseline(4, 3)
	}
}

// BenchmarkDirect runs every interleaving of 1 reader and 1 writer for real.
func BenchmarkDirect(b *testing.B) {
	sys := cacheAside(b, 1, 1)
	interleavings := int64(0)
	begin := cpu(b)
	for b.Loop() {
		r, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		interleavings += r.Interleavings.Int64()
	}
	b.ReportMetric(float64(interleavings)/(cpu(b)-begin).Seconds(), "interleavings/s")
}
