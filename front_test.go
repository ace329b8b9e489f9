package quiesce_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/bits"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"quiesce"
)

// A recorder is a test that may fail: what becomes of it is looked at.
type recorder struct {
	*testing.T
	name    string
	logs    []string
	failed  string // the text of the failure
	skipped string
	end     time.Time // the deadline; the zero value is none
}

func (r *recorder) Name() string { return r.name }

func (r *recorder) Log(args ...any) {
	r.logs = append(r.logs, strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
}
func (r *recorder) Error(args ...any) { r.failed += strings.TrimSuffix(fmt.Sprintln(args...), "\n") }
func (r *recorder) Fatal(args ...any) { r.Error(args...); runtime.Goexit() }
func (r *recorder) Skip(args ...any)  { r.skipped = fmt.Sprint(args...); runtime.Goexit() }

func (r *recorder) Logf(format string, args ...any)   { r.Log(fmt.Sprintf(format, args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }
func (r *recorder) FailNow()                          { runtime.Goexit() }
func (r *recorder) Failed() bool                      { return r.failed != "" }

func (r *recorder) Deadline() (time.Time, bool) { return r.end, !r.end.IsZero() }

// log returns all that was logged.
func (r *recorder) log() string { return strings.Join(r.logs, "\n") }

// test runs a test of that name, whose files are in the directory of t.
func test(t *testing.T, name string, build func(*quiesce.World)) *recorder {
	t.Helper()
	return (&recorder{T: t, name: name}).test(build)
}

func (r *recorder) test(build func(*quiesce.World)) *recorder {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		quiesce.Test(r, build)
	}()
	<-ended
	return r
}

// once runs a test of which nothing is kept.
func once(t *testing.T, build func(*quiesce.World)) *recorder {
	t.Helper()
	t.Chdir(t.TempDir())
	return test(t, "TestPrice", build)
}

// set sets a flag up to the end of t.
func set(t *testing.T, name, value string) {
	t.Helper()
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set(name, old) })
}

// wants wants a text to have these parts, in this order.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%q is missing, or comes too early, in:\n%s", part, text)
			return
		}
		rest = after
	}
}

// passes wants a test to pass, and returns what it logged.
func (r *recorder) passes() string {
	r.T.Helper()
	if r.failed != "" || r.skipped != "" {
		r.T.Fatalf("it does not pass: %s%s", r.failed, r.skipped)
	}
	return r.log()
}

// A catalogue is a service with a cache in Redis, in which readers fill what writers delete.
type catalogue struct {
	cache *goredis.Client
	db    *sql.DB
}

const catalogueSQL = `
-- what the catalogue has
CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER, price INTEGER);
INSERT INTO products VALUES (1, 9900, 'Desk lamp');
`

type item struct {
	ID    int64
	Price int64
}

var errSoldOut = errors.New("sold out")

func (c catalogue) view(ctx context.Context) (it item, err error) {
	cached, err := c.cache.Get(ctx, "product:1").Bytes()
	if err == nil {
		return it, json.Unmarshal(cached, &it)
	}
	if !errors.Is(err, goredis.Nil) {
		return it, err
	}
	if it, err = c.read(ctx); err != nil {
		return it, err
	}
	cached, err = json.Marshal(it)
	return it, errors.Join(err, c.cache.Set(ctx, "product:1", cached, 0).Err())
}

func (c catalogue) read(ctx context.Context) (it item, err error) {
	err = c.db.QueryRowContext(ctx, "SELECT id, price FROM products WHERE id = 1").Scan(&it.ID, &it.Price)
	return it, err
}

func (c catalogue) reprice(ctx context.Context, price int64) error {
	if err := c.write(ctx, price); err != nil {
		return err
	}
	return c.cache.Del(ctx, "product:1").Err()
}

func (c catalogue) write(ctx context.Context, price int64) error {
	_, err := c.db.ExecContext(ctx, "UPDATE products SET price = ? WHERE id = 1", price)
	return err
}

// buy takes the only piece, in a transaction.
func (c catalogue) buy(ctx context.Context) (price int64, err error) {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	var sold int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM orders").Scan(&sold); err != nil {
		return 0, err
	}
	if sold > 0 {
		return 0, errSoldOut
	}
	if err := tx.QueryRowContext(ctx, "SELECT price FROM products WHERE id = 1").Scan(&price); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (1, ?)", price); err != nil {
		return 0, err
	}
	return price, tx.Commit()
}

// A shop is a catalogue and its stores, in a world.
type shop struct {
	*quiesce.World
	cache *quiesce.Redis
	db    *quiesce.Database
}

func newShop(w *quiesce.World) shop {
	return shop{w, w.Redis("cache"), w.SQLite("db", catalogueSQL)}
}

func (s shop) catalogue(p *quiesce.Process) catalogue {
	return catalogue{s.cache.Client(p), s.db.Open(p)}
}

// race is a shop in which a view races with a change of the price.
func race(w *quiesce.World) shop {
	s := newShop(w)
	w.Server("shop", func(p *quiesce.Process) {
		c := s.catalogue(p)
		p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err })
		p.Go("reprice", func(ctx context.Context) error { return c.reprice(ctx, 7900) })
	})
	return s
}

func coherent(w *quiesce.World) { race(w).Coherent("product:1", "products", 1) }

// TestFailure pins the whole failure of a test: the sentence, the numbers, the certificate,
// the cause, the closest interleaving that passes, the trace and the line that replays it.
func TestFailure(t *testing.T) {
	golden(t, "testdata/failure.txt", once(t, coherent).failed)
	// Its numbers, by the steps of both tasks alone: SELECT comes before UPDATE, and DEL
	// before SET.
	view, reprice := strings.Fields("start GET arrive SELECT arrive SET arrive"), strings.Fields("start UPDATE arrive DEL arrive")
	all, violating := 0, 0
	for set := range 1 << 12 {
		if bits.OnesCount(uint(set)) != len(view) {
			continue
		}
		at, v, r := map[string]int{}, 0, 0
		for i := range 12 {
			if set&(1<<i) != 0 {
				at[view[v]] = i
				v++
			} else {
				at[reprice[r]] = i
				r++
			}
		}
		all++
		if at["SELECT"] < at["UPDATE"] && at["DEL"] < at["SET"] {
			violating++
		}
	}
	if all != 792 || violating != 68 {
		t.Errorf("%d of %d", violating, all)
	}
}

