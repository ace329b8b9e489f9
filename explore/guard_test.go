package explore

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"quiesce/sim"
)

// locking is a server of two tasks that hold one lock across their request, as code with
// real goroutines may. before is called by one that has to wait.
func locking(before func()) *sim.System {
	return &sim.System{
		Stores:   []sim.Store{&register{}},
		Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }},
		Patience: 200 * time.Millisecond,
		Programs: []sim.Program{{Name: "server", Tasks: []sim.TaskSpec{{Name: "view-1"}, {Name: "view-2"}}, New: func(p *sim.Process) []sim.Task {
			var mu sync.Mutex
			view := func(context.Context) (string, error) {
				if !mu.TryLock() {
					before()
					mu.Lock()
				}
				defer mu.Unlock()
				_, err := p.Call(sim.Request{Store: "register", Body: "get"})
				return "", err
			}
			return []sim.Task{view, view}
		}}},
	}
}

// searches are all ways to run a system.
func searches(ctx context.Context) map[string]func(*sim.System) (Verdict, string, error) {
	verdict := func(r *Result, err error) (Verdict, string, error) {
		if err != nil {
			return "", "", err
		}
		return r.Verdict, r.Reason, nil
	}
	anyone := func(string) bool { return true }
	return map[string]func(*sim.System) (Verdict, string, error){
		"Product": func(s *sim.System) (Verdict, string, error) { return verdict(Product(ctx, s, ProductOptions{})) },
		"ProductOfEach": func(s *sim.System) (Verdict, string, error) {
			results, err := ProductOfEach(ctx, s, []sim.Property{s.Property, s.Property}, ProductOptions{})
			if err != nil {
				return "", "", err
			}
			return verdict(results[1], nil)
		},
		"Direct": func(s *sim.System) (Verdict, string, error) { return verdict(Direct(ctx, s, DirectOptions{})) },
		"CheckClaim": func(s *sim.System) (Verdict, string, error) {
			_, err := CheckClaim(ctx, s, Claim{{"view-1", anyone, anyone}}, 0)
			return "", "", err
		},
	}
}

// A lock held across a request ends every search, and a replay, with an error that says
// who waits and where.
func TestHangingTask(t *testing.T) {
	all := searches(context.Background())
	all["Replay"] = func(s *sim.System) (Verdict, string, error) {
		_, err := Replay(s, Schedule{{Task: 0}, {Task: 1}})
		return "", "", err
	}
	all["Reproduce"] = func(s *sim.System) (Verdict, string, error) {
		_, err := Reproduce(s, &Trace{Token: "view-1:1,view-2:1", Steps: []TraceStep{{Task: "view-1"}, {Task: "view-2"}}})
		return "", "", err
	}
	want := regexp.MustCompile(`^view-[12] has asked for nothing for 200ms; it is in sync\.\(\*Mutex\)\.Lock at guard_test\.go:\d+; the other tasks go on only when it asks for something or ends: `)
	for name, search := range all {
		t.Run(name, func(t *testing.T) {
			sys := locking(func() {})
			_, _, err := search(sys)
			var hang *sim.HangError
			if !errors.As(err, &hang) || !want.MatchString(err.Error()) {
				t.Fatalf("error %v, want %s", err, want)
			}
			if _, _, err := search(sys); !errors.As(err, &hang) || !strings.HasPrefix(err.Error(), "a system in which a task hangs cannot be used again") {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// A context that is canceled while a task hangs ends a search like any other canceled
// context, however patient the system is.
func TestInterruptedWhileATaskHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	for name := range searches(ctx) {
		ctx, cancel = context.WithCancel(context.Background())
		sys := locking(cancel)
		sys.Patience = time.Hour
		verdict, reason, err := searches(ctx)[name](sys)
		if err != nil {
			reason = err.Error()
		}
		if !regexp.MustCompile(`^interrupted while view-[12] was in sync\.\(\*Mutex\)\.Lock at guard_test\.go:\d+$`).MatchString(reason) {
			t.Errorf("%s: %s, %v", name, reason, err)
		}
		if (err == nil) != (verdict == Incomplete) || (err != nil) != (name == "CheckClaim") {
			t.Errorf("%s: verdict %q, error %v", name, verdict, err)
		}
	}
	cancel()
}
