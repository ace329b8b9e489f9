package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

// A connection is one to the real database, with the statements that are
// prepared on it.
type connection struct {
	*sqlite3.SQLiteConn
	stmts    map[string]*statement          // of tasks, by SQL text; valid for the current schema
	own      map[string]*sqlite3.SQLiteStmt // of the store, by SQL text
	tables   map[*table]*sqlite3.SQLiteStmt // that read the content
	marked   bool                           // last_insert_rowid() is 0
	readOnly bool                           // of a read only transaction
}

// A statement is SQL text, prepared.
type statement struct {
	*sqlite3.SQLiteStmt
	sqltext.Shape
	reads   bool           // does not change the content
	touches bool           // reads or writes the database
	header  string         // of the reply to a query
	row     []driver.Value // one for each column
}

// markTable exists to be inserted into: that makes last_insert_rowid() 0, and if
// it is another number after a statement then this has inserted that row.
const markTable = "quiesce mark"

const (
	markSQL = `INSERT OR REPLACE INTO temp."` + markTable + `" VALUES (0)`
	idleSQL = `SELECT 0 WHERE 0`
)

// connect opens a connection on which the clock and chance are virtual.
func (s *Store) connect(dsn string) (*connection, error) {
	dc, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	c := &connection{
		SQLiteConn: dc.(*sqlite3.SQLiteConn),
		stmts:      make(map[string]*statement),
		own:        make(map[string]*sqlite3.SQLiteStmt),
		tables:     make(map[*table]*sqlite3.SQLiteStmt),
	}
	s.connections = append(s.connections, c)
	if err := s.installClock(c.SQLiteConn); err != nil {
		return nil, err
	}
	if err := s.installRandom(c.SQLiteConn); err != nil {
		return nil, err
	}
	s.watchRowids(c.SQLiteConn)
	c.RegisterAuthorizer(s.authorize)
	return c, nil
}

// furnish readies a connection for the statements of tasks.
func (s *Store) furnish(c *connection) error {
	if err := s.replaceRefused(c.SQLiteConn); err != nil {
		return err
	}
	_, err := c.Exec(`PRAGMA temp_store=MEMORY; CREATE TEMP TABLE "`+markTable+`" (id INTEGER PRIMARY KEY)`, nil)
	return err
}

func (c *connection) close() error {
	c.forget()
	c.forgetTables()
	for _, st := range c.own {
		st.Close()
	}
	return c.Close()
}

// forget drops the prepared statements of tasks. They remember the columns of
// the schema for which they were prepared.
func (c *connection) forget() {
	for _, st := range c.stmts {
		st.Close()
	}
	clear(c.stmts)
}

func (c *connection) forgetTables() {
	for _, st := range c.tables {
		st.Close()
	}
	clear(c.tables)
}

// prepare returns a statement of the store itself.
func (c *connection) prepare(sql string) (*sqlite3.SQLiteStmt, error) {
	st := c.own[sql]
	if st == nil {
		dst, err := c.Prepare(sql)
		if err != nil {
			return nil, err
		}
		st = dst.(*sqlite3.SQLiteStmt)
		c.own[sql] = st
	}
	return st, nil
}

// run executes a statement of the store itself.
func (c *connection) run(sql string) (driver.Result, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	return st.Exec(nil)
}