// TestSchedule runs the interleaving of that line, another one, which is no pass, and what is
// none.
func TestSchedule(t *testing.T) {
	set(t, "quiesce.schedule", "view:5,reprice:5,view:2")
	wants(t, once(t, coherent).failed, "This schedule of 1 view, 1 reprice violates coherent product:1", "GET product:1 → (nil)", "-quiesce.schedule=view:5,reprice:5,view:2")
	set(t, "quiesce.schedule", "view:7,reprice:5")
	r := once(t, coherent)
	if r.failed != "" || r.skipped != "this schedule keeps every property; nothing is proved about the others" {
		t.Errorf("%q, %q", r.failed, r.skipped)
	}
	set(t, "quiesce.schedule", "view:7,reprice:6")
	if got := once(t, coherent).failed; got != "schedule: step 13 cannot be taken: reprice has finished" {
		t.Error(got)
	}
}

// root is the directory of the module, from which tests go away.
var root, _ = os.Getwd()

// golden wants a text to be that of a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join(root, filepath.FromSlash(file))
	got += "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it is not %s; after a look at the difference: go test . -run %s -update\n%s", file, t.Name(), firstDifference(string(want), got))
	}
}

// TestHolds is a catalogue without a cache: two tasks of three steps, which are a start, a
// request and an arrival, so 6 over 3 interleavings.
func TestHolds(t *testing.T) {
	log := once(t, func(w *quiesce.World) {
		s := newShop(w)
		w.Server("shop", func(p *quiesce.Process) {
			c := s.catalogue(p)
			p.Go("read", func(ctx context.Context) error { _, err := c.read(ctx); return err })
			p.Go("reprice", func(ctx context.Context) error { return c.write(ctx, 7900) })
		})
		w.AtQuiescence("the price is the new one", func(v quiesce.View) error {
			var price int
			if err := v.Row("db", "products", 1).Columns("price").Scan(&price); err != nil || price != 7900 {
				return fmt.Errorf("it is %d, %v", price, err)
			}
			return nil
		})
	}).passes()
	if !regexp.MustCompile(`^the price is the new one holds in every interleaving of 1 read, 1 reprice: 20, \d+ states$`).MatchString(log) {
		t.Error(log)
	}
}

// TestNoPass has what is no pass, each with its reason.
func TestNoPass(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(*quiesce.World)
		want  []string
	}{
		{"a key that is spelled wrong", func(w *quiesce.World) { race(w).Coherent("products:1", "products", 1) },
			[]string{"Nothing is proved", `the property looked up "products:1" in cache, which no state holds; cache has held product:1`, "verdict       vacuous"}},
		{"a row that is not there", func(w *quiesce.World) {
			race(w).AtQuiescence("row", func(v quiesce.View) error { v.Row("db", "products", 7).Exists(); return nil })
		}, []string{`the property looked up "products/7" in db, which no state holds; db has held products/1`}},
		{"a premise that never holds", func(w *quiesce.World) {
			race(w).AtQuiescence("nothing", func(quiesce.View) error { return nil }).Premise = func(quiesce.View) bool { return false }
		}, []string{"its premise holds in no interleaving"}},
		{"a limit", func(w *quiesce.World) { coherent(w); w.Limits.States = 50 },
			[]string{"Nothing is proved about 1 view, 1 reprice: there are more than 50 states", "verdict       incomplete"}},
		{"an error that nobody declares", func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				for _, name := range []string{"ann", "bob"} {
					p.Go(name, func(ctx context.Context) error { _, err := c.buy(ctx); return err })
				}
			})
			w.AtQuiescence("one order", oneOrder)
		}, []string{"sold out (if the protocol expects this error, declare it by p.Returns in the function of the server)", "1. ann: ", "schedule  ", "replay    go test -run '^TestPrice$' -quiesce.schedule="}},
		{"a task that panics", func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error { c.read(ctx); panic("boom") })
			})
			w.AtQuiescence("one order", oneOrder)
		}, []string{"view: panic: boom", "schedule  view:1", "replay    go test ", "front_test.go:"}},
		{"chance", func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error {
					for key := range map[string]int{"a": 1, "b": 2, "c": 3, "d": 4} {
						c.cache.Incr(ctx, key)
					}
					return nil
				})
			})
			w.AtQuiescence("a", func(v quiesce.View) error { v.Redis("cache").Exists("a"); return nil })
		}, []string{"a map"}},
	} {
		t.Run(tt.name, func(t *testing.T) { wants(t, once(t, tt.build).failed, tt.want...) })
	}
}

func oneOrder(v quiesce.View) error {
	if n := len(v.Rows("db", "orders")); n > 1 {
		return fmt.Errorf("%d orders of one piece", n)
	}
	return nil
}

