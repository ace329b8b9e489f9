package explore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"quiesce/explore/learn"
	"quiesce/sim"
)

func loopText(task, steps string) string {
	return task + " has asked " + steps + " 100 times in a row, a loop without an end: have it give up after a few times, or wait as with sqlite.Await and redis.Await"
}

// A task that tries until it works never ends where nobody lets it. Both engines say
// what it asks again and again.
func TestEndlessTask(t *testing.T) {
	for _, c := range []struct {
		ask  []string
		want string
	}{
		{[]string{"get"}, "get → taken"},
		{[]string{"get", "put taken"}, "get → taken, then put taken → taken"},
		{[]string{"get", "sleep", "put taken", "sleep"}, "get → taken, then put taken → taken"},
		{[]string{"sleep"}, "sleep 1s"},
	} {
		sys := tasks(anything, map[string]func(func(string) string) string{"writer": puts("taken")})
		sys.Stores = []sim.Store{&register{initial: "taken"}, sim.Clock{}}
		sys.Programs = append(sys.Programs, sim.Program{Name: "reader", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				for {
					for _, ask := range c.ask {
						if ask == "sleep" {
							sim.Clock{}.For(p).Sleep(time.Second)
						} else if r, err := p.Call(sim.Request{Store: "register", Body: ask}); err != nil || r == "free" {
							return "", err
						}
					}
				}
			}}
		}})
		want := loopText("reader", c.want)
		for engine, r := range bothEngines(t, sys) {
			if r.Verdict != Incomplete || r.Reason != want {
				t.Errorf("%s, %v: %s, %s, want %s", engine, c.ask, r.Verdict, r.Reason, want)
			}
		}
		if _, err := CheckClaim(context.Background(), sys, nil, 0); err == nil || err.Error() != want {
			t.Errorf("claim, %v: %v", c.ask, err)
		}
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
		if r := explore(t, sys, ProductOptions{}); r.Verdict != Incomplete || r.Reason != want {
			t.Errorf("timed, %v: %s, %s", c.ask, r.Verdict, r.Reason)
		}
	}
}

// An execution without an end need be no loop: here each request is another one. What
// was asked long ago is not looked at in every step, or this would take minutes. The
// product engine learns each step in a run of its own, which takes too long for a test.
func TestEndlessExecution(t *testing.T) {
	sys := tasks(anything, nil)
	sys.Programs = []sim.Program{{Name: "a", New: func(p *sim.Process) []sim.Task {
		return []sim.Task{func(context.Context) (string, error) {
			for n := 0; ; n++ {
				if _, err := p.Call(sim.Request{Store: "register", Body: fmt.Sprint("put ", n)}); err != nil {
					return "", err
				}
			}
		}}
	}}}
	r, err := Direct(context.Background(), sys, DirectOptions{})
	if err != nil || r.Verdict != Incomplete || r.Reason != errEndless.Error() {
		t.Errorf("%+v, %v", r, err)
	}
}

// Many tasks that go round and round do so in so many combinations that the search by
// itself, breadth first, would not get to the end of one of them.
func TestManyEndlessTasks(t *testing.T) {
	code := map[string]func(func(string) string) string{"writer": puts("1")}
	for i := range 8 {
		own := fmt.Sprint("own", i)
		code["reader-"+string(rune('a'+i))] = func(do func(string) string) string {
			for do("get") != own {
			}
			return ""
		}
	}
	r := explore(t, tasks(anything, code), ProductOptions{LimitStates: 500_000})
	if r.Verdict != Incomplete || !strings.HasPrefix(r.Reason, "reader-") || !strings.Contains(r.Reason, " has asked get 100 times in a row, ") {
		t.Errorf("%s, %s", r.Verdict, r.Reason)
	}
}

// What ends is no loop, however often it comes: the most is one less than what is taken
// for one. In the process of two tasks each goes round by itself.
func TestBoundedRetries(t *testing.T) {
	for _, c := range []struct {
		times int
		want  Verdict
	}{{learn.MostRepeats - 1, Holds}, {learn.MostRepeats, Incomplete}} {
		sys := tasks(anything, map[string]func(func(string) string) string{"a": func(do func(string) string) string {
			for range c.times {
				do("get")
			}
			do("put 1")
			return ""
		}})
		for engine, r := range bothEngines(t, sys) {
			if r.Verdict != c.want {
				t.Errorf("%s: %s after %d times, want %s: %s", engine, r.Verdict, c.times, c.want, r.Reason)
			}
		}
	}
}
