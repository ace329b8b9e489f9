package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

var products = []string{
	`CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price INTEGER NOT NULL)`,
	`INSERT INTO products VALUES (1, 'Desk lamp', 9900), (2, 'Chair', 14900)`,
}

func newStore(t testing.TB, setup ...string) *Store {
	t.Helper()
	s, err := NewStore("db", Options{Setup: setup})
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

type task = func(context.Context, *sql.DB) error

func system(s *Store, tasks ...task) *sim.System {
	sys := &sim.System{Stores: []sim.Store{s}}
	for i, f := range tasks {
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("task-%d", i+1), New: func(p *sim.Process) []sim.Task {
			db := s.Open(p)
			return []sim.Task{func(ctx context.Context) (string, error) { return "", f(ctx, db) }}
		}})
	}
	return sys
}

// play runs one task to its end, from the initial content.
func play(s *Store, f task) ([]sim.Step, error) {
	e, err := system(s, f).Start()
	if err != nil {
		return nil, err
	}
	defer e.Stop()
	for {
		if _, ok := e.Pending(0); !ok {
			return e.Trace(), nil
		}
		if err := e.Step(0); err != nil {
			return e.Trace(), err
		}
	}
}

func mustPlay(t *testing.T, s *Store, f task) []sim.Step {
	t.Helper()
	trace, err := play(s, f)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// do executes one statement without a client.
func do(s *Store, mode byte, query string) (string, error) {
	body, err := sqlclient.Call{Kind: mode, SQL: query}.Encode()
	if err != nil {
		return "", err
	}
	reply, err := s.Execute(sim.Request{Store: s.Name(), Body: body})
	_, text := s.Describe(sim.Request{Body: body}, reply)
	return text, err
}

func must(t *testing.T, s *Store, query string) string {
	t.Helper()
	mode := byte(sqlclient.Query)
	if sh := sqltext.ShapeOf(query); sqltext.Writes(sh.Verb) || sqltext.Defines(sh.Verb) {
		mode = sqlclient.Exec
	}
	text, err := do(s, mode, query)
	if err != nil || strings.HasPrefix(text, "error") {
		t.Fatalf("%s: %s %v", query, text, err)
	}
	return text
}

func key(t *testing.T, s *Store) string {
	t.Helper()
	c, err := s.Content()
	if err != nil {
		t.Fatal(err)
	}
	return c.Key()
}

func TestSteps(t *testing.T) {
	price := func(ctx context.Context, db *sql.DB) (n int, err error) {
		err = db.QueryRowContext(ctx, `SELECT price FROM products WHERE product_id = ?`, 1).Scan(&n)
		return n, err
	}
	tests := []struct {
		name  string
		steps int
		task  task
	}{
		{"nothing", 0, func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) }},
		{"query row", 1, func(ctx context.Context, db *sql.DB) error {
			if n, err := price(ctx, db); err != nil || n != 9900 {
				return fmt.Errorf("price %d: %v", n, err)
			}
			return nil
		}},
		{"exec", 2, func(ctx context.Context, db *sql.DB) error {
			res, err := db.ExecContext(ctx, `UPDATE products SET price = ?`, 1)
			if err != nil {
				return err
			}
			if n, _ := res.RowsAffected(); n != 2 {
				return fmt.Errorf("%d rows", n)
			}
			if n, err := price(ctx, db); err != nil || n != 1 {
				return fmt.Errorf("price %d: %v", n, err)
			}
			return nil
		}},
		{"rows", 2, func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, `SELECT name, price FROM products ORDER BY name`)
			if err != nil {
				return err
			}
			defer rows.Close()
			types, err := rows.ColumnTypes()
			if err != nil || types[0].DatabaseTypeName() != "TEXT" || types[1].DatabaseTypeName() != "INTEGER" {
				return fmt.Errorf("%v %v", types, err)
			}
			var names []string
			for rows.Next() {
				var name string
				var price any
				if err := rows.Scan(&name, &price); err != nil {
					return err
				}
				names = append(names, name)
				if _, ok := price.(int64); !ok {
					return fmt.Errorf("price is a %T", price)
				}
				if len(names) == 1 { // a statement between two rows
					if _, err := db.ExecContext(ctx, `DELETE FROM products`); err != nil {
						return err
					}
				}
			}
			if !slices.Equal(names, []string{"Chair", "Desk lamp"}) {
				return fmt.Errorf("%q", names)
			}
			return rows.Err()
		}},
		{"prepare", 3, func(ctx context.Context, db *sql.DB) error {
			st, err := db.PrepareContext(ctx, `INSERT INTO products (name, price) VALUES (:name, @price) RETURNING product_id`)
			if err != nil {
				return err
			}
			defer st.Close()
			for id := range 2 {
				var got int
				err := st.QueryRowContext(ctx, sql.Named("price", 5), sql.Named("name", fmt.Sprint("item", id))).Scan(&got)
				if err != nil || got != 3+id {
					return fmt.Errorf("id %d: %v", got, err)
				}
			}
			if _, err := st.ExecContext(ctx, "only one"); err == nil || err.Error() != "sql: expected 2 arguments, got 1" {
				return fmt.Errorf("arguments: %v", err)
			}
			_, err = st.Exec(sql.Named("name", "x"), sql.Named("price", 1))
			return err
		}},
		{"arguments", 0, func(ctx context.Context, db *sql.DB) error {
			for _, args := range [][]any{nil, {1, 2}} {
				if _, err := db.Exec(`DELETE FROM products WHERE product_id = ?1 OR product_id = ?1`, args...); err == nil {
					return errors.New("no error")
				}
			}
			return nil
		}},
	}
	s := newStore(t, products...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if trace := mustPlay(t, s, tt.task); len(trace) != tt.steps {
				t.Errorf("%d steps, want %d", len(trace), tt.steps)
			}
		})
	}
}

