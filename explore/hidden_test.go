package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A hider builds the tasks of a server that states that it shows all memory which they
// share, and does not. do makes a request of the task that runs.
type hider func(p *sim.Process, do func(body string) string) []func() string

// hiders are services as people write them, each with memory that is easily forgotten.
var hiders = map[string]hider{
	"a counter in a closure": func(p *sim.Process, do func(string) string) []func() string {
		n := 0
		next := func() string { n++; return do("put " + strconv.Itoa(n)) }
		return each(3, func(int) string { next(); return next() })
	},
	"a sync.Once": func(p *sim.Process, do func(string) string) []func() string {
		var once sync.Once
		return each(3, func(i int) string {
			do("get")
			by := ""
			once.Do(func() { by = " first" })
			return do("put " + strconv.Itoa(i) + by)
		})
	},
	"a map of which only the size is shown": func(p *sim.Process, do func(string) string) []func() string {
		m := map[string]string{}
		p.Show(func() sim.Content { return sim.Content{{Name: "size", Value: strconv.Itoa(len(m))}} })
		return each(3, func(i int) string {
			got := do("put " + strconv.Itoa(i))
			m["last"] = got
			do("get")
			return do("put " + m["last"])
		})
	},
	"a buffered channel": func(p *sim.Process, do func(string) string) []func() string {
		c := make(chan int, 3)
		return each(3, func(i int) string {
			do("get")
			c <- i
			do("get")
			return do("put " + strconv.Itoa(<-c))
		})
	},
	"a lock that is held across a request": func(p *sim.Process, do func(string) string) []func() string {
		var mu sync.Mutex
		return each(3, func(i int) string {
			do("get")
			if !mu.TryLock() {
				return do("put busy")
			}
			defer mu.Unlock()
			return do("put " + strconv.Itoa(i))
		})
	},
	"the number of tasks that have begun": func(p *sim.Process, do func(string) string) []func() string {
		begun := 0
		return each(3, func(i int) string {
			begun++
			me := begun
			do("get")
			return do("put " + strconv.Itoa(me))
		})
	},
	"a pool of buffers": func(p *sim.Process, do func(string) string) []func() string {
		pool := []*string{new(string), new(string), new(string)}
		return each(3, func(i int) string {
			b := pool[len(pool)-1]
			pool = pool[:len(pool)-1]
			was := *b
			*b = do("put " + strconv.Itoa(i))
			pool = append(pool, b)
			return do("put " + was)
		})
	},
	"a pointer to an object that another task replaces": func(p *sim.Process, do func(string) string) []func() string {
		shown := map[string]*int{"a": new(int)}
		p.Show(func() sim.Content { return sim.Content{{Name: "a", Value: strconv.Itoa(*shown["a"])}} })
		replace := func() string { do("get"); shown["a"] = new(*shown["a"]); return do("get") }
		add := func() string {
			at := shown["a"]
			do("get")
			*at++
			return do("put " + strconv.Itoa(*shown["a"]))
		}
		return []func() string{add, replace, add}
	},
	"a value in a context": func(p *sim.Process, do func(string) string) []func() string {
		ctx := context.WithValue(context.Background(), hiderKey{}, new(string))
		return each(3, func(i int) string {
			last := ctx.Value(hiderKey{}).(*string)
			do("get")
			was := *last
			*last = strconv.Itoa(i)
			return do("put " + was)
		})
	},
	"a context that a task cancels": func(p *sim.Process, do func(string) string) []func() string {
		ctx, cancel := context.WithCancel(p.Context())
		return each(3, func(i int) string {
			if do("get"); i == 0 {
				cancel()
			}
			if do("get"); ctx.Err() != nil {
				return do("put canceled")
			}
			return do("put " + strconv.Itoa(i))
		})
	},
	"the order of a list that is shown sorted": func(p *sim.Process, do func(string) string) []func() string {
		var list []int
		p.Show(func() (c sim.Content) {
			for _, n := range slices.Sorted(slices.Values(list)) {
				c = append(c, sim.Item{Name: strconv.Itoa(n)})
			}
			return c
		})
		return each(3, func(i int) string {
			do("get")
			list = append(list, i)
			do("get")
			return do("put " + strconv.Itoa(list[0]))
		})
	},
	// What is last set is looked at by one that has seen that both have finished: so no
	// two occasions of it are equal in any order that is run to learn it.
	"who was last, looked at when both are done": func(p *sim.Process, do func(string) string) []func() string {
		last := 0
		return []func() string{
			func() string { do("get"); last = 1; return do("put 1") },
			func() string { do("get"); last = 2; return do("wait 1") + do("put done") },
			func() string { do("get"); do("wait done"); do("get"); return do("put " + strconv.Itoa(last)) },
		}
	},
	"who was first, looked at by nobody but the last": func(p *sim.Process, do func(string) string) []func() string {
		var order []int
		return append(each(2, func(i int) string {
			do("get")
			order = append(order, i)
			return do("add " + strconv.Itoa(i))
		}), func() string {
			do("get")
			do("wait 01")
			return do("put " + fmt.Sprint(order))
		})
	},
}

type hiderKey struct{}

