package explore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quiesce/sim"
)

// A service is what the tasks of a process of goroutines share in these tests.
type service struct {
	p   *sim.Process
	ch  chan string
	wg  sync.WaitGroup
	mu  sync.Mutex
	hit map[string]string
}

func (s *service) do(body string) string {
	reply, err := s.p.Call(sim.Request{Store: "register", Body: body})
	if err != nil {
		return err.Error()
	}
	return reply.Body
}

func (s *service) until(ctx context.Context, body string) (string, error) {
	reply, err := s.p.CallUntil(ctx, sim.Request{Store: "register", Body: body})
	return reply.Body, err
}

type work func(ctx context.Context, s *service) (string, error)

// served returns a system of one register, a process of goroutines with these tasks, in
// the order of their names, and for each of others a process with one task that makes one
// request.
func served(property sim.Property, tasks map[string]work, others ...string) *sim.System {
	return showing(nil, property, tasks, others...)
}

// showing is served, with what the process shows of its memory, unless that is nil.
func showing(show func(*service) sim.Content, property sim.Property, tasks map[string]work, others ...string) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&register{}}, Property: property}
	server := sim.Program{Name: "server", Goroutines: true}
	for _, name := range sortedKeys(tasks) {
		server.Tasks = append(server.Tasks, sim.TaskSpec{Name: name})
	}
	server.New = func(p *sim.Process) (all []sim.Task) {
		s := &service{p: p, ch: make(chan string), hit: map[string]string{}}
		if show != nil {
			p.Show(func() sim.Content { return show(s) })
		}
		for _, name := range sortedKeys(tasks) {
			all = append(all, func(ctx context.Context) (string, error) { return tasks[name](ctx, s) })
		}
		return all
	}
	sys.Programs = append(sys.Programs, server)
	for i, body := range others {
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("other-%d", i), New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				_, err := p.Call(sim.Request{Store: "register", Body: body})
				return "", err
			}}
		}})
	}
	return sys
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return sortedStrings(keys)
}

func sortedStrings(s []string) []string {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s
}

func neverIs(is string) sim.Property {
	return sim.Property{Name: "never " + is, Violation: func(v sim.View) string {
		if got, _ := v.Contents[0].Lookup("value"); got == is {
			return "the register is " + is
		}
		return ""
	}}
}

// fan has two goroutines put something, and waits for them.
func fan(ctx context.Context, s *service) (string, error) {
	for _, x := range []string{"a", "b"} {
		s.wg.Go(func() { s.do("put " + x) })
	}
	s.wg.Wait()
	return s.do("get"), nil
}

// TestGoroutines explores what the tasks of services do with goroutines, by both engines.
// The numbers of interleavings were counted by hand.
func TestGoroutines(t *testing.T) {
	for _, tt := range []struct {
		name          string
		sys           func() *sim.System
		interleavings int64
		violating     int64
		violation     string // that of the counterexample
	}{
		// The two requests and their arrivals in all orders, 4!/(2!2!); b is executed last
		// in half of them.
		{"fan", func() *sim.System { return served(neverIs("b"), map[string]work{"fan": fan}) }, 6, 3, "the register is b"},
		// And the other one somewhere among 7 steps; it violates if it comes before the
		// second put and that is b, or is last of the puts, and so is never wrong.
		{"fan and another", func() *sim.System { return served(neverIs("?"), map[string]work{"fan": fan}, "put c") }, 48, 0, ""},
		// One gets over the channel what the other one has read. The receiver starts before
		// or after the sender does anything: 3 steps and 1.
		{"channel", func() *sim.System {
			return served(neverIs("?"), map[string]work{
				"send":    func(_ context.Context, s *service) (string, error) { s.ch <- s.do("get"); return "", nil },
				"receive": func(_ context.Context, s *service) (string, error) { return <-s.ch, nil },
			})
		}, 4, 0, ""},
		// Nobody sends.
		{"deadlock", func() *sim.System {
			return served(neverIs("?"), map[string]work{
				"a": func(_ context.Context, s *service) (string, error) { return <-s.ch, nil },
				"b": func(_ context.Context, s *service) (string, error) { return s.do("get"), nil },
			})
		}, 4, 4, "deadlock"},
		// A reply or the timer: the timer may fire before the put is executed, before its
		// reply arrives, or not at all, and the second put follows.
		{"timeout", func() *sim.System {
			return served(neverIs("late"), map[string]work{"w": func(ctx context.Context, s *service) (string, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				if _, err := s.until(ctx, "put early"); err != nil {
					s.do("put late")
				}
				return "", nil
			}})
		}, 3, 2, "the register is late"},
		// It fires after the task has ended, or, since time is not bounded, before it
		// starts nothing: put, return, timer, put.
		{"after func", func() *sim.System {
			return served(neverIs("again"), map[string]work{"w": func(ctx context.Context, s *service) (string, error) {
				s.do("put once")
				time.AfterFunc(time.Second, func() { s.do("put again") })
				return "", nil
			}})
		}, 1, 1, "the register is again"},
		// Another one's put comes before the first, between, or last, where it hides it.
		{"sleep", func() *sim.System {
			return served(neverIs("b"), map[string]work{"w": func(ctx context.Context, s *service) (string, error) {
				s.do("put a")
				time.Sleep(time.Second)
				s.do("put b")
				return time.Now().Format("05"), nil
			}}, "put c")
		}, 7, 5, "the register is b"},
		// Whoever is first asks, and the other one waits for it, as of package singleflight.
		{"flight", func() *sim.System {
			read := func(ctx context.Context, s *service) (string, error) {
				if s.hit["x"] == "" {
					s.hit["x"] = "?"
					s.hit["x"] = "got " + s.do("get")
					close(s.ch)
				}
				<-s.ch
				return "", nil
			}
			return served(neverIs("?"), map[string]work{"r1": read, "r2": read})
		}, 6, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sys := tt.sys()
			p, err := Product(t.Context(), sys, ProductOptions{Audit: 30})
			if err != nil {
				t.Fatal(err)
			}
			d, err := Direct(t.Context(), tt.sys(), DirectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*Result{p, d} {
				if r.Interleavings.Int64() != tt.interleavings || r.Violating.Int64() != tt.violating {
					t.Errorf("%s: %s interleavings, %s violating; want %d, %d", r.Engine, r.Interleavings, r.Violating, tt.interleavings, tt.violating)
				}
				if c := r.Counterexample; (c != nil) != (tt.violation != "") || c != nil && !strings.Contains(c.Violation, tt.violation) {
					t.Errorf("%s: %v, want %q", r.Engine, c, tt.violation)
				}
			}
			if c := p.Counterexample; c != nil {
				t.Log(c.Token, c.Violation)
				again := tt.sys() // which does not know the places
				s, err := ParseSchedule(again, c.Token)
				if err != nil {
					t.Fatal(err)
				}
				if r, err := Replay(again, s); err != nil || r.Violation != c.Violation || r.Token != c.Token {
					t.Errorf("a replay of %s is %v, %v", c.Token, r, err)
				}
			}
		})
	}
}

