package shop

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

func checkout(name string) operation {
	return status(name, func(ctx context.Context, s *Shop) error {
		_, err := s.Products.Checkout(ctx, 1)
		return err
	})
}

const (
	lockedCaveat   = `a transaction was told "database is locked"; READ COMMITTED would have gone on`
	waitedCaveat   = "a request waited for a transaction; PostgreSQL and MySQL lock rows, not the database"
	snapshotCaveat = "transactions read one snapshot; at READ COMMITTED a later statement sees newer rows"
	insertCaveat   = "transactions read and insert; at READ COMMITTED two of them can both insert"
	nestedCaveat   = "a write with a SELECT inside is one step here; in PostgreSQL two of them overlap"
	idCaveat       = "ids are in the order of commits; in PostgreSQL and MySQL not always, and with gaps"
)

// TestCheckout sells the last piece in every mode. What SQLite prevents by locking its
// whole database PostgreSQL need not, which the caveats say.
func TestCheckout(t *testing.T) {
	two := func(w *world) []sim.Program { return w.apart(checkout("a"), checkout("b")) }

	w := newWorld(t, sqlite.WAL)
	w.check(oneOrder, two(w)...).holds(42, lockedCaveat, waitedCaveat, snapshotCaveat, insertCaveat, idCaveat)

	w = newWorld(t, sqlite.Rollback)
	deadlock := w.check(oneOrder, two(w)...).violated("a:4,b:2")
	contains(t, deadlock, "deadlock: a waits for b in COMMIT; b waits for a in UPDATE products")

	w = newWorld(t, sqlite.SharedCache)
	if got := w.check(oneOrder, two(w)...).violated("a:2,b:5,a:3"); got != "2 orders of one piece" {
		t.Error(got)
	}

	w = newWorld(t, sqlite.WAL) // SELECT ... FOR UPDATE
	var locking []sim.Program
	for _, o := range []operation{checkout("a"), checkout("b")} {
		p := w.serverOf(func(p *sim.Process) *Shop { return New(w.db.OpenImmediate(p), w.cache.Client(p)) }, o)
		p.Name, p.Tasks = o.name, nil
		locking = append(locking, p)
	}
	w.check(oneOrder, locking...).holds(2, waitedCaveat, insertCaveat, idCaveat)
}

// TestErrorsOfCheckout: an error is no verdict, and says what to do about it.
func TestErrorsOfCheckout(t *testing.T) {
	raw := func(name string) operation {
		return op(name, func(ctx context.Context, s *Shop) (int64, error) { return s.Products.Checkout(ctx, 1) })
	}
	w := newWorld(t, sqlite.InMemory)
	fails[*explore.ExecutionError](w.check(oneOrder, w.apart(raw("a"))...), "transactions are not supported by a store in memory", "set Options.Mode to sqlite.WAL")

	w = newWorld(t, sqlite.WAL)
	f := w.check(oneOrder, w.apart(raw("a"), discount)...)
	fails[*sim.TaskError](f, "a: database is locked", "declare it in Program.Outcomes")
	if e := fails[*explore.ExecutionError](f, "\nschedule  a:2,discount:1,a:2"); e != nil {
		if _, err := explore.Replay(w.system(oneOrder, w.apart(raw("a"), discount)...), e.Schedule); err == nil {
			t.Error("the replay of the error ends well")
		}
	}

	f = w.check(oneOrder, w.apart(raw("a"), raw("b"))...)
	contains(t, fails[*sim.TaskError](f).Error(), "(if the protocol expects this error, declare it in Program.Outcomes)")

	programs := w.apart(raw("a"), raw("b"))
	for i := range programs {
		programs[i].New = lockedIsSoldOut(programs[i].New)
		programs[i].Outcomes = []error{ErrSoldOut}
	}
	w.check(oneOrder, programs...).holds(42, lockedCaveat, waitedCaveat, snapshotCaveat, insertCaveat, idCaveat)
}

// lockedIsSoldOut has the tasks answer that it is sold out, whatever the error.
func lockedIsSoldOut(newTasks func(*sim.Process) []sim.Task) func(*sim.Process) []sim.Task {
	return func(p *sim.Process) []sim.Task {
		tasks := newTasks(p)
		for i, do := range tasks {
			tasks[i] = func(ctx context.Context) (string, error) {
				result, err := do(ctx)
				if err != nil {
					err = fmt.Errorf("%w (%v)", ErrSoldOut, err)
				}
				return result, err
			}
		}
		return tasks
	}
}

