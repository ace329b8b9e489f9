package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A schema is how to read the content of the database.
type schema struct {
	tables  []*table          // by name
	objects map[string]object // by type and name
	changes []string          // keys of objects, in order, that differ from those at the start
}

// An object is a row of sqlite_master, without the layout of the database.
type object struct {
	rowid      int64
	table, sql string
}

// A table is how to read one table.
type table struct {
	name    string
	prefix  string   // of the names of its items
	columns []string // as the start of their members of a JSON object
	keys    []int    // the columns of the primary key; none means the rowid
	rowid   bool
	alias   string // the column that is an alias of the rowid, quoted; "" if there is none
	sql     string // selects each column, then the rowid if there is one that is no column
	row     []driver.Value
}

// readSchema reads the schema, at the start and whenever it may have changed.
func (s *Store) readSchema() error {
	for _, c := range s.connections {
		c.forgetTables()
	}
	s.schema = schema{objects: make(map[string]object)}
	s.committed = nil

	deferred := false
	foreignKeys, err := s.foreignKeys()
	if err != nil {
		return err
	}
	var order []string
	err = s.each(`SELECT rowid, type, name, tbl_name, ifnull(sql, '') FROM sqlite_master ORDER BY type, name`, func(row []driver.Value) error {
		key := fmt.Sprintf("sqlite_master/%s/%s", row[1], row[2])
		o := object{row[0].(int64), row[3].(string), row[4].(string)}
		deferred = deferred || strings.Contains(strings.ToUpper(o.sql), "DEFERRED")
		s.schema.objects[key] = o
		order = append(order, key)
		return nil
	})
	if err != nil {
		return err
	}
	if foreignKeys && deferred {
		return noDeferred
	}
	if s.start.schema != nil {
		for _, key := range order {
			if s.schema.objects[key] != s.start.schema[key] {
				s.schema.changes = append(s.schema.changes, key)
			}
		}
		for _, key := range sortedKeys(s.start.schema) {
			if _, ok := s.schema.objects[key]; !ok {
				s.schema.changes = append(s.schema.changes, key)
			}
		}
	}

	type entry struct {
		name         string
		withoutRowid bool
	}
	var entries []entry
	err = s.each(`SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name <> 'sqlite_schema' ORDER BY name`, func(row []driver.Value) error {
		entries = append(entries, entry{row[0].(string), row[1] == int64(1)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		t, err := s.readTable(e.name, e.withoutRowid)
		if err != nil {
			return fmt.Errorf("table %s: %w", e.name, err)
		}
		s.schema.tables = append(s.schema.tables, t)
	}
	return nil
}

// foreignKeys reports whether foreign keys are enforced.
func (s *Store) foreignKeys() (on bool, err error) {
	err = s.each(`PRAGMA foreign_keys`, func(row []driver.Value) error {
		on = row[0] == int64(1)
		return nil
	})
	return on, err
}

func (s *Store) readTable(name string, withoutRowid bool) (*table, error) {
	t := &table{name: name, prefix: ItemName(name), rowid: !withoutRowid}
	var columns, keys []string
	err := s.each(`SELECT name, pk FROM pragma_table_xinfo(`+quote(name)+`) ORDER BY cid`, func(row []driver.Value) error {
		column := row[0].(string)
		t.columns = append(t.columns, string(append(appendText(nil, column), ':')))
		columns = append(columns, quoteName(column))
		if pk := int(row[1].(int64)); pk > 0 {
			for len(t.keys) < pk {
				t.keys, keys = append(t.keys, 0), append(keys, "")
			}
			t.keys[pk-1], keys[pk-1] = len(columns)-1, columns[len(columns)-1]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 && t.rowid {
		// A primary key without an index is an alias of the rowid.
		t.rowid = false
		err := s.each(`SELECT 1 FROM pragma_index_list(`+quote(name)+`) WHERE origin = 'pk'`, func([]driver.Value) error {
			t.rowid = true
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !t.rowid {
			t.alias = keys[0]
		}
	}
	// A unary plus hides the declared type, by which go-sqlite3 would convert the
	// value: two texts in a DATETIME column could become the same time.
	sql := `SELECT +` + strings.Join(columns, `, +`)
	width := len(columns)
	if t.rowid {
		width++
		rowid := ""
		for _, r := range []string{"rowid", "oid", "_rowid_"} {
			taken := false
			for _, c := range columns {
				taken = taken || strings.EqualFold(c, quoteName(r))
			}
			if !taken {
				rowid = r
				break
			}
		}
		if rowid == "" {
			return nil, noRowid
		}
		sql += `, +` + rowid
		keys = append(keys, rowid)
	}
	sql += ` FROM main.` + quoteName(name) + ` ORDER BY ` + strings.Join(keys, ", ")
	t.row = make([]driver.Value, width)
	t.sql = sql
	return t, nil
}

// each calls f with each row of a query of the store itself.
func (s *Store) each(sql string, f func(row []driver.Value) error) error {
	was := s.guard
	s.guard = private
	defer func() { s.guard = was }()
	rows, err := s.own.Query(sql, nil)
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		if err = rows.Next(row); err == nil {
			err = f(row)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

// quote returns s as a string of SQL.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName returns s as a name of SQL.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func (o object) note() string {
	return "rowid " + strconv.FormatInt(o.rowid, 10) + " of " + o.table
}