func TestResults(t *testing.T) {
	// In order: SQLite would report the ids and counts of statements before.
	s := newStore(t, append(products, `CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID`)...)
	tests := []struct {
		sql         string
		id, changes int64
	}{
		{`INSERT INTO products (name, price) VALUES ('a', 1), ('b', 2)`, 4, 2},
		{`UPDATE products SET price = 3 WHERE name IN ('a', 'b')`, 0, 2},
		{`INSERT OR IGNORE INTO products (name, price) VALUES ('a', 1)`, 0, 0},
		{`INSERT INTO products (name, price) VALUES ('a', 1) ON CONFLICT DO UPDATE SET price = 7`, 0, 1},
		{`INSERT INTO words VALUES ('x')`, 0, 1},
		{`INSERT INTO products (name, price) VALUES ('c', 1) RETURNING name`, 5, 1},
		{`DELETE FROM products WHERE product_id > 3 RETURNING price`, 0, 2},
		{`SELECT * FROM products`, 0, 0},
		{`CREATE TABLE t AS SELECT * FROM products`, 0, 0},
		{`WITH n (x) AS (VALUES (8), (9)) INSERT INTO t (product_id) SELECT x FROM n`, 5, 2},
		{`REPLACE INTO products VALUES (2, 'Chair', 1)`, 2, 1},
		{`DELETE FROM products`, 0, 3},
	}
	mustPlay(t, s, func(ctx context.Context, db *sql.DB) error {
		for _, tt := range tests {
			res, err := db.ExecContext(ctx, tt.sql)
			if err != nil {
				return fmt.Errorf("%s: %w", tt.sql, err)
			}
			id, _ := res.LastInsertId()
			changes, _ := res.RowsAffected()
			if id != tt.id || changes != tt.changes {
				t.Errorf("%s: id %d, %d rows; want id %d, %d rows", tt.sql, id, changes, tt.id, tt.changes)
			}
		}
		return nil
	})
}

