package explore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A body is what a task does.
type body = func(do func(string) string) string

// never is the property that the register never holds a value at quiescence.
func never(value string) sim.Property {
	return sim.Property{Name: "never-" + value, Violation: func(v sim.View) string {
		if s, _ := v.Contents[0].Lookup("value"); s == value {
			return "it is " + value
		}
		return ""
	}}
}

// TestSharedMemory has processes that share memory by mistake, which New should have
// made, in both engines. Whatever the property says of such a system means nothing.
//
// What one process sets is seen by another in every run but the first, so it can be
// noticed only if the first looks before the other sets. The last systems are those in
// which it does not: of two processes that do the same up to there, only the one that
// comes first in the programs.
func TestSharedMemory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		tasks func() map[string]body // with memory that is as new
		found bool
	}{
		{"the first sets a flag after its request, the last looks at it after its own", func() map[string]body {
			set := false
			return map[string]body{
				"a": func(do func(string) string) string { do("put a"); set = true; return "" },
				"b": func(do func(string) string) string {
					do("put b")
					if set {
						do("put bad")
					}
					return ""
				},
			}
		}, true},
		{"a writer sets a flag, a reader looks at it", func() map[string]body {
			set := false
			return map[string]body{
				"a-reader": func(do func(string) string) string {
					do("get")
					if set {
						do("put bad")
					}
					return ""
				},
				"b-writer": func(do func(string) string) string { do("put b"); set = true; return "" },
			}
		}, true},
		{"a reader looks after its second request, a writer sets after its first", func() map[string]body {
			set := false
			return map[string]body{
				"a-writer": func(do func(string) string) string { do("put a"); set = true; do("put c"); return "" },
				"b-reader": func(do func(string) string) string { do("get"); do("get"); return strconv.FormatBool(set) },
			}
		}, true},
		{"the last sets a flag when it begins, the first looks after its request", func() map[string]body {
			set := false
			return map[string]body{
				"a": func(do func(string) string) string { do("get"); return strconv.FormatBool(set) },
				"b": func(do func(string) string) string { set = true; do("put b"); return "" },
			}
		}, false},
		{"a once around a request, of equal processes", func() map[string]body {
			once := new(sync.Once)
			warm := func(do func(string) string) string {
				first := false
				once.Do(func() { first = true })
				if first {
					do("put warm")
				}
				return do("get")
			}
			return map[string]body{"a1": warm, "a2": warm}
		}, true},
		{"a once around a request, of one process", func() map[string]body {
			once := new(sync.Once)
			return map[string]body{
				"a": func(do func(string) string) string {
					first := false
					once.Do(func() { first = true })
					if first {
						do("put warm")
					}
					return ""
				},
				"b": puts("b"),
			}
		}, true},
		{"a map as a cache, which is filled by a miss", func() map[string]body {
			cache := map[string]string{}
			read := func(do func(string) string) string {
				if v, ok := cache["k"]; ok {
					return v
				}
				cache["k"] = do("get")
				return cache["k"]
			}
			return map[string]body{"a1": read, "a2": read, "b": puts("b")}
		}, true},
		{"a map as a cache, which only the writer fills", func() map[string]body {
			cache := map[string]string{}
			return map[string]body{
				"a-reader": func(do func(string) string) string {
					if v, ok := cache["k"]; ok {
						return v
					}
					return do("get")
				},
				"b-writer": func(do func(string) string) string { do("put 1"); cache["k"] = "1"; return "" },
			}
		}, true},
		{"a counter", func() map[string]body {
			n := 0
			next := func(do func(string) string) string { n++; do("put " + strconv.Itoa(n)); return "" }
			return map[string]body{"a1": next, "a2": next}
		}, true},
		{"a counter that only results show", func() map[string]body {
			n := 0
			next := func(do func(string) string) string { do("get"); n++; return strconv.Itoa(n) }
			return map[string]body{"a": next, "b": next}
		}, true},
		{"the name of the last one", func() map[string]body {
			last := ""
			as := func(name string) body {
				return func(do func(string) string) string { do("put " + name); last = name; do("get"); return last }
			}
			return map[string]body{"a": as("a"), "b": as("b"), "c": func(do func(string) string) string { do("get"); return last }}
		}, true},
		{"a flag that is set in the last step", func() map[string]body {
			over := false
			return map[string]body{
				"a": func(do func(string) string) string { do("put 1"); do("put 2"); do("put 3"); over = true; return "" },
				"b": func(do func(string) string) string { do("put 4"); do("put 5"); return strconv.FormatBool(over) },
			}
		}, true},
		{"both look and both set", func() map[string]body {
			set := false
			one := func(do func(string) string) string {
				do("put 1")
				if set {
					do("put bad")
				}
				set = true
				return ""
			}
			return map[string]body{"a": one, "b": one}
		}, true},

		{"the last sets a flag after its request, the first looks at it after its own", func() map[string]body {
			set := false
			return map[string]body{
				"a": func(do func(string) string) string { do("put a"); return strconv.FormatBool(set) },
				"b": func(do func(string) string) string { do("put b"); set = true; return "" },
			}
		}, false},
		{"one looks late at what the other has set early", func() map[string]body {
			set := false
			return map[string]body{
				"a": func(do func(string) string) string { do("put a"); set = true; do("put b"); return "" },
				"b": func(do func(string) string) string { do("put c"); do("put d"); return strconv.FormatBool(set) },
			}
		}, false},
	} {
		for engine, search := range map[string]func(*sim.System) error{
			"product": func(s *sim.System) error {
				_, err := Product(context.Background(), s, ProductOptions{})
				return err
			},
			"direct": func(s *sim.System) error { _, err := Direct(context.Background(), s, DirectOptions{}); return err },
		} {
			err := search(tasks(never("bad"), tt.tasks()))
			var nd *NondeterminismError
			if found := errors.As(err, &nd); found != tt.found || !found && err != nil {
				t.Errorf("%s, %s engine: error %v, want one: %v", tt.name, engine, err, tt.found)
			}
			if nd != nil && engine == "product" && nd.Cause == "" {
				t.Errorf("%s, %s engine: no cause: %v", tt.name, engine, err)
			}
		}
	}
}

