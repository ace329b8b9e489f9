package explore

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"quiesce/sim"
)

// A frail is a store of a counter and three things, that every kind of fault can
// strike: what can go away does so by one kind each.
type frail struct {
	n    int
	lost map[sim.FaultKind]bool
}

var frailItems = map[sim.FaultKind]string{sim.Expire: "lease", sim.Evict: "entry", sim.DropMessage: "message"}

func (f *frail) Name() string                          { return "frail" }
func (f *frail) Reset() error                          { *f = frail{lost: map[sim.FaultKind]bool{}}; return nil }
func (f *frail) Fails(sim.FaultKind, sim.Request) bool { return true }
func (f *frail) Retries(sim.Request) bool              { return false }
func (f *frail) Disconnect(string) sim.Request         { return sim.Request{Store: "frail", Body: "leave"} }

func (f *frail) Cleanup(sim.FaultKind, sim.Request) (sim.Request, bool) {
	return sim.Request{}, false
}

func (f *frail) Incidents(kind sim.FaultKind) (all []sim.Incident, _ error) {
	if item, ok := frailItems[kind]; ok && !f.lost[kind] {
		all = append(all, sim.Incident{Target: item, Request: sim.Request{Store: "frail", Body: string(kind)}})
	}
	return all, nil
}

func (f *frail) Execute(r sim.Request) (sim.Reply, error) {
	switch r.Body {
	case "add":
		f.n++
	case "leave":
	default:
		f.lost[sim.FaultKind(r.Body)] = true
	}
	return sim.Reply{}, nil
}

func (f *frail) Content() (sim.Content, error) {
	c := sim.Content{{Name: "n", Value: strconv.Itoa(f.n)}}
	for _, kind := range sim.FaultKinds {
		if item, ok := frailItems[kind]; ok && !f.lost[kind] {
			c = append(c, sim.Item{Name: item})
		}
	}
	return c, nil
}

func (f *frail) Describe(r sim.Request, reply sim.Reply) (string, string) {
	return r.Body, reply.Body
}

// frailSystem is one task that adds 1 and returns what it is told.
func frailSystem(faults sim.Faults) *sim.System {
	return &sim.System{
		Stores: []sim.Store{&frail{}},
		Faults: faults,
		Programs: []sim.Program{{Name: "task", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				reply, err := p.Call(sim.Request{Store: "frail", Body: "add"})
				if reply.Fault != "" {
					return reply.Fault.Describe(), err
				}
				return "ok", err
			}}
		}}},
	}
}

// Each kind of fault violates a property that no other kind violates: one of what the
// task is told and what the store holds then, not of which fault it was.
func TestEveryKindOfFault(t *testing.T) {
	for _, kind := range sim.FaultKinds {
		is := func(v sim.View) bool {
			n, _ := v.Contents[0].Lookup("n")
			told := v.Results[0] + " " + n
			switch kind {
			case sim.LostRequest:
				return told == "timeout 0"
			case sim.LostReply:
				return told == "timeout 1"
			case sim.RequestError:
				return told == "error 0"
			case sim.Outage:
				return told == "connection refused 0"
			case sim.Crash:
				return told == sim.Crashed+" 0"
			}
			_, ok := v.Contents[0].Lookup(frailItems[kind])
			return !ok
		}
		check := func(faults sim.Faults, violated bool) {
			t.Helper()
			sys := frailSystem(faults)
			sys.Property = sim.Property{Name: string(kind), Violation: func(v sim.View) string {
				if is(v) {
					return "it has happened"
				}
				return ""
			}}
			for engine, r := range bothEngines(t, sys) {
				if (r.Verdict == Violated) != violated || r.Verdict == Incomplete {
					t.Errorf("%s: %s with %s: %s", engine, kind, faults, r.Verdict)
					continue
				}
				if !violated {
					continue
				}
				s := r.Counterexample.Schedule
				if i := slices.IndexFunc(s, sim.Move.Strikes); s.Faults() != 1 || s[i].Fault.Kind != kind {
					t.Errorf("%s: %s with %s: %s", engine, kind, faults, r.Counterexample.Token)
				}
			}
		}
		check(nil, false)
		check(sim.Faults{sim.AnyFault: 1}, true)
		others := sim.Faults{}
		for _, other := range sim.FaultKinds {
			check(sim.Faults{other: 1}, other == kind)
			if other != kind {
				check(sim.Faults{other: 2}, false)
				others[other] = 1
			}
		}
		check(others, false)
	}
}

// A process may crash after its last request was executed and before the reply is there,
// whatever the store is. One task puts one value into a store that no fault can strike: it
// does; or the process crashes before, and has put nothing; or it crashes after, and nobody
// is told. Those are 3 interleavings, of which the last one violates.
func TestCrashBesideAnyStore(t *testing.T) {
	sys := tasks(sim.Property{Name: "told", Violation: func(v sim.View) string {
		if value, _ := v.Contents[0].Lookup("value"); value == "new" && v.Results[0] == sim.Crashed {
			return "it is put, and nobody was told"
		}
		return ""
	}}, map[string]func(func(string) string) string{"put": func(do func(string) string) string { return do("put new") }})
	sys.Faults = sim.Faults{sim.Crash: 1}
	for engine, r := range bothEngines(t, sys) {
		if r.Interleavings.Int64() != 3 || r.Violating.Int64() != 1 {
			t.Errorf("%s: %s interleavings, %s violate; want 3, 1", engine, r.Interleavings, r.Violating)
		}
	}
}
