package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
)

// shelf is a store of things by name: "put x" puts one there, for a minute if the name
// begins with "milk", and "take x" takes it away, which is blocked while it is not there.
type shelf struct{ things map[string]bool }

func (s *shelf) Name() string { return "shelf" }
func (s *shelf) Reset() error { s.things = map[string]bool{}; return nil }
func (s *shelf) Content() (c sim.Content, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.things)) {
		it := sim.Item{Name: name}
		if strings.HasPrefix(name, "milk") {
			it.TTL, it.Note = time.Minute, "1m"
		}
		c = append(c, it)
	}
	return c, nil
}
func (s *shelf) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return req.Body, reply.Body
}
func (s *shelf) Execute(req sim.Request) (sim.Reply, error) {
	verb, name, _ := strings.Cut(req.Body, " ")
	switch {
	case verb == "put":
		s.things[name] = true
	case !s.things[name]:
		return sim.Reply{}, sim.ErrBlocked
	default:
		delete(s.things, name)
	}
	return sim.Reply{}, nil
}

// Caveats returns how many different exchanges there were, and how many of them had to wait.
func (s *shelf) Caveats(exchanges []sim.Exchange) []string {
	waited := 0
	for _, e := range exchanges {
		if e.Blocked {
			waited++
		}
	}
	return []string{fmt.Sprintf("%d exchanges, %d waited", len(exchanges), waited)}
}

// shelves returns a system of one shelf. Each process makes its requests and shows
// what it has put; those of one class are interchangeable.
func shelves(property sim.Property, processes ...string) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&shelf{}}, Property: property}
	for i, requests := range processes {
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("task-%d", i+1), Class: requests, New: func(p *sim.Process) []sim.Task {
			var put sim.Content
			p.Show(func() sim.Content { return put })
			return []sim.Task{func(context.Context) (string, error) {
				for _, body := range strings.Split(requests, ", ") {
					if body == "" {
						continue
					}
					if _, err := p.Call(sim.Request{Store: "shelf", Body: body}); err != nil {
						return "", err
					}
					if name, ok := strings.CutPrefix(body, "put "); ok {
						put = sim.Content{{Name: name}}
					}
				}
				return "", nil
			}}
		}})
	}
	return sys
}

// engines returns the results of all engines, by their names.
func engines(t *testing.T, sys *sim.System) map[string]*Result {
	t.Helper()
	ctx := context.Background()
	direct, err1 := Direct(ctx, sys, DirectOptions{})
	product, err2 := Product(ctx, sys, ProductOptions{Audit: 5})
	labelled, err3 := Product(ctx, sys, ProductOptions{Audit: 5, NoSymmetry: true})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return map[string]*Result{"direct": direct, "product": product, "without symmetry": labelled}
}