// TestMistakes has worlds that make no sense: each is one line that says what to do.
func TestMistakes(t *testing.T) {
	nothing := func(context.Context) error { return nil }
	serve := func(run func(*quiesce.Process, catalogue)) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) { run(p, s.catalogue(p)) })
			w.AtQuiescence("one order", oneOrder)
		}
	}
	ask := func(ask func(quiesce.View)) func(*quiesce.World) {
		return func(w *quiesce.World) {
			race(w).AtQuiescence("asked", func(v quiesce.View) error { ask(v); return nil })
		}
	}
	for _, tt := range []struct {
		build func(*quiesce.World)
		want  string
	}{
		{func(w *quiesce.World) { newShop(w).AtQuiescence("one order", oneOrder) }, "the world has no server; add one by w.Server, with a function that builds the service and calls p.Go"},
		{func(w *quiesce.World) { race(w) }, "the world has no property; add one by w.AtQuiescence, w.Always or w.Coherent"},
		{func(w *quiesce.World) { w.Redis("cache"); w.SQLite("cache") }, "there are two stores called cache; give them different names"},
		{func(w *quiesce.World) { w.Redis("") }, `a store has no name; give it one, such as "cache"`},
		{func(w *quiesce.World) { race(w).Server("shop", nil) }, "server shop has no function; give it one that calls p.Go"},
		{func(w *quiesce.World) { race(w).Server("shop", func(*quiesce.Process) {}) }, "there are two servers called shop; give them different names"},
		{func(w *quiesce.World) { coherent(w); w.AtQuiescence("coherent product:1", oneOrder) }, "there are two properties called coherent product:1; give them different names"},
		{func(w *quiesce.World) { w.AtQuiescence("one order", nil) }, "property one order has no function; give it one that returns an error"},
		{func(w *quiesce.World) { w.Coherent("product:1", "products", 1) }, "World.Coherent is for one Redis and one database, and there are 0 and 0, called nothing; compare others by AtQuiescence"},
		{func(w *quiesce.World) { w.Redis("cache").Do() }, `Redis.Do has no command; give one, such as cache.Do("SET", "stock:1", 1)`},
		{func(w *quiesce.World) { coherent(w); w.Faults = quiesce.Faults{"boredom": 1} }, `there is no kind of fault "boredom"`},
		{func(w *quiesce.World) { coherent(w); w.SQLite("other", "CREATE TABL") }, `other: sqlite: setup statement 1: near "TABL": syntax error`},
		{func(w *quiesce.World) { coherent(w); w.SQLite("other").Migrate(os.DirFS("."), "*.sql") }, "migrations of other: *.sql: file does not exist"},
		{serve(func(*quiesce.Process, catalogue) {}), "server shop has no task; add one by p.Go"},
		{serve(func(p *quiesce.Process, c catalogue) { p.Go("a", nothing); p.Go("a", nothing) }), "front_test.go:N: there are two tasks called a; give them different names, or say how many there may be: quiesce.UpTo(2)"},
		{serve(func(p *quiesce.Process, c catalogue) { p.Go("a b", nothing) }), `front_test.go:N: a task cannot be called "a b"; give it a name without spaces, colons, commas, quotes, brackets, slashes and exclamation marks`},
		{serve(func(p *quiesce.Process, c catalogue) { p.Go("a", nil) }), "front_test.go:N: task a has no function; give it one that calls the service"},
		{serve(func(p *quiesce.Process, c catalogue) { p.Go("a", nothing, quiesce.UpTo(0)) }), "front_test.go:N: task a is there up to [0] times; give one number from 1 on"},
		{serve(func(p *quiesce.Process, c catalogue) { p.Returns(errSoldOut, errors.New("sold out")) }), `front_test.go:N: p.Returns declares two errors whose text is "sold out"; give them different texts`},
		{serve(func(p *quiesce.Process, c catalogue) { p.Returns(errors.New("1")) }), `front_test.go:N: p.Returns declares an error whose text is "1", which stands for something else; give it another text`},
		{serve(func(p *quiesce.Process, c catalogue) { p.Returns(nil) }), "front_test.go:N: p.Returns declares nil; declare the errors by which the service answers"},
		{serve(func(p *quiesce.Process, c catalogue) {
			p.Go("a", func(context.Context) error { p.Go("b", nothing); return nil })
		}), "front_test.go:N: p.Go is called after the function of the server has returned; call it there, before any task runs"},
		{func(w *quiesce.World) {
			newShop(w).AtQuiescence("one order", oneOrder)
			w.Server("shop", func(p *quiesce.Process) { w.Redis("late"); p.Go("a", nothing) })
		}, "front_test.go:N: a store is for the function that is given to quiesce.Test; inside a server or a property the world is complete"},
		{func(w *quiesce.World) {
			newShop(w).AtQuiescence("one order", oneOrder)
			n := 0
			w.Server("shop", func(p *quiesce.Process) { n++; p.Go(fmt.Sprint("a", n), nothing) })
		}, "shop: its function does not add the same tasks each time, in the same order; it must not depend on anything outside of it"},
		{func(w *quiesce.World) {
			newShop(w).AtQuiescence("one order", oneOrder)
			w.Server("db", func(p *quiesce.Process) { p.Go("a", nothing) })
		}, "a server and a store, or another server, are called db; give them different names"},
		{func(w *quiesce.World) {
			newShop(w).AtQuiescence("one order", oneOrder)
			w.Server("shop", func(p *quiesce.Process) { p.Go("a", nothing, quiesce.UpTo(2)); p.Go("a-2", nothing) })
		}, "two tasks of the world are called a-2; give them different names"},
		{ask(func(v quiesce.View) { v.Redis("cach") }), `front_test.go:N: asked: there is no Redis called "cach"; there is cache`},
		{ask(func(v quiesce.View) { v.Row("cache", "products", 1) }), `front_test.go:N: asked: there is no database called "cache"; there is db`},
		{ask(func(v quiesce.View) { v.Row("db", "product", 1) }), `front_test.go:N: asked: there is no table "product" in db; there are orders, products`},
		{ask(func(v quiesce.View) { v.Row("db", "products") }), "front_test.go:N: asked: a row of products is looked up without a key; give its primary key, or use Rows"},
		{ask(func(v quiesce.View) { v.Row("db", "products", 1).Scan(new(int)) }), "front_test.go:N: asked: products/1 has the columns id, price, name, and 1 variables are to get them; name those that you want by Columns"},
		{ask(func(v quiesce.View) { v.Row("db", "products", 1).Columns("cost").Scan(new(int)) }), `front_test.go:N: asked: products/1 has no column "cost"; it has id, price, name`},
		{ask(func(v quiesce.View) { v.Row("db", "products", 1).Columns("name").Scan(new(int)) }), "front_test.go:N: asked: column name of products/1: Desk lamp does not fit a int"},
		{ask(func(v quiesce.View) { v.Memory("shop") }), "front_test.go:N: asked: server shop shows nothing of its memory; call p.Show in its function"},
		{ask(func(v quiesce.View) { v.Memory("shopp") }), `front_test.go:N: asked: there is no server called "shopp"; there is shop`},
		{ask(func(v quiesce.View) { v.Result("vew", new(int)) }), `front_test.go:N: asked: there is no task called "vew"; there are view, reprice`},
		{ask(func(v quiesce.View) { v.Outcome("vew") }), `front_test.go:N: asked: there is no task called "vew"; there are view, reprice`},
		{ask(func(v quiesce.View) { v.Redis("cache").JSON("product:1", new(int)) }), `front_test.go:N: asked: product:1 in cache is {"ID":1,"Price":9900}, which cannot be decoded: json: cannot unmarshal object into Go value of type int; use String if that is what it should be`},
	} {
		t.Run("", func(t *testing.T) {
			r := once(t, tt.build)
			if got := regexp.MustCompile(`front_test\.go:\d+`).ReplaceAllString(r.failed, "front_test.go:N"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	r := once(t, serve(func(*quiesce.Process, catalogue) { panic("boom") }))
	wants(t, r.failed, "the function of server shop fails: panic: boom\n", "front_test.go:")
	r = once(t, serve(func(p *quiesce.Process, c catalogue) { c.read(t.Context()); p.Go("a", nothing) }))
	wants(t, r.failed, "the function of server shop makes a request; it builds the service, and requests are made by tasks: p.Go, or p.Boot for what comes first\n", "front_test.go:")
	r = once(t, ask(func(v quiesce.View) { panic("boom") }))
	wants(t, r.failed, "asked panics at front_test.go:", "boom; it was asked about cache {")
}

// TestKept: a counterexample is kept and tried first. It ends the test as long as it is the
// same, it is searched again if the code asks for something else, and afterwards it is no
// failure.
func TestKept(t *testing.T) {
	t.Chdir(t.TempDir())
	const file = "testdata/quiesce/TestShop/cold_start/coherent-product-1.json"
	shop := func(write func(catalogue, context.Context) error) *recorder {
		return test(t, "TestShop/cold_start", func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err })
				p.Go("reprice", func(ctx context.Context) error { return write(c, ctx) })
			})
			w.Coherent("product:1", "products", 1)
		})
	}
	invalidate := func(c catalogue, ctx context.Context) error { return c.reprice(ctx, 7900) }
	first := shop(invalidate)
	wants(t, first.failed, "68 of 792", "go test -run '^TestShop$/^cold_start$' -quiesce.schedule=")
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := shop(invalidate)
	wants(t, again.log(), "the counterexample in "+file+" still violates coherent product:1, so nothing else was explored; delete the file to search again")
	wants(t, again.failed, "the schedule of the file still violates coherent product:1", "GET product:1", "replay ")

	// Another price is another request, which needs another search and is kept.
	other := shop(func(c catalogue, ctx context.Context) error { return c.reprice(ctx, 6900) })
	wants(t, other.log(), "still violates coherent product:1 by other steps, so it is searched again")
	wants(t, other.failed, "68 of 792")
	if now, err := os.ReadFile(file); err != nil || string(now) == string(kept) {
		t.Errorf("it is not kept anew: %v", err)
	}

	// Nobody changes the price: there is no second request of reprice.
	fixed := shop(func(c catalogue, ctx context.Context) error { _, err := c.read(ctx); return err })
	wants(t, fixed.passes(), "the counterexample of coherent product:1 in "+file+" does not apply any more, step 9 cannot be taken: reprice has finished; delete the file", "holds")
	fixed = shop(func(c catalogue, ctx context.Context) error {
		_, err := c.read(ctx)
		return errors.Join(err, c.cache.Get(ctx, "other").Err(), nil)
	})
	_ = fixed

	if err := os.WriteFile(file, []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	broken := shop(invalidate)
	wants(t, broken.log(), "cannot be tried: not a trace file: it has no version")
	wants(t, broken.failed, "68 of 792")
	set(t, "quiesce.keep", "false")
	if log := shop(invalidate).log(); log != "" {
		t.Error(log)
	}
}

