package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quiesce/sim"
)

// register is a store that holds one string: "get" returns it, "put x" replaces
// it, "wait x" is blocked until it is x.
type register struct {
	initial, value string
	executed       int
	lie            func(executed int, body string) (sim.Reply, bool) // if not nil
}

func (r *register) Name() string { return "register" }
func (r *register) Reset() error { r.value = r.initial; return nil }
func (r *register) Content() (sim.Content, error) {
	return sim.Content{{Name: "value", Value: r.value}}, nil
}
func (r *register) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return req.Body, reply.Body
}
func (r *register) Execute(req sim.Request) (sim.Reply, error) {
	r.executed++
	if r.lie != nil {
		if reply, ok := r.lie(r.executed, req.Body); ok {
			return reply, nil
		}
	}
	verb, arg, _ := strings.Cut(req.Body, " ")
	switch verb {
	case "put":
		r.value = arg
	case "wait":
		if r.value != arg {
			return sim.Reply{}, sim.ErrBlocked
		}
	}
	return sim.Reply{Body: r.value}, nil
}

// tasks returns a system of one register and a task for each function, which
// gets a way to make requests. Tasks whose names are equal up to a number at the
// end are interchangeable.
func tasks(property sim.Property, code map[string]func(do func(string) string) string) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&register{}}, Property: property}
	names := make([]string, 0, len(code))
	for name := range code {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sys.Programs = append(sys.Programs, sim.Program{Name: name, Class: strings.TrimRight(name, "0123456789"), New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				return code[name](func(body string) string {
					reply, err := p.Call(sim.Request{Store: "register", Body: body})
					if err != nil {
						return err.Error()
					}
					return reply.Body
				}), nil
			}}
		}})
	}
	return sys
}

var anything = sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}

func puts(values ...string) func(func(string) string) string {
	return func(do func(string) string) string {
		for _, v := range values {
			do("put " + v)
		}
		return ""
	}
}

