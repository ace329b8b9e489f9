package sqlite

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"quiesce/sim"
)

func TestContent(t *testing.T) {
	tests := []struct {
		name  string
		setup []string
		want  sim.Content
	}{
		{"integer key", products, sim.Content{
			{Name: "products/1", Value: `{"product_id":1,"name":"Desk lamp","price":9900}`},
			{Name: "products/2", Value: `{"product_id":2,"name":"Chair","price":14900}`},
		}},
		{"text key", []string{`CREATE TABLE t (k TEXT PRIMARY KEY, v)`, `INSERT INTO t VALUES ('b', 1), ('a', NULL), ('7', x'00'), (NULL, 1.0), (NULL, 2)`}, sim.Content{
			{Name: "t/null#4", Value: `{"k":null,"v":1.0}`, Note: "rowid 4"},
			{Name: "t/null#5", Value: `{"k":null,"v":2}`, Note: "rowid 5"},
			{Name: `t/"7"`, Value: `{"k":"7","v":{"blob":"00"}}`, Note: "rowid 3"},
			{Name: "t/a", Value: `{"k":"a","v":null}`, Note: "rowid 2"},
			{Name: "t/b", Value: `{"k":"b","v":1}`, Note: "rowid 1"},
		}},
		{"no key", []string{`CREATE TABLE "a b/c" ("x ""y" TEXT, rowid)`, `INSERT INTO "a b/c" VALUES ('ü<' || char(10), 5)`}, sim.Content{
			{Name: `"a b/c"/1`, Value: `{"x \"y":"ü<\n","rowid":5}`, Note: "rowid 1"},
		}},
		{"composite key", []string{`CREATE TABLE t (a, b, n GENERATED ALWAYS AS (b + 1), PRIMARY KEY (b, a)) WITHOUT ROWID`, `INSERT INTO t VALUES ('x', 2), ('a,b', 1)`}, sim.Content{
			{Name: `t/1,"a,b"`, Value: `{"a":"a,b","b":1,"n":2}`},
			{Name: `t/2,x`, Value: `{"a":"x","b":2,"n":3}`},
		}},
		{"descending", []string{`CREATE TABLE t (id INTEGER PRIMARY KEY DESC)`, `INSERT INTO t VALUES (7)`}, sim.Content{
			{Name: `t/7`, Value: `{"id":7}`, Note: "rowid 1"}, // a quirk of SQLite: no alias of the rowid
		}},
		{"autoincrement", []string{`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)`, `INSERT INTO t VALUES (7)`, `DELETE FROM t`}, sim.Content{
			{Name: `sqlite_sequence/1`, Value: `{"name":"t","seq":7}`, Note: "rowid 1"},
		}},
		{"times", []string{`CREATE TABLE t (id INTEGER PRIMARY KEY, d DATETIME, f BOOLEAN)`, `INSERT INTO t VALUES (1, '2020-01-01', 2), (2, 0, 1)`}, sim.Content{
			{Name: `t/1`, Value: `{"id":1,"d":"2020-01-01","f":2}`},
			{Name: `t/2`, Value: `{"id":2,"d":0,"f":1}`},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustContent(t, newStore(t, tt.setup...)); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	value, _ := mustContent(t, newStore(t, products...)).Lookup("products/1")
	var row struct {
		Name  string
		Price int
	}
	if err := json.Unmarshal([]byte(value), &row); err != nil || row.Name != "Desk lamp" || row.Price != 9900 {
		t.Errorf("%+v, %v", row, err)
	}
}

func TestContentIsInjective(t *testing.T) {
	values := []string{
		`NULL`, `'null'`, `0`, `1`, `'1'`, `x'31'`, `1.0`, `'1.0'`, `1.5`, `''`, `x''`, `1e300`, `9e999`, `-9e999`, `'Inf'`,
		`'{"blob":"31"}'`, `'a"b'`, `'a\b'`, `'a' || char(0)`, `'a'`, `CAST(x'ff' AS TEXT)`, `CAST(x'fe' AS TEXT)`, `x'ff'`, `char(65533)`,
		`9007199254740992`, `9007199254740993`, `'2020-01-01'`, `'2020-01-01 00:00:00'`, `TRUE + 1`,
	}
	s := newStore(t, `CREATE TABLE t (k, v DATETIME)`, `CREATE TABLE u (k, v, PRIMARY KEY (k, v))`)
	seen := make(map[string]string)
	put := func(sql string) {
		t.Helper()
		must(t, s, sql)
		k := key(t, s)
		if was, ok := seen[k]; ok {
			t.Errorf("%s and %s have the same content", was, sql)
		}
		seen[k] = sql
		names := make(map[string]bool)
		for _, it := range mustContent(t, s) {
			if names[it.Name] {
				t.Errorf("%s: two items are called %s", sql, it.Name)
			}
			names[it.Name] = true
			if strings.HasPrefix(it.Value, "{") && !json.Valid([]byte(it.Value)) {
				t.Errorf("%s: %s is no JSON", sql, it.Value)
			}
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range values {
		put(`INSERT INTO t VALUES (` + v + `, NULL)`)
		put(`INSERT INTO t VALUES (1, 2), (` + v + `, 3)`)
	}
	put(`INSERT INTO u VALUES (` + strings.ReplaceAll(strings.Join(values, `, 1), (`), `(1.0, 1), `, ``) + `, 1)`)
	put(`INSERT INTO u VALUES ('a,b', 'c'), ('a', 'b,c'), ('a#1', NULL), ('a', NULL), ('a', NULL)`)
	put(`INSERT INTO t VALUES (1, 2), (2, 1)`) // in the other order, rows are read in that order
	put(`INSERT INTO t VALUES (2, 1), (1, 2)`)
	put(`INSERT INTO t (rowid, k) VALUES (5, 1)`)
}

func TestReset(t *testing.T) {
	s := newStore(t,
		`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE)`,
		`CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID`,
		`INSERT INTO t (v) VALUES ('a'), ('b')`,
		`INSERT INTO w VALUES ('k', 1)`,
		`CREATE VIEW v AS SELECT * FROM t`,
	)
	start := key(t, s)
	tests := [][]string{
		{`SELECT * FROM t`},
		{`INSERT INTO t (v) VALUES ('c')`, `DELETE FROM t`},
		{`DELETE FROM t`, `DELETE FROM w`, `DELETE FROM sqlite_sequence`},
		{`UPDATE w SET v = 2`},
		{`CREATE TABLE n (a)`, `INSERT INTO n VALUES (1)`},
		{`CREATE TABLE n (a)`},
		{`CREATE TABLE n (b)`},
		{`CREATE INDEX i ON t (v DESC)`},
		{`ALTER TABLE t ADD COLUMN x DEFAULT 5`, `UPDATE t SET x = 6`, `INSERT INTO t (v, x) VALUES ('n', 5)`},
		{`ALTER TABLE t RENAME TO t2`, `ALTER TABLE t2 RENAME COLUMN v TO y`, `INSERT INTO t2 (y) VALUES ('new')`},
		{`DROP VIEW v`},
		{`DROP TABLE w`},
		{`DROP TABLE t`, `CREATE TABLE t (z)`, `INSERT INTO t VALUES (1)`},
		{`CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM w; SELECT 1; END;`, `INSERT INTO t (v) VALUES ('x')`},
		{`CREATE TABLE copy AS SELECT * FROM t`},
	}
	rows := must(t, s, `SELECT * FROM t`)
	seen := make(map[string][]string)
	for range 2 {
		for _, sqls := range tests {
			for _, sql := range sqls {
				must(t, s, sql)
			}
			k := key(t, s)
			if was, ok := seen[k]; ok && !slices.Equal(was, sqls) {
				t.Errorf("%q and %q have the same content", was, sqls)
			}
			seen[k] = sqls
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
			if key(t, s) != start {
				t.Fatalf("%q: not undone", sqls)
			}
			s.committed = nil
			if key(t, s) != start {
				t.Fatalf("%q: not undone, but said to be", sqls)
			}
			if got := must(t, s, `SELECT * FROM t`); got != rows {
				t.Fatalf("%q: %s, want %s", sqls, got, rows)
			}
			must(t, s, `INSERT INTO t (v) VALUES ('c')`)
			if got := must(t, s, `SELECT max(id) AS id FROM t`); got != "id=3" {
				t.Fatalf("%q: %s", sqls, got)
			}
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A store that was reset says the same as a new one, the columns of SELECT * included.
func TestSchemaChangeIsSeen(t *testing.T) {
	s := newStore(t, products...)
	all := func() string { return must(t, s, `SELECT * FROM products WHERE product_id = 1`) }
	before := all()
	must(t, s, `ALTER TABLE products ADD COLUMN stock INTEGER DEFAULT 3`)
	if got := all(); got != before+" stock=3" {
		t.Error(got)
	}
	must(t, s, `ALTER TABLE products DROP COLUMN price`)
	if got := all(); got != "product_id=1 name='Desk lamp' stock=3" {
		t.Error(got)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := all(); got != before {
		t.Error(got)
	}
}