// TestKeptNoLonger is a kept counterexample that can still be run and keeps the property.
func TestKeptNoLonger(t *testing.T) {
	t.Chdir(t.TempDir())
	price := int64(7900)
	shop := func() *recorder {
		return test(t, "TestShop", func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err })
				p.Go("reprice", func(ctx context.Context) error { return c.reprice(ctx, price) })
			})
			w.Coherent("product:1", "products", 1)
		})
	}
	shop()
	price = 9900 // what it is anyway
	wants(t, shop().passes(), "the counterexample in testdata/quiesce/TestShop/coherent-product-1.json violates coherent product:1 no longer; keep the file to try it first, or delete it", "coherent product:1 holds")
}

// TestPages writes a page for every property.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	set(t, "quiesce.html", dir)
	t.Chdir(t.TempDir())
	test(t, "TestShop/cold start", func(w *quiesce.World) {
		coherent(w)
		w.AtQuiescence("the price is positive", func(v quiesce.View) error {
			if price := 0; v.Row("db", "products", 1).Columns("price").Scan(&price) != nil || price <= 0 {
				return fmt.Errorf("it is %d", price)
			}
			return nil
		})
	})
	for file, want := range map[string]string{"coherent-product-1.html": "coherent product:1 is violated", "the-price-is-positive.html": "the price is positive holds"} {
		page, err := os.ReadFile(filepath.Join(dir, "TestShop", "cold-start", file))
		if err != nil {
			t.Fatal(err)
		}
		wants(t, string(page), want)
	}
}

// TestSeveral properties have a verdict each, in one failure.
func TestSeveral(t *testing.T) {
	r := once(t, func(w *quiesce.World) {
		race(w).Coherent("product:1", "products", 1)
		w.AtQuiescence("the price has changed", func(v quiesce.View) error {
			var price int
			if err := v.Row("db", "products", 1).Columns("price").Scan(&price); err != nil || price == 9900 {
				return fmt.Errorf("it is %d, %v", price, err)
			}
			return nil
		})
		w.Always("no old price", func(v quiesce.View) error {
			var row struct{ Price int }
			if v.Row("db", "products", 1).JSON(&row) && row.Price == 7900 {
				return errors.New("it is new")
			}
			return nil
		})
	})
	wants(t, r.failed, "2 of 3 properties do not hold", "violate coherent product:1", "violated: coherent product:1", "792 interleavings of 1 view, 1 reprice violate no old price", "it is new")
	wants(t, r.log(), "the price has changed holds in every interleaving of 1 view, 1 reprice: 792")
}