// TestGoroutinesThatCannotBeExplored has services that end the run with an error.
func TestGoroutinesThatCannotBeExplored(t *testing.T) {
	for _, tt := range []struct {
		name string
		task work
		want string
	}{
		{"select", func(_ context.Context, s *service) (string, error) {
			a, b := make(chan int, 1), make(chan int, 1)
			a <- 1
			b <- 1
			select {
			case <-a:
				return s.do("put a"), nil
			case <-b:
				return s.do("put b"), nil
			}
		}, "chance"},
		{"map", func(_ context.Context, s *service) (string, error) {
			for k := range map[string]bool{"a": true, "b": true, "c": true} {
				s.do("put " + k)
			}
			return "", nil
		}, "chance"},
		{"error", func(_ context.Context, s *service) (string, error) { return s.do("get"), errors.New("sold out") }, "sold out"},
		{"panic", func(_ context.Context, s *service) (string, error) { s.do("get"); panic("oh") }, "panic: oh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Product(t.Context(), served(neverIs("?"), map[string]work{"w": tt.task}), ProductOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v; want an error about %q", r, err, tt.want)
			}
		})
	}
}

// TestLockAcrossRequest has a lock held across a request: an error at once that says
// what to do.
func TestLockAcrossRequest(t *testing.T) {
	locked := func(_ context.Context, s *service) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.do("get"), nil
	}
	_, err := Product(t.Context(), served(neverIs("?"), map[string]work{"a": locked, "b": locked}), ProductOptions{})
	var hang *sim.HangError
	if !errors.As(err, &hang) || !hang.Locked || !strings.Contains(err.Error(), "goroutines_test.go") || !strings.Contains(err.Error(), "overlay") {
		t.Errorf("%v, want a hang that says where the lock is and names the overlay", err)
	}
}

