package sqlite

import (
	"context"
	"database/sql/driver"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Epoch is the virtual instant at which the clock of every store stands.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// A calculator evaluates the built-in functions of SQLite, on a connection of
// its own where nothing replaces them.
type calculator struct {
	conn  *sqlite3.SQLiteConn
	stmts map[string]*sqlite3.SQLiteStmt
}

func newCalculator() (*calculator, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(":memory:")
	if err != nil {
		return nil, err
	}
	return &calculator{conn.(*sqlite3.SQLiteConn), make(map[string]*sqlite3.SQLiteStmt)}, nil
}

// eval returns the value of an expression in which every ? is one of args.
func (c *calculator) eval(expr string, args ...any) (any, error) {
	st := c.stmts[expr]
	if st == nil {
		ds, err := c.conn.Prepare("SELECT " + expr)
		if err != nil {
			return nil, err
		}
		st = ds.(*sqlite3.SQLiteStmt)
		c.stmts[expr] = st
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := st.QueryContext(context.Background(), named)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var dest [1]driver.Value
	if err := rows.Next(dest[:]); err != nil && err != io.EOF {
		return nil, err
	}
	return dest[0], nil
}

func (c *calculator) close() error {
	for _, st := range c.stmts {
		st.Close()
	}
	return c.conn.Close()
}

// installClock makes the clock virtual. The functions are those of
// https://sqlite.org/lang_datefunc.html: what they are called with is rewritten
// so that the built-in ones need no clock. They are registered as pure since the
// built-in ones may be used in indices, checks and generated columns, too.
func (s *Store) installClock(conn *sqlite3.SQLiteConn) error {
	for name, first := range map[string]int{ // the index of the time value
		"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1,
	} {
		f := func(args ...any) (any, error) {
			if len(args) < first {
				return nil, nil
			}
			args, err := s.freeze(args[:first:first], args[first:])
			if err != nil {
				return nil, err
			}
			return s.calc.eval(name+"("+strings.TrimSuffix(strings.Repeat("?,", len(args)), ",")+")", args...)
		}
		if err := conn.RegisterFunc(name, f, true); err != nil {
			return err
		}
	}
	diff := func(a, b any) (any, error) {
		return s.calc.eval("timediff(?,?)", s.freezeValue(a), s.freezeValue(b))
	}
	if err := conn.RegisterFunc("timediff", diff, true); err != nil {
		return err
	}
	for name, layout := range map[string]string{
		"current_timestamp": time.DateTime,
		"current_date":      time.DateOnly,
		"current_time":      time.TimeOnly,
	} {
		f := func() string { return s.now.Format(layout) }
		if err := conn.RegisterFunc(name, f, false); err != nil {
			return err
		}
	}
	return nil
}

// freeze appends a time value and its modifiers to args.
func (s *Store) freeze(args, values []any) ([]any, error) {
	if len(values) == 0 {
		return append(args, s.instant()), nil
	}
	args = append(args, s.freezeValue(values[0]))
	if t := lower(values[0]); t == "subsec" || t == "subsecond" {
		args = append(args, t) // datetime('subsec') is datetime('now', 'subsec')
	}
	for _, v := range values[1:] {
		if t := lower(v); t == "localtime" || t == "utc" {
			return nil, s.refuse(noLocalTime)
		}
		args = append(args, v)
	}
	return args, nil
}

// freezeValue replaces a time value that stands for the current time.
func (s *Store) freezeValue(v any) any {
	switch lower(v) {
	case "now", "subsec", "subsecond":
		return s.instant()
	}
	return v
}

func (s *Store) instant() string { return s.now.Format("2006-01-02 15:04:05.000") }

// lower returns the text that SQLite sees in v, in lower case: a blob counts as
// text, and a NUL ends it.
func lower(v any) string {
	var t string
	switch v := v.(type) {
	case string:
		t = v
	case []byte:
		t = string(v)
	}
	t, _, _ = strings.Cut(t, "\x00")
	return strings.ToLower(t)
}