// TestGrowth explores the smallest workloads first: two buyers are the least that buy too
// much, and with -short there is one.
func TestGrowth(t *testing.T) {
	t.Chdir(t.TempDir())
	build := func(most quiesce.UpTo) func(w *quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Returns(errSoldOut)
				p.Go("buy", func(ctx context.Context) error {
					var sold int
					if err := c.db.QueryRowContext(ctx, "SELECT count(*) FROM orders").Scan(&sold); err != nil {
						return err
					} else if sold > 0 {
						return errSoldOut
					}
					_, err := c.db.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (1, 9900)")
					return err
				}, most)
				p.Go("view", func(ctx context.Context) error { _, err := c.read(ctx); return err }, 2)
			})
			w.AtQuiescence("one order", oneOrder)
		}
	}
	r := test(t, "TestGrowth", build(3))
	wants(t, r.failed, "2 buy, 1 view violate", "workload      2 buy, 1 view (the last of 3)", "proved        1 buy, 1 view: 3 interleavings", "1 buy, 2 view: ", "no smaller workload violates one order (3 workloads", "buy-1", "schedule      buy-1:1,buy-2:2,buy-1:1,view:1")
	wants(t, test(t, "TestGrowth", build(3)).log(), "still violates") // of that workload
	set(t, "quiesce.schedule", "buy-1:1,buy-2:2,buy-1:1,view:1")
	wants(t, test(t, "TestGrowth", build(3)).failed, "This schedule of 2 buy, 1 view violates one order: 2 orders of one piece")
	set(t, "quiesce.schedule", "")
	wants(t, test(t, "TestOne", build(1)).passes(), "one order holds in every interleaving of 2 workloads, up to 1 buy, 2 view: ", " states")
	set(t, "test.short", "true")
	wants(t, test(t, "TestShort", build(3)).passes(), "one order holds in every interleaving of 1 buy, 1 view (-short: the smallest of 6 workloads): 3, ")
}

// TestDeadline: a search that the deadline of the test ends is no pass.
func TestDeadline(t *testing.T) {
	t.Chdir(t.TempDir())
	r := (&recorder{T: t, name: "TestDeadline", end: time.Now()}).test(coherent)
	wants(t, r.failed, "Nothing is proved about 1 view, 1 reprice: interrupted by the deadline of the test.", "verdict       incomplete")
	r = (&recorder{T: t, name: "TestDeadline", end: time.Now().Add(time.Hour)}).test(coherent)
	wants(t, r.failed, "68 of 792")
}

// TestView looks everything up that a view has.
func TestView(t *testing.T) {
	r := once(t, func(w *quiesce.World) {
		s := newShop(w)
		s.db.Exec("CREATE TABLE stock (shop TEXT, product INTEGER, pieces INTEGER, PRIMARY KEY (shop, product)) WITHOUT ROWID", "INSERT INTO stock VALUES ('Bonn', 1, 7), ('7', 2, NULL)")
		s.cache.Do("SET", "product:1", `{"ID":1,"Price":1}`, "EX", 60)
		s.cache.Do("SET", "product:10", "x")
		s.cache.Do("HSET", "cart:7", "1", 9900, "a b", "c:d")
		w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
			c := s.catalogue(p)
			local := map[string]any{"text": "plain", "item": item{1, 2}}
			p.Show(func() map[string]any { return local })
			p.Returns(errSoldOut, quiesce.ErrSnapshot)
			p.GoResult("view", func(ctx context.Context) (any, error) { return c.view(ctx) })
			for _, name := range []string{"ann", "bob"} {
				p.GoResult(name, func(ctx context.Context) (any, error) { return c.buy(ctx) })
			}
		})
		w.AtQuiescence("all is there", func(v quiesce.View) error {
			cache := v.Redis("cache")
			var it item
			text, ok := cache.String("product:10")
			ttl, has := cache.TTL("product:1")
			never, _ := cache.TTL("product:10")
			got := []any{cache.JSON("product:1", &it), it, text, ok, ttl, has, never, cache.Names("product:"), cache.Hash("cart:7"), cache.Exists("cart:7")}
			if want := `[true {1 1} x true 1m0s true 0s [product:1 product:10] map[1:9900 a b:c:d] true]`; fmt.Sprint(got) != want {
				return fmt.Errorf("the cache: %v, not %s", got, want)
			}
			var (
				id      int64
				price   uint16
				name    *string
				pieces  sql.NullInt64
				nothing *int
				where   string
				any     any
				row     struct{ Name string }
			)
			err := errors.Join(v.Row("db", "products", 1).Scan(&id, &price, &name), v.Row("db", "stock", "Bonn", 1).Columns("PIECES").Scan(&pieces),
				v.Row("db", "stock", "7", 2).Columns("pieces", "shop").Scan(&nothing, &where), v.Row("db", "products", 1).Columns("price").Scan(&any))
			if err != nil {
				return err
			}
			got = []interface{}{id, price, *name, pieces, nothing, where, any, v.Row("db", "products", 1).Columns("name").JSON(&row), row, len(v.Rows("db", "stock")), len(v.Rows("db", "orders"))}
			if want := `[1 9900 Desk lamp {7 true} <nil> 7 9900 true {Desk lamp} 2 1]`; fmt.Sprint(got) != want {
				return fmt.Errorf("the database: %v, not %s", got, want)
			}
			local := v.Memory("shop-1")
			text, _ = local.String("text")
			if !local.JSON("item", &it) || it.Price != 2 || text != "plain" {
				return fmt.Errorf("the memory: %v, %s", it, text)
			}
			var seen item
			if !v.Result("view", &seen) || seen.Price != 1 || v.Outcome("view") != nil {
				return fmt.Errorf("view: %v", seen)
			}
			bought := 0
			for _, who := range []string{"ann", "bob"} {
				var paid int
				switch err := v.Outcome(who); {
				case v.Result(who, &paid) && paid == 9900 && err == nil:
					bought++
				case err != errSoldOut && err != quiesce.ErrSnapshot: // who is told in a snapshot that there is one
					println("XX", who, paid, fmt.Sprint(err))
					return fmt.Errorf("%s: %d, %v", who, paid, err)
				}
			}
			if bought != 1 {
				println("YY", bought, fmt.Sprint(v.Outcome("ann"), v.Outcome("bob")))
				return fmt.Errorf("%d of two buy", bought)
			}
			return nil
		})
	})
	wants(t, r.passes(), "all is there holds in every interleaving of 1 view, 1 ann, 1 bob: ", "caveat: ")
}

