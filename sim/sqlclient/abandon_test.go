package sqlclient_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

// An abandoned transaction is told so by an error, in each of its statements, and rolls
// back without a step; nothing that is deferred sees a panic, and no lock of
// database/sql is left behind.
func TestAbandonedTransaction(t *testing.T) {
	for _, mode := range []sqlite.Mode{sqlite.InMemory, sqlite.WAL} {
		store, err := sqlite.NewStore("db", sqlite.Options{Mode: mode, Setup: []string{
			"CREATE TABLE n (v INTEGER)", "INSERT INTO n VALUES (0)"}})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		ended := 0
		sys := &sim.System{Stores: []sim.Store{store}, Programs: []sim.Program{{Name: "a", New: func(p *sim.Process) []sim.Task {
			db := store.Open(p)
			return []sim.Task{func(ctx context.Context) (string, error) {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("a panic: %v", v)
					}
					ended++
				}()
				run := func(q interface {
					QueryRowContext(context.Context, string, ...any) *sql.Row
					ExecContext(context.Context, string, ...any) (sql.Result, error)
				}) error {
					var v int
					if err := q.QueryRowContext(ctx, "SELECT v FROM n").Scan(&v); err != nil {
						return err
					}
					_, err := q.ExecContext(ctx, "UPDATE n SET v = ?", v+1)
					return err
				}
				err := run(db)
				if err == nil && mode != sqlite.InMemory {
					var tx *sql.Tx
					if tx, err = db.BeginTx(ctx, nil); err == nil {
						defer tx.Rollback()
						if err = run(tx); err == nil {
							err = tx.Commit()
						}
					}
				}
				if err != nil && !errors.Is(err, sim.ErrAbandoned) && !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
				return "", err
			}}
		}}}}
		most := 3
		if mode != sqlite.InMemory {
			most = 7
		}
		for n := range most {
			e, err := sys.Start()
			if err != nil {
				t.Fatal(err)
			}
			for range n {
				if err := e.Step(0); err != nil {
					t.Fatal(err)
				}
			}
			if _, ok := e.Pending(0); ok != (n < most-1) {
				t.Fatalf("after %d steps the task is not where it should be", n)
			}
			e.Stop()
			if ended != n+1 {
				t.Errorf("mode %v: after %d steps the task has not ended", mode, n)
			}
		}
		if err := sys.Stray(); err != nil {
			t.Error(err)
		}
		ended = 0
	}
}

// A query of the pool inside of a transaction waits for ever if the pool has one
// connection.
func TestPoolOfOne(t *testing.T) {
	store, err := sqlite.NewStore("db", sqlite.Options{Mode: sqlite.WAL, Setup: []string{"CREATE TABLE n (v INTEGER)"}})
	if err != nil {
		t.Fatal(err)
	}
	sys := &sim.System{
		Stores: []sim.Store{store}, Patience: 200 * time.Millisecond,
		Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }},
		Programs: []sim.Program{{Name: "book-1", New: func(p *sim.Process) []sim.Task {
			db := store.Open(p)
			db.SetMaxOpenConns(1)
			return []sim.Task{func(ctx context.Context) (string, error) {
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return "", err
				}
				defer tx.Rollback()
				if _, err := db.ExecContext(ctx, "INSERT INTO n VALUES (1)"); err != nil {
					return "", err
				}
				return "", tx.Commit()
			}}
		}}},
	}
	_, err = explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "book-1 has asked for nothing for 200ms; it is in database/sql.(*DB).ExecContext at abandon_test.go:") {
		t.Errorf("error %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
