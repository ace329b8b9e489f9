package model_test

import (
	"context"
	"math/big"
	"testing"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// TestMessages pins what is found of strategies that tell others of a write: by
// pub/sub, by a stream, by an outbox. What a row can be counted by:
//
//   - A relay or a consumer follows its only writer, with as many steps as that and
//     its own; the reader, which misses with 3 steps, is merged with that. Once the
//     cache is filled by the relay, a reader that comes then hits with 1 step: of
//     merges(3, 1) = 4 ends there are merges(1, 1) = 2, or 2 less in all.
//   - A reader that finds a warm cache which nobody deletes from has 1 step.
//   - On a shared server a reader or writer has a start and, for each of 3 requests, 2
//     steps. Behind PUBLISH, the 6th of the writer, its last step is merged with the
//     2 steps of every listener.
func TestMessages(t *testing.T) {
	times := func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }
	less := func(a *big.Int, n int64) *big.Int { return a.Sub(a, big.NewInt(n)) }
	for _, c := range []struct {
		strategy      string
		load          model.Workload
		counted       *big.Int // nil if there is no formula
		interleavings int64
		violating     int64
		schedule      string
	}{
		{"local-pubsub", model.Workload{Readers: 1, Writers: 1}, times(merges(1, 2, 2), merges(7, 11)), 954720, 37320, "reader-1:6,writer-1:7,listener-1:2,reader-1:1,listener-2:2"},
		{"local-pubsub", model.Workload{Readers: 1, Writers: 1, Warm: true}, nil, 960, 0, ""},
		{"local-pubsub", model.Workload{Readers: 1, Writers: 1, Servers: 1}, times(merges(1, 2), merges(7, 9)), 34320, 1984, "reader-1:6,writer-1:7,listener-1:2,reader-1:1"},
		{"local-pubsub", model.Workload{Readers: 2, Writers: 1, Servers: 2}, nil, 447629663520, 20996335248, "reader-1:7,reader-2:2,writer-1:7,listener-1:2,listener-2:2,reader-2:1"},
		{"event-stream", model.Workload{Readers: 1, Writers: 1}, merges(3, 2+3), 56, 2, "reader-1:2,writer-1:2,consumer:3,reader-1:1"},
		{"event-stream", model.Workload{Readers: 1, Writers: 2, Warm: true}, nil, 1988, 20, "writer-1:2,consumer:2,reader-1:2,writer-2:2,consumer:4,reader-1:1"},
		{"event-stream-warm", model.Workload{Readers: 1, Writers: 1}, less(merges(3, 2+4), 2), 82, 2, "reader-1:2,writer-1:2,consumer:4,reader-1:1"},
		{"event-stream-warm", model.Workload{Readers: 1, Writers: 1, Warm: true}, merges(1, 2+4), 7, 0, ""},
		{"outbox", model.Workload{Readers: 1, Writers: 1}, merges(3, 4+3), 120, 20, "reader-1:2,writer-1:4,relay:3,reader-1:1"},
		{"outbox", model.Workload{Readers: 1, Writers: 2, Warm: true}, nil, 10068, 740, "writer-1:4,relay:2,reader-1:2,writer-2:4,relay:4,reader-1:1"},
		{"outbox-versioned", model.Workload{Readers: 1, Writers: 1}, less(merges(3, 4+4), 2), 163, 0, ""},
		{"outbox-versioned", model.Workload{Readers: 1, Writers: 1, Warm: true}, merges(1, 4+4), 9, 0, ""},
	} {
		sys := coherent(t, open(t, c.strategy, 1), c.load)
		p := product(t, sys, explore.ProductOptions{Audit: 10})
		token := ""
		if p.Counterexample != nil {
			token = p.Counterexample.Token
		}
		if p.Interleavings.Int64() != c.interleavings || p.Violating.Int64() != c.violating || token != c.schedule {
			t.Errorf("%s, %v: %s interleavings, %s violating, counterexample %s", c.strategy, c.load, p.Interleavings, p.Violating, token)
		}
		if c.counted != nil && c.counted.Cmp(p.Interleavings) != 0 {
			t.Errorf("%s, %v: %s interleavings, by the formula %s", c.strategy, c.load, p.Interleavings, c.counted)
		}
		if c.interleavings > 2000 {
			continue
		}
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.strategy, p, d)
	}
}

// TestAtLeastOnce lets a process crash, at any moment: what the consumer had read and
// not acknowledged it gets again when it is back, so the old entry is deleted at last.
// A writer that crashes may have sent nothing, which is a weakness of its own.
//
// Of writer and consumer there is one interleaving, of 2 and 3 steps. The writer can
// crash at 3 moments, the consumer at 6; at the first two of these, the 2 steps by
// which it comes back are merged with the 2 or 1 that the writer has left.
func TestAtLeastOnce(t *testing.T) {
	sys := coherent(t, open(t, "event-stream", 1), model.Workload{Writers: 1, Warm: true})
	sys.Faults = sim.Faults{sim.Crash: 1}
	differs := sys.Property.Violation
	sys.Property.Violation = func(v sim.View) string {
		if v.Results[0] == sim.Crashed {
			return ""
		}
		return differs(v)
	}
	p := product(t, sys, explore.ProductOptions{})
	if want := 1 + 3 + merges(2, 2).Int64() + merges(2, 1).Int64() + 4; p.Verdict != explore.Holds || p.Interleavings.Int64() != want {
		t.Errorf("%s in %s interleavings, want all of %d", p.Verdict, p.Interleavings, want)
	}
	d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "event-stream", p, d)
	sys.Property.Violation = differs
	if p := product(t, sys, explore.ProductOptions{}); p.Counterexample == nil || p.Counterexample.Token != "writer-1:1,!crash(writer-1)" {
		t.Errorf("a writer that crashes before XADD violates nothing: %+v", p.Counterexample)
	}
}
