package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
)

// A locker is a store of keys with TTLs: "set k d" sets one, unless it is there,
// "get k" looks.
type locker struct {
	left map[string]time.Duration
}

func (l *locker) Name() string                  { return "locker" }
func (l *locker) Reset() error                  { l.left = map[string]time.Duration{}; return nil }
func (l *locker) SetTimed(bool)                 {}
func (l *locker) Waits(sim.Request) sim.Wait    { return sim.NoWait }
func (l *locker) Disconnect(string) sim.Request { return sim.Request{Store: "locker", Body: "get"} }
func (l *locker) Retries(sim.Request) bool      { return false }
func (l *locker) keys() (keys []string) {
	return slices.Sorted(func(f func(string) bool) {
		for k := range l.left {
			if !f(k) {
				return
			}
		}
	})
}

func (l *locker) Fails(sim.FaultKind, sim.Request) bool { return false }

func (l *locker) Cleanup(sim.FaultKind, sim.Request) (sim.Request, bool) {
	return sim.Request{}, false
}

func (l *locker) Tick(d time.Duration) sim.Request {
	return sim.Request{Store: "locker", Body: "tick " + d.String()}
}

func (l *locker) Incidents(kind sim.FaultKind) (all []sim.Incident, _ error) {
	for _, k := range l.keys() {
		if kind == sim.Expire || kind == sim.Lapse && l.left[k] <= 0 {
			all = append(all, sim.Incident{Target: k, Request: sim.Request{Store: "locker", Body: "del " + k}})
		}
	}
	return all, nil
}

func (l *locker) Execute(r sim.Request) (sim.Reply, error) {
	f := strings.Fields(r.Body)
	switch f[0] {
	case "set":
		for _, k := range strings.Split(f[1], ",") {
			if _, ok := l.left[k]; ok {
				return sim.Reply{Body: "taken"}, nil
			}
			name, ttl, _ := strings.Cut(k, "=")
			l.left[name], _ = time.ParseDuration(ttl)
		}
	case "del":
		delete(l.left, f[1])
	case "tick":
		d, _ := time.ParseDuration(f[1])
		for k := range l.left {
			if l.left[k] <= 0 {
				delete(l.left, k) // it has lapsed
			} else {
				l.left[k] -= d
			}
		}
	}
	return sim.Reply{Body: fmt.Sprint(l.keys())}, nil
}

func (l *locker) Content() (c sim.Content, _ error) {
	for _, k := range l.keys() {
		c = append(c, sim.Item{Name: k, Note: l.left[k].Truncate(time.Millisecond).String(), TTL: l.left[k]})
	}
	return c, nil
}

func (l *locker) Describe(r sim.Request, reply sim.Reply) (string, string) {
	return r.Body, reply.Body
}

// lockSystem is one task that makes these requests, and says at its end what keys
// are there; the property is violated if they are these.
func lockSystem(bad string, requests ...string) *sim.System {
	return &sim.System{
		Stores: []sim.Store{&locker{}},
		Faults: sim.Faults{sim.Expire: 1},
		Programs: []sim.Program{{Name: "task", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				var last sim.Reply
				for _, r := range requests {
					last, _ = p.Call(sim.Request{Store: "locker", Body: r})
				}
				return last.Body, nil
			}}
		}}},
		Property: sim.Property{Name: "lock", Violation: func(v sim.View) string {
			if v.Results[0] == bad {
				return "the keys are " + bad
			}
			return ""
		}},
	}
}

// A lock that expires while its owner works: it has to be away for the whole TTL,
// wherever between the request that set it and the one that finds it gone.
func TestPauses(t *testing.T) {
	sys := lockSystem("[]", "set lock=10s", "get", "get")
	for name, r := range bothEngines(t, sys) {
		if r.Verdict != Violated || len(r.Counterexample.Pauses) != 1 {
			t.Fatalf("%s: %s, pauses %v", name, r.Verdict, r.Counterexample.Pauses)
		}
		if got := r.Counterexample.Pauses[0].String(); got != "task pauses for at least 10s between steps 1 and 3" && got != "task pauses for at least 10s between steps 1 and 4" {
			t.Errorf("%s: %s, schedule %s", name, got, r.Counterexample.Token)
		}
	}
}

// Of two keys that were set together the one with the longer TTL does not expire first,
// whether a task has set them or the setup. By hand: there are three executions, one
// without a fault, and two in which short expires, after the set and after the get; from
// the setup there are the same with an expiry before and after the get.
func TestNoTimesFit(t *testing.T) {
	set := "set short=5s,long=9s"
	inSetup := func(bad string) *sim.System {
		sys := lockSystem(bad, "get")
		sys.Setup = []sim.Request{{Store: "locker", Body: set}}
		return sys
	}
	for _, c := range []struct {
		name    string
		sys     *sim.System
		verdict Verdict
	}{
		{"long expires first", lockSystem("[short]", set, "get"), Holds},
		{"short expires first", lockSystem("[long]", set, "get"), Violated},
		{"long expires first, from the setup", inSetup("[short]"), Holds},
		{"short expires first, from the setup", inSetup("[long]"), Violated},
	} {
		for name, r := range bothEngines(t, c.sys) {
			if r.Verdict != c.verdict || r.Interleavings.Int64() != 3 {
				t.Errorf("%s: %s: %s, %s interleavings, want %s of 3", c.name, name, r.Verdict, r.Interleavings, c.verdict)
			}
		}
	}
	_, err := Replay(lockSystem("[short]", set, "get"), Schedule{{Task: 0}, {Task: sim.Environment, Fault: sim.Fault{Kind: sim.Expire, Target: "long"}}, {Task: 0}})
	var misfit *ScheduleError
	if !errors.As(err, &misfit) || misfit.Step != 2 {
		t.Errorf("replay: %v", err)
	}
}

func bothEngines(t *testing.T, sys *sim.System) map[string]*Result {
	t.Helper()
	d, err := Direct(context.Background(), sys, DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Product(context.Background(), sys, ProductOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*Result{"direct": d, "product": p}
}