// TestCauses names what makes a task do something else when it is run again. The seconds
// of the clock are the same in all runs of an exploration but those in bubbles. Of two keys Go takes the
// rarer order in one of eight runs, so one in a billion of these explorations may pass:
// there are over 150 runs of the task in each.
func TestCauses(t *testing.T) {
	keys := map[string]bool{"k": true, "l": true}
	for _, tt := range []struct {
		name, cause string
		task        body
	}{
		{"nanoseconds", learn.CauseClock, func(do func(string) string) string { return do("put " + time.Now().Format(time.RFC3339Nano)) }},
		{"seconds", learn.CauseClock, func(do func(string) string) string { return do(fmt.Sprint("put ", time.Now().Unix())) }},
		{"the year, in a result", learn.CauseClock, func(do func(string) string) string { do("get"); return strconv.Itoa(time.Now().Year()) }},
		{"a map", learn.CauseChance, func(do func(string) string) string {
			for k := range keys {
				do("put " + k)
			}
			return ""
		}},
		{"a map, after a certain reply", learn.CauseChance, func(do func(string) string) string {
			if do("get") == "4" {
				for k := range keys {
					do("put " + k)
				}
			}
			return ""
		}},
		{"select", learn.CauseChance, func(do func(string) string) string {
			c := make(chan string, 1)
			d := make(chan string, 1)
			c <- "c"
			d <- "d"
			select {
			case v := <-c:
				return v
			case v := <-d:
				return v
			}
		}},
	} {
		for range 5 {
			_, err := Product(context.Background(), tasks(anything, map[string]body{"a": tt.task, "b": puts("3", "4")}), ProductOptions{})
			var nd *NondeterminismError
			if !errors.As(err, &nd) || nd.Cause != tt.cause {
				t.Errorf("%s: error %v, want one whose cause is %s", tt.name, err, tt.cause)
			}
		}
	}
}

// TestClockThatGoesOn has a task that gives up when a request has taken a second by its
// own clock. No such second passes in the search, where it never gives up. In a bubble it
// does.
func TestClockThatGoesOn(t *testing.T) {
	patient := func(do func(string) string) string {
		begun := time.Now()
		do("get")
		if time.Since(begun) >= time.Second {
			return "late"
		}
		do("put 1")
		return ""
	}
	patience := sim.Property{Monitor: &sim.Monitor{Start: "in time", After: func(state string, e sim.Event) string {
		if e.Fault.Kind == sim.Tick && e.View.Pending[0].Body == "get" {
			return "late"
		}
		return state
	}}, Violation: func(v sim.View) string {
		if v.Monitor == "late" && v.Results[0] != "late" {
			return "it is late and does not give up"
		}
		return ""
	}}
	for cause, property := range map[string]sim.Property{"": anything, learn.CauseClock: patience} {
		sys := tasks(property, map[string]body{"a": patient, "b": puts("3", "4")})
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: 2 * time.Second}
		r, err := Product(context.Background(), sys, ProductOptions{})
		var nd *NondeterminismError
		if !errors.As(err, &nd) || nd.Cause != cause {
			t.Errorf("%+v, error %v", r, err)
		}
	}
}

