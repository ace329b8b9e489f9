package explore

import (
	"context"
	"errors"
	"testing"
	"time"

	"quiesce/sim"
)

// Whatever happens at the time at which a key goes away happens before or after it:
// a read that is due then sees it, or does not. Both engines find both, and a
// schedule with ticks and lapses is read back from its token.
func TestLapse(t *testing.T) {
	sys := lockSystem("[]", "set k=2s", "get")
	sys.Faults, sys.Timing = nil, &sim.Timing{Tick: time.Second, MaxStall: 2 * time.Second}
	of := func(v sim.View) string { return v.Results[0] }
	d, err := Direct(context.Background(), sys, DirectOptions{Values: of})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Product(context.Background(), sys, ProductOptions{Values: of, Audit: 20})
	if err != nil {
		t.Fatal(err)
	}
	// The set, and the get after no to four ticks: the reply to the set may be two late,
	// and the get two more. From two on it comes before or after the lapse. A lapse at the end need not happen: it may, where the key is still there.
	for name, r := range map[string]*Result{"direct": d, "product": p} {
		if len(r.Values) != 2 || r.Verdict != Violated {
			t.Errorf("%s: %s, values %v", name, r.Verdict, r.Values)
		}
		if got := r.Counterexample.Token; got != "task:2,!tick,!tick,!lapse(k),task:2" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if d.Interleavings.Cmp(p.Interleavings) != 0 || d.Violating.Cmp(p.Violating) != 0 {
		t.Errorf("%s of %s, by the direct engine %s of %s", p.Violating, p.Interleavings, d.Violating, d.Interleavings)
	}
	s, err := ParseSchedule(sys, p.Counterexample.Token)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Replay(sys, s); err != nil || again.Violation == "" {
		t.Errorf("replay: %v", err)
	}
}

// A stubborn is a locker of which a key can lapse that is there for ever.
type stubborn struct{ locker }

func (s *stubborn) Incidents(kind sim.FaultKind) (all []sim.Incident, _ error) {
	if kind == sim.Lapse {
		all = append(all, sim.Incident{Target: "k", Request: sim.Request{Store: "locker", Body: "get"}})
	}
	return all, nil
}

// Nothing bounds how often something lapses but that it is gone then. Of a store in
// which it is not both engines say so, and do not search for ever. Where no time
// passes nothing lapses.
func TestLapseOfWhatStays(t *testing.T) {
	sys := lockSystem("[]", "set k=2s", "get")
	sys.Stores = []sim.Store{&stubborn{}}
	for name, r := range bothEngines(t, sys) {
		if r.Verdict != Holds || r.Interleavings.Int64() != 1 {
			t.Errorf("untimed: %s: %s, %s interleavings", name, r.Verdict, r.Interleavings)
		}
	}
	sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
	if _, err := Direct(context.Background(), sys, DirectOptions{}); !errors.Is(err, sim.ErrLapse) {
		t.Errorf("direct: %v", err)
	}
	if _, err := Product(context.Background(), sys, ProductOptions{}); !errors.Is(err, sim.ErrLapse) {
		t.Errorf("product: %v", err)
	}
}