// TestFinerThanSQLite holds here and not at READ COMMITTED of PostgreSQL.
func TestFinerThanSQLite(t *testing.T) {
	redeem := func(name string) operation {
		return status(name, func(ctx context.Context, s *Shop) error { return s.Products.Redeem(ctx, 1) })
	}
	w := newWorld(t, sqlite.InMemory)
	w.check(oneOrder, w.apart(redeem("a"), redeem("b"))...).holds(2, nestedCaveat, idCaveat)

	same := sim.Property{Name: "one price in one transaction", Violation: func(v sim.View) string {
		if v.Results[0] == "false" {
			return "two prices"
		}
		return ""
	}}
	w = newWorld(t, sqlite.WAL)
	w.check(same, w.apart(operation{"quote", func(ctx context.Context, s *Shop) (string, error) {
		listed, total, err := s.Products.Quote(ctx, 1)
		return fmt.Sprint(listed == total), err
	}}, try("discount", func(ctx context.Context, s *Shop) error { return s.Products.SetPrice(ctx, 1, 7900) }))...).holds(5, snapshotCaveat)
}

// TestDialect: what SQLite cannot read ends the run, also where a service takes any error
// for an answer. What it can read is executed.
func TestDialect(t *testing.T) {
	for query, words := range map[string][]string{
		"SELECT stock FROM products WHERE id = ? FOR UPDATE":                      {"FOR UPDATE", "SQLite locks no rows", "Store.OpenImmediate"},
		"UPDATE products SET price = 1 WHERE id = ? AND NOW() > '2020'":           {"no such function: NOW"},
		"SELECT stock::int FROM products WHERE id = ?":                            {`unrecognized token: ":"`},
		"INSERT INTO products VALUES (?, 1, 1) ON DUPLICATE KEY UPDATE price = 1": {`near "DUPLICATE": syntax error`},
	} {
		w := newWorld(t, sqlite.WAL)
		f := w.check(oneOrder, w.apart(status("a", func(ctx context.Context, s *Shop) error {
			_, err := s.Products.DB.ExecContext(ctx, query, 1)
			return err
		}))...)
		fails[*explore.ExecutionError](f, append(words, "SQLite")...)
	}
	w := newWorld(t, sqlite.WAL)
	w.check(anything, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		var stock int64
		return s.Products.DB.QueryRowContext(ctx, "SELECT stock FROM products WHERE id = $1 AND price > $2", 1, 0).Scan(&stock)
	}))...).holds(1)
}

// TestIsolation: SQLite has no READ COMMITTED.
func TestIsolation(t *testing.T) {
	w := newWorld(t, sqlite.WAL)
	f := w.check(anything, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		return s.Products.atomically(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(*sql.Tx) error { return nil })
	}))...)
	fails[*explore.ExecutionError](f, "isolation levels other than", "use sql.LevelDefault", "1. a: BEGIN ISOLATION LEVEL READ COMMITTED")
}

// TestRowNames: rows are called by their keys, also by those that are text; and ids that
// the database gives out come back.
func TestRowNames(t *testing.T) {
	const uuid = "5f0c7c1e-9d7e-4a4e-8c7b-6a8a6d9d4c11"
	w := newWorld(t, sqlite.InMemory, "CREATE TABLE carts (id TEXT PRIMARY KEY, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
	shown := sim.Property{Name: "the cart is there", Violation: func(v sim.View) string {
		if _, ok := v.Value("db", "carts/"+uuid); !ok {
			return fmt.Sprint(v.Items("db", "carts/"))
		}
		return ""
	}}
	w.check(shown, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		_, err := s.Products.DB.ExecContext(ctx, "INSERT INTO carts (id) VALUES (?)", uuid)
		return err
	}))...).holds(1)
	w.check(oneOrder, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		r, err := s.Products.DB.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (1, 2)")
		if err != nil {
			return err
		}
		id, err := r.LastInsertId()
		if err != nil || id != 1 {
			return fmt.Errorf("id %d, %v", id, err)
		}
		return s.Redis.Set(ctx, fmt.Sprint("order:", id), 1, 0).Err()
	}))...).holds(1, idCaveat)
}
