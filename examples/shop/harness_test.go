package shop

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// A world is Redis and the database, with two products: one of 9900 and one of 500 cents,
// a piece of each.
type world struct {
	t     *testing.T
	cache *redis.Store
	db    *sqlite.Store
}

func newWorld(t *testing.T, mode sqlite.Mode, setup ...string) *world {
	return newWorldWith(t, redis.Options{}, sqlite.Options{Mode: mode, Setup: append([]string{
		"CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER, stock INTEGER)",
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER, price INTEGER)",
		"INSERT INTO products VALUES (1, 9900, 1), (2, 500, 1)",
	}, setup...)})
}

func newWorldWith(t *testing.T, cache redis.Options, db sqlite.Options) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.cache, err = redis.NewStore("cache", cache); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.cache.Close() })
	if w.db, err = sqlite.NewStore("db", db); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	return w
}

// An operation is what somebody asks of a server.
type operation struct {
	name string
	do   func(context.Context, *Shop) (string, error)
}

// op is an operation whose result does not matter.
func op[T any](name string, do func(context.Context, *Shop) (T, error)) operation {
	return operation{name, func(ctx context.Context, s *Shop) (string, error) {
		_, err := do(ctx, s)
		return "", err
	}}
}

// try is an operation without a result.
func try(name string, do func(context.Context, *Shop) error) operation {
	return op(name, func(ctx context.Context, s *Shop) (any, error) { return nil, do(ctx, s) })
}

// status is an operation whose errors become answers, as in a handler of HTTP.
func status(name string, do func(context.Context, *Shop) error) operation {
	return operation{name, func(ctx context.Context, s *Shop) (string, error) {
		switch err := do(ctx, s); {
		case err == nil:
			return "200", nil
		case errors.Is(err, ErrSoldOut):
			return "409", nil
		default:
			return "500 " + err.Error(), nil
		}
	}}
}

// shop returns a server of a process, which sleeps by the clock of the simulation.
func (w *world) shop(p *sim.Process) *Shop {
	s := New(w.db.Open(p), w.cache.Client(p))
	s.Sleep = sim.Clock{}.For(p).Sleep
	s.NewToken = func() string { return "token of " + p.Name() }
	return s
}

// apart gives each operation a server of its own.
func (w *world) apart(ops ...operation) (programs []sim.Program) {
	for _, o := range ops {
		p := w.server(o)
		p.Name, p.Tasks = o.name, nil
		programs = append(programs, p)
	}
	return programs
}

// server is one server with all the operations, which shows its local cache.
func (w *world) server(ops ...operation) sim.Program {
	return w.serverOf(func(p *sim.Process) *Shop {
		s := w.shop(p)
		p.Show(func() sim.Content { return localContent(s) })
		return s
	}, ops...)
}

func (w *world) serverOf(newShop func(*sim.Process) *Shop, ops ...operation) sim.Program {
	program := sim.Program{Name: "server"}
	for _, o := range ops {
		program.Tasks = append(program.Tasks, sim.TaskSpec{Name: o.name})
	}
	program.New = func(p *sim.Process) (tasks []sim.Task) {
		s := newShop(p)
		for _, o := range ops {
			tasks = append(tasks, func(ctx context.Context) (string, error) { return o.do(ctx, s) })
		}
		return tasks
	}
	return program
}

func localContent(s *Shop) sim.Content {
	c := sim.Content{}
	for _, id := range slices.Sorted(slices.Values(s.local.Keys())) {
		p, _ := s.local.Peek(id)
		c = append(c, sim.Item{Name: cacheKey(id), Value: fmt.Sprint(p.Price)})
	}
	return c
}

func (w *world) system(property sim.Property, programs ...sim.Program) *sim.System {
	return &sim.System{Stores: []sim.Store{w.cache, w.db, sim.Clock{}}, Programs: programs, Property: property}
}

// check explores a system of the world.
func (w *world) check(property sim.Property, programs ...sim.Program) *finding {
	w.t.Helper()
	return check(w.t, w.system(property, programs...), explore.ProductOptions{})
}

// A finding is what an exploration came to.
type finding struct {
	t   *testing.T
	r   *explore.Result
	err error
}