// TestCoherent compares keys and rows in every form, where the cache is what the setup says
// and nobody changes anything.
func TestCoherent(t *testing.T) {
	for _, tt := range []struct {
		command string // that makes the key
		sql     string // that makes the row of t
		column  string
		want    string // "" is coherent; else a part of the failure
	}{
		{`SET|k|{"ID":1,"Price":9900}`, "1, 9900, 'x'", "", ""},
		{`SET|k|{"ID":1,"Price":9900.0}`, "1, 9900, 'x'", "", ""},
		{`SET|k|{"price":"9900"}`, "1, 9900, 'x'", "", ""},
		{`SET|k|{"note_":"x","p_RICE":9.5}`, "1, 9.5, 'x'", "", ""},
		{`SET|k|{"price":true}`, "1, 1, 'x'", "", ""},
		{`SET|k|{"price":null}`, "1, NULL, 'x'", "", ""},
		{`SET|k|{"note":"2026-01-02T03:04:05Z"}`, "1, 1, '2026-01-02 03:04:05'", "", ""},
		{`SET|k|{"note":"aGk="}`, "1, 1, x'6869'", "", ""},
		{`SET|k|{"note":{"a":1}}`, `1, 1, '{"a":1}'`, "", ""},
		{`SET|k|9900`, "1, 9900, 'x'", "price", ""},
		{`SET|k|x`, "1, 9900, 'x'", "note", ""},
		{`SET|k|{"a":1}`, `1, 9900, '{"a":1}'`, "note", ""},
		{`HSET|k|price|9900|note|x y`, "1, 9900, 'x y'", "", ""},
		{`SET|k|null`, "2, 1, 'x'", "", ""},
		{`SET|k|{"ID":1,"Price":9901}`, "1, 9900, 'x'", "", `k: the cache holds {"ID":1,"Price":9901}, the database {"id":1,"price":9900,"note":"x"}.`},
		{`SET|k|{"price":"09900"}`, "1, 9900, 'x'", "", `the database {`},
		{`SET|k|{"price":false}`, "1, 1, 'x'", "", `the database {`},
		{`SET|k|{"price":null}`, "1, 0, 'x'", "", `the database {`},
		{`SET|k|{"note":""}`, "1, 0, NULL", "", `the database {`},
		{`SET|k|{"note":"2026-01-02T03:04:05Z"}`, "1, 1, '2026-01-02 03:04:06'", "", `the database {`},
		{`SET|k|9901`, "1, 9900, 'x'", "price", "k: the cache holds 9901, the database 9900."},
		{`HSET|k|price|9900|note|x`, "1, 9900, 'x y'", "", `the database {`},
		{`SET|k|null`, "1, 1, 'x'", "", "k: the cache holds null, the database {"},
		{`SET|k|{"id":2}`, "2, 1, 'x'", "", `k: the cache holds {"id":2}, the database no such row.`},
		{`SET|k|{"cost":1}`, "1, 1, 'x'", "", `front_test.go:N: coherent k: the field "cost" of k is no column of t, which has id, price, note; compare them by AtQuiescence`},
		{`SET|k|9900`, "1, 9900, 'x'", "", `front_test.go:N: coherent k: k holds no object, and more than one column of t may be meant; name it: w.Coherent(...).Column("note")`},
		{`RPUSH|k|9900`, "1, 9900, 'x'", "", `front_test.go:N: coherent k: k holds a list; World.Coherent compares JSON, plain values and hashes; compare it by AtQuiescence`},
	} {
		r := once(t, func(w *quiesce.World) {
			cache, db := w.Redis("cache"), w.SQLite("db", "CREATE TABLE t (id INTEGER PRIMARY KEY, price, note)", "INSERT INTO t VALUES ("+tt.sql+"), (7, 7, 7)")
			var command []any
			for word := range strings.SplitSeq(tt.command, "|") {
				command = append(command, word)
			}
			cache.Do(command...)
			w.Server("shop", func(p *quiesce.Process) {
				p.Go("read", func(ctx context.Context) error {
					cache.Client(p).Exists(ctx, "k")
					return db.Open(p).QueryRowContext(ctx, "SELECT 1 FROM t").Scan(new(int))
				})
			})
			w.Coherent("k", "t", 1).Column(tt.column)
		})
		got := regexp.MustCompile(`front_test\.go:\d+`).ReplaceAllString(r.failed, "front_test.go:N")
		// A row that no state has is nothing to compare with.
		if vacuous := strings.HasPrefix(tt.sql, "2") && strings.Contains(got, `looked up "t/1" in db, which no state holds`); tt.want == "" && got != "" && !vacuous || !strings.Contains(got, tt.want) {
			t.Errorf("%s and %s: %s", tt.command, tt.sql, got)
		}
	}
}

// TestServers: the tasks are spread over servers in turn. Two readers that are alone on a
// server are interchangeable, as long as no property tells them apart.
func TestServers(t *testing.T) {
	build := func(n int, tell bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Servers("shop", n, func(p *quiesce.Process) {
				c := s.catalogue(p)
				if n == 2 {
					name := p.Name() // which is another one on every server
					p.Show(func() map[string]any { return map[string]any{"name": name} })
				}
				p.GoResult("read", func(ctx context.Context) (any, error) { it, err := c.read(ctx); return it.Price, err }, 2)
				p.Go("reprice", func(ctx context.Context) error { return c.write(ctx, 7900) })
			})
			w.AtQuiescence("a price", func(v quiesce.View) error {
				names := v.Tasks("read")
				if len(names) < 2 {
					return nil
				}
				prices := map[string]int{}
				for _, name := range names {
					var price int
					if v.Result(name, &price); price != 9900 && price != 7900 {
						return fmt.Errorf("%s has read %d", name, price)
					}
					prices[name] = price
				}
				if tell && prices["read-1"] == 7900 && prices["read-2"] == 9900 {
					return errors.New("in this order")
				}
				return nil
			})
		}
	}
	// Alone on their servers two readers and a writer have one step each: 3! interleavings.
	wants(t, once(t, build(quiesce.PerTask, false)).passes(), "2 workloads, up to 2 read, 1 reprice: 8, ")
	wants(t, once(t, build(quiesce.PerTask, true)).failed, "1 of 6 interleavings of 2 read, 1 reprice violates a price", "schedule      read-2:1,reprice:1,read-1:1")
	// On two servers, read-1 and reprice share the first: three steps each, and one step of the
	// other, which are 7!/(3! 3!) = 140.
	wants(t, once(t, build(2, false)).passes(), "2 workloads, up to 2 read, 1 reprice: ")
	wants(t, once(t, build(2, true)).failed, "26 of 140 interleavings", "in this order", "shop-2 │")
}

