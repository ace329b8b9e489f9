package explore

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// inBubble says whether the caller is in a bubble, where the clock begins anew.
func inBubble() bool { return time.Now().Year() == 2000 }

// pair is a server of two tasks that make one request each; made by New, they are told
// whether it failed. The server may crash.
func pair(tasks func() (before, after [2]func(error))) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&register{}}, Property: anything, Faults: sim.Faults{sim.Crash: 1}, Patience: time.Second}
	sys.Programs = []sim.Program{{Name: "server", Tasks: []sim.TaskSpec{{Name: "t1"}, {Name: "t2"}}, New: func(p *sim.Process) (all []sim.Task) {
		before, after := tasks()
		for i := range before {
			all = append(all, func(context.Context) (string, error) {
				before[i](nil)
				_, err := p.Call(sim.Request{Store: "register", Body: "get"})
				after[i](err)
				return "", err
			})
		}
		return all
	}}}
	return sys
}

func nothingDone(error) {}

// TestAbandonedInBubbles has tasks that are blocked when their process crashes, also in
// the bubbles of the audit, whose clock stands still while one waits for a lock: by one
// that another task gives back when it is told, and for ever. Neither is an error, as it
// is none outside of a bubble.
func TestAbandonedInBubbles(t *testing.T) {
	for name, tasks := range map[string]func() (before, after [2]func(error)){
		"by a lock of another task": func() (before, after [2]func(error)) {
			var mu sync.Mutex
			lock, unlock := func(error) { mu.Lock() }, func(error) { mu.Unlock() }
			return [2]func(error){nothingDone, lock}, [2]func(error){func(err error) {
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
				}
			}, unlock}
		},
		"by a channel, for ever": func() (before, after [2]func(error)) {
			return [2]func(error){nothingDone, nothingDone}, [2]func(error){func(err error) {
				if err != nil {
					<-make(chan bool)
				}
			}, nothingDone}
		},
	} {
		sys := pair(tasks)
		r := explore(t, sys, ProductOptions{Audit: 20})
		direct, err := Direct(context.Background(), sys, DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Holds || direct.Verdict != Holds || r.Interleavings.Cmp(direct.Interleavings) != 0 {
			t.Errorf("%s: %s of %s, direct: %s of %s", name, r.Verdict, r.Interleavings, direct.Verdict, direct.Interleavings)
		}
	}
}

// TestHangsInBubbles has a task that hangs in bubbles alone: it is no less an error.
func TestHangsInBubbles(t *testing.T) {
	for want, hang := range map[string]func(){
		`t1 waits for ever; it is in chan receive at bubble_test\.go:\d+; the other tasks`:                                func() { <-make(chan bool) },
		`t1 has asked for nothing for 1s; it is in sync\.\(\*Mutex\)\.Lock at bubble_test\.go:\d+; the other tasks go on`: func() { var mu sync.Mutex; mu.Lock(); mu.Lock() },
	} {
		for name, search := range searches(context.Background()) {
			if name == "CheckClaim" {
				continue // which has no audit
			}
			_, _, err := search(pair(func() (before, after [2]func(error)) {
				return [2]func(error){nothingDone, nothingDone}, [2]func(error){func(error) {
					if inBubble() {
						hang()
					}
				}, nothingDone}
			}))
			var e *sim.HangError
			if !errors.As(err, &e) || !regexp.MustCompile(want).MatchString(err.Error()) {
				t.Errorf("%s: error %v, want %s", name, err, want)
			}
		}
	}
}

// A task that ends its goroutine in a bubble, as by testing.T.FailNow, ends that of the
// caller, as it does everywhere else.
func TestExitsInBubbles(t *testing.T) {
	for name, search := range searches(context.Background()) {
		if name == "CheckClaim" {
			continue // which has no audit
		}
		returned, ended := false, make(chan bool)
		go func() {
			defer close(ended)
			_, _, _ = search(pair(func() (before, after [2]func(error)) {
				return [2]func(error){nothingDone, nothingDone}, [2]func(error){func(error) {
					if inBubble() {
						runtime.Goexit()
					}
				}, nothingDone}
			}))
			returned = true
		}()
		if <-ended; returned {
			t.Errorf("%s returns", name)
		}
	}
}

// What a task panics with in one run and not in another is compared by what it says: the
// stack differs from run to run, which is no chance.
func TestCauseOfAPanic(t *testing.T) {
	_, err := Product(context.Background(), tasks(anything, map[string]body{"a": func(do func(string) string) string {
		if do("get"); inBubble() {
			panic("too early")
		}
		return ""
	}}), ProductOptions{})
	var nd *NondeterminismError
	if !errors.As(err, &nd) || nd.Cause != learn.CauseClock {
		t.Errorf("error %v, want one whose cause is %s", err, learn.CauseClock)
	}
}

// A property that looks into what there is not is blamed where it does so, and a timed
// system without a tick is an error and no division.
func TestMistakesAreSentences(t *testing.T) {
	lost := sim.Property{Name: "lost", Violation: func(v sim.View) string { v.Value("nowhere", "x"); return "" }}
	timeless := tasks(anything, map[string]body{"a": puts("1")})
	timeless.Timing = &sim.Timing{MaxStall: time.Second}
	for want, sys := range map[string]*sim.System{
		`lost panics at bubble_test\.go:\d+: sim: a property looked something up in "nowhere"`: tasks(lost, map[string]body{"a": puts("1")}),
		`the tick of a timed system is 0s; it has to be longer than 0`:                         timeless,
	} {
		_, direct := Direct(context.Background(), sys, DirectOptions{})
		_, product := Product(context.Background(), sys, ProductOptions{})
		for engine, err := range map[string]error{"direct": direct, "product": product} {
			if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
				t.Errorf("%s: error %v, want %s", engine, err, want)
			}
		}
	}
}