// TestTimedGoroutines has a process whose timers go by the ticks. A request is executed at
// most a second after it was asked for, so c is last only if b is asked for within that
// second, at its end included.
func TestTimedGoroutines(t *testing.T) {
	for _, tt := range []struct {
		sleep time.Duration
		want  Verdict
	}{{time.Second, Violated}, {2 * time.Second, Holds}} {
		sys := func() *sim.System {
			sys := served(neverIs("c"), map[string]work{"w": func(ctx context.Context, s *service) (string, error) {
				begin := time.Now()
				s.wg.Go(func() { s.do("put c") })
				time.Sleep(tt.sleep)
				s.do("put b")
				s.wg.Wait()
				if d := time.Since(begin); d < tt.sleep || d > tt.sleep+2*time.Second {
					return "", fmt.Errorf("it has taken %s", d)
				}
				return "", nil
			}})
			sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
			return sys
		}
		p, err := Product(t.Context(), sys(), ProductOptions{Audit: 50})
		if err != nil {
			t.Fatal(err)
		}
		d, err := Direct(t.Context(), sys(), DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Verdict != tt.want || p.Interleavings.Cmp(d.Interleavings) != 0 || p.Violating.Cmp(d.Violating) != 0 {
			t.Errorf("sleep %s: %s, want %s; %s interleavings, %s violating, of the direct engine %s, %s", tt.sleep, p.Verdict, tt.want, p.Interleavings, p.Violating, d.Interleavings, d.Violating)
		}
	}
}

// TestAging has a local cache of which an entry goes away after a minute. Untimed that
// never happens, and the result says so.
func TestAging(t *testing.T) {
	for _, timing := range []*sim.Timing{nil, {Tick: time.Minute, MaxStall: time.Minute}} {
		entries := func(s *service) sim.Content { return sim.Content{{Name: "entries", Value: fmt.Sprint(len(s.hit))}} }
		sys := showing(entries, neverIs("?"), map[string]work{"w": func(_ context.Context, s *service) (string, error) {
			s.do("get")
			s.hit["x"] = "here"
			time.AfterFunc(time.Minute, func() { delete(s.hit, "x") })
			s.do("get")
			return "", nil
		}})
		sys.Timing = timing
		gone := false
		r, err := Product(t.Context(), sys, ProductOptions{Quiescent: func(v sim.View) {
			n, _ := v.Memories[0].Lookup("entries")
			gone = gone || n == "0"
		}})
		if err != nil {
			t.Fatal(err)
		}
		caveat := strings.Contains(strings.Join(r.Caveats, "\n"), "nothing expired in the memory of server")
		if caveat != (timing == nil) || gone != (timing != nil) {
			t.Errorf("timing %v: caveats %q, it is gone: %t", timing, r.Caveats, gone)
		}
	}
}

// TestHasty has services that do something else when time has passed, of which nothing is
// to be seen as it does: a local cache that nobody shows and of which an entry goes away
// after a second, and an entry that is looked at for its age. Untimed the other task never
// puts b, and the result says why. The third one only has timers that ask.
func TestHasty(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fill  func(s *service) // what one task does after it has put a
		old   func(s *service) bool
		hasty bool
	}{
		{"timer", func(s *service) { time.AfterFunc(time.Second, func() { delete(s.hit, "x") }) }, func(s *service) bool { return s.hit["x"] == "" }, true},
		{"clock", func(*service) {}, func(*service) bool { return time.Since(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) > time.Second }, true},
		{"none", func(s *service) { time.AfterFunc(time.Second, func() { s.do("get") }) }, func(s *service) bool { return s.hit["x"] == "" }, false},
	} {
		for _, timing := range []*sim.Timing{nil, {Tick: time.Second, MaxStall: 2 * time.Second}} {
			sys := served(neverIs("b"), map[string]work{
				"a": func(_ context.Context, s *service) (string, error) {
					s.hit["x"] = "a"
					s.do("put a")
					tt.fill(s)
					return "", nil
				},
				"b": func(_ context.Context, s *service) (string, error) {
					if s.do("get") == "a" && tt.old(s) {
						s.do("put b")
					}
					return "", nil
				},
			})
			sys.Timing = timing
			r, err := Product(t.Context(), sys, ProductOptions{})
			if err != nil {
				t.Fatal(err)
			}
			caveat := strings.Contains(strings.Join(r.Caveats, "\n"), "no time passed for server")
			if caveat != (tt.hasty && timing == nil) || (r.Verdict == Violated) != (tt.hasty && timing != nil) {
				t.Errorf("%s, timing %v: %s, caveats %q", tt.name, timing, r.Verdict, r.Caveats)
			}
		}
	}
}

// TestGoroutinesAreEnded counts what a thousand explorations leave behind.
func TestGoroutinesAreEnded(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 1000 {
		sys := served(neverIs("?"), map[string]work{"fan": fan})
		if _, err := Product(t.Context(), sys, ProductOptions{Audit: NoAudit}); err != nil {
			t.Fatal(err)
		}
	}
	if left := runtime.NumGoroutine() - before; left > 0 {
		t.Errorf("%d goroutines are left", left)
	}
}

// TestAskedByAnother has a goroutine of the constructor that asks for the tasks, as that of a
// connection does: it is not said of them that they make no request. It is of a task that
// nobody asks for anything.
func TestAskedByAnother(t *testing.T) {
	for _, asks := range []bool{true, false} {
		sys := served(sim.Property{Violation: func(sim.View) string { return "" }}, nil, "put 2")
		sys.Programs[0].Tasks = []sim.TaskSpec{{Name: "view"}}
		sys.Programs[0].New = func(p *sim.Process) []sim.Task {
			s := &service{p: p, ch: make(chan string)}
			go func() {
				for body := range s.ch {
					s.ch <- s.do(body)
				}
			}()
			return []sim.Task{func(context.Context) (string, error) {
				defer close(s.ch)
				if !asks {
					return "", nil
				}
				s.ch <- "get"
				return <-s.ch, nil
			}}
		}
		idle := []string{"view makes no request in any interleaving"}
		if asks {
			idle = nil
		}
		for engine, r := range engines(t, sys) {
			if r.Verdict != Holds || !slices.Equal(r.Caveats, idle) {
				t.Errorf("asks %t, %s: %s with %q", asks, engine, r.Verdict, r.Caveats)
			}
		}
	}
}