// value returns the first value of a query of the store itself.
func (c *connection) value(sql string) (driver.Value, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	rows, err := st.Query(nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(row)
	return row[0], err
}

// appendRows appends the rows of a table as the connection sees them.
func (c *connection) appendRows(content sim.Content, t *table) (sim.Content, error) {
	st := c.tables[t]
	if st == nil {
		dst, err := c.Prepare(t.sql)
		if err != nil {
			return nil, err
		}
		st = dst.(*sqlite3.SQLiteStmt)
		c.tables[t] = st
	}
	rows, err := st.Query(nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		switch err := rows.Next(t.row); {
		case err == io.EOF:
			return content, nil
		case err != nil:
			return nil, err
		}
		content = append(content, t.item())
	}
}

// statement returns sql prepared.
func (s *Store) statement(c *connection, sql string) (*statement, error) {
	if st := c.stmts[sql]; st != nil {
		return st, nil
	}
	sh := sqltext.ShapeOf(sql)
	if sh.Many {
		return nil, s.refuse(noMany)
	}
	if why, refused := refusedVerbs[sh.Verb]; refused {
		if why == noTransactions && s.mode != InMemory {
			why = noBegin
		}
		return nil, s.refuse(why)
	}
	if s.mode != InMemory && sqltext.Defines(sh.Verb) {
		return nil, s.refuse(noDefinition)
	}
	s.defining, s.touched = sqltext.Defines(sh.Verb), false
	prepared, err := c.Prepare(sql)
	s.defining = false
	if err != nil {
		return nil, err
	}
	st := &statement{SQLiteStmt: prepared.(*sqlite3.SQLiteStmt), Shape: sh, touches: s.touched}
	st.reads = st.Readonly()

	// Query binds; the statement is not executed before the first row is read.
	dr, err := st.Query(nil)
	if err != nil {
		return nil, err
	}
	rows := dr.(*sqlite3.SQLiteRows)
	cols := rows.Columns()
	types := make([]string, len(cols))
	for i := range cols {
		types[i] = rows.ColumnTypeDatabaseTypeName(i)
	}
	st.header, st.row = string(sqlclient.AppendColumns(nil, cols, types)), make([]driver.Value, len(cols))
	if err := rows.Close(); err != nil {
		return nil, err
	}

	const limit = 1000 // texts with values in them could be many
	if len(c.stmts) >= limit {
		c.forget()
	}
	c.stmts[sql] = st
	return st, nil
}

// query executes a statement and returns its reply and the number of its rows.
func (c *connection) query(st *statement, args []driver.NamedValue) (reply []byte, n int64, err error) {
	if sqltext.Inserts(st.Verb) {
		c.marked = false
	}
	rows, err := st.QueryContext(context.Background(), args)
	if err != nil {
		return appendError(nil, err), 0, err
	}
	defer rows.Close()
	reply = append(make([]byte, 0, 64), st.header...)
	for ; ; n++ {
		switch err := rows.Next(st.row); {
		case err == io.EOF:
			return sqlclient.AppendEnd(reply), n, nil
		case err != nil:
			return appendError(reply, err), n, err
		}
		if reply, err = sqlclient.AppendRow(reply, st.row); err != nil {
			return nil, n, err
		}
	}
}

// exec executes a statement and returns its reply.
func (s *Store) exec(c *connection, st *statement, args []driver.NamedValue) ([]byte, error) {
	if st.reads {
		if _, _, err := c.query(st, args); err != nil {
			return appendError(nil, err), err
		}
		return sqlclient.AppendResult(nil, sqlclient.Result{}), nil
	}
	inserting := sqltext.Inserts(st.Verb)
	if inserting && !c.marked && !c.readOnly {
		s.guard = private
		_, err := c.run(markSQL)
		s.guard = client
		if err != nil {
			return nil, err
		}
		c.marked = true
	}

	var res sqlclient.Result
	if len(st.row) == 0 {
		r, err := st.ExecContext(context.Background(), args)
		if err != nil {
			c.marked = false
			return appendError(nil, err), err
		}
		res.ID, _ = r.LastInsertId()
		res.Changes, _ = r.RowsAffected()
	} else {
		// A RETURNING clause has a row for every row changed, and the counters of
		// SQLite are set only when it has returned them all.
		_, n, err := c.query(st, args)
		if err != nil {
			return appendError(nil, err), err
		}
		r, err := c.run(idleSQL)
		if err != nil {
			return nil, err
		}
		res.ID, _ = r.LastInsertId()
		res.Changes = n
	}
	if inserting {
		c.marked = res.ID == 0
	} else {
		res.ID = 0
	}
	if !sqltext.Writes(st.Verb) {
		res.Changes = 0
	}
	return sqlclient.AppendResult(nil, res), nil
}

// fails reports whether an error is one of the simulation, and not one that the
// same statement would give a real service.
func fails(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) || e.ExtendedCode == sqlite3.ErrBusySnapshot {
		return false
	}
	switch e.Code {
	case sqlite3.ErrInternal, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem, sqlite3.ErrInterrupt,
		sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrCantOpen, sqlite3.ErrMisuse, sqlite3.ErrNotADB:
		return true
	}
	return false
}
