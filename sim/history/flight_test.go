package history_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/history"
)

// Cells are a store of values by name. Its requests are "get x", "await x", which waits
// until x is not empty, "set db v", which takes what is cached away, and "land x v", which
// sets x to v, and the cache as well if the db still holds v.
type cells struct{ start, now map[string]string }

func (c *cells) Name() string { return "cells" }

func (c *cells) Reset() error {
	c.now = maps.Clone(c.start)
	return nil
}

func (c *cells) Execute(r sim.Request) (sim.Reply, error) {
	words := strings.Split(r.Body, " ")
	name := words[1]
	switch {
	case words[0] == "await" && c.now[name] == "":
		return sim.Reply{}, sim.ErrBlocked
	case words[0] == "set":
		c.now["db"], c.now["cache"] = words[2], ""
	case words[0] == "land":
		if c.now[name] = words[2]; c.now["db"] == words[2] {
			c.now["cache"] = words[2]
		}
	}
	return sim.Reply{Body: c.now[name]}, nil
}

func (c *cells) Content() (sim.Content, error) {
	var all sim.Content
	for _, name := range slices.Sorted(maps.Keys(c.now)) {
		all = append(all, sim.Item{Name: name, Value: c.now[name]})
	}
	return all, nil
}

func (c *cells) Describe(req sim.Request, r sim.Reply) (string, string) { return req.Body, r.Body }

// ask has the store execute a request of a task.
func ask(p *sim.Process, format string, args ...any) string {
	r, err := p.Call(sim.Request{Store: "cells", Body: fmt.Sprintf(format, args...)})
	if err != nil {
		return ""
	}
	return r.Body
}

// A flight is a service whose reads of the database are shared: whoever comes while one
// is under way gets what that finds. It fills the cache only if the row is still the same,
// so the cache is always right.
type flight struct {
	p       *sim.Process
	under   bool // a read is under way
	number  int  // of it
	forgets bool // a write lets nobody join what was begun before it
}

func (f *flight) read() string {
	if f.under {
		return ask(f.p, "await flight-%d", f.number)
	}
	f.under, f.number = true, f.number+1
	number := f.number
	v := ask(f.p, "get db")
	ask(f.p, "land flight-%d %s", number, v)
	if number == f.number {
		f.under = false
	}
	return v
}

func (f *flight) write(v string) {
	ask(f.p, "set db %s", v)
	if f.forgets {
		f.under = false
	}
}

func (f *flight) show(log *history.Log) sim.Content {
	return append(sim.Content{{Name: "flight", Value: fmt.Sprint(f.under, f.number)}}, log.Content()...)
}

// shared returns a system of two readers and a writer on one server. If it yields, every
// invocation is a step.
func shared(forgets, yields bool) *sim.System {
	names := []string{"reader-1", "reader-2", "writer"}
	prog := sim.Program{Name: "server"}
	for _, name := range names {
		prog.Tasks = append(prog.Tasks, sim.TaskSpec{Name: name})
	}
	prog.New = func(p *sim.Process) (tasks []sim.Task) {
		f := &flight{p: p, forgets: forgets}
		log := history.NewLog(p)
		log.First = !yields
		p.Show(func() sim.Content { return f.show(log) })
		p.ShowsAll()
		p.Derivable()
		for _, name := range names[:2] {
			tasks = append(tasks, func(context.Context) (string, error) {
				return "", log.Do(name, history.Op{Name: "view", Key: "db"}, func() (string, error) { return f.read(), nil })
			})
		}
		return append(tasks, func(context.Context) (string, error) {
			return "", log.Do("writer", history.Op{Name: "reprice", Key: "db", Kind: history.Write, Value: "new"}, func() (string, error) {
				f.write("new")
				return "", nil
			})
		})
	}
	return &sim.System{Stores: []sim.Store{&cells{start: map[string]string{"db": "old"}}}, Programs: []sim.Program{prog}}
}

// coherent says that the cache holds nothing, or the row.
func coherent() sim.Property {
	return sim.Property{Name: "coherent", Violation: func(v sim.View) string {
		cached, _ := v.Value("cells", "cache")
		row, _ := v.Value("cells", "db")
		if cached != "" && cached != row {
			return "the cache holds " + cached
		}
		return ""
	}}
}

func explored(t *testing.T, sys *sim.System, p sim.Property) *explore.Result {
	t.Helper()
	r, err := explore.Product(context.Background(), sys.With(p), explore.ProductOptions{Audit: 20})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestJoinedFlight has a read that joins an older one and gets what that has read before a
// write that had returned. The cache is right all the time, so coherent holds. The
// counts are those of the direct engine as well. With a step for every invocation there
// are more interleavings, and the verdicts are the same.
func TestJoinedFlight(t *testing.T) {
	h := history.History{Initial: map[string]string{"db": "old"}}
	for _, c := range []struct {
		forgets          bool
		interleavings, n int64 // of which violate
	}{{false, 4532, 210}, {true, 6102, 0}} {
		sys := shared(c.forgets, false)
		if r := explored(t, sys, coherent()); r.Verdict != explore.Holds {
			t.Errorf("coherent is %s: %s", r.Verdict, r.Reason)
		}
		for _, p := range []sim.Property{h.NoStaleRead(history.Bound{}), h.Linearizable()} {
			direct, err := explore.Direct(context.Background(), sys.With(p), explore.DirectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*explore.Result{explored(t, sys, p), direct} {
				if r.Interleavings.Int64() != c.interleavings || r.Violating.Int64() != c.n {
					t.Errorf("forgets %t, %s, %s: %s of %s", c.forgets, p.Name, r.Engine, r.Violating, r.Interleavings)
				}
			}
			all := explored(t, shared(c.forgets, true), p)
			if all.Violating.Sign() > 0 != (c.n > 0) || all.Interleavings.Int64() <= c.interleavings {
				t.Errorf("forgets %t, %s, with every invocation: %s of %s", c.forgets, p.Name, all.Violating, all.Interleavings)
			}
		}
	}
}
