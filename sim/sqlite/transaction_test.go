package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

var withTransactions = []Mode{WAL, Rollback, SharedCache}

var counter = []string{
	`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)`,
	`INSERT INTO t VALUES (1, 0), (2, 0)`,
}

func newStoreIn(t testing.TB, m Mode, setup ...string) *Store {
	t.Helper()
	s, err := NewStore("db", Options{Setup: setup, Mode: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// request returns a request of a connection: BEGIN, COMMIT, ROLLBACK or any other
// statement. "-" is no connection with a name.
func request(conn, text string) sim.Request {
	c := sqlclient.Call{Kind: sqlclient.Query, SQL: text}
	if verb := sqltext.ShapeOf(text).Verb; sqltext.Writes(verb) {
		c.Kind = sqlclient.Exec
	}
	switch text {
	case "BEGIN":
		c = beginning{}.Call()
	case "BEGIN IMMEDIATE":
		c = beginning{sqlclient.Beginning{Immediate: true}}.Call()
	case "BEGIN READ ONLY":
		c = beginning{sqlclient.Beginning{ReadOnly: true}}.Call()
	case "BEGIN READ UNCOMMITTED":
		c = beginning{sqlclient.Beginning{Level: sql.LevelReadUncommitted}}.Call()
	case commitSQL:
		c = sqlclient.Call{Kind: sqlclient.Commit}
	case rollbackSQL:
		c = sqlclient.Call{Kind: sqlclient.Rollback}
	}
	body, err := c.Encode()
	if err != nil {
		panic(err)
	}
	if conn == "-" {
		conn = ""
	}
	return sim.Request{Store: "db", Body: body, Conn: conn}
}

// perform executes a request and returns what came of it.
func perform(t testing.TB, s *Store, conn, text string) string {
	t.Helper()
	before, err := s.Content()
	if err != nil {
		t.Fatal(err)
	}
	req := request(conn, text)
	reply, err := s.Execute(req)
	if err != nil {
		var b *sim.BlockedError
		if !errors.As(err, &b) {
			t.Fatalf("%s: %s: %v", conn, text, err)
		}
		if after, err := s.Content(); err != nil || after.Key() != before.Key() {
			t.Fatalf("%s: %s was blocked and has changed %q to %q, %v", conn, text, before, after, err)
		}
		return b.Error()
	}
	_, answer := s.Describe(req, reply)
	return answer
}

// script executes the lines of a script, "a: SELECT 1 -> x=1", and compares.
func script(t *testing.T, s *Store, lines string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		line = strings.TrimSpace(line)
		conn, rest, _ := strings.Cut(line, ": ")
		text, want, _ := strings.Cut(rest, " -> ")
		if got := perform(t, s, conn, text); got != want {
			t.Errorf("%s: %s -> %s, want %s", conn, text, got, want)
		}
	}
}

func TestVisibility(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   Mode
		script string
	}{
		{"a reader never waits for an open writer, and sees the last committed row", WAL, `
			w: BEGIN -> OK
			w: UPDATE t SET n = 5 WHERE id = 1 -> 1 row
			w: SELECT n FROM t WHERE id = 1 -> n=5
			-: SELECT n FROM t WHERE id = 1 -> n=0
			r: BEGIN -> OK
			r: SELECT n FROM t WHERE id = 1 -> n=0
			w: COMMIT -> OK
			-: SELECT n FROM t WHERE id = 1 -> n=5
			r: SELECT n FROM t WHERE id = 1 -> n=0
			r: COMMIT -> OK`},
		{"a snapshot is taken by the first statement that reads", WAL, `
			r: BEGIN -> OK
			r: SELECT 7 AS n -> n=7
			-: UPDATE t SET n = 1 -> 2 rows
			r: SELECT n FROM t WHERE id = 1 -> n=1
			-: UPDATE t SET n = 2 -> 2 rows
			r: SELECT n FROM t WHERE id = 1 -> n=1
			r: SELECT n FROM t WHERE id = 2 -> n=1
			r: ROLLBACK -> OK`},
		{"the second writer waits for commit", WAL, `
			a: BEGIN -> OK
			b: BEGIN -> OK
			a: UPDATE t SET n = n + 1 -> 2 rows
			b: UPDATE t SET n = n + 1 -> blocked by a
			-: UPDATE t SET n = n + 1 -> blocked by a
			c: BEGIN IMMEDIATE -> blocked by a
			a: COMMIT -> OK
			b: UPDATE t SET n = n + 1 -> 2 rows
			b: COMMIT -> OK
			-: SELECT n FROM t WHERE id = 1 -> n=2`},
		{"the second writer waits for rollback", WAL, `
			a: BEGIN -> OK
			b: BEGIN -> OK
			b: SELECT n FROM t WHERE id = 1 -> n=0
			a: UPDATE t SET n = 9 -> 2 rows
			b: UPDATE t SET n = n + 1 -> blocked by a
			a: ROLLBACK -> OK
			b: UPDATE t SET n = n + 1 -> 2 rows
			b: COMMIT -> OK
			-: SELECT n FROM t WHERE id = 1 -> n=1`},
		{"what is blocked has taken no snapshot", WAL, `
			a: BEGIN -> OK
			b: BEGIN -> OK
			a: UPDATE t SET n = 5 -> 2 rows
			b: UPDATE t SET n = 6 WHERE id = 2 -> blocked by a
			a: COMMIT -> OK
			b: SELECT n FROM t WHERE id = 1 -> n=5
			b: UPDATE t SET n = 6 WHERE id = 2 -> 1 row
			b: COMMIT -> OK`},
		{"first committer wins", WAL, `
			a: BEGIN -> OK
			b: BEGIN -> OK
			a: SELECT n FROM t WHERE id = 1 -> n=0
			b: SELECT n FROM t WHERE id = 1 -> n=0
			a: UPDATE t SET n = 1 WHERE id = 1 -> 1 row
			a: COMMIT -> OK
			b: UPDATE t SET n = 1 WHERE id = 2 -> error: database is locked
			b: SELECT n FROM t WHERE id = 1 -> n=0
			b: ROLLBACK -> OK`},
		{"a commit without a changed page makes no snapshot stale", WAL, `
			b: BEGIN -> OK
			b: SELECT n FROM t WHERE id = 1 -> n=0
			a: BEGIN IMMEDIATE -> OK
			a: UPDATE t SET n = 0 -> 2 rows
			a: COMMIT -> OK
			b: UPDATE t SET n = 3 WHERE id = 2 -> 1 row
			b: COMMIT -> OK`},
		{"immediate transactions queue, and see the latest", WAL, `
			a: BEGIN IMMEDIATE -> OK
			b: BEGIN IMMEDIATE -> blocked by a
			a: UPDATE t SET n = n + 1 WHERE id = 1 -> 1 row
			a: COMMIT -> OK
			b: BEGIN IMMEDIATE -> OK
			b: SELECT n FROM t WHERE id = 1 -> n=1
			b: ROLLBACK -> OK`},
		{"a read only transaction", WAL, `
			a: BEGIN READ ONLY -> OK
			a: UPDATE t SET n = 1 -> error: attempt to write a readonly database
			a: INSERT INTO t VALUES (3, 0) -> error: attempt to write a readonly database
			-: UPDATE t SET n = 1 -> 2 rows
			a: SELECT n FROM t WHERE id = 1 -> n=1
			-: UPDATE t SET n = 2 -> 2 rows
			a: SELECT n FROM t WHERE id = 1 -> n=1
			a: INSERT INTO t VALUES (3, 0) -> error: attempt to write a readonly database
			a: COMMIT -> OK
			a: BEGIN -> OK
			a: UPDATE t SET n = 3 -> 2 rows
			a: COMMIT -> OK`},
		{"a failed statement keeps its transaction", WAL, `
			a: BEGIN -> OK
			a: INSERT INTO t VALUES (1, 1) -> error: UNIQUE constraint failed: t.id
			-: UPDATE t SET n = 1 -> blocked by a
			a: INSERT INTO t VALUES (3, 1) -> 1 row
			a: COMMIT -> OK
			-: SELECT count(*) AS n FROM t -> n=3`},

		{"a dirty read", SharedCache, `
			w: BEGIN READ UNCOMMITTED -> OK
			r: BEGIN READ UNCOMMITTED -> OK
			w: UPDATE t SET n = 5 WHERE id = 1 -> 1 row
			r: SELECT n FROM t WHERE id = 1 -> n=5
			-: SELECT n FROM t WHERE id = 1 -> n=5
			r: UPDATE t SET n = 6 WHERE id = 1 -> blocked by w
			-: UPDATE t SET n = 6 WHERE id = 1 -> blocked by w
			w: ROLLBACK -> OK
			r: SELECT n FROM t WHERE id = 1 -> n=0
			r: UPDATE t SET n = 7 WHERE id = 1 -> 1 row
			r: COMMIT -> OK
			-: SELECT n FROM t WHERE id = 1 -> n=7`},

		{"a rollback journal: who has read keeps others from committing", Rollback, `
			a: BEGIN -> OK
			b: BEGIN -> OK
			a: SELECT n FROM t WHERE id = 1 -> n=0
			b: SELECT n FROM t WHERE id = 1 -> n=0
			-: UPDATE t SET n = 5 -> blocked by a, b
			-: UPDATE t SET n = 5 WHERE id = 7 -> blocked by a, b
			a: UPDATE t SET n = 1 WHERE id = 1 -> 1 row
			b: UPDATE t SET n = 1 WHERE id = 2 -> blocked by a
			a: COMMIT -> blocked by b
			-: SELECT n FROM t WHERE id = 1 -> n=0
			b: ROLLBACK -> OK
			a: COMMIT -> OK
			-: SELECT n FROM t WHERE id = 1 -> n=1`},
		{"a rollback journal: what is blocked has taken no lock", Rollback, `
			a: BEGIN IMMEDIATE -> OK
			b: BEGIN -> OK
			a: UPDATE t SET n = 1 WHERE id = 1 -> 1 row
			b: UPDATE t SET n = 1 WHERE id = 2 -> blocked by a
			c: BEGIN IMMEDIATE -> blocked by a
			a: COMMIT -> OK
			b: UPDATE t SET n = 1 WHERE id = 2 -> 1 row
			b: COMMIT -> OK`},
		{"a rollback journal: a writer waits for readers even if it has changed nothing", Rollback, `
			a: BEGIN IMMEDIATE -> OK
			b: BEGIN -> OK
			b: SELECT n FROM t WHERE id = 1 -> n=0
			a: UPDATE t SET n = 1 WHERE id = 7 -> 0 rows
			a: COMMIT -> blocked by b
			b: COMMIT -> OK
			a: COMMIT -> OK`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStoreIn(t, tt.mode, counter...)
			start := key(t, s)
			for range 2 { // the second time after Reset
				script(t, s, tt.script)
				if n := len(s.transactions); n != 0 {
					t.Errorf("%d transactions are open", n)
				}
				if err := s.Reset(); err != nil {
					t.Fatal(err)
				}
				s.committed = nil
				if key(t, s) != start {
					t.Fatalf("not undone: %q", mustContent(t, s))
				}
			}
		})
	}
}