// TestFaults: what holds while nothing fails is violated by one fault.
func TestFaults(t *testing.T) {
	build := func(faults quiesce.Faults) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Faults = faults
			w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("reprice", func(ctx context.Context) error { return c.reprice(ctx, 7900) })
			})
			s.cache.Do("SET", "product:1", `{"ID":1,"Price":9900}`)
			w.Coherent("product:1", "products", 1)
			w.AtQuiescence("whoever is told nothing has written", func(v quiesce.View) error {
				var price int
				v.Row("db", "products", 1).Columns("price").Scan(&price)
				if err := v.Outcome("reprice"); err == nil && price != 7900 || err != nil && err != quiesce.ErrFailed {
					return fmt.Errorf("%d, %v", price, err)
				}
				return nil
			})
		}
	}
	wants(t, once(t, build(nil)).passes(), "coherent product:1 holds in every interleaving of 1 reprice: 1, ")
	r := once(t, build(quiesce.Faults{quiesce.LostRequest: 1}))
	wants(t, r.failed, "of 1 reprice, faults lost-request=1 violate", "coherent product:1 holds with no fault; one lost-request breaks it", "reprice!lost-request", "'-quiesce.schedule=reprice:1,reprice!lost-request'")
	wants(t, r.log(), "whoever is told nothing has written holds")
	r = once(t, func(w *quiesce.World) {
		s := newShop(w)
		w.Faults = quiesce.Faults{quiesce.Crash: 1}
		w.Server("shop", func(p *quiesce.Process) {
			c := s.catalogue(p)
			p.Go("reprice", func(ctx context.Context) error { return c.reprice(ctx, 7900) })
		})
		w.AtQuiescence("no crash", func(v quiesce.View) error { return v.Outcome("reprice") }).Premise = func(quiesce.View) bool { return true }
	})
	wants(t, r.failed, "violate no crash, such as this one: the process of the task crashed", "!crash(shop)")
}

// TestTimed: a price that is old for at most a minute is so only if time passes.
func TestTimed(t *testing.T) {
	build := func(timing *quiesce.Timing) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Timing = timing
			w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("fill", func(ctx context.Context) error {
					return c.cache.Set(ctx, "product:1", `{"ID":1,"Price":1}`, 2*time.Second).Err()
				})
				p.Go("wait", func(ctx context.Context) error {
					time.Sleep(10 * time.Second)
					return c.cache.Exists(ctx, "product:1").Err()
				})
			})
			w.AtQuiescence("gone", func(v quiesce.View) error {
				if v.Redis("cache").Exists("product:1") {
					return errors.New("it is there")
				}
				return nil
			})
		}
	}
	wants(t, once(t, build(nil)).failed, "of 1 fill, 1 wait violate", "it is there")
	wants(t, once(t, func(w *quiesce.World) {
		race(w).Timing = &quiesce.Timing{MaxStall: time.Second}
		w.Server("worker", func(p *quiesce.Process) {
			p.Go("work", func(context.Context) error { return errSoldOut })
		})
		w.AtQuiescence("anything", func(quiesce.View) error { return nil })
	}).failed, "work: sold out (if the protocol expects this error, declare it by p.Returns in the function of the server)")
	// A task may begin at any time, also after the other one has waited.
	wants(t, once(t, build(&quiesce.Timing{MaxStall: time.Second})).failed, "of 1 fill, 1 wait, no call longer than 1s violate", "1s passes")
}

// TestNames looks a name up in several bubbles, as clients do that ask where their server is.
func TestNames(t *testing.T) {
	r := once(t, func(w *quiesce.World) {
		s := newShop(w)
		w.Server("shop", func(p *quiesce.Process) {
			c := s.catalogue(p)
			p.Go("view", func(ctx context.Context) error {
				if _, err := net.LookupHost("localhost"); err != nil {
					return err
				}
				_, err := c.view(ctx)
				return err
			})
		})
		w.Coherent("product:1", "products", 1)
	})
	wants(t, r.passes(), "coherent product:1 holds in every interleaving of 1 view: 1, ")
}

// TestTimersOfOneServer: of two deadlines that are as long and were set one after the other,
// the first can pass alone. Of two that are not the shorter one passes first, which a caveat
// says, although the longer one may have been set long before.
func TestTimersOfOneServer(t *testing.T) {
	build := func(first, second time.Duration) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				busy := map[string]bool{}
				call := func(name string, d time.Duration, other string) func(context.Context) (any, error) {
					return func(ctx context.Context) (any, error) {
						ctx, cancel := context.WithTimeout(ctx, d)
						defer cancel()
						busy[name] = true
						defer delete(busy, name)
						_, err := c.db.ExecContext(ctx, "INSERT INTO orders (price) VALUES (1)")
						return fmt.Sprint(errors.Is(err, context.DeadlineExceeded), busy[other]), nil
					}
				}
				p.GoResult("first", call("first", first, "second"))
				p.GoResult("second", call("second", second, "first"))
			})
			w.AtQuiescence("both or none", func(v quiesce.View) error {
				var first, second string
				v.Rows("db", "orders")
				v.Result("first", &first)
				if v.Result("second", &second); first == "true true" && strings.HasPrefix(second, "false") {
					return errors.New("the first is late while the second is at work, and that is not")
				}
				return nil
			})
		}
	}
	wants(t, once(t, build(time.Second, time.Second)).failed, "both or none", "the second is at work", "timer")
	wants(t, once(t, build(2*time.Second, time.Second)).passes(), "caveat: of two timers of shop the shorter one fires first, whenever it was set; set a timing")
}

