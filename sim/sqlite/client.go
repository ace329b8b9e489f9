package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"quiesce/sim"
)

// Open returns a database for the client code of p. It is an ordinary
// [sql.DB], except that each statement is a step of p: the goroutine of its task
// must be the only one that uses it. It is closed when p ends.
//
// A statement that is executed with another number of arguments than it has
// parameters fails without a step.
func (s *Store) Open(p *sim.Process) *sql.DB {
	// A new sql.DB starts a goroutine, which costs more than everything else.
	var d *database
	if n := len(s.free); n > 0 {
		d = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		d = &database{store: s.name}
		d.db = sql.OpenDB(d)
	}
	d.process.Store(p)
	p.AtEnd(func(clean bool) {
		if clean && d.unused() {
			s.free = append(s.free, d)
		} else {
			d.db.Close()
		}
	})
	return d.db
}

// A database is the connector of a [sql.DB], bound to one process at a time. The
// pointer is atomic for the sake of a goroutine that outlives its task.
type database struct {
	store   string
	db      *sql.DB
	process atomic.Pointer[sim.Process]
	stmts   atomic.Int64 // that are open
	closed  atomic.Bool
}

// unused reports whether the database is as good as new, and makes it so: a
// setting of one process must not be seen by the next.
func (d *database) unused() bool {
	if d.closed.Load() || d.stmts.Load() > 0 || d.db.Stats().InUse > 0 {
		return false
	}
	const idle = 2 // the default of database/sql
	d.db.SetMaxOpenConns(0)
	d.db.SetMaxIdleConns(idle)
	d.db.SetConnMaxLifetime(0)
	d.db.SetConnMaxIdleTime(0)
	return true
}

func (d *database) Connect(context.Context) (driver.Conn, error) { return &conn{d}, nil }
func (d *database) Driver() driver.Driver                        { return noDriver{} }

// Close is called by [sql.DB.Close].
func (d *database) Close() error {
	d.closed.Store(true)
	return nil
}

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("quiesce: a simulated database is opened by Store.Open")
}

// request makes a step of the process.
func (d *database) request(c call) (reader, error) {
	body, err := c.encode()
	if err != nil {
		return reader{}, err
	}
	reply, err := d.process.Load().Call(sim.Request{Store: d.store, Body: body})
	if err != nil {
		return reader{}, err
	}
	return reader{rest: string(reply)}, nil
}

// execute makes a step with a statement. The reader is behind the mode.
func (d *database) execute(mode byte, query string, args []driver.NamedValue, want int) (reader, error) {
	if len(args) != want {
		return reader{}, fmt.Errorf("sql: expected %d arguments, got %d", want, len(args))
	}
	r, err := d.request(call{mode, query, args})
	if err != nil {
		return r, err
	}
	switch r.byte() {
	case mode:
		return r, nil
	case modeError:
		return r, r.error()
	}
	return r, errMalformed
}

func (d *database) exec(query string, args []driver.NamedValue, want int) (driver.Result, error) {
	r, err := d.execute(modeExec, query, args, want)
	if err != nil {
		return nil, err
	}
	res := r.result()
	if r.bad {
		return nil, errMalformed
	}
	return res, nil
}

func (d *database) query(query string, args []driver.NamedValue, want int) (driver.Rows, error) {
	r, err := d.execute(modeQuery, query, args, want)
	if err != nil {
		return nil, err
	}
	names, types := r.columns()
	if r.bad {
		return nil, errMalformed
	}
	return &rows{names, types, r}, nil
}

// A conn has no state: there is nothing that a pool could hand to another task.
type conn struct{ d *database }

var (
	_ driver.ExecerContext                  = (*conn)(nil)
	_ driver.QueryerContext                 = (*conn)(nil)
	_ driver.ConnBeginTx                    = (*conn)(nil)
	_ driver.StmtExecContext                = (*stmt)(nil)
	_ driver.StmtQueryContext               = (*stmt)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
)

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	c.d.stmts.Add(1)
	return &stmt{d: c.d, query: query, params: shapeOf(query).params}, nil
}

func (c *conn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.d.exec(query, args, shapeOf(query).params)
}

func (c *conn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.d.query(query, args, shapeOf(query).params)
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx asks for a step, which the store refuses: that ends the run even if
// the task would ignore the error.
func (c *conn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	if _, err := c.d.request(call{mode: modeBegin}); err != nil {
		return nil, err
	}
	return nil, noTransactions
}

func (c *conn) Close() error { return nil }

// A stmt is its text: it is prepared by the store, and only there.
type stmt struct {
	d      *database
	query  string
	params int
	closed bool
}

func (s *stmt) NumInput() int { return s.params }

func (s *stmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.d.exec(s.query, args, s.params)
}

func (s *stmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.d.query(s.query, args, s.params)
}

func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (s *stmt) Close() error {
	if !s.closed {
		s.closed = true
		s.d.stmts.Add(-1)
	}
	return nil
}

type result struct{ id, changes int64 }

func (r result) LastInsertId() (int64, error) { return r.id, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }

// rows are those of one reply.
type rows struct {
	names, types []string
	reader       reader
}

func (r *rows) Columns() []string                       { return r.names }
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i] }
func (r *rows) Close() error                            { return nil }

func (r *rows) Next(dest []driver.Value) error {
	ok, err := r.reader.row(dest)
	if err == nil && !ok {
		return io.EOF
	}
	return err
}