func TestTypes(t *testing.T) {
	at := time.Date(2025, 3, 4, 5, 6, 7, 89, time.FixedZone("", 5400))
	s := newStore(t, `CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, f BOOLEAN, d DATETIME, n TEXT)`)
	mustPlay(t, s, func(ctx context.Context, db *sql.DB) error {
		if _, err := db.Exec(`INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)`, -5, 1.5, "it's\x00ü", []byte{0, 1}, true, at, nil); err != nil {
			return err
		}
		var (
			i int
			r float64
			x string
			b []byte
			f bool
			d time.Time
			n sql.NullString
		)
		if err := db.QueryRow(`SELECT * FROM t`).Scan(&i, &r, &x, &b, &f, &d, &n); err != nil {
			return err
		}
		if i != -5 || r != 1.5 || x != "it's\x00ü" || string(b) != "\x00\x01" || !f || !d.Equal(at) || n.Valid {
			t.Error(i, r, x, b, f, d, n)
		}
		if _, offset := d.Zone(); offset != 5400 {
			t.Errorf("offset %d", offset)
		}
		if err := db.QueryRow(`SELECT ?, ?`, []byte{}, []byte(nil)).Scan(&b, &n); err != nil || b == nil || n.Valid {
			t.Error(b, n, err)
		}
		return nil
	})
}