// each returns n tasks.
func each(n int, do func(i int) string) (tasks []func() string) {
	for i := range n {
		tasks = append(tasks, func() string { return do(i) })
	}
	return tasks
}

// hidden returns the system of a hider, with a task more that only asks, some times.
func hidden(h hider, states, derivable bool, asks int) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&board{}}, Property: anything}
	var specs []sim.TaskSpec
	for i := range 4 {
		specs = append(specs, sim.TaskSpec{Name: "task-" + strconv.Itoa(i)})
	}
	sys.Programs = []sim.Program{{Name: "server", Tasks: specs, New: func(p *sim.Process) (tasks []sim.Task) {
		do := func(body string) string {
			reply, _ := p.Call(sim.Request{Store: "board", Body: body})
			return reply.Body
		}
		own := append(h(p, do), func() string {
			for range asks {
				do("get")
			}
			return ""
		})
		for _, f := range own {
			tasks = append(tasks, func(context.Context) (string, error) { return f(), nil })
		}
		if states {
			p.ShowsAll()
		}
		if derivable {
			p.Derivable()
		}
		return tasks
	}}}
	return sys
}

// A board is a register of which "add x" adds to the set of letters that it holds, and
// of which a get tells nothing.
type board struct{ register }

func (b *board) Name() string { return "board" }

func (b *board) Execute(r sim.Request) (sim.Reply, error) {
	if x, ok := strings.CutPrefix(r.Body, "add "); ok {
		set := map[string]bool{x: true}
		for _, c := range b.value {
			set[string(c)] = true
		}
		b.value = ""
		for _, k := range slices.Sorted(maps.Keys(set)) {
			b.value += k
		}
		return sim.Reply{Body: "ok"}, nil
	}
	reply, err := b.register.Execute(r)
	if r.Body == "get" {
		reply = sim.Reply{Body: "got"}
	}
	return reply, err
}

// TestHidden has services with memory that they do not show. It is found in what is run
// to learn them, but for the two in which nothing that is run for that differs: those
// are found by the replays, which go through other orders, though not through all.
func TestHidden(t *testing.T) {
	const asks = 6
	late := 0
	for _, name := range slices.Sorted(maps.Keys(hiders)) {
		for _, derivable := range []bool{false, true} {
			_, err := Product(context.Background(), hidden(hiders[name], true, derivable, asks), ProductOptions{})
			var nd *NondeterminismError
			if !errors.As(err, &nd) || nd.Cause != learn.CauseHidden {
				t.Errorf("%s, derivable %v: %v, want an error of memory that is not shown", name, derivable, err)
			}
			_, err = Product(context.Background(), hidden(hiders[name], true, derivable, asks), ProductOptions{Audit: NoAudit})
			if err == nil {
				late++
			}
		}
		// What is not stated is no lie.
		if _, err := Product(context.Background(), hidden(hiders[name], false, true, 0), ProductOptions{LimitStates: 1000}); err != nil {
			t.Errorf("%s, which states nothing: %v", name, err)
		}
	}
	if late != 4 {
		t.Errorf("%d explorations find nothing but by the replays, want 4", late)
	}
}

// TestHiddenClaim asks whether a claim can be true about a service with hidden memory,
// of which only one order is looked at by the search: a no would be wrong.
func TestHiddenClaim(t *testing.T) {
	h := hiders["who was first, looked at by nobody but the last"]
	said := func(text string) func(string) bool { return func(s string) bool { return s == text } }
	for _, put := range []string{"put [0 1]", "put [1 0]"} {
		claim := Claim{{Task: "task-2", Request: said(put), Reply: func(string) bool { return true }}}
		honest, err := CheckClaim(context.Background(), hidden(h, false, false, 0), claim, 0)
		if err != nil || honest.Trace == nil {
			t.Errorf("%s: %v, error %v", put, honest, err)
		}
		var nd *NondeterminismError
		if _, err := CheckClaim(context.Background(), hidden(h, true, false, 0), claim, 0); !errors.As(err, &nd) {
			t.Errorf("%s: the service states what is not so: error %v", put, err)
		}
	}
}

// TestLongest has three tasks of which the one that comes first makes many requests: what
// one execution takes is less than the sum of what each takes at most.
func TestLongest(t *testing.T) {
	h := func(p *sim.Process, do func(string) string) (tasks []func() string) {
		taken := false
		p.Keep(func() string { return strconv.FormatBool(taken) })
		for range 3 {
			tasks = append(tasks, func() string {
				if taken {
					return ""
				}
				taken = true
				for n := range 8 {
					do("put " + strconv.Itoa(n))
				}
				return ""
			})
		}
		return tasks
	}
	for _, merge := range []bool{false, true} {
		g, err := newGraph(hidden(h, true, false, 0), []sim.Property{anything}, true, merge, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.search(context.Background(), 0, func() bool { return false }); err != nil {
			t.Fatal(err)
		}
		table := g.codes[0]
		g.measure(g.sorted())
		// Four starts, 8 requests and their arrivals.
		if want := 4 + 2*8; g.height != want || table.Longest() != want || table.AtMost() <= want {
			t.Errorf("merge %v: %d steps in the graph, %d in the table, at most %d; want %d", merge, g.height, table.Longest(), table.AtMost(), want)
		}
	}
}
