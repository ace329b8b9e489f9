package sqlite

import (
	"errors"
	"testing"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
)

// Behind the largest rowid SQLite draws one at random, unless one is given. That is
// refused in whatever way the row gets there; what SQLite answers always the same is
// not.
func TestLastRowid(t *testing.T) {
	const last = `9223372036854775807`
	setup := []string{
		`CREATE TABLE t (x)`, `INSERT INTO t (rowid, x) VALUES (` + last + `, 0)`,
		`CREATE TABLE k (id INTEGER PRIMARY KEY, x)`, `INSERT INTO k VALUES (` + last + `, 0)`,
		`CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x)`, `INSERT INTO a VALUES (` + last + `, 0)`,
		`CREATE TABLE free (id INTEGER PRIMARY KEY, x)`,
		`CREATE TABLE cause (x)`, `CREATE TRIGGER tr AFTER INSERT ON cause BEGIN INSERT INTO t VALUES (NEW.x); END`,
	}
	for _, mode := range []Mode{InMemory, WAL, Rollback, SharedCache} {
		s := newStoreIn(t, mode, setup...)
		start := key(t, s)
		for _, c := range []struct{ sql, reply string }{
			{`INSERT INTO t VALUES (1)`, ""},
			{`INSERT INTO t SELECT 1`, ""},
			{`WITH one AS (SELECT 1) INSERT INTO k (x) SELECT * FROM one`, ""},
			{`INSERT INTO k VALUES (NULL, 1)`, ""},
			{`INSERT INTO k (x) VALUES (1) RETURNING x`, ""},
			{`REPLACE INTO k (x) VALUES (1)`, ""},
			{`INSERT INTO cause VALUES (1)`, ""},
			{`INSERT INTO free VALUES (` + last + `, 1), (NULL, 2)`, ""},
			{`INSERT INTO k VALUES (7, 1)`, "1 row"},
			{`INSERT INTO t (rowid, x) VALUES (8, 1)`, "1 row"},
			{`INSERT INTO free (x) VALUES (1)`, "1 row"},
			{`INSERT INTO a (x) VALUES (1)`, "error: database or disk is full"},
			{`INSERT INTO k VALUES (` + last + `, 1)`, "error: UNIQUE constraint failed: k.id"},
			{`UPDATE k SET x = 2`, "1 row"},
			{`DELETE FROM k`, "1 row"},
		} {
			text, err := do(s, sqlclient.Exec, c.sql)
			if mode == InMemory && errors.Is(err, noRollback) { // as SQLite does when it is full
				text, err = "error: database or disk is full", nil
			}
			if c.reply == "" && !errors.Is(err, noLastRowid) || c.reply != "" && (err != nil || text != c.reply) {
				t.Errorf("%v: %s: %q, %v", mode, c.sql, text, err)
			}
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
			if key(t, s) != start {
				t.Fatalf("%v: %s: not undone", mode, c.sql)
			}
		}
	}
}

// A rehearsal leaves nothing behind, in a transaction and outside: no row, no lock and
// no number drawn.
func TestRehearsalLeavesNothing(t *testing.T) {
	s := newStoreIn(t, WAL, `CREATE TABLE k (id INTEGER PRIMARY KEY, x)`, `INSERT INTO k VALUES (9223372036854775807, 0)`)
	other := newStoreIn(t, WAL, `CREATE TABLE k (id INTEGER PRIMARY KEY, x)`, `INSERT INTO k VALUES (100, 0)`)
	for _, c := range []struct{ conn, sql string }{
		{"", `INSERT INTO k VALUES (5, random())`},
		{"w#0", `BEGIN`}, {"w#0", `INSERT INTO k VALUES (6, random())`}, {"w#0", `COMMIT`},
		{"", `INSERT INTO k VALUES (7, random())`},
	} {
		var replies [2]sim.Reply
		for i, s := range []*Store{s, other} {
			var err error
			if replies[i], err = s.Execute(request(c.conn, c.sql)); err != nil {
				t.Fatal(err)
			}
		}
		if replies[0] != replies[1] {
			t.Errorf("%s: %q, without a rehearsal %q", c.sql, replies[0], replies[1])
		}
	}
	for _, id := range []string{"5", "6", "7"} {
		query := `SELECT x FROM k WHERE id = ` + id
		got, err := do(s, sqlclient.Query, query)
		want, err2 := do(other, sqlclient.Query, query)
		if got != want || errors.Join(err, err2) != nil {
			t.Errorf("%s: %s, without a rehearsal %s", query, got, want)
		}
	}
}