// What properties see is what is committed, and a transaction that was rolled back
// leaves nothing.
func TestContentOfTransactions(t *testing.T) {
	for _, m := range withTransactions {
		t.Run(m.String(), func(t *testing.T) {
			s := newStoreIn(t, m, counter...)
			committed := mustContent(t, s)
			start := committed.Key()
			script(t, s, `
				a: BEGIN -> OK
				a: UPDATE t SET n = 5 WHERE id = 1 -> 1 row`)
			c := mustContent(t, s)
			if got := (sim.Content)(c[:2]).Key(); got != start {
				t.Errorf("committed: %q", c[:2])
			}
			want := sim.Content{
				{Name: "a", Value: "open, reads, writes, sees"},
				{Name: "a/t/1", Value: `{"id":1,"n":5}`},
				{Name: "a/t/2", Value: `{"id":2,"n":0}`},
			}
			if got := sim.Content(c[2:]); got.Key() != want.Key() {
				t.Errorf("%q, want %q", got, want)
			}
			script(t, s, `a: ROLLBACK -> OK`)
			if key(t, s) != start {
				t.Errorf("%q", mustContent(t, s))
			}
			s.committed = nil
			if key(t, s) != start {
				t.Errorf("%q is left", mustContent(t, s))
			}
		})
	}
}