// check explores a system. Where it has few interleavings all of them are run for real as
// well, which counts a second time, by other means.
func check(t *testing.T, sys *sim.System, opts explore.ProductOptions) *finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := explore.Product(ctx, sys, opts)
	if err == nil && r.Verdict != explore.Incomplete && r.Interleavings.Cmp(big.NewInt(1000)) < 0 {
		d, err := explore.Direct(ctx, sys, explore.DirectOptions{})
		if err != nil || d.Verdict != r.Verdict || d.Interleavings.Cmp(r.Interleavings) != 0 || d.Violating.Cmp(r.Violating) != 0 {
			t.Fatalf("run one by one: %+v, %v; explored: %+v", d, err, r)
		}
	}
	return &finding{t, r, err}
}

// verdict wants a verdict.
func (f *finding) verdict(want explore.Verdict) *explore.Result {
	f.t.Helper()
	if f.err != nil {
		f.t.Fatalf("an error instead of %s: %v", want, f.err)
	}
	if f.r.Verdict != want {
		violation := ""
		if c := f.r.Counterexample; c != nil {
			violation = c.Token + ": " + c.Violation
		}
		f.t.Fatalf("%s instead of %s: %s%s", f.r.Verdict, want, f.r.Reason, violation)
	}
	return f.r
}

// holds wants so many interleavings, and these caveats, of which a part will do.
func (f *finding) holds(interleavings int64, caveats ...string) {
	f.t.Helper()
	r := f.verdict(explore.Holds)
	if r.Interleavings.Cmp(big.NewInt(interleavings)) != 0 {
		f.t.Errorf("%s interleavings, not %d", r.Interleavings, interleavings)
	}
	if !slices.EqualFunc(r.Caveats, caveats, strings.Contains) {
		f.t.Errorf("caveats %q, not %q", r.Caveats, caveats)
	}
}

// violated wants the minimal schedule, and returns how the property is violated.
func (f *finding) violated(schedule string) string {
	f.t.Helper()
	c := f.verdict(explore.Violated).Counterexample
	if c.Token != schedule {
		f.t.Errorf("schedule %s, not %s", c.Token, schedule)
	}
	return c.Violation
}

// because wants a verdict with a reason that contains the words.
func (f *finding) because(verdict explore.Verdict, words ...string) {
	f.t.Helper()
	contains(f.t, f.verdict(verdict).Reason, words...)
}

// fails wants an error of this type that contains the words.
func fails[E error](f *finding, words ...string) (as E) {
	f.t.Helper()
	if f.err == nil {
		f.t.Fatalf("%s (%s) instead of an error with %q", f.r.Verdict, f.r.Interleavings, words)
	}
	if !errors.As(f.err, &as) {
		f.t.Errorf("no %T: %v", as, f.err)
	}
	contains(f.t, f.err.Error(), words...)
	return as
}

// outside wants the error of a client that was called from outside its task.
func (f *finding) outside(words ...string) {
	f.t.Helper()
	if fails[*sim.TaskError](f, words...); !errors.Is(f.err, sim.ErrOutside) {
		f.t.Errorf("no ErrOutside: %v", f.err)
	}
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

// coherent: what the cache holds is the row.
var coherent = sim.Property{Name: "coherent", Violation: func(v sim.View) string {
	cached, ok := v.Value("cache", "product:1")
	row, _ := v.Value("db", "products/1")
	if ok && cached != row {
		return "the cache holds " + cached + ", the database " + row
	}
	return ""
}}

// localCoherent: what the memory of the server holds is the price of the row.
var localCoherent = sim.Property{Name: "local coherent", Violation: func(v sim.View) string {
	local, ok := v.Value("server", "product:1")
	row, _ := v.Value("db", "products/1")
	if ok && !strings.Contains(row, `"price":`+local+`,`) {
		return "the server holds " + local + ", the database " + row
	}
	return ""
}}

// oneOrder: of one piece there is one order.
var oneOrder = sim.Property{Name: "one order", Violation: func(v sim.View) string {
	if orders := v.Items("db", "orders/"); len(orders) > 1 {
		return fmt.Sprint(len(orders), " orders of one piece")
	}
	return ""
}}

// anything is for systems that are not explored to the end, or whose errors matter.
var anything = sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}

var (
	view     = op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.View(ctx, 1) })
	discount = try("discount", func(ctx context.Context, s *Shop) error { return s.Discount(ctx, 1, 7900) })
)