// TestVacuous has of everything by which a property can have nothing to judge a
// smallest system, beside one that differs in nothing else and holds.
func TestVacuous(t *testing.T) {
	looks := func(at ...func(sim.View)) sim.Property {
		return sim.Property{Violation: func(v sim.View) string {
			for _, look := range at {
				look(v)
			}
			return ""
		}}
	}
	value := func(place, name string) func(sim.View) { return func(v sim.View) { v.Value(place, name) } }
	items := func(place, prefix string) func(sim.View) { return func(v sim.View) { v.Items(place, prefix) } }
	always := func(p sim.Property) sim.Property { p.Always = true; return p }
	premise := func(p sim.Property, is bool) sim.Property {
		p.Premise = func(sim.View) bool { return is }
		return p
	}
	watched := func(look func(sim.View)) sim.Property {
		p := looks()
		p.Monitor = &sim.Monitor{After: func(state string, e sim.Event) string { look(e.View); return state }}
		return p
	}
	for _, c := range []struct {
		name      string
		property  sim.Property
		processes []string
		reason    string // "" if it holds
	}{
		{"a task", looks(), []string{"put tea"}, ""},
		{"no task", looks(), nil, "the property has nothing to judge: there is no task"},
		{"no request", looks(), []string{"", ""}, "the property has nothing to judge: no task makes a request in any interleaving"},
		{"one task without a request", looks(), []string{"", "put tea"}, ""},
		{"a premise that holds", premise(looks(), true), []string{"put tea"}, ""},
		{"a premise that never holds", premise(looks(), false), []string{"put tea"}, "the property has nothing to judge: its premise holds in no interleaving"},
		{"a name at the end", looks(value("shelf", "tea")), []string{"put tea"}, ""},
		{"a name in between", looks(value("shelf", "tea")), []string{"put tea, take tea"}, ""},
		{"a name in between, in some orders", looks(value("shelf", "tea")), []string{"put tea, take tea", "put jam"}, ""},
		{"another name", looks(value("shelf", "teas")), []string{"put tea, put jam"},
			`the property looked up "teas" in shelf, which no state holds; shelf has held tea, jam`},
		{"another name, in between", looks(value("shelf", "teas")), []string{"put tea, take tea"},
			`the property looked up "teas" in shelf, which no state holds; shelf has held tea`},
		{"a premise is taken at its word", premise(looks(value("shelf", "teas")), true), []string{"put tea"}, ""},
		{"one name of two", looks(value("shelf", "tea"), value("shelf", "coffee")), []string{"put tea"},
			`the property looked up "coffee" in shelf, which no state holds; shelf has held tea`},
		{"many others", looks(value("shelf", "tea-9")), []string{"put jam, put tea-1, put tea-2, put tea-3, put tea-4"},
			`the property looked up "tea-9" in shelf, which no state holds; shelf has held tea-1, tea-2, tea-3 and 2 more`},
		{"a begin", looks(items("shelf", "te")), []string{"put tea, take tea"}, ""},
		{"another begin", looks(items("shelf", "tea/")), []string{"put tea"},
			`the property looked up what begins with "tea/" in shelf, which no state holds; shelf has held tea`},
		{"the memory of a process", looks(value("task-2", "tea")), []string{"put tea", "put tea"}, ""},
		{"the memory of another", looks(value("task-1", "jam")), []string{"put tea", "put jam"},
			`the property looked up "jam" in task-1, which no state holds; task-1 has held tea`},
		{"an empty memory", looks(value("task-1", "jam")), []string{"take tea", "put tea"},
			`the property looked up "jam" in task-1, which no state holds; task-1 has held nothing`},
		{"always", always(looks(value("shelf", "teas"))), []string{"put tea"},
			`the property looked up "teas" in shelf, which no state holds; shelf has held tea`},
		{"always, in between", always(looks(value("shelf", "tea"))), []string{"put tea, take tea"}, ""},
		{"a monitor", watched(value("shelf", "tea")), []string{"put tea, take tea", "put jam"}, ""},
		{"a monitor that looks in vain", watched(value("shelf", "teas")), []string{"put tea"},
			`the property looked up "teas" in shelf, which no state holds; shelf has held tea`},
	} {
		for engine, r := range engines(t, shelves(c.property, c.processes...)) {
			want := Holds
			if c.reason != "" {
				want = Vacuous
			}
			if r.Verdict != want || r.Reason != c.reason {
				t.Errorf("%s, %s: %s, %q; want %s, %q", c.name, engine, r.Verdict, r.Reason, want, c.reason)
			}
		}
	}
}

// A violation is one, whatever else the property looks up in vain.
func TestViolatedIsNotVacuous(t *testing.T) {
	p := sim.Property{Violation: func(v sim.View) string {
		v.Value("shelf", "teas")
		if _, ok := v.Value("shelf", "tea"); ok {
			return "tea"
		}
		return ""
	}}
	for engine, r := range engines(t, shelves(p, "put tea")) {
		if r.Verdict != Violated || r.Caveats != nil {
			t.Errorf("%s: %s, %q", engine, r.Verdict, r.Caveats)
		}
	}
}

// A property that looks into what is not there is told what is, by all engines and of
// a view that is made by hand.
func TestNoSuchPlace(t *testing.T) {
	sys := shelves(sim.Property{}, "put tea")
	for name, c := range map[string]struct {
		view sim.View
		want string
	}{
		"of the system": {sys.Lookups().View(sim.View{}), `sim: a property looked something up in "shelves", which is none of the stores shelf, and none of the programs task-1`},
		"by hand":       {sim.View{}, "sim: shelves was looked up in a view that was made by hand, which knows no names; make it by System.Lookups"},
	} {
		func() {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("%s: %v", name, got)
				}
			}()
			c.view.Value("shelves", "tea")
		}()
	}
}