func explore(t *testing.T, sys *sim.System, opts ProductOptions) *Result {
	t.Helper()
	r, err := Product(context.Background(), sys, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDeadlock(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{
		"a": func(do func(string) string) string { do("put x"); do("wait y"); return "" },
		"b": func(do func(string) string) string { do("wait x"); do("put z"); return "" },
	})
	direct, err := Direct(context.Background(), sys, DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The only interleaving: a puts x, b waits for x, b puts z; nobody puts y.
	for _, r := range []*Result{direct, explore(t, sys, ProductOptions{})} {
		if r.Verdict != Violated || r.Interleavings.Int64() != 1 || r.Counterexample.Token != "a:1,b:2" ||
			r.Counterexample.Violation != "deadlock: a waits for wait y" {
			t.Errorf("%s: %s, %s interleavings, %+v", r.Engine, r.Verdict, r.Interleavings, r.Counterexample)
		}
	}
}

// TestAlways has a violation that is gone at quiescence.
func TestAlways(t *testing.T) {
	never := sim.Property{Name: "never-bad", Always: true, Violation: func(v sim.View) string {
		if s, _ := v.Contents[0].Lookup("value"); s == "bad" {
			return "it is bad"
		}
		return ""
	}}
	code := map[string]func(func(string) string) string{"a": puts("bad", "good"), "b": puts("better")}
	for _, always := range []bool{true, false} {
		never.Always = always
		r := explore(t, tasks(never, code), ProductOptions{})
		if want := map[bool]int64{true: 3, false: 0}[always]; r.Violating.Int64() != want {
			t.Errorf("always %v: %s interleavings violate, want %d", always, r.Violating, want)
		}
	}
}

func TestNondeterminism(t *testing.T) {
	code := map[string]func(func(string) string) string{"a": puts("1", "2"), "b": puts("3", "4")}
	engines := map[string]func(*sim.System) error{
		"direct": func(s *sim.System) error { _, err := Direct(context.Background(), s, DirectOptions{}); return err },
		"product": func(s *sim.System) error {
			_, err := Product(context.Background(), s, ProductOptions{Audit: 100})
			return err
		},
	}
	runs := 0
	for name, sys := range map[string]func() *sim.System{
		"a store that counts": func() *sim.System {
			sys := tasks(anything, code)
			sys.Stores[0].(*register).lie = func(executed int, body string) (sim.Reply, bool) {
				return sim.Reply{Body: strconv.Itoa(executed)}, true
			}
			return sys
		},
		"a task that counts": func() *sim.System {
			return tasks(anything, map[string]func(func(string) string) string{
				"a": func(do func(string) string) string { do("get"); runs++; do("put " + strconv.Itoa(runs)); return "" },
				"b": puts("3", "4"),
			})
		},
		"tasks that are not interchangeable": func() *sim.System {
			// The classes are equal, the code is not.
			return tasks(anything, map[string]func(func(string) string) string{"a1": puts("1"), "a2": puts("2")})
		},
	} {
		for engine, search := range engines {
			if engine == "direct" && strings.HasPrefix(name, "tasks") {
				continue // it does not look at classes
			}
			err := search(sys())
			var nd *NondeterminismError
			if !errors.As(err, &nd) {
				t.Errorf("%s, %s engine: error %v, want a NondeterminismError", name, engine, err)
				continue
			}
			if slices.Equal(nd.Before, nd.Now) {
				t.Errorf("%s, %s engine: the transcripts do not differ: %v", name, engine, err)
			}
			for _, part := range []string{"first:", "then:", "cause"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s, %s engine: %q is not in: %v", name, engine, part, err)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	code := map[string]func(func(string) string) string{}
	for i := range 6 {
		code[string(rune('a'+i))] = puts("1", "2", "3", "4", "5")
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		opts   ProductOptions
		reason string
	}{
		{"states", context.Background(), ProductOptions{LimitStates: 3000}, "there are more than 3000 states"},
		{"memory", context.Background(), ProductOptions{LimitMemory: 1 << 20}, "states and transitions take more than 1048576 bytes"},
		{"interrupt", canceled, ProductOptions{}, "interrupted"},
	} {
		r, err := Product(tt.ctx, tasks(anything, code), tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Incomplete || r.Reason != tt.reason || r.Audited != 0 {
			t.Errorf("%s: %s, %q", tt.name, r.Verdict, r.Reason)
		}
	}
	for reason, r := range map[string]func() (*Result, error){
		"the limit of 7 interleavings was reached": func() (*Result, error) {
			return Direct(context.Background(), tasks(anything, code), DirectOptions{Limit: 7})
		},
		"interrupted": func() (*Result, error) { return Direct(canceled, tasks(anything, code), DirectOptions{}) },
	} {
		if r, err := r(); err != nil || r.Verdict != Incomplete || r.Reason != reason {
			t.Errorf("direct: %+v, %v, want incomplete: %s", r, err, reason)
		}
	}
}

// TestLimitEqualToAll has a limit that is not too small: the search is complete.
func TestLimitEqualToAll(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{"a": puts("1", "2"), "b": puts("3")})
	r, err := Direct(context.Background(), sys, DirectOptions{Limit: 3})
	if err != nil || r.Verdict != Holds || r.Interleavings.Int64() != 3 {
		t.Errorf("%+v, %v; want holds with 3 interleavings", r, err)
	}
}

// TestLimitStates is exact: a search of n states is complete with a limit of n.
func TestLimitStates(t *testing.T) {
	code := map[string]func(func(string) string) string{"a": puts("1", "2"), "b": puts("3")}
	n := explore(t, tasks(anything, code), ProductOptions{}).Statistics.States
	for limit, want := range map[int]Verdict{n - 1: Incomplete, n: Holds} {
		if r := explore(t, tasks(anything, code), ProductOptions{LimitStates: limit}); r.Verdict != want {
			t.Errorf("limit %d of %d states: %s, want %s", limit, n, r.Verdict, want)
		}
	}
}

// TestInterruptedAudit ends as incomplete, even though the search was complete.
func TestInterruptedAudit(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	sys := tasks(anything, map[string]func(func(string) string) string{"a": puts("1", "2"), "b": puts("3")})
	audited := 0
	sys.Stores[0].(*register).lie = func(int, string) (sim.Reply, bool) {
		if audited++; audited > 1000 {
			cancel()
		}
		return sim.Reply{}, false
	}
	r, err := Product(ctx, sys, ProductOptions{Audit: 1 << 30})
	if err != nil || r.Verdict != Incomplete || r.Reason != "interrupted during the audit" || r.Audited == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestFoundBeforeTheLimit keeps what an incomplete search has found, and does not
// call it minimal.
func TestFoundBeforeTheLimit(t *testing.T) {
	last := sim.Property{Name: "ends-with-2", Violation: func(v sim.View) string {
		if s, _ := v.Contents[0].Lookup("value"); s != "2" {
			return "it ends with " + s
		}
		return ""
	}}
	sys := tasks(last, map[string]func(func(string) string) string{"a": puts("1"), "b": puts("2"), "c": puts("3")})
	r, err := Direct(context.Background(), sys, DirectOptions{Limit: 2})
	if err != nil || r.Verdict != Incomplete || r.Counterexample == nil {
		t.Errorf("%+v, %v; want incomplete with a counterexample", r, err)
	}
}

// TestManyStates needs more bits than the first layout has, several times over,
// in tasks and in the store.
func TestManyStates(t *testing.T) {
	var values []string
	for i := range 300 {
		values = append(values, strconv.Itoa(i))
	}
	code := map[string]func(func(string) string) string{"a": puts(values...), "b": puts("x")}
	r := explore(t, tasks(anything, code), ProductOptions{})
	// b's step comes before any of a's steps or after the last.
	if r.Interleavings.Int64() != 301 {
		t.Errorf("%s interleavings, want 301", r.Interleavings)
	}
	// b has not stepped: 301 states; it has: after i steps of a the register
	// holds x, or, unless i is 0, what a has put.
	if want := 301 + 301 + 300; r.Statistics.States != want {
		t.Errorf("%d states, want %d", r.Statistics.States, want)
	}
}

// TestSymmetry counts labelled interleavings of interchangeable tasks.
func TestSymmetry(t *testing.T) {
	code := map[string]func(func(string) string) string{}
	for i := range 5 {
		code[fmt.Sprintf("a%d", i)] = puts("1", "2", "3")
	}
	with, without := explore(t, tasks(anything, code), ProductOptions{}), explore(t, tasks(anything, code), ProductOptions{NoSymmetry: true})
	// 15! / 3!^5 by hand.
	if want := "168168000"; with.Interleavings.String() != want || without.Interleavings.String() != want {
		t.Errorf("%s interleavings with symmetry, %s without, want %s", with.Interleavings, without.Interleavings, want)
	}
	if with.Statistics.States*20 > without.Statistics.States {
		t.Errorf("%d states with symmetry, %d without", with.Statistics.States, without.Statistics.States)
	}
	labelled := anything
	labelled.Labelled = true
	if r := explore(t, tasks(labelled, code), ProductOptions{}); r.Statistics.States != without.Statistics.States {
		t.Errorf("%d states with a property that tells tasks apart, want %d", r.Statistics.States, without.Statistics.States)
	}
}

// TestConnections has a store that keeps something for each connection, so that
// processes of one class are told apart by it.
func TestConnections(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{"b": puts("x")})
	for _, name := range []string{"a1", "a2", "a3"} {
		sys.Programs = append(sys.Programs, sim.Program{Name: name, Class: "a", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				if _, err := p.Call(sim.Request{Store: "register", Body: "get"}); err != nil {
					return "", err
				}
				// What is kept is the name of the connection.
				_, err := p.Call(sim.Request{Store: "register", Body: "put " + p.Name(), Conn: p.Name()})
				return "", err
			}}
		}})
	}
	final := map[string]bool{}
	r := explore(t, sys, ProductOptions{Audit: 50, Quiescent: func(v sim.View) { s, _ := v.Contents[0].Lookup("value"); final[s] = true }})
	// 7! / (1! 2!^3) by hand.
	if want := int64(630); r.Interleavings.Int64() != want {
		t.Errorf("%s interleavings, want %d", r.Interleavings, want)
	}
	if want := map[string]bool{"x": true, "a1": true, "a2": true, "a3": true}; !maps.Equal(final, want) {
		t.Errorf("final values %v, want %v", final, want)
	}
}

// TestPropertyTellsTasksApart has a property that looks at labels and does not
// say so. With symmetry its verdict would depend on which label was kept.
func TestPropertyTellsTasksApart(t *testing.T) {
	code := map[string]func(func(string) string) string{}
	for _, name := range []string{"a1", "a2"} {
		code[name] = func(do func(string) string) string { seen := do("get"); do("put x"); return seen }
	}
	first := sim.Property{Name: "the-first-is-first", Violation: func(v sim.View) string {
		if v.Results[0] == "x" {
			return "the second was first"
		}
		return ""
	}}
	_, err := Product(context.Background(), tasks(first, code), ProductOptions{})
	if want := "the property the-first-is-first tells a1 and a2 apart, which are of the same class; set Labelled in the property, or turn symmetry off"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	first.Labelled = true
	// Only a2 a2 a1 a1, one of six interleavings: a1 gets what a2 has put.
	r := explore(t, tasks(first, code), ProductOptions{})
	d, err := Direct(context.Background(), tasks(first, code), DirectOptions{})
	if err != nil || r.Violating.Int64() != 1 || d.Violating.Int64() != 1 {
		t.Errorf("%s violate, by the direct engine %s, %v", r.Violating, d.Violating, err)
	}
}

// TestLearning executes every distinct request in every distinct state once, and
// little more to get there.
func TestLearning(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{"a": puts("1", "2"), "b": puts("3", "4")})
	r := explore(t, sys, ProductOptions{Audit: NoAudit})
	// Five contents ("" and 1 to 4), four requests, each restored by one request.
	if n := r.Statistics.StoreExecuted; n > 2*5*4 {
		t.Errorf("%d requests executed", n)
	}
	// Nothing is learned from the first run, which has one request of each.
	if n := sys.Stores[0].(*register).executed - 4; n != r.Statistics.StoreExecuted {
		t.Errorf("%d requests executed, the statistics say %d", n, r.Statistics.StoreExecuted)
	}
}

func TestReplayErrors(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{
		"a": puts("x"),
		"b": func(do func(string) string) string { do("wait x"); do("get"); return "" },
	})
	for token, want := range map[string]string{
		"a:1,b:2":   "",
		"b:1":       "schedule: step 1 cannot be taken: b is blocked in wait x",
		"a:2":       "schedule: step 2 cannot be taken: a has finished",
		"a:1,b:1":   "schedule: step 3 is missing: b still wants get",
		"":          "schedule: step 1 is missing: a still wants put x",
		"c:1":       `schedule: step 1 cannot be taken: there is no task "c" in this workload (tasks: a, b)`,
		"a:1,d:1":   `schedule: step 2 cannot be taken: there is no task "d" in this workload (tasks: a, b)`,
		"a":         `schedule: "a" is not of the form task:steps, such as a:2`,
		"a:0":       `schedule: "a:0" is not of the form task:steps, such as a:2`,
		"a:x":       `schedule: "a:x" is not of the form task:steps, such as a:2`,
		"a:1,,b:2":  `schedule: "" is not of the form task:steps, such as a:2`,
		"a:9999999": `schedule: "a:9999999" makes more than 8192 steps`,
	} {
		got := ""
		s, err := ParseSchedule(sys, token)
		if err == nil {
			_, err = Replay(sys, s)
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s\nwant %s", token, got, want)
		}
	}
}