// States that behave differently are different: each line leaves another content.
func TestStatesOfTransactions(t *testing.T) {
	for _, m := range withTransactions {
		s := newStoreIn(t, m, counter...)
		seen := map[string]string{}
		for _, steps := range []string{
			`a: BEGIN -> OK`,
			`a: BEGIN READ ONLY -> OK`,
			`a: BEGIN IMMEDIATE -> OK`,
			`b: BEGIN -> OK`,
			"a: BEGIN -> OK\n a: SELECT n FROM t WHERE id = 1 -> n=0",
			"a: BEGIN READ ONLY -> OK\n a: SELECT n FROM t WHERE id = 1 -> n=0",
			"a: BEGIN -> OK\n a: UPDATE t SET n = 9 WHERE id = 9 -> 0 rows", // no page is changed
			"a: BEGIN -> OK\n a: UPDATE t SET n = 0 WHERE id = 1 -> 1 row",
			"a: BEGIN -> OK\n a: UPDATE t SET n = 9 WHERE id = 1 -> 1 row",
			"a: BEGIN -> OK\n a: DELETE FROM t -> 2 rows",
			"a: BEGIN -> OK\n a: UPDATE t SET n = 9 WHERE id = 1 -> 1 row\n a: UPDATE t SET n = 0 WHERE id = 1 -> 1 row",
			"-: UPDATE t SET n = 9 -> 2 rows\n -: UPDATE t SET n = 0 -> 2 rows\n a: BEGIN -> OK\n a: INSERT INTO t VALUES (3, 0) -> 1 row",
			"a: BEGIN -> OK\n a: SELECT random() IS NULL AS n -> n=0",
		} {
			script(t, s, steps)
			if was, ok := seen[key(t, s)]; ok {
				t.Errorf("%v: %q and %q leave the same content", m, was, steps)
			}
			seen[key(t, s)] = steps
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The same rows, but a commit since: to write is an error.
	s := newStoreIn(t, WAL, counter...)
	script(t, s, `
		a: BEGIN -> OK
		a: SELECT n FROM t WHERE id = 1 -> n=0`)
	fresh := key(t, s)
	script(t, s, `
		-: UPDATE t SET n = 1 -> 2 rows
		-: UPDATE t SET n = 0 -> 2 rows`)
	if c := mustContent(t, s); c.Key() == fresh || c[2].Value != "open, reads, stale" || len(c) != 3 {
		t.Errorf("%q", c)
	}
}

func TestBusySnapshotIsAnError(t *testing.T) {
	s := newStoreIn(t, WAL, counter...)
	script(t, s, `
		a: BEGIN -> OK
		a: SELECT n FROM t WHERE id = 1 -> n=0
		-: UPDATE t SET n = 1 -> 2 rows`)
	reply, err := s.Execute(request("a", `UPDATE t SET n = 1`))
	if err != nil {
		t.Fatal(err)
	}
	r := sqlclient.Read(reply.Body, cause)
	r.Kind()
	var e sqlite3.Error
	if err := r.Err(); !errors.As(err, &e) || e.Code != sqlite3.ErrBusy || e.ExtendedCode != sqlite3.ErrBusySnapshot {
		t.Errorf("%v", err)
	}
}

func TestRefusedBeginnings(t *testing.T) {
	for _, tt := range []struct {
		mode Mode
		b    beginning
		want error
	}{
		{InMemory, beginning{}, noTransactions},
		{WAL, beginning{sqlclient.Beginning{Level: sql.LevelReadUncommitted}}, noReadUncommitted},
		{Rollback, beginning{sqlclient.Beginning{Level: sql.LevelReadUncommitted}}, noReadUncommitted},
		{WAL, beginning{sqlclient.Beginning{Level: sql.LevelReadCommitted}}, noLevel},
		{WAL, beginning{sqlclient.Beginning{Level: sql.LevelRepeatableRead}}, noLevel},
		{WAL, beginning{sqlclient.Beginning{Level: sql.LevelLinearizable}}, noLevel},
		{WAL, beginning{sqlclient.Beginning{ReadOnly: true, Immediate: true}}, noReadOnlyLock},
		{SharedCache, beginning{sqlclient.Beginning{Level: sql.LevelSerializable}}, noIsolation},
		{SharedCache, beginning{sqlclient.Beginning{Level: sql.LevelSnapshot}}, noIsolation},
		{WAL, beginning{sqlclient.Beginning{Level: sql.LevelSerializable}}, nil},
		{Rollback, beginning{sqlclient.Beginning{Level: sql.LevelSnapshot}}, nil},
		{SharedCache, beginning{}, nil},
	} {
		s := newStoreIn(t, tt.mode, counter...)
		body, _ := tt.b.Call().Encode()
		if _, err := s.Execute(sim.Request{Conn: "a#0", Body: body}); err != tt.want {
			t.Errorf("%v: %v: %v, want %v", tt.mode, tt.b, err, tt.want)
		}
	}
}

func TestDescribeTransactions(t *testing.T) {
	for _, tt := range []struct {
		c      sqlclient.Call
		awaits bool
		want   string
	}{
		{beginning{}.Call(), false, "BEGIN"},
		{beginning{sqlclient.Beginning{Immediate: true}}.Call(), false, "BEGIN IMMEDIATE"},
		{beginning{sqlclient.Beginning{Level: sql.LevelReadUncommitted, ReadOnly: true}}.Call(), false, "BEGIN ISOLATION LEVEL READ UNCOMMITTED READ ONLY"},
		{sqlclient.Call{Kind: sqlclient.Commit}, false, "COMMIT"},
		{sqlclient.Call{Kind: sqlclient.Rollback}, false, "ROLLBACK"},
		{sqlclient.Call{Kind: sqlclient.Query, SQL: "\n SELECT  1"}, true, "await SELECT 1"},
	} {
		body, err := tt.c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got := describeRequest(sim.Request{Body: body, Awaits: tt.awaits}); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestRefusedWithTransactions(t *testing.T) {
	for _, m := range withTransactions {
		s := newStoreIn(t, m, append(counter, `CREATE TABLE child (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)`, `INSERT INTO child VALUES (1)`)...)
		for query, want := range map[string]error{
			`BEGIN IMMEDIATE TRANSACTION`:   noBegin,
			`SAVEPOINT a`:                   noBegin,
			`CREATE TABLE x (a)`:            noDefinition,
			`ALTER TABLE t RENAME TO u`:     noDefinition,
			`PRAGMA query_only`:             noPragma,
			`INSERT INTO child VALUES (1)`:  noRollback,
			`SELECT last_insert_rowid()`:    noMemory,
			`SELECT 1; SELECT 2`:            noMany,
			`SELECT datetime('now', 'utc')`: noLocalTime,
		} {
			script(t, s, `a: BEGIN -> OK`)
			if _, err := s.Execute(request("a", query)); !errors.Is(err, want) {
				t.Errorf("%v: %s: %v", m, query, err)
			}
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if got := perform(t, s, "-", `INSERT INTO child VALUES (1)`); got != "error: UNIQUE constraint failed: child.id" {
			t.Errorf("%v: outside a transaction: %s", m, got)
		}
	}
	if _, err := NewStore("db", Options{Mode: WAL, Setup: []string{`PRAGMA recursive_triggers=ON`}}); !errors.Is(err, noSetupPragma) {
		t.Error(err)
	}
	if _, err := NewStore("db", Options{Mode: 9}); err == nil {
		t.Error("there is a Mode(9)")
	}
}

// Foreign keys are enforced on every connection, not only on that of the setup.
func TestForeignKeysOnEveryConnection(t *testing.T) {
	for _, m := range withTransactions {
		s := newStoreIn(t, m, append([]string{`PRAGMA foreign_keys=ON`, `CREATE TABLE u (t REFERENCES t(id))`}, counter...)...)
		script(t, s, `
			-: INSERT INTO u VALUES (9) -> error: FOREIGN KEY constraint failed
			a: BEGIN -> OK
			a: INSERT INTO u VALUES (9) -> error: FOREIGN KEY constraint failed
			a: INSERT INTO u VALUES (2) -> 1 row
			a: COMMIT -> OK`)
	}
}

// statements are those of random transactions: they insert, delete and undo, fail,
// change nothing, count up sequences, and draw random numbers.
var statements = []string{
	`SELECT n FROM t WHERE id = 1`, `SELECT * FROM t`, `SELECT 1 AS one`, `SELECT * FROM log`, `SELECT count(*) FROM LOG`,
	`UPDATE t SET n = n + 1 WHERE id = 1`, `UPDATE t SET n = 0 WHERE id = 1`, `UPDATE t SET n = 1 WHERE id = 9`, `UPDATE t SET n = 0`,
	`INSERT INTO t VALUES (1, 1)`, `INSERT OR IGNORE INTO t VALUES (1, 1)`, `INSERT OR REPLACE INTO t VALUES (2, 5)`, `DELETE FROM t WHERE id = 2`,
	`INSERT INTO log (token) VALUES (1)`, `DELETE FROM log`, `INSERT OR IGNORE INTO log (id) VALUES (1)`, `INSERT INTO log DEFAULT VALUES`,
}

var eventful = append([]string{`CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, token DEFAULT (random()))`}, counter...)

// step chooses a random step of a random connection.
func step(rng *rand.Rand, s *Store) (conn, text string) {
	conn = []string{"-", "a", "b", "c"}[rng.IntN(4)]
	from := statements
	switch {
	case conn == "-":
	case s.transactions[conn] == nil:
		from = []string{"BEGIN", "BEGIN", "BEGIN IMMEDIATE", "BEGIN READ ONLY"}
	case rng.IntN(4) == 0:
		from = []string{commitSQL, rollbackSQL}
	}
	return conn, from[rng.IntN(len(from))]
}

// TestStorm compares a store that was reset after random transactions with a fresh
// one: every reply, every content.
func TestStorm(t *testing.T) {
	for _, m := range withTransactions {
		rng := rand.New(rand.NewPCG(1, 2))
		used := newStoreIn(t, m, eventful...)
		start := key(t, used)
		blocked, stale := 0, 0
		for range 30 {
			if err := used.Reset(); err != nil {
				t.Fatal(err)
			}
			used.committed = nil
			if key(t, used) != start {
				t.Fatalf("%v: not undone: %q", m, mustContent(t, used))
			}
			fresh, err := NewStore("db", Options{Setup: eventful, Mode: m})
			if err != nil {
				t.Fatal(err)
			}
			for range 40 {
				conn, text := step(rng, used)
				it, _ := mustContent(t, used).Lookup(conn)
				wasStale := strings.Contains(it, "stale") && !strings.Contains(it, "read only")
				got, want := perform(t, used, conn, text), perform(t, fresh, conn, text)
				if got != want {
					t.Fatalf("%v: %s: %s -> %s, but in a fresh store %s", m, conn, text, got, want)
				}
				if a, b := key(t, used), key(t, fresh); a != b {
					t.Fatalf("%v: %s: %s: content %q, but in a fresh store %q", m, conn, text, a, b)
				}
				if strings.HasPrefix(got, "blocked") {
					blocked++
				} else if sqltext.Writes(sqltext.ShapeOf(text).Verb) {
					// What the content calls stale is what SQLite says.
					if failed := got == "error: database is locked"; failed != wasStale {
						t.Fatalf("%s: %s -> %s, but stale is %v", conn, text, got, wasStale)
					} else if failed {
						stale++
					}
				}
			}
			if err := fresh.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if blocked < 100 || (stale < 5) != (m != WAL) {
			t.Errorf("%v: %d were blocked, %d stale", m, blocked, stale)
		}
	}
}

// TestSameContentSameFuture looks for two ways into one content after which the
// same step has different replies or leads to different contents.
func TestSameContentSameFuture(t *testing.T) {
	type outcome struct{ reply, content, way string }
	for _, m := range withTransactions {
		rng := rand.New(rand.NewPCG(3, 4))
		s := newStoreIn(t, m, eventful...)
		known := map[string]outcome{}
		met := 0
		for range 500 {
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
			way := ""
			for range 8 {
				conn, text := step(rng, s)
				at := key(t, s) + "\n" + conn + text
				reply := perform(t, s, conn, text)
				way += fmt.Sprintf("%s: %s -> %s\n", conn, text, reply)
				now := outcome{reply, key(t, s), way}
				was, ok := known[at]
				if ok && (was.reply != now.reply || was.content != now.content) {
					t.Fatalf("%v: after\n%sit is %q, but after\n%sit is %q", m, was.way, was.content, now.way, now.content)
				}
				if ok && was.way != now.way {
					met++
				}
				known[at] = now
			}
		}
		if met < 250 {
			t.Errorf("%v: %d times a known step from a known state", m, met)
		}
	}
}

func BenchmarkResetOfMode(b *testing.B) {
	for _, m := range withTransactions {
		b.Run(m.String(), func(b *testing.B) {
			s := newStoreIn(b, m, products...)
			steps := []sim.Request{
				request("a#0", "BEGIN"), request("a#0", `SELECT price FROM products WHERE product_id = 1`),
				request("a#0", `UPDATE products SET price = 1 WHERE product_id = 1`), request("a#0", "COMMIT"), request("-", `SELECT price FROM products`),
			}
			for b.Loop() {
				for _, r := range steps {
					if _, err := s.Execute(r); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Reset(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