// TestCaveats has what every engine says of a pass beside what stores do. The exchanges
// are counted by hand: the requests of all tasks, and "take tea" once more, where tea
// is not there.
func TestCaveats(t *testing.T) {
	none := sim.Property{Violation: func(sim.View) string { return "" }}
	for _, c := range []struct {
		name string
		sys  *sim.System
		want []string
	}{
		{"all tasks ask", shelves(none, "put tea", "put jam"), []string{"2 exchanges, 0 waited"}},
		{"the same request", shelves(none, "put tea", "put tea"), []string{"1 exchanges, 0 waited"}},
		{"one waits", shelves(none, "put tea", "take tea"), []string{"3 exchanges, 1 waited"}},
		{"one is idle", shelves(none, "put tea", ""), []string{"task-2 makes no request in any interleaving", "1 exchanges, 0 waited"}},
		{"two are idle", shelves(none, "", "put tea", ""), []string{"task-1, task-3 make no request in any interleaving", "1 exchanges, 0 waited"}},
		{"a TTL", shelves(none, "put milk, take milk"), []string{"nothing expired; the workload has TTLs", "2 exchanges, 0 waited"}},
	} {
		for engine, r := range engines(t, c.sys) {
			if !slices.Equal(r.Caveats, c.want) {
				t.Errorf("%s, %s: %q, want %q", c.name, engine, r.Caveats, c.want)
			}
		}
	}
	expiring := shelves(none, "put milk")
	expiring.Faults = sim.Faults{sim.Expire: 1}
	for engine, r := range engines(t, expiring) {
		if want := []string{"1 exchanges, 0 waited"}; !slices.Equal(r.Caveats, want) {
			t.Errorf("with expire=1, %s: %q, want %q", engine, r.Caveats, want)
		}
	}
}

// TestVacuousAgrees has random systems with a property that looks up one random name,
// here and there: all engines say the same, for the same reason, and with the same
// caveats, which are all exchanges there.
func TestVacuousAgrees(t *testing.T) {
	count := map[Verdict]int{}
	for seed := range *toys / 4 {
		toy := randomToy(rand.New(rand.NewPCG(uint64(seed), 8)))
		if !toy.enumerable() {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		place, name := "store"+strconv.Itoa(r.IntN(len(toy.stores))), "entry-"+strconv.Itoa(r.IntN(toyEntries))
		if r.IntN(2) == 0 {
			place, name = "process-"+strconv.Itoa(r.IntN(len(toy.processes))), "memory"
		}
		if r.IntN(8) == 0 {
			name = "state"
		}
		sys := toy.system()
		sys.Property = sim.Property{Name: "looks", Always: toy.always, Violation: func(v sim.View) string {
			v.Value(place, name)
			return ""
		}}
		boots := slices.ContainsFunc(sys.Tasks(), func(t sim.TaskRef) bool { return t.Boot })
		results := engines(t, sys)
		want := results["direct"]
		count[want.Verdict]++
		for engine, r := range results {
			if boots && len(r.Caveats) > 0 { // what it does then is in the tables, and no step
				r.Caveats = want.Caveats
			}
			if r.Verdict != want.Verdict || r.Reason != want.Reason || !slices.Equal(r.Caveats, want.Caveats) {
				t.Errorf("seed %d, %s: %s, %q, %q; direct: %s, %q, %q", seed, engine, r.Verdict, r.Reason, r.Caveats, want.Verdict, want.Reason, want.Caveats)
			}
		}
	}
	if count[Holds] < *toys/40 || count[Vacuous] < *toys/40 {
		t.Errorf("%v: too few of a kind", count)
	}
}

// TestSmallestGoesOn has workloads of which the first are vacuous: that proves nothing,
// and does not end the search.
func TestSmallestGoesOn(t *testing.T) {
	verdicts := []Verdict{Vacuous, Holds, Vacuous, Violated, Holds}
	results, left, err := Smallest(verdicts, 1, func(v Verdict, _ []int) ([]*Result, error) {
		return []*Result{{Verdict: v}}, nil
	})
	if err != nil || len(left) > 0 || len(results[0]) != 4 {
		t.Errorf("%d results, left %v, %v; want the 4 up to the violation", len(results[0]), left, err)
	}
	if results, left, _ = Smallest(verdicts[:3], 1, func(v Verdict, _ []int) ([]*Result, error) {
		return []*Result{{Verdict: v}}, nil
	}); len(results[0]) != 3 || len(left) != 1 {
		t.Errorf("%d results, left %v", len(results[0]), left)
	}
}