func TestStateSet(t *testing.T) {
	for words := 1; words <= 3; words++ {
		random := rand.New(rand.NewPCG(1, uint64(words)))
		set := newStateSet(words)
		known := map[string]uint32{}
		for range 20000 {
			key := make([]uint64, words)
			for i := range key {
				key[i] = random.Uint64N(20) << random.UintN(60)
			}
			id, fresh := set.add(key)
			name := fmt.Sprint(key)
			want, ok := known[name]
			if ok == fresh || ok && want != id {
				t.Fatalf("%d words: %s is %d, new: %v; before it was %d", words, name, id, fresh, want)
			}
			known[name] = id
			if !slices.Equal(set.key(int(id)), key) {
				t.Fatalf("%d words: key of %d is %v, want %v", words, id, set.key(int(id)), key)
			}
		}
		if set.n != len(known) {
			t.Errorf("%d words: %d states, want %d", words, set.n, len(known))
		}
	}
}

// TestCounts compares the arithmetic of fixed words with math/big.
func TestCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		words := 1 + random.IntN(4)
		sum, x := make([]uint64, words+1), make([]uint64, words+1)
		for i := range words {
			sum[i], x[i] = random.Uint64(), random.Uint64()
		}
		m := random.Uint64N(1 << 60)
		want := new(big.Int).Add(toBig(sum), new(big.Int).Mul(toBig(x), new(big.Int).SetUint64(m)))
		addMul(sum, x, m)
		if toBig(sum).Cmp(want) != 0 {
			t.Fatalf("addMul: %s, want %s", toBig(sum), want)
		}
		want.Mul(toBig(x), new(big.Int).SetUint64(m))
		if scale(x, m, 1); toBig(x).Cmp(want) != 0 {
			t.Fatalf("scale: %s, want %s", toBig(x), want)
		}
	}
}
