package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
)

// TestLateStatement has a task that leaves a statement, or a transaction, behind.
func TestLateStatement(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode Mode
		late func(ctx context.Context, db *sql.DB)
	}{
		{"a statement", InMemory, func(ctx context.Context, db *sql.DB) { db.ExecContext(ctx, `UPDATE t SET n = 9`) }},
		{"a transaction", WAL, func(ctx context.Context, db *sql.DB) {
			if tx, err := db.BeginTx(ctx, nil); err == nil {
				tx.Commit()
			}
		}},
	} {
		for name, later := range map[string]func(func()){
			"go":        func(f func()) { go f() },
			"go, later": func(f func()) { go func() { time.Sleep(10 * time.Millisecond); f() }() },
			"AfterFunc": func(f func()) { time.AfterFunc(10*time.Minute, f) },
		} {
			for range 10 {
				s, err := NewStore("db", Options{Mode: tt.mode, Setup: []string{`CREATE TABLE t (id INTEGER PRIMARY KEY, n INT)`, `INSERT INTO t VALUES (1, 0)`}})
				if err != nil {
					t.Fatal(err)
				}
				sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, func(ctx context.Context, db *sql.DB) (string, error) {
					_, err := db.ExecContext(ctx, `UPDATE t SET n = 1`)
					later(func() { tt.late(context.WithoutCancel(ctx), db) })
					return "", err
				}), Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}}
				r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
				if !errors.Is(err, sim.ErrOutside) {
					t.Fatalf("%s, %s: %+v, error %v, want %v", tt.name, name, r, err, sim.ErrOutside)
				}
				s.Close()
			}
		}
	}
}

// TestNothingLeft has transactions, for each of which database/sql starts a goroutine
// that ends with the transaction or with the process: no task has left it behind.
func TestNothingLeft(t *testing.T) {
	for name, task := range map[string]work{
		"committed": increment,
		"with a context of its own": func(ctx context.Context, db *sql.DB) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return increment(ctx, db)
		},
		"with a context that is not canceled": func(ctx context.Context, db *sql.DB) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			_ = cancel
			return increment(ctx, db)
		},
	} {
		s, err := NewStore("db", Options{Mode: WAL, Setup: []string{`CREATE TABLE t (id INTEGER PRIMARY KEY, n INT)`, `INSERT INTO t VALUES (1, 0)`}})
		if err != nil {
			t.Fatal(err)
		}
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, task, task), Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}}
		r, err := explore.Product(context.Background(), sys, explore.ProductOptions{Audit: 20})
		if err != nil || r.Verdict != explore.Holds || r.Audited != 20 {
			t.Errorf("%s: %+v, error %v", name, r, err)
		}
		s.Close()
	}
}