// TestClass has programs of one class of which one does something else, in every place
// in which it can be, whatever the property says.
func TestWrongClass(t *testing.T) {
	for _, odd := range []string{"a1", "a2", "a3"} {
		for _, property := range []sim.Property{anything, never("2"), never("1")} {
			bodies := map[string]body{"a1": puts("1"), "a2": puts("1"), "a3": puts("1")}
			bodies[odd] = func(do func(string) string) string {
				if do("put 1") == "1" {
					do("put 2")
				}
				return ""
			}
			_, err := Product(context.Background(), tasks(property, bodies), ProductOptions{})
			if err == nil || !strings.Contains(err.Error(), "a wrong Class") {
				t.Errorf("%s is odd, %s: error %v", odd, property.Name, err)
			}
		}
	}
}

// TestLeftBehind has tasks that leave something behind which calls a client later, or
// which may: an error in every run, whatever the verdict would have been.
func TestLeftBehind(t *testing.T) {
	for _, tt := range []struct {
		name string
		task func(do func(string) string, late func()) string
		want string // in the error
	}{
		{"go", func(do func(string) string, late func()) string { do("get"); go late(); return "" }, "outside its task"},
		{"go, after a certain reply", func(do func(string) string, late func()) string {
			if do("get") == "2" {
				go late()
			}
			return ""
		}, "outside its task"},
		{"go, with work before", func(do func(string) string, late func()) string {
			do("get")
			go func() { time.Sleep(10 * time.Millisecond); late() }()
			return ""
		}, "outside its task"},
		{"AfterFunc", func(do func(string) string, late func()) string {
			do("get")
			time.AfterFunc(20*time.Minute, late)
			return ""
		}, "outside its task"},
		{"a ticker", func(do func(string) string, late func()) string {
			tick := time.NewTicker(time.Minute)
			go func() {
				for range tick.C {
					late()
				}
			}()
			do("get")
			return ""
		}, "outside its task"},
		{"a goroutine that waits for ever", func(do func(string) string, late func()) string {
			do("get")
			go func() { <-make(chan int); late() }()
			return ""
		}, "a has ended and left a goroutine behind that is in chan receive, started by quiesce/explore.TestLeftBehind"},
		{"a goroutine that waits for too long", func(do func(string) string, late func()) string {
			do("get")
			go func() { time.Sleep(24 * time.Hour); late() }()
			return ""
		}, "that is in sleep, started by"},
	} {
		for _, property := range []sim.Property{anything, never("4")} {
			for engine, search := range map[string]func(*sim.System) error{
				"product": func(s *sim.System) error { _, err := Product(context.Background(), s, ProductOptions{}); return err },
				"direct":  func(s *sim.System) error { _, err := Direct(context.Background(), s, DirectOptions{}); return err },
			} {
				if strings.HasSuffix(tt.name, "reply") && engine == "direct" {
					continue // only what is done in the first run is looked at there
				}
				for range 2 {
					sys := tasks(property, map[string]body{"b": puts("1", "2", "3", "4")})
					sys.Programs = append(sys.Programs, sim.Program{Name: "a", New: func(p *sim.Process) []sim.Task {
						do := func(body string) string {
							reply, _ := p.Call(sim.Request{Store: "register", Body: body})
							return string(reply)
						}
						return []sim.Task{func(context.Context) (string, error) { return tt.task(do, func() { do("put late") }), nil }}
					}})
					if err := search(sys); err == nil || !strings.Contains(err.Error(), tt.want) {
						t.Fatalf("%s, %s, %s engine: error %v, want %q", tt.name, property.Name, engine, err, tt.want)
					}
				}
			}
		}
	}
}

// TestNothingLeft has tasks that start something which is over, or touches nothing, when
// they have ended.
func TestNothingLeft(t *testing.T) {
	for name, task := range map[string]body{
		"a goroutine that is waited for": func(do func(string) string) string {
			c := make(chan string)
			go func() { c <- "done" }()
			return do("put " + <-c)
		},
		"goroutines that are waited for together": func(do func(string) string) string {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { time.Sleep(time.Millisecond) })
			}
			all.Wait()
			return do("get")
		},
		"a goroutine that ends by itself": func(do func(string) string) string {
			go func() { time.Sleep(time.Second) }()
			return do("get")
		},
		"a context with a timeout": func(do func(string) string) string {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			go func() { <-ctx.Done() }()
			return do("get")
		},
		"a context that is never canceled": func(do func(string) string) string {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			context.AfterFunc(ctx, func() {})
			_ = cancel
			return do("get")
		},
	} {
		r := explore(t, tasks(anything, map[string]body{"a": task, "b": puts("1")}), ProductOptions{})
		if r.Verdict != Holds || r.Audited != 100 {
			t.Errorf("%s: %s, %d audited", name, r.Verdict, r.Audited)
		}
	}
}