// TestHasty: untimed, no deadline passes between two commands of Redis, which is the
// caveat. Timed, the first one is executed and the second one is not even sent.
func TestHasty(t *testing.T) {
	build := func(timing *quiesce.Timing, deadline time.Duration) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Timing = timing
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("write", func(ctx context.Context) error {
					ctx, cancel := context.WithTimeout(ctx, deadline)
					defer cancel()
					c.cache.Set(ctx, "a", 1, 0)
					c.cache.Set(ctx, "b", 1, 0)
					return nil
				})
			})
			w.AtQuiescence("both", func(v quiesce.View) error {
				if cache := v.Redis("cache"); cache.Exists("a") && !cache.Exists("b") {
					return errors.New("half")
				}
				return nil
			})
		}
	}
	const caveat = "caveat: no time passed for shop but up to a timer, and something else is done when it does; set a timing"
	wants(t, once(t, build(nil, time.Second)).passes(), caveat)
	wants(t, once(t, build(&quiesce.Timing{MaxStall: time.Second}, time.Second)).failed, "violate both", "half")
	if log := once(t, build(nil, 1000*time.Hour)).passes(); strings.Contains(log, "caveat") {
		t.Error(log)
	}
}

// TestLeaves counts what twelve tests leave behind, in parallel: nothing.
func TestLeaves(t *testing.T) {
	set(t, "quiesce.keep", "false")
	t.Run("warm", func(t *testing.T) { (&recorder{T: t, name: "TestLeaves"}).test(coherent) })
	before := runtime.NumGoroutine()
	t.Run("all", func(t *testing.T) {
		for i := range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for range 3 {
					r := &recorder{T: t, name: fmt.Sprint("TestLeaves/", i)}
					wants(t, r.test(coherent).failed, "68 of 792", fmt.Sprintf("go test -run '^TestLeaves$/^%d$' ", i))
				}
			})
		}
	})
	for range 100 { // what ends by itself
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	all := make([]byte, 1<<20)
	t.Errorf("%d goroutines, and %d before:\n%s", runtime.NumGoroutine(), before, all[:runtime.Stack(all, true)])
}

// The lines of docs/your-service.md that stand nowhere else.
var _ = func(v quiesce.View, p *quiesce.Process) {
	cache := v.Redis("cache")         // JSON, String, TTL, Hash, Exists and Names, by key
	row := v.Row("db", "products", 1) // Scan, JSON, Columns and Exists; v.Rows has all of a table
	local := v.Memory("shop")         // what p.Show shows, by name
	_, _, _ = cache, row, local
	p.Returns(errSoldOut)
}

// TestTwice: two worlds are two tests.
func TestTwice(t *testing.T) {
	t.Chdir(t.TempDir())
	r := &recorder{T: t, name: "TestTwice"}
	wants(t, r.test(coherent).failed, "68 of 792")
	r.failed = ""
	if got := r.test(coherent).failed; got != "a test calls quiesce.Test once; give each world a test of its own by t.Run" {
		t.Error(got)
	}
}

// TestBackground: a subscriber that is there before the server serves. Its message can overtake
// what a view fills the memory with, but not what was there before.
func TestBackground(t *testing.T) {
	build := func(fill bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Server("reader", func(p *quiesce.Process) {
				c := s.catalogue(p)
				local := map[string]any{}
				if !fill {
					local["product:1"] = item{1, 9900}
				}
				p.Show(func() map[string]any { return local })
				p.Boot("subscriber", func(ctx context.Context) error {
					messages := c.cache.Subscribe(ctx, "changed")
					for {
						m, err := messages.ReceiveMessage(ctx)
						if err != nil {
							return err
						}
						delete(local, m.Payload)
					}
				})
				p.Go("view", func(ctx context.Context) error {
					if _, ok := local["product:1"]; ok {
						return c.cache.Exists(ctx, "other").Err() // what it does then
					}
					it, err := c.read(ctx)
					if fill {
						local["product:1"] = it
					}
					return err
				})
			})
			w.Server("writer", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("reprice", func(ctx context.Context) error {
					if err := c.write(ctx, 7900); err != nil {
						return err
					}
					return c.cache.Publish(ctx, "changed", "product:1").Err()
				})
			})
			w.AtQuiescence("the memory is new", func(v quiesce.View) error {
				var it item
				if v.Memory("reader").JSON("product:1", &it) && it.Price != 7900 {
					return fmt.Errorf("it holds %d", it.Price)
				}
				return nil
			})
		}
	}
	wants(t, once(t, build(false)).passes(), "the memory is new holds in every interleaving of 1 view, 1 reprice: ")
	// The message comes in four steps, one after the other, beside the three of view. Only where
	// view has read before all of them, and is told so after them, the memory is old: 7 over 3.
	wants(t, once(t, build(true)).failed, "1 of 35 interleavings of 1 view, 1 reprice violates the memory is new, such as this one: it holds 9900",
		"│ subscriber/1 │", "receive", "schedule      view:2,reprice:2,subscriber/1:2,view:1")
}

// TestTurns has goroutines that begin a transaction, or watch a key, at the same moment:
// which of them gets which connection is the same in every run, of which there are many.
func TestTurns(t *testing.T) {
	for name, work := range map[string]func(context.Context, catalogue, int) error{
		"begin": func(ctx context.Context, c catalogue, i int) error {
			tx, err := c.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := tx.QueryRowContext(ctx, "SELECT price + ? FROM products", i).Scan(new(int64)); err != nil {
				return err
			}
			return tx.Commit()
		},
		"watch": func(ctx context.Context, c catalogue, i int) error {
			return c.cache.Watch(ctx, func(tx *goredis.Tx) error { return tx.Get(ctx, "reads").Err() }, fmt.Sprint("views:", i))
		},
	} {
		once(t, func(w *quiesce.World) {
			s := newShop(w)
			s.cache.Do("SET", "reads", 0)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go(name, func(ctx context.Context) error {
					var wg sync.WaitGroup
					var errs [2]error
					for i := range errs {
						wg.Go(func() { errs[i] = work(ctx, c, i) })
					}
					wg.Wait()
					return errors.Join(errs[:]...)
				})
			})
			w.AtQuiescence("nothing is changed", func(v quiesce.View) error {
				if reads, _ := v.Redis("cache").String("reads"); reads != "0" {
					return errors.New(reads)
				}
				return nil
			})
		}).passes()
	}
}
