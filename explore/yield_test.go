package explore

import (
	"context"
	"slices"
	"testing"
	"time"

	"quiesce/sim"
)

// generations is a server with a local cache that nobody puts an entry into which was
// read before the last invalidation: it looks at the generation, and then puts. With
// gap another goroutine may get in between the two, as in production.
func generations(gap bool) *sim.System {
	return &sim.System{
		Stores: []sim.Store{&register{initial: "old"}},
		Property: sim.Property{Name: "coherent", Violation: func(v sim.View) string {
			value, _ := v.Contents[0].Lookup("value")
			if cached, ok := v.Memories[0].Lookup("cached"); ok && cached != value {
				return "the local cache holds " + cached
			}
			return ""
		}},
		Programs: []sim.Program{{Name: "server", Tasks: []sim.TaskSpec{{Name: "read"}, {Name: "write"}}, New: func(p *sim.Process) []sim.Task {
			generation, cached := 0, ""
			p.Show(func() sim.Content {
				if cached == "" {
					return nil
				}
				return sim.Content{{Name: "cached", Value: cached}}
			})
			do := func(body string) (string, error) {
				reply, err := p.Call(sim.Request{Store: "register", Body: body})
				return reply.Body, err
			}
			return []sim.Task{
				func(context.Context) (string, error) {
					before := generation
					value, err := do("get")
					if err == nil && generation == before {
						if gap {
							p.Yield()
						}
						cached = value
					}
					return "", err
				},
				func(context.Context) (string, error) {
					_, err := do("put new")
					generation, cached = generation+1, ""
					return "", err
				},
			}
		}}},
	}
}

// TestYield has local code with a gap, which is one step unless it yields.
//
// Each task starts (r1, w1), its request is executed (r2, w2), and its reply arrives
// (r3, w3): 6!/(3! 3!) = 20 interleavings. The yield (r4) is one step more of the
// reader: 7!/(4! 3!) = 35. Where the generation has changed (w3 between r1 and r3) it
// takes no such step, but then the writer has finished, so that there is no choice left
// and the number is the same.
//
// It is violated if the old value (r2 before w2) is put after the invalidation (w3
// before r4) that the reader has not seen (w3 after r3): r1 r2 r3 and w1 w2 in any
// order, then w3 r4. Those are 5!/(3! 2!) = 10, of which w2 is before r2 in 3, where r3
// is last and r1 somewhere among w1 and w2.
func TestYield(t *testing.T) {
	for _, tt := range []struct {
		gap                      bool
		interleavings, violating int64
	}{{false, 20, 0}, {true, 35, 7}} {
		sys := generations(tt.gap)
		p, err := Product(context.Background(), sys, ProductOptions{Audit: 100})
		if err != nil {
			t.Fatal(err)
		}
		d, err := Direct(context.Background(), sys, DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Result{p, d} {
			if r.Interleavings.Int64() != tt.interleavings || r.Violating.Int64() != tt.violating || r.Verdict != map[bool]Verdict{false: Holds, true: Violated}[tt.gap] {
				t.Errorf("gap %v, %s: %s, %s of %s", tt.gap, r.Engine, r.Verdict, r.Violating, r.Interleavings)
			}
			if c := r.Counterexample; c != nil && !slices.ContainsFunc(c.Steps, func(s TraceStep) bool {
				return s.Task == "read" && s.Request == "yield" && s.Store == "" && s.Reply == ""
			}) {
				t.Errorf("%s: no yield in %s", r.Engine, c.Token)
			}
		}
		if p.Counterexample != nil && p.Counterexample.Token != d.Counterexample.Token {
			t.Errorf("counterexamples %s and %s", p.Counterexample.Token, d.Counterexample.Token)
		}
	}
}

// A yield is a step in a process of one task as well, whether it comes first, last or
// alone: 4!/(2! 2!) = 6 interleavings of two steps each. Its task has not finished
// before, which a monitor can see.
func TestYieldAlone(t *testing.T) {
	program := func(name string, steps ...string) sim.Program {
		return sim.Program{Name: name, New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				for _, body := range steps {
					if body == sim.Yield.Body {
						p.Yield()
					} else if _, err := p.Call(sim.Request{Store: "register", Body: body}); err != nil {
						return "", err
					}
				}
				return "", nil
			}}
		}}
	}
	ends := &sim.Monitor{After: func(state string, e sim.Event) string {
		if e.Finished {
			state += e.Name
		}
		return state
	}}
	for _, timing := range []*sim.Timing{nil, {Tick: time.Second, MaxStall: 2 * time.Second}} {
		for _, faults := range []sim.Faults{nil, {sim.Crash: 1}} {
			sys := &sim.System{
				Stores:   []sim.Store{&register{}},
				Programs: []sim.Program{program("a", "yield", "put x"), program("b", "put y", "yield")},
				Timing:   timing,
				Faults:   faults,
				Property: sim.Property{Name: "ab", Monitor: ends, Violation: func(v sim.View) string {
					if v.Monitor == "ab" || len(v.Monitor) < 2 {
						return ""
					}
					return v.Monitor
				}},
			}
			p, err := Product(context.Background(), sys, ProductOptions{Audit: 20})
			if err != nil {
				t.Fatal(err)
			}
			d, err := Direct(context.Background(), sys, DirectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Interleavings.Cmp(d.Interleavings) != 0 || p.Violating.Cmp(d.Violating) != 0 || p.Verdict != d.Verdict {
				t.Errorf("timing %v, faults %v: product %s of %s, direct %s of %s", timing, faults, p.Violating, p.Interleavings, d.Violating, d.Interleavings)
			}
			// b ends before a in half of them, by symmetry: a's last step is before b's.
			if timing == nil && faults == nil && (p.Interleavings.Int64() != 6 || p.Violating.Int64() != 3) {
				t.Errorf("%s of %s", p.Violating, p.Interleavings)
			}
			if timing == nil && len(faults) > 0 && p.Interleavings.Int64() <= 6 {
				t.Errorf("with a crash there are %s", p.Interleavings)
			}
		}
	}
}
