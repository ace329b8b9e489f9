package explore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"quiesce/sim"
)

// server returns a program of several tasks, and requests of one register.
func server(name string, specs []sim.TaskSpec, build func(do func(string) string) []func() string) sim.Program {
	return sim.Program{Name: name, Tasks: specs, New: func(p *sim.Process) (tasks []sim.Task) {
		do := func(body string) string {
			reply, err := p.Call(sim.Request{Store: "register", Body: body})
			if err != nil {
				panic(err)
			}
			return reply.Body
		}
		for _, task := range build(do) {
			tasks = append(tasks, func(context.Context) (string, error) { return task(), nil })
		}
		return tasks
	}}
}

// overtaking is a server with a local cache: one task fills it with what it has
// read, another drops it when the value has changed. The writer is elsewhere.
func overtaking() *sim.System {
	sys := tasks(sim.Property{Name: "no-stale-fill", Violation: func(v sim.View) string {
		if v.Results[0] == "old after the drop" {
			return "the local cache is filled with the old value after it was dropped"
		}
		return ""
	}}, map[string]func(func(string) string) string{"writer": puts("new")})
	sys.Stores[0].(*register).initial = "old"
	sys.Programs = append([]sim.Program{server("server", []sim.TaskSpec{{Name: "filler"}, {Name: "listener"}}, func(do func(string) string) []func() string {
		dropped := false
		return []func() string{
			func() string {
				value := do("get")
				if dropped {
					return value + " after the drop"
				}
				return value
			},
			func() string { do("wait new"); dropped = true; return "" },
		}
	})}, sys.Programs...)
	return sys
}

// TestTheMessageOvertakesTheReply shows why the arrival of a reply is a step: the
// violation is there if it is one, and not if a reply arrives at once.
func TestTheMessageOvertakesTheReply(t *testing.T) {
	sys := overtaking()
	d, err := Direct(context.Background(), sys, DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Result{d, explore(t, sys, ProductOptions{})} {
		// The filler reads, the writer writes, the listener hears of it and drops,
		// and only then the filler's reply arrives.
		if want := "filler:2,writer:1,listener:3,filler:1"; r.Verdict != Violated || r.Counterexample.Token != want {
			t.Errorf("%s: %s, %+v; want %s", r.Engine, r.Verdict, r.Counterexample, want)
		}
	}
	for _, schedule := range atOnce(t, sys, nil) {
		if trace, err := Replay(sys, schedule); err != nil || trace.Violation != "" {
			t.Errorf("%v: %v, %v", schedule, trace, err)
		}
	}
}

// atOnce returns all complete schedules that go on from prefix in which every
// reply arrives at once.
func atOnce(t *testing.T, sys *sim.System, prefix Schedule) (all []Schedule) {
	complete := true
	for task := range sys.Tasks() {
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range prefix {
			if err := e.Do(step); err != nil {
				t.Fatal(err)
			}
		}
		next := append(Schedule{}, prefix...)
		if _, waits := e.Pending(task); waits {
			err := e.Step(task)
			for err == nil {
				next = append(next, sim.Move{Task: task})
				if req, _ := e.Pending(task); req != sim.Arrive {
					complete = false
					all = append(all, atOnce(t, sys, next)...)
					break
				}
				err = e.Step(task)
			}
			if err != nil && !errors.Is(err, sim.ErrBlocked) {
				t.Fatal(err)
			}
		}
		e.Stop()
	}
	if complete {
		return []Schedule{prefix}
	}
	return all
}

// TestShownMemory has a property that looks into a server: at the end its memory
// holds something else than the register.
func TestShownMemory(t *testing.T) {
	sys := tasks(sim.Property{Name: "memory-is-register", Violation: func(v sim.View) string {
		local, _ := v.Memories[0].Lookup("value")
		if value, _ := v.Contents[0].Lookup("value"); local != value {
			return "the memory holds " + local + ", the register " + value
		}
		return ""
	}}, map[string]func(func(string) string) string{"writer": puts("new")})
	sys.Stores[0].(*register).initial = "old"
	sys.Programs = append([]sim.Program{{Name: "server", New: func(p *sim.Process) []sim.Task {
		value := ""
		p.Show(func() (c sim.Content) {
			if value != "" {
				c = append(c, sim.Item{Name: "value", Value: value})
			}
			return c // nil at first: a memory that is empty is shown all the same
		})
		return []sim.Task{func(context.Context) (string, error) {
			reply, err := p.Call(sim.Request{Store: "register", Body: "get"})
			value = reply.Body
			return "", err
		}}
	}}}, sys.Programs...)
	d, err := Direct(context.Background(), sys, DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Result{d, explore(t, sys, ProductOptions{})} {
		c := r.Counterexample
		if r.Violating.Int64() != 1 || c.Token != "server:1,writer:1" || c.Violation != "the memory holds old, the register new" {
			t.Errorf("%s: %+v", r.Engine, c)
		}
		if places := strings.Join(c.Places, " "); places != "register server" || len(c.Final()) != 2 {
			t.Errorf("%s: places %s, contents %v", r.Engine, places, c.Final())
		}
	}
}

// TestBackground has a task that need not finish.
func TestBackground(t *testing.T) {
	for _, tt := range []struct {
		name       string
		background bool
		waitsFor   string
		want       Verdict
		violation  string
	}{
		{"blocked in the background", true, "wait nothing", Holds, ""},
		{"blocked", false, "wait nothing", Violated, "deadlock: listener waits for wait nothing"},
		{"not blocked", true, "wait done", Holds, ""},
	} {
		sys := tasks(anything, nil)
		sys.Programs = []sim.Program{server("server", []sim.TaskSpec{{Name: "worker"}, {Name: "listener", Background: tt.background}},
			func(do func(string) string) []func() string {
				return []func() string{func() string { do("put done"); return "" }, func() string { do(tt.waitsFor); return "" }}
			})}
		d, err := Direct(context.Background(), sys, DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p := explore(t, sys, ProductOptions{Audit: 20})
		for _, r := range []*Result{d, p} {
			if r.Verdict != tt.want || r.Counterexample != nil && r.Counterexample.Violation != tt.violation {
				t.Errorf("%s: %s: %s, %+v", tt.name, r.Engine, r.Verdict, r.Counterexample)
			}
		}
		if d.Interleavings.Cmp(p.Interleavings) != 0 {
			t.Errorf("%s: %s and %s interleavings", tt.name, d.Interleavings, p.Interleavings)
		}
	}
}
