package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"quiesce/sim"
)

var booking = []string{
	`CREATE TABLE vets (id INTEGER PRIMARY KEY, n INTEGER)`, `INSERT INTO vets VALUES (1, 0)`,
	`CREATE TABLE slots (id INTEGER PRIMARY KEY AUTOINCREMENT, vet INTEGER, "at" INTEGER)`,
	`CREATE TABLE names (name TEXT PRIMARY KEY)`,
}

// does returns work that makes statements one after the other, in a transaction if tx
// is set. A transaction that was overtaken is rolled back, as for a caller who is told
// of a conflict.
func does(tx bool, statements ...string) work {
	return func(ctx context.Context, db *sql.DB) (string, error) {
		type executor interface {
			ExecContext(context.Context, string, ...any) (sql.Result, error)
		}
		var on executor = db
		var t *sql.Tx
		if tx {
			var err error
			if t, err = db.BeginTx(ctx, nil); err != nil {
				return "", err
			}
			defer t.Rollback()
			on = t
		}
		for _, statement := range statements {
			if _, err := on.ExecContext(ctx, statement); isBusySnapshot(err) {
				return "conflict", nil
			} else if err != nil {
				return "", err
			}
		}
		if t != nil {
			return "", t.Commit()
		}
		return "", nil
	}
}

// TestCaveats has for every caveat a smallest system that has it, beside one that does
// nearly the same and has it not.
func TestCaveats(t *testing.T) {
	const (
		read   = `SELECT n FROM vets WHERE id = 1`
		write  = `UPDATE vets SET n = n + 1 WHERE id = 1`
		insert = `INSERT INTO slots (vet, "at") VALUES (1, 10)`
	)
	for _, c := range []struct {
		name      string
		mode      Mode
		immediate bool
		tasks     []work
		want      []string
	}{
		{"single statements", WAL, false, []work{does(false, read), does(false, write)}, nil},
		{"one that writes in a transaction", WAL, false, []work{does(true, write)}, nil},
		{"two that write, one after the other", InMemory, false, []work{does(false, write), does(false, write)}, nil},

		// The second waits for the first, whatever rows they want.
		{"two that write in transactions", WAL, false, []work{does(true, write), does(true, `UPDATE vets SET n = 5 WHERE id = 2`)}, []string{waits}},
		{"two that begin with the lock", WAL, true, []work{does(true, read, write), does(true, read, write)}, []string{waits}},

		// A page that reads twice and has to find the same.
		{"one that reads twice", WAL, false, []work{does(true, read, read), does(false, write)}, []string{oneSnapshot}},
		{"one that reads twice with a rollback journal", Rollback, false, []work{does(true, read, read)}, nil},

		// A counter that is raised by what was read.
		{"two that read and write", WAL, false, []work{does(true, read, write), does(true, read, write)}, []string{tellsLocked, waits, oneSnapshot}},

		// A booking: a check and an insert.
		{"a check and an insert", WAL, false, []work{does(true, `SELECT count(*) FROM slots`, `INSERT INTO slots (id, vet) VALUES (1, 1)`)}, []string{oneSnapshot, checks}},
		{"a check and an insert with the lock", WAL, true, []work{does(true, `SELECT count(*) FROM slots`, `INSERT INTO slots (id, vet) VALUES (1, 1)`)}, []string{checks}},

		// A voucher that is redeemed once.
		{"INSERT ... SELECT", InMemory, false, []work{does(false, `INSERT INTO names SELECT 'a' WHERE (SELECT count(*) FROM names) < 1`)}, []string{selects}},
		{"UPDATE ... (SELECT", InMemory, false, []work{does(false, `UPDATE vets SET n = (SELECT count(*) FROM slots)`)}, []string{selects}},
		{"WITH ... INSERT", InMemory, false, []work{does(false, `WITH one AS (SELECT 'a' AS name) INSERT INTO names SELECT name FROM one`)}, []string{selects}},
		{"the word in quotes", InMemory, false, []work{does(false, `INSERT INTO names VALUES ('SELECT')`)}, nil},

		// Events that a consumer reads in the order of their ids.
		{"an id of the database", InMemory, false, []work{does(false, insert)}, []string{draws}},
		{"in a transaction", WAL, false, []work{does(true, insert)}, []string{draws}},
		{"quoted, with its database", InMemory, false, []work{does(false, `INSERT INTO main."slots" AS s ("vet") VALUES (1)`)}, []string{draws}},
		{"without names of columns", InMemory, false, []work{does(false, `INSERT INTO slots VALUES (NULL, 1, 10)`)}, []string{draws}},
		{"default values", InMemory, false, []work{does(false, `INSERT INTO slots DEFAULT VALUES`)}, []string{draws}},
		{"an id of one's own", InMemory, false, []work{does(false, `INSERT INTO slots (vet, [ID]) VALUES (1, 7)`)}, nil},
		{"its own, without names", InMemory, false, []work{does(false, `INSERT INTO slots VALUES (7, 1, 10)`)}, nil},
		{"no id", InMemory, false, []work{does(false, `INSERT INTO names VALUES ('a')`)}, nil},

		{"the time in a condition", InMemory, false, []work{does(false, `UPDATE vets SET n = 1 WHERE CURRENT_TIMESTAMP > '2020'`)}, []string{clocked}},
		{"the time, computed", InMemory, false, []work{does(false, `SELECT datetime('now', '+5 minutes')`)}, []string{clocked}},
		{"the time, written", InMemory, false, []work{does(false, `UPDATE vets SET n = CURRENT_TIMESTAMP WHERE id = 1`)}, nil},
	} {
		s := newStoreIn(t, c.mode, booking...)
		open := s.Open
		if c.immediate {
			open = s.OpenImmediate
		}
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(open, c.tasks...), Property: sim.Property{Violation: func(sim.View) string { return "" }}}
		direct, product := both(t, sys)
		if !slices.Equal(product.Caveats, c.want) || !slices.Equal(direct.Caveats, c.want) {
			t.Errorf("%s: %q, by the direct engine %q; want %q", c.name, product.Caveats, direct.Caveats, c.want)
		}
	}
}
