package model_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
	"quiesce/sim/redis"
)

var directLimit = flag.Int64("direct", 600, "how many interleavings a workload may have to be run by the direct engine as well")

// open returns the stores of a strategy with that many products.
func open(t testing.TB, strategy string, keys int) *model.World {
	t.Helper()
	s, err := model.LookupStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	w, err := model.NewWorld(s, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// coherent returns the system of a workload with the property of its strategy,
// which is coherent for those that keep a cache.
func coherent(t testing.TB, w *model.World, load model.Workload) *sim.System {
	t.Helper()
	p, err := model.LookupProperty("", w.Strategy())
	if err != nil {
		t.Fatal(err)
	}
	sys, err := w.System(load, p)
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

func product(t testing.TB, sys *sim.System, opts explore.ProductOptions) *explore.Result {
	t.Helper()
	if opts.Audit == 0 {
		opts.Audit = explore.NoAudit // hundreds of explorations; those that are about it ask for it
	}
	r, err := explore.Product(context.Background(), sys, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A pinned row says what an exploration of a strategy finds.
type pinned struct {
	interleavings, violating int64
	steps, switches          int // of the minimal counterexample
}

// TestVerdicts pins what is found of every strategy at its smallest workloads.
//
// The interleavings are counted in three ways: over the product (the pinned
// number), one by one by the direct engine if there are at most -direct of them, and,
// where all tasks take the same steps in every order, by the multinomial coefficient. That is so with one
// reader and a cold cache if no writer fills the cache: the reader misses.
// Strategies with work in the background are in TestLocalCaches and TestMessages;
// of in-transaction, whose writers wait for each other, TestInTransaction counts.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	workloads := []model.Workload{
		{Readers: 1, Writers: 1}, {Readers: 2, Writers: 1}, {Readers: 1, Writers: 2},
		{Readers: 1, Writers: 1, Warm: true}, {Readers: 2, Writers: 1, Warm: true}, {Readers: 1, Writers: 2, Warm: true},
	}
	table := map[string][6]pinned{
		"naive":                        {{4, 2, 4, 1}, {136, 62, 5, 2}, {20, 14, 5, 2}, {2, 2, 2, 1}, {6, 6, 3, 2}, {6, 6, 3, 2}},
		"delayed-double-delete":        {{35, 3, 7, 2}, {3952, 500, 8, 3}, {11550, 930, 11, 3}, {21, 1, 7, 3}, {1624, 114, 8, 4}, {8470, 606, 11, 3}},
		"cache-aside":                  {{10, 1, 5, 2}, {534, 70, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
		"delete-first":                 {{10, 6, 5, 2}, {538, 328, 6, 3}, {210, 144, 7, 3}, {5, 2, 5, 2}, {146, 66, 6, 3}, {126, 84, 7, 3}},
		"double-delete":                {{20, 3, 6, 2}, {1596, 332, 7, 3}, {1680, 240, 9, 3}, {11, 1, 6, 3}, {556, 72, 7, 4}, {1140, 152, 9, 3}},
		"write-through":                {{20, 1, 6, 2}, {1498, 112, 7, 3}, {1582, 204, 7, 3}, {4, 0, 0, 0}, {20, 0, 0, 0}, {140, 14, 7, 3}},
		"setnx-fill":                   {{10, 1, 5, 2}, {534, 80, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
		"watch":                        {{15, 1, 6, 2}, {3060, 168, 9, 3}, {420, 36, 8, 3}, {10, 0, 0, 0}, {824, 0, 0, 0}, {252, 2, 8, 3}},
		"watch-marker":                 {{15, 0, 0, 0}, {3060, 0, 0, 0}, {420, 0, 0, 0}, {10, 0, 0, 0}, {824, 0, 0, 0}, {252, 0, 0, 0}},
		"lease":                        {{10, 0, 0, 0}, {262, 0, 0, 0}, {210, 0, 0, 0}, {3, 0, 0, 0}, {22, 0, 0, 0}, {52, 0, 0, 0}},
		"lease-shared-token":           {{10, 0, 0, 0}, {262, 4, 8, 4}, {210, 0, 0, 0}, {3, 0, 0, 0}, {22, 0, 0, 0}, {52, 0, 0, 0}},
		"event-bus":                    {{2, 1, 2, 1}, {6, 4, 3, 2}, {6, 4, 3, 2}, {1, 1, 1, 0}, {1, 1, 1, 0}, {2, 2, 2, 1}},
		"read-modify-write-from-cache": {{35, 0, 0, 0}, {3876, 0, 0, 0}, {11330, 5988, 9, 3}, {4, 0, 0, 0}, {38, 0, 0, 0}, {268, 192, 7, 3}},
		"in-transaction":               {{35, 20, 7, 2}, {3960, 2676, 8, 3}, {1650, 720, 11, 3}, {7, 2, 7, 2}, {172, 74, 8, 3}, {470, 240, 11, 3}},
		"versioned":                    {{10, 0, 0, 0}, {476, 0, 0, 0}, {188, 0, 0, 0}, {3, 0, 0, 0}, {12, 0, 0, 0}, {30, 0, 0, 0}},
		"ttl":                          {{4, 2, 4, 1}, {136, 62, 5, 2}, {20, 14, 5, 2}, {2, 2, 2, 1}, {6, 6, 3, 2}, {6, 6, 3, 2}},
		"lock":                         {{126, 0, 0, 0}, {479356, 0, 0, 0}, {71682, 0, 0, 0}, {9, 0, 0, 0}, {8040, 0, 0, 0}, {7894, 0, 0, 0}},
		"lock-fill-only":               {{21, 1, 7, 2}, {37628, 2908, 8, 3}, {756, 36, 9, 3}, {3, 0, 0, 0}, {448, 0, 0, 0}, {82, 2, 9, 3}},
		"lock-fenced":                  {{126, 0, 0, 0}, {479356, 0, 0, 0}, {71682, 0, 0, 0}, {9, 0, 0, 0}, {8040, 0, 0, 0}, {7894, 0, 0, 0}},
		"versioned-tombstone":          {{10, 0, 0, 0}, {534, 0, 0, 0}, {210, 0, 0, 0}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 0, 0, 0}},
		"refresh-ahead":                {{10, 1, 5, 2}, {546, 70, 7, 3}, {210, 24, 7, 3}, {6, 0, 0, 0}, {108, 0, 0, 0}, {102, 2, 7, 3}},
		"stale-while-revalidate":       {{10, 1, 5, 2}, {534, 70, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
		"circuit-breaker":              {{10, 1, 5, 2}, {534, 70, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
		"swallowed-delete":             {{10, 1, 5, 2}, {534, 70, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
		"negative-cache":               {{10, 1, 5, 2}, {534, 52, 6, 3}, {210, 24, 7, 3}, {3, 0, 0, 0}, {30, 0, 0, 0}, {52, 2, 7, 3}},
	}
	// Steps of a reader that misses, and of a writer.
	fixed := map[string][2]int64{"ttl": {3, 1}, "versioned-tombstone": {3, 2}, "refresh-ahead": {3, 2}, "stale-while-revalidate": {3, 2}, "circuit-breaker": {3, 2}, "swallowed-delete": {3, 2}, "negative-cache": {3, 2}, "naive": {3, 1}, "cache-aside": {3, 2}, "delete-first": {3, 2}, "double-delete": {3, 3}, "delayed-double-delete": {3, 4}, "setnx-fill": {3, 2}, "lease": {3, 2}, "lease-shared-token": {3, 2}, "event-bus": {1, 1}, "watch": {4, 2}, "watch-marker": {4, 2}}

	for _, s := range model.Caches() {
		if busy(s) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			rows, ok := table[s.Name]
			if !ok {
				t.Fatal("the strategy is not in the table")
			}
			w := open(t, s.Name, 1)
			for i, load := range workloads {
				want := rows[i]
				sys := coherent(t, w, load)
				opts := explore.ProductOptions{}
				if load.Readers+load.Writers == 2 {
					opts.Audit = 10 // of every strategy that holds
				}
				p := product(t, sys, opts)
				got := pinned{p.Interleavings.Int64(), p.Violating.Int64(), 0, 0}
				if p.Counterexample != nil {
					got.steps, got.switches = len(p.Counterexample.Steps), p.Counterexample.Schedule.Switches()
				}
				if got != want {
					t.Errorf("%v: %+v, want %+v", load, got, want)
				}
				if want.interleavings > *directLimit {
					continue
				}
				d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if d.Interleavings.Int64() != want.interleavings || d.Violating.Int64() != want.violating {
					t.Errorf("%v: direct: %s interleavings, %s violating, want %+v", load, d.Interleavings, d.Violating, want)
				}
				if steps, ok := fixed[s.Name]; ok && load.Readers == 1 && !load.Warm {
					if n := merges(append([]int64{steps[0]}, slices.Repeat([]int64{steps[1]}, load.Writers)...)...); n.Cmp(p.Interleavings) != 0 {
						t.Errorf("%v: %s interleavings, the multinomial coefficient is %s", load, p.Interleavings, n)
					}
				}
			}
		})
	}
}

// merges returns in how many ways tasks of so many steps can be merged: the
// multinomial coefficient.
func merges(steps ...int64) *big.Int {
	n, all := big.NewInt(1), int64(0)
	for _, s := range steps {
		all += s
		n.Mul(n, new(big.Int).Binomial(all, s))
	}
	return n
}

// TestRaces pins what is found of the strategies without a cache: with how many
// workers the property is violated first, and what is left by 3 workers.
//
// The values of counter-naive are also counted by hand: of 90 interleavings of 3
// workers with 2 steps each, 3! keep the steps of each worker together and end
// with 3. Those of stock-naive: 3! 3! in which all see the last piece, 3! 2 2 in
// which the third comes after the first sale, 3! in which one worker is alone.
//
// A transaction that begins with its lock is one step to the others: 3! orders of
// counter-for-update, and the counts of counter-naive if the UPDATE is outside. Of
// dirty-read there are 9! / (3! 3! 3!) interleavings. What deadlocks, in
// counter-serializable, leaves no value; see TestDeadlock.
func TestRaces(t *testing.T) {
	table := map[string]struct {
		violated int // with so many workers; 0 is never
		schedule string
		values   string
	}{
		"counter-naive":                     {2, "worker-1:1,worker-2:2,worker-1:1", "1:48 2:36 3:6"},
		"counter-atomic":                    {0, "", "3:6"},
		"counter-optimistic":                {0, "", "3:498"},
		"counter-for-update":                {0, "", "3:6"},
		"counter-for-update-no-transaction": {2, "worker-1:3,worker-2:4,worker-1:1", "1:48 2:36 3:6"},
		"counter-snapshot":                  {0, "", "3:279810"},
		"counter-serializable":              {2, "worker-1:3,worker-2:2", "3:270"},
		"dirty-read":                        {2, "worker-1:2,worker-2:3,worker-1:1", "0:1680"},
		"committed-read":                    {0, "", "0:1680"},
		"seat-for-update":                   {0, "", "1:6"},
		"seat-naive":                        {2, "worker-1:1,worker-2:2,worker-1:1", "1:66"},
		"stock-naive":                       {2, "worker-1:1,worker-2:2,worker-1:1", "0:6 -1:24 -2:36"},
		"stock-guarded":                     {0, "", "0:6"},
	}
	for _, s := range model.Races() {
		want, ok := table[s.Name]
		if !ok {
			t.Errorf("%s is not in the table", s.Name)
			continue
		}
		w := open(t, s.Name, 1)
		violated, schedule := 0, ""
		for workers := 1; workers <= 4 && violated == 0; workers++ {
			if r := product(t, coherent(t, w, model.Workload{Workers: workers}), explore.ProductOptions{Audit: 20}); r.Verdict == explore.Violated {
				violated, schedule = workers, r.Counterexample.Token
			}
		}
		if violated != want.violated || schedule != want.schedule {
			t.Errorf("%s: violated by %d workers, schedule %s; want %d, %s", s.Name, violated, schedule, want.violated, want.schedule)
		}
		load := model.Workload{Workers: 3}
		of := model.Values(s, load).Of
		sys := coherent(t, w, load)
		p := product(t, sys, explore.ProductOptions{Values: of})
		if got := values(p); got != want.values {
			t.Errorf("%s: values %s, want %s", s.Name, got, want.values)
		}
		if p.Interleavings.Int64() > 2000 {
			sys = coherent(t, w, model.Workload{Workers: 2}) // 3 take minutes to be run one by one
			p = product(t, sys, explore.ProductOptions{Values: of})
		}
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{Values: of})
		if err != nil {
			t.Fatal(err)
		}
		same(t, s.Name, p, d)
		if values(p) != values(d) {
			t.Errorf("%s: values %s, by the direct engine %s", s.Name, values(p), values(d))
		}
	}
}

// values returns the values of a result and their counts, in a line.
func values(r *explore.Result) string {
	var all []string
	for _, v := range r.Values {
		all = append(all, v.Value+":"+v.Interleavings.String())
	}
	return strings.Join(all, " ")
}

// busy says that a service has work in the background. Then every server has two
// tasks or more, and much more can happen.
func busy(s model.Strategy) bool {
	_, ok := s.Prototype().(model.Backgrounder)
	return ok
}

// TestLocalCaches pins what is found of services that keep products in the memory
// of their server. Every task takes the same steps in every order, so the
// interleavings are multinomial coefficients: for a reader or a writer a start,
// a request and its arrival, for a poller a start and two requests that arrive.
// A task that is alone on its server takes the request alone.
func TestLocalCaches(t *testing.T) {
	for _, c := range []struct {
		strategy  string
		load      model.Workload
		tasks     []int64 // the steps of each
		violating int64
		schedule  string
	}{
		{"event-bus", model.Workload{Readers: 1, Writers: 1, Servers: 1}, []int64{3, 3}, 3, "reader-1:2,writer-1:3,reader-1:1"},
		{"event-bus", model.Workload{Readers: 2, Writers: 1, Servers: 2}, []int64{3, 3, 1}, 79, "reader-1:3,reader-2:1,writer-1:3"},
		{"polling", model.Workload{Readers: 1, Writers: 1, Servers: 1}, []int64{3, 3, 5}, 2513, "reader-1:3,poller-1:5,writer-1:3"},
		{"polling", model.Workload{Readers: 1, Writers: 1}, []int64{3, 5, 3, 5}, 10976784, "reader-1:3,poller-1:5,writer-1:3,poller-2:5"},
	} {
		sys := coherent(t, open(t, c.strategy, 1), c.load)
		p := product(t, sys, explore.ProductOptions{})
		if n := merges(c.tasks...); p.Interleavings.Cmp(n) != 0 || p.Violating.Int64() != c.violating || p.Counterexample.Token != c.schedule {
			t.Errorf("%s, %v: %s interleavings, want %s; %s violating, counterexample %s", c.strategy, c.load, p.Interleavings, n, p.Violating, p.Counterexample.Token)
		}
		if p.Interleavings.Int64() > 10_000 {
			continue
		}
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.strategy, p, d)
	}
}

// TestLeases puts two readers and two writers on two servers, which is enough for
// two requests with the token of one lease. With one server one writer must do:
// there 2 and 2 are too many for a test.
func TestLeases(t *testing.T) {
	unique, shared := open(t, "lease", 1), open(t, "lease-shared-token", 1)
	for _, c := range []struct {
		load     model.Workload
		schedule string // that violates with a shared token; "" is none
	}{
		{model.Workload{Readers: 2, Writers: 1, Servers: 2}, "reader-1:5,writer-1:5,reader-2:1,reader-1:2,reader-2:2"},
		{model.Workload{Readers: 2, Writers: 2, Servers: 2}, "reader-1:5,writer-1:5,writer-2:5,reader-2:2,reader-1:2,reader-2:5"},
		{model.Workload{Readers: 2, Writers: 2, Servers: 2, Warm: true}, "writer-1:5,reader-1:5,writer-2:5,reader-2:2,reader-1:2,reader-2:5"},
		{model.Workload{Readers: 2, Writers: 1, Servers: 1, Warm: true}, ""},
	} {
		if r := product(t, coherent(t, unique, c.load), explore.ProductOptions{Audit: 10}); r.Verdict != explore.Holds {
			t.Errorf("%v: %s", c.load, r.Verdict)
		}
		token := ""
		if r := product(t, coherent(t, shared, c.load), explore.ProductOptions{}); r.Counterexample != nil {
			token = r.Counterexample.Token
		}
		if token != c.schedule {
			t.Errorf("%v: with a shared token %q, want %q", c.load, token, c.schedule)
		}
	}
}

// TestPollingIsOnlyLate looks at what polling leaves: a server is stale only if
// its poller asked for the last time before the write, or heard before the fill.
func TestPollingIsOnlyLate(t *testing.T) {
	sys := coherent(t, open(t, "polling", 1), model.Workload{Readers: 1, Writers: 1, Servers: 1})
	violated := 0
	everySchedule(t, sys, nil, func(schedule explore.Schedule, v sim.View) {
		// reader-1, writer-1 and poller-1; the number of steps before the n-th of a task.
		at := func(task, n int) int {
			for i, s := range schedule {
				if s.Task == task {
					if n--; n == 0 {
						return i
					}
				}
			}
			return -1
		}
		read, fill, write, polled, heard := at(0, 2), at(0, 3), at(1, 2), [2]int{at(2, 2), at(2, 4)}, [2]int{at(2, 3), at(2, 5)}
		stale := read < write
		for i := range polled {
			if polled[i] > write && heard[i] > fill {
				stale = false
			}
		}
		if got := sys.Property.Violation(v) != ""; got != stale {
			t.Fatalf("%s: violated %v", schedule.Format(sys), got)
		}
		if stale {
			violated++
		}
	})
	if violated != 2513 {
		t.Errorf("%d schedules violate, want 2513", violated)
	}
}

// TestStaleReadLosesUpdate has two writers one after the other, so neither gets in
// the way of the other: the second computes from what a slow reader put back.
func TestStaleReadLosesUpdate(t *testing.T) {
	sys := coherent(t, open(t, "read-modify-write-from-cache", 1), model.Workload{Readers: 1, Writers: 2})
	schedule, err := explore.ParseSchedule(sys, "reader-1:2,writer-1:4,reader-1:1,writer-2:3")
	if err != nil {
		t.Fatal(err)
	}
	trace, err := explore.Replay(sys, schedule)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2 writers were told that they had raised a price by 100, together the prices rose by 100"; trace.Violation != want {
		t.Errorf("%q, want %q", trace.Violation, want)
	}
}

// TestServers puts readers and writers on shared servers. A service without
// memory of its own does not notice, so that changes no verdict; it changes the steps, since the
// arrival of a reply is one of its own, and with them the counts. Two tasks that take
// turns for a lock have many histories on one server: lock and lock-fenced have three
// tasks only with -direct 10000, which takes a minute.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, s := range model.Caches() {
		if _, remembers := s.Prototype().(model.LocalCacher); remembers {
			continue
		}
		w := open(t, s.Name, 1)
		for _, load := range []model.Workload{
			{Readers: 1, Writers: 1, Servers: 1}, {Readers: 1, Writers: 1, Servers: 1, Warm: true},
			{Readers: 2, Writers: 1, Servers: 2}, {Readers: 1, Writers: 2, Servers: 2},
		} {
			var opts explore.ProductOptions
			switch {
			case load.Servers == 1:
				opts.Audit = 10
			case strings.HasPrefix(s.Name, "lock") && *directLimit < 10_000:
				continue
			}
			shared := product(t, coherent(t, w, load), opts)
			load.Servers = 0
			alone := product(t, coherent(t, w, load), explore.ProductOptions{})
			if shared.Verdict != alone.Verdict {
				t.Errorf("%s, %v: %s, on shared servers %s", s.Name, load, alone.Verdict, shared.Verdict)
			}
			if shared.Counterexample != nil && shared.Counterexample.Schedule.Switches() != alone.Counterexample.Schedule.Switches() {
				t.Errorf("%s, %v: counterexample %s, on shared servers %s", s.Name, load, alone.Counterexample.Token, shared.Counterexample.Token)
			}
		}
	}
	// A start, and two steps for each request, merged in all ways: 12! / (7! 5!).
	load := model.Workload{Readers: 1, Writers: 1, Servers: 1}
	if r := product(t, coherent(t, open(t, "cache-aside", 1), load), explore.ProductOptions{}); r.Interleavings.Int64() != 792 {
		t.Errorf("%v: %s interleavings, want 792", load, r.Interleavings)
	}
}

// TestTheCounterexample is the race that everything here is about.
func TestTheCounterexample(t *testing.T) {
	r := product(t, coherent(t, open(t, "cache-aside", 1), model.Workload{Readers: 1, Writers: 1}), explore.ProductOptions{})
	want := []string{
		"reader-1 GET product:1 → (nil)",
		"reader-1 SELECT … FROM products WHERE product_id = 1 → {9900}",
		"writer-1 UPDATE products SET price = 7900, updated_at = CURRENT_TIMESTAMP WHERE product_id = 1 → 1 row",
		"writer-1 DEL product:1 → 0",
		"reader-1 SET product:1 {9900} ex 60 → OK",
	}
	for i, s := range r.Counterexample.Steps {
		if got := s.Task + " " + model.Brief(s.Request) + " → " + model.Brief(s.Reply); i >= len(want) || got != want[i] {
			t.Errorf("step %d: %s", i+1, got)
		}
	}
}

// TestVersionedNeedsTheEntry backs what README.md says of a strategy that
// holds: once the entry can go away, by a TTL, an eviction or a hand, there is
// nothing left that a slow reader could be compared with.
func TestVersionedNeedsTheEntry(t *testing.T) {
	sys := coherent(t, open(t, "versioned", 1), model.Workload{Readers: 1, Writers: 1})
	cache := sys.Stores[0].(*redis.Store)
	sys.Programs = append(sys.Programs, sim.Program{Name: "expiry", New: func(p *sim.Process) []sim.Task {
		c := cache.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) { return "", c.Del(ctx, "product:1").Err() }}
	}})
	r := product(t, sys, explore.ProductOptions{})
	if r.Verdict != explore.Violated {
		t.Fatalf("the verdict is %s", r.Verdict)
	}
	if want, err := explore.ParseSchedule(sys, "reader-1:2,writer-1:2,expiry:1,reader-1:1"); err != nil || !slices.Equal(r.Counterexample.Schedule, want) {
		t.Errorf("the counterexample is %s, %v", r.Counterexample.Token, err)
	}
}

// TestEnginesAgreeOnStrategies compares the product engine, with and without
// symmetry, with the direct one on every workload that the latter can enumerate
// in reasonable time: those of at most half as many interleavings as -direct says. With
// -direct 30000 that is about two seconds each.
func TestEnginesAgreeOnStrategies(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, s := range model.Caches() {
		for _, keys := range []int{1, 2} {
			w := open(t, s.Name, keys)
			tasks := 4
			if busy(s) {
				tasks = 2 // beside those in the background
			}
			for _, load := range slices.Concat(model.Workload{Keys: keys}.Smallest(tasks), model.Workload{Keys: keys, Warm: true}.Smallest(tasks),
				model.Workload{Keys: keys, Servers: 1}.Smallest(2), model.Workload{Keys: keys, Servers: 1, Warm: true}.Smallest(2)) {
				if keys > 1 && !busy(s) && load.Readers == 1 && load.Writers == 1 {
					continue // who would use the second one?
				}
				t.Run(fmt.Sprintf("%s/%dR%dW%dK%dS-%s", s.Name, load.Readers, load.Writers, keys, load.Servers, load.Cache()), func(t *testing.T) {
					sys := coherent(t, w, load)
					final := map[string]bool{}
					limit := *directLimit / 2
					enough := int(limit) // states, which interleavings share: there are fewer of them
					p := product(t, sys, explore.ProductOptions{Quiescent: collect(final), LimitStates: enough})
					if p.Interleavings.Cmp(big.NewInt(limit)) > 0 || p.Statistics.States > enough {
						t.Skipf("there are more than %d interleavings", limit)
					}
					plainFinal := map[string]bool{}
					plain := product(t, sys, explore.ProductOptions{NoSymmetry: true, Quiescent: collect(plainFinal)})
					directFinal := map[string]bool{}
					d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{Quiescent: collect(directFinal)})
					if err != nil {
						t.Fatal(err)
					}
					compared++
					same(t, "with symmetry", p, d)
					same(t, "without symmetry", plain, d)
					if p.Probability.Cmp(plain.Probability) != 0 {
						t.Errorf("probability %s with symmetry, %s without", p.Probability, plain.Probability)
					}
					if !maps.Equal(final, directFinal) || !maps.Equal(plainFinal, directFinal) {
						t.Errorf("final states: %d with symmetry, %d without, %d by the direct engine", len(final), len(plainFinal), len(directFinal))
					}
				})
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d workloads were compared", compared)
	}
}

// collect collects the contents of all stores at quiescence.
func collect(final map[string]bool) func(sim.View) {
	return func(v sim.View) {
		key := ""
		for _, c := range v.Contents {
			key += fmt.Sprintf("%q", c.Key())
		}
		final[key] = true
	}
}

func same(t *testing.T, name string, p, d *explore.Result) {
	t.Helper()
	if p.Verdict != d.Verdict || p.Interleavings.Cmp(d.Interleavings) != 0 || p.Violating.Cmp(d.Violating) != 0 {
		t.Errorf("%s: %s, %s interleavings, %s violating; the direct engine: %s, %s, %s", name,
			p.Verdict, p.Interleavings, p.Violating, d.Verdict, d.Interleavings, d.Violating)
	}
	switch {
	case (p.Counterexample == nil) != (d.Counterexample == nil):
		t.Errorf("%s: one engine has a counterexample", name)
	case p.Counterexample != nil && p.Counterexample.Token != d.Counterexample.Token:
		t.Errorf("%s: counterexample %s, the direct engine: %s", name, p.Counterexample.Token, d.Counterexample.Token)
	}
}