func TestErrors(t *testing.T) {
	s := newStore(t, products...)
	tests := []struct {
		sql, text string
		code      sqlite3.ErrNo
		extended  sqlite3.ErrNoExtended
	}{
		{`SELECT * FROM orders`, `no such table: orders`, sqlite3.ErrError, 1},
		{`INSERT INTO products VALUES (3, 'Chair', 1)`, `UNIQUE constraint failed: products.name`, sqlite3.ErrConstraint, sqlite3.ErrConstraintUnique},
		{`UPDATE products SET price = NULL`, `NOT NULL constraint failed: products.price`, sqlite3.ErrConstraint, sqlite3.ErrConstraintNotNull},
		{`SELECT abs(-9223372036854775808)`, `integer overflow`, sqlite3.ErrError, 1},
	}
	mustPlay(t, s, func(ctx context.Context, db *sql.DB) error {
		for _, tt := range tests {
			_, exec := db.Exec(tt.sql)
			var v any
			query := db.QueryRow(tt.sql).Scan(&v)
			for _, err := range []error{exec, query} {
				var e sqlite3.Error
				if !errors.As(err, &e) || e.Code != tt.code || e.ExtendedCode != tt.extended || err.Error() != tt.text {
					t.Errorf("%s: %v (%d, %d)", tt.sql, err, e.Code, e.ExtendedCode)
				}
			}
		}
		// The first row arrives, then the error.
		rows, err := db.Query(`SELECT abs(column1) FROM (VALUES (1), (-9223372036854775808))`)
		if err != nil {
			return err
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n != 1 || rows.Err() == nil || rows.Err().Error() != "integer overflow" {
			t.Errorf("%d rows, then %v", n, rows.Err())
		}
		return nil
	})
	if c, _ := s.Content(); len(c) != 2 {
		t.Errorf("content after errors: %v", c)
	}
	// Some of the rows of a statement stay if it is told to.
	if text, err := do(s, sqlclient.Exec, `INSERT OR FAIL INTO products VALUES (3, 'c', 1), (4, 'c', 1)`); err != nil || !strings.HasPrefix(text, "error: UNIQUE") {
		t.Error(text, err)
	}
	if c, _ := s.Content(); len(c) != 3 {
		t.Errorf("content after OR FAIL: %v", c)
	}
}

func TestVirtualClock(t *testing.T) {
	s := newStore(t,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, d TEXT DEFAULT (date('now')), CHECK (date(at) IS NOT NULL))`,
		`CREATE TABLE log (at TEXT)`,
		`CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (strftime('%Y', 'NOW')); END`,
	)
	tests := []struct{ expr, want string }{
		{`CURRENT_TIMESTAMP`, `'2026-01-01 00:00:00'`},
		{`CURRENT_DATE`, `'2026-01-01'`},
		{`CURRENT_TIME`, `'00:00:00'`},
		{`date()`, `'2026-01-01'`},
		{`time('Now')`, `'00:00:00'`},
		{`datetime('now', '+1 day', '-1 hour')`, `'2026-01-01 23:00:00'`},
		{`datetime(x'6e6f77')`, `'2026-01-01 00:00:00'`},
		{`datetime('now' || char(0) || 'x')`, `'2026-01-01 00:00:00'`},
		{`datetime('subsec')`, `'2026-01-01 00:00:00.000'`},
		{`datetime('now', 'subsec')`, `'2026-01-01 00:00:00.000'`},
		{`julianday('now')`, `2461041.5`},
		{`unixepoch()`, `1767225600`},
		{`unixepoch('subsecond')`, `1767225600.0`},
		{`strftime('%s')`, `'1767225600'`},
		{`strftime('%Y', 'now', '-1 year')`, `'2025'`},
		{`strftime('%Y', 0, 'unixepoch')`, `'1970'`},
		{`timediff('now', '2025-12-31')`, `'+0000-00-01 00:00:00.000'`},
		{`date(NULL)`, `NULL`},
		{`date('nonsense')`, `NULL`},
		{`date('2020-02-30', 'nonsense')`, `NULL`},
		{`strftime(NULL, 'now')`, `NULL`},
		{`strftime()`, `NULL`},
		{`date(2461041.5)`, `'2026-01-01'`},
	}
	for _, tt := range tests {
		if got := must(t, s, `SELECT `+tt.expr+` AS x`); got != "x="+tt.want {
			t.Errorf("%s: %s, want %s", tt.expr, got, tt.want)
		}
	}
	must(t, s, `INSERT INTO t (id) VALUES (1)`)
	if got := must(t, s, `SELECT t.at, d, log.at AS y FROM t, log`); got != `at='2026-01-01 00:00:00' d='2026-01-01' y='2026'` {
		t.Error(got)
	}
}

func TestVirtualRandom(t *testing.T) {
	s := newStore(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, token TEXT DEFAULT (hex(randomblob(9))))`, `INSERT INTO t (id) VALUES (1), (2), (3)`)
	start := key(t, s)
	run := func() []string {
		out := []string{must(t, s, `SELECT random() AS x, length(randomblob('4')) AS n, length(randomblob(NULL)) AS o`)}
		if _, ok := mustContent(t, s).Lookup("random"); !ok {
			t.Error("no item of the counter")
		}
		out = append(out, must(t, s, `SELECT id FROM t ORDER BY random()`))
		must(t, s, `INSERT INTO t (id) VALUES (4)`)
		return append(out, must(t, s, `SELECT token FROM t`), key(t, s))
	}
	first := run()
	if !strings.HasSuffix(first[0], " n=4 o=1") {
		t.Error(first[0])
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if key(t, s) != start {
		t.Error("Reset leaves the counter")
	}
	if second := run(); !slices.Equal(first, second) {
		t.Errorf("%q, then %q", first, second)
	}
	if other := newStore(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, token TEXT DEFAULT (hex(randomblob(9))))`, `INSERT INTO t (id) VALUES (1), (2), (3)`); key(t, other) != start {
		t.Error("the setup is random")
	}
}

func mustContent(t *testing.T, s *Store) sim.Content {
	t.Helper()
	c, err := s.Content()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestForeignStatements has what another database reads and SQLite does not: nothing that
// a task could take for an answer.
func TestForeignStatements(t *testing.T) {
	s := newStore(t, products...)
	for query, want := range map[string]string{
		`SELEC 1`:                                    `near "SELEC": syntax error`,
		`SELECT price::int FROM products`:            `unrecognized token: ":"`,
		`SELECT (1`:                                  `incomplete input`,
		`UPDATE products SET price = NOW()`:          `no such function: NOW`,
		`INSERT IGNORE INTO products DEFAULT VALUES`: `near "IGNORE": syntax error`,
	} {
		for _, mode := range []byte{sqlclient.Exec, sqlclient.Query} {
			var r refusal
			if text, err := do(s, mode, query); !errors.As(err, &r) || !strings.Contains(err.Error(), "SQLite does not understand the statement ("+want+")") {
				t.Errorf("%c %s: %q, %v", mode, query, text, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newStore(t, append(products,
		`CREATE TABLE sneaky (id INTEGER DEFAULT (changes()), x)`,
		`CREATE TABLE child (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)`,
		`INSERT INTO child VALUES (1)`,
		`CREATE VIEW v AS SELECT last_insert_rowid() AS id`,
		`CREATE TRIGGER tr BEFORE DELETE ON child BEGIN SELECT RAISE(ROLLBACK, 'no'); END`)...)
	start := key(t, s)
	tests := []struct {
		why  refusal
		sqls []string
	}{
		{noTransactions, []string{`BEGIN`, ` begin immediate`, `/* x */ COMMIT`, `END`, `ROLLBACK`, `SAVEPOINT a`, `RELEASE start`, `ROLLBACK TO start`}},
		{noMany, []string{`UPDATE products SET price = 1; UPDATE products SET price = 2`, `SELECT 1;;SELECT 2`, `;SELECT 1`,
			`CREATE TRIGGER x AFTER INSERT ON products BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 2; END; SELECT 1`}},
		{noStatement, []string{``, ` -- nothing`, `;`}},
		{noPragma, []string{`PRAGMA user_version`, `PRAGMA foreign_keys=ON`, `SELECT * FROM pragma_user_version`, `SELECT * FROM pragma_table_info('products')`}},
		{noAttach, []string{`ATTACH ':memory:' AS x`, `DETACH x`}},
		{noTemp, []string{`CREATE TEMP TABLE x (a)`, `CREATE TABLE temp.x (a)`, `CREATE TEMPORARY VIEW x AS SELECT 1`,
			`CREATE TEMP TRIGGER x AFTER INSERT ON products BEGIN SELECT 1; END`, `DELETE FROM temp."quiesce mark"`}},
		{noVirtual, []string{`CREATE VIRTUAL TABLE x USING fts4(a)`, `CREATE VIRTUAL TABLE x USING rtree(a, b, c)`}},
		{noAnalyze, []string{`ANALYZE`}},
		{noLayout, []string{`VACUUM`, `REINDEX`, `EXPLAIN SELECT 1`, `EXPLAIN QUERY PLAN SELECT 1`}},
		{noRootPage, []string{`SELECT rootpage FROM sqlite_master`, `SELECT * FROM sqlite_schema`}},
		{noMemory, []string{`SELECT last_insert_rowid()`, `SELECT CHANGES()`, `UPDATE products SET price = total_changes()`, `SELECT * FROM v`,
			`INSERT INTO sneaky (x) VALUES (1)`}},
		{noSystem, []string{`SELECT load_extension('x')`, `SELECT sqlite_log(1, 'x')`}},
		{noLocalTime, []string{`SELECT datetime('now', 'LocalTime')`, `SELECT strftime('%H', 'now', '+1 day', 'utc')`}},
		{noRollback, []string{`INSERT OR ROLLBACK INTO products VALUES (3, 'Chair', 1)`, `UPDATE OR ROLLBACK products SET price = NULL`,
			`INSERT INTO child VALUES (1)`, `DELETE FROM child`}},
		{noRowLocks, []string{`SELECT * FROM products FOR UPDATE`, `SELECT * FROM products WHERE product_id = 1 for share nowait`}},
		{noRowid, []string{`CREATE TABLE x (rowid, oid, _rowid_)`}},
	}
	for _, tt := range tests {
		for _, query := range tt.sqls {
			for _, mode := range []byte{sqlclient.Exec, sqlclient.Query} {
				if text, err := do(s, mode, query); !errors.Is(err, tt.why) {
					t.Errorf("%c %s: %q, %v", mode, query, text, err)
				}
				if err := s.Reset(); err != nil {
					t.Fatal(err)
				}
				if key(t, s) != start {
					t.Fatalf("%s: not undone", query)
				}
			}
		}
		if !strings.HasPrefix(tt.why.Error(), "quiesce: ") || !strings.Contains(tt.why.Error(), " not supported") {
			t.Errorf("%v", tt.why)
		}
	}
	for _, begin := range []task{
		func(ctx context.Context, db *sql.DB) error { db.Begin(); return nil },
		func(ctx context.Context, db *sql.DB) error {
			db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
			return nil
		},
	} {
		if _, err := play(s, begin); !errors.Is(err, noTransactions) {
			t.Errorf("Begin: %v", err)
		}
	}
}

func TestSetupRefusals(t *testing.T) {
	tests := []struct {
		want  string
		setup []string
	}{
		{string(noAttach), []string{`SELECT 1`, `ATTACH ':memory:' AS x`}},
		{string(noTemp), []string{`CREATE TEMP TABLE x (a)`}},
		{string(noVirtual), []string{`CREATE VIRTUAL TABLE x USING fts4(a)`}},
		{string(noDeferred), []string{`PRAGMA foreign_keys=ON`, `CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)`}},
		{`transaction open`, []string{`BEGIN`}},
		{`setup statement 2: near "nonsense"`, []string{`SELECT 1`, `nonsense`}},
	}
	for _, tt := range tests {
		if _, err := NewStore("db", Options{Setup: tt.setup}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.setup, err)
		}
	}
	s := newStore(t, `BEGIN`, `PRAGMA foreign_keys=ON`, `COMMIT; PRAGMA foreign_keys=ON`,
		`CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a)`, `INSERT INTO a DEFAULT VALUES; INSERT INTO b VALUES (last_insert_rowid())`)
	if text, err := do(s, sqlclient.Exec, `DELETE FROM a`); err != nil || text != "error: FOREIGN KEY constraint failed" {
		t.Error(text, err)
	}
}

func TestDescribe(t *testing.T) {
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newStore(t, append(products, `CREATE TABLE t (a, b)`)...)
	tests := []struct {
		query, mode    string
		args           []any
		request, reply string
	}{
		{"\n\tUPDATE products\n\tSET price = ? -- cents\n\tWHERE product_id = ?\n", "x", []any{5, 1}, `UPDATE products SET price = 5 WHERE product_id = 1`, `1 row`},
		{`DELETE FROM products WHERE name = ?2 AND price = ?1`, "x", []any{1, "it's"}, `DELETE FROM products WHERE name = 'it''s' AND price = 1`, `0 rows`},
		{`SELECT product_id AS id, price FROM products`, "q", nil, `SELECT product_id AS id, price FROM products`, `id=1 price=5; id=2 price=14900`},
		{`SELECT name FROM products WHERE name = '?  ?' OR name = :n`, "q", []any{sql.Named("n", "a\nb")}, `SELECT name FROM products WHERE name = '?  ?' OR name = 'a\nb'`, `(no rows)`},
		{`SELECT ? AS a, ? AS b, ? AS c, ? AS d`, "q", []any{nil, 2.0, []byte("1"), at}, `SELECT NULL AS a, 2.0 AS b, x'31' AS c, '2025-01-02 03:04:05+00:00' AS d`, `a=NULL b=2.0 c=x'31' d='2025-01-02 03:04:05+00:00'`},
		{`INSERT INTO products VALUES (1, 'x', ?)`, "x", []any{true}, `INSERT INTO products VALUES (1, 'x', TRUE)`, `error: UNIQUE constraint failed: products.product_id`},
		{`SELECT abs(column1) AS x FROM (VALUES (1), (-9223372036854775808))`, "q", nil, `SELECT abs(column1) AS x FROM (VALUES (1), (-9223372036854775808))`, `x=1; error: integer overflow`},
	}
	for _, tt := range tests {
		trace := mustPlayOn(t, s, func(ctx context.Context, db *sql.DB) error {
			if tt.mode == "x" {
				db.Exec(tt.query, tt.args...)
				return nil
			}
			rows, err := db.Query(tt.query, tt.args...)
			if err != nil {
				return err
			}
			return rows.Close()
		})
		request, reply := s.Describe(trace[0].Request, trace[0].Reply)
		if request != tt.request || reply != tt.reply {
			t.Errorf("%s\n\t-> %s\nwant\n\t%s\n\t-> %s", request, reply, tt.request, tt.reply)
		}
		if _, reply := s.Describe(trace[0].Request, sim.Reply{}); reply != "" {
			t.Errorf("no reply is %q", reply)
		}
	}
}

// mustPlayOn is mustPlay without the Reset, whatever happened before.
func mustPlayOn(t *testing.T, s *Store, f task) []sim.Step {
	t.Helper()
	p, err := system(s, f).Process(0)
	if err != nil {
		t.Fatal(err)
	}
	var trace []sim.Step
	for {
		req, ok := p.Pending().At(sim.Place{})
		if !ok {
			return trace
		}
		reply, err := s.Execute(req)
		if err != nil {
			t.Fatal(err)
		}
		trace = append(trace, sim.Step{Request: req, Reply: reply})
		if err := p.Deliver(sim.Place{}, reply); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSameScheduleSameTrace(t *testing.T) {
	s := newStore(t, append(products, `CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT DEFAULT CURRENT_TIMESTAMP, token DEFAULT (random()))`)...)
	writer := func(ctx context.Context, db *sql.DB) error {
		if _, err := db.Exec(`UPDATE products SET price = price + 1`); err != nil {
			return err
		}
		_, err := db.Exec(`INSERT INTO log DEFAULT VALUES`)
		return err
	}
	reader := func(ctx context.Context, db *sql.DB) error {
		var n, token int
		if err := db.QueryRow(`SELECT sum(price) FROM products`).Scan(&n); err != nil {
			return err
		}
		err := db.QueryRow(`SELECT token FROM log`).Scan(&token)
		if err == sql.ErrNoRows {
			err = nil
		}
		return err
	}
	sys := system(s, writer, reader, writer)
	run := func() []sim.Step {
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		for _, i := range []int{0, 1, 2, 2, 1, 0} {
			if err := e.Step(i); err != nil {
				t.Fatal(err)
			}
		}
		return slices.Clone(e.Trace())
	}
	first := run()
	for range 3 {
		if again := run(); !slices.Equal(first, again) {
			t.Fatalf("%v, then %v", first, again)
		}
	}
}

func goroutines(t *testing.T, want int) {
	t.Helper()
	var n int
	for range 100 {
		if n = runtime.NumGoroutine(); n <= want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, want %d", n, want)
}

func TestAbandon(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := NewStore("db", Options{Setup: products})
	if err != nil {
		t.Fatal(err)
	}
	f := func(ctx context.Context, db *sql.DB) error {
		st, err := db.Prepare(`SELECT price FROM products WHERE product_id = ?`)
		if err != nil {
			return err
		}
		defer st.Close()
		rows, err := db.Query(`SELECT name FROM products`)
		if err != nil {
			return err
		}
		defer rows.Close()
		defer db.Exec(`DELETE FROM products`) // also when it is abandoned
		for rows.Next() {
			var n int
			if err := st.QueryRow(1).Scan(&n); err != nil {
				return err
			}
		}
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.ExecContext(ctx, `UPDATE products SET price = 1`)
		return err
	}
	steps := len(mustPlay(t, s, f))
	if steps != 5 || s.databases.Stats().Free != 1 {
		t.Errorf("%d steps, %d databases are free", steps, s.databases.Stats().Free)
	}
	for n := range steps {
		e, err := system(s, f, f).Start()
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := e.Step(0); err != nil {
				t.Fatal(err)
			}
		}
		e.Stop()
		if s.databases.Stats().Free != 0 {
			t.Errorf("after %d steps: an abandoned database is used again", n)
		}
	}
	mustPlay(t, s, f)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	goroutines(t, before)
}

func BenchmarkExecution(b *testing.B) {
	s := newStore(b, products...)
	sys := system(s, func(ctx context.Context, db *sql.DB) error {
		var price int
		if err := db.QueryRowContext(ctx, `SELECT price FROM products WHERE product_id = ?`, 1).Scan(&price); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, `UPDATE products SET price = ? WHERE product_id = ?`, price+1, 1)
		return err
	})
	b.ReportAllocs()
	for b.Loop() {
		e, err := sys.Start() // with Reset
		if err != nil {
			b.Fatal(err)
		}
		for range 2 {
			if err := e.Step(0); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := e.View(); err != nil { // with Content
			b.Fatal(err)
		}
		e.Stop()
	}
}

func BenchmarkReset(b *testing.B) {
	s := newStore(b, products...)
	body, _ := sqlclient.Call{Kind: sqlclient.Exec, SQL: `UPDATE products SET price = 1 WHERE product_id = 1`}.Encode()
	for b.Loop() {
		if _, err := s.Execute(sim.Request{Body: body}); err != nil {
			b.Fatal(err)
		}
		if err := s.Reset(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContent(b *testing.B) {
	s := newStore(b, products...)
	for b.Loop() {
		s.committed = nil
		if _, err := s.Content(); err != nil {
			b.Fatal(err)
		}
	}
}
