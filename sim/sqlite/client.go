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
// [sql.DB], except that each statement, and each beginning and end of a
// transaction, is a step of p: the goroutine of its task must be the only one that
// uses it. It is closed when p ends.
//
// A statement that is executed with another number of arguments than it has
// parameters fails without a step.
//
// A task that returns while a transaction that it has begun is open has failed.
func (s *Store) Open(p *sim.Process) *sql.DB { return s.open(p, false) }

// OpenImmediate is Open, except that a transaction waits for all other writers
// when it begins, by BEGIN IMMEDIATE: as a database of go-sqlite3 does that is
// opened with _txlock=immediate. It stands for a transaction whose first statement
// is SELECT ... FOR UPDATE, but locks the whole database and not one row.
func (s *Store) OpenImmediate(p *sim.Process) *sql.DB { return s.open(p, true) }

func (s *Store) open(p *sim.Process, immediate bool) *sql.DB {
	// A new sql.DB starts a goroutine, which costs more than everything else.
	var d *database
	free := s.pool(p.Isolation())
	if n := len(*free); n > 0 {
		d, *free = (*free)[n-1], (*free)[:n-1]
	} else {
		d = &database{store: s.name}
		d.db = sql.OpenDB(d)
	}
	d.process.Store(p)
	d.immediate = immediate
	if s.mode != InMemory {
		d.session = s.sessions.of(p)
		p.Context() // ends what database/sql starts for each transaction
	}
	p.AtEnd(func(clean bool) {
		switch {
		case clean && d.unused():
			d.session = nil
			*free = append(*free, d)
		case p.Isolation() != nil:
			p.Isolation().AtEnd(func() { d.db.Close() })
		default:
			d.db.Close()
		}
	})
	return d.db
}

// pool returns the databases that a later process can use again. An isolation has its
// own, which are closed at its end.
func (s *Store) pool(i *sim.Isolation) *[]*database {
	if i == nil {
		return &s.free
	}
	if s.isolated[i] == nil {
		free := new([]*database)
		s.isolated = map[*sim.Isolation]*[]*database{i: free}
		i.AtEnd(func() {
			delete(s.isolated, i)
			for _, d := range *free {
				d.db.Close()
			}
		})
	}
	return s.isolated[i]
}

// A database is the connector of a [sql.DB], bound to one process at a time. The
// pointer is atomic for the sake of a goroutine that outlives its task.
type database struct {
	store   string
	db      *sql.DB
	process atomic.Pointer[sim.Process]
	stmts   atomic.Int64 // that are open
	closed  atomic.Bool

	immediate bool     // BEGIN IMMEDIATE
	session   *session // nil if there are no transactions
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

func (d *database) Connect(context.Context) (driver.Conn, error) { return &conn{d: d}, nil }
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

// A conn has no state unless it has a transaction: otherwise there is nothing that
// a pool could hand to another task.
type conn struct {
	d  *database
	tx *tx // nil if none is open
}

// request makes a step of the process.
func (c *conn) request(call call, awaits bool) (reader, error) {
	body, err := call.encode()
	if err != nil {
		return reader{}, err
	}
	req := sim.Request{Store: c.d.store, Body: body, Awaits: awaits}
	if c.tx != nil {
		req.Conn = c.tx.name
	}
	reply, err := c.d.process.Load().Call(req)
	if err == nil {
		err = failure(reply)
	}
	if err != nil {
		return reader{}, err
	}
	return reader{rest: reply.Body}, nil
}

// execute makes a step with a statement. The reader is behind the mode, which has
// to be that of the request.
func (c *conn) execute(mode byte, query string, args []driver.NamedValue, awaits bool) (reader, error) {
	if n := shapeOf(query).params; len(args) != n {
		return reader{}, fmt.Errorf("sql: expected %d arguments, got %d", n, len(args))
	}
	r, err := c.request(call{mode, query, args}, awaits)
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
	return &stmt{c: c, query: query, params: shapeOf(query).params}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if awaits(ctx) {
		panic(misusedAwait)
	}
	r, err := c.execute(modeExec, query, args, false)
	if err != nil {
		return nil, err
	}
	res := r.result()
	if r.bad {
		return nil, errMalformed
	}
	return res, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	awaits := awaits(ctx)
	if awaits && (c.tx != nil || shapeOf(query).verb != "SELECT") {
		panic(misusedAwait)
	}
	r, err := c.execute(modeQuery, query, args, awaits)
	if err != nil {
		return nil, err
	}
	names, types := r.columns()
	if r.bad {
		return nil, errMalformed
	}
	return &rows{names, types, r}, nil
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx asks for a step even if the store refuses it: that ends the run although
// the task might ignore the error.
func (c *conn) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.d.process.Load().Outside(); err != nil {
		return nil, err // before it touches what belongs to the task
	}
	c.tx = c.d.session.begin(c)
	b := beginning{sql.IsolationLevel(opts.Isolation), opts.ReadOnly, c.d.immediate}
	if err := c.bound(b.call()); err != nil {
		c.forgetTx()
		return nil, err
	}
	return c.tx, nil
}

// bound makes a step that begins or ends a transaction.
func (c *conn) bound(call call) error {
	r, err := c.request(call, false)
	if err != nil {
		return err
	}
	if r.byte() != modeDone {
		return errMalformed
	}
	return nil
}

func (c *conn) forgetTx() {
	c.d.session.end(c.tx)
	c.tx = nil
}

func (c *conn) Close() error { return nil }

// A stmt is its text: it is prepared by the store, and only there.
type stmt struct {
	c      *conn
	query  string
	params int
	closed bool
}

func (s *stmt) NumInput() int { return s.params }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.query, args)
}

func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (s *stmt) Close() error {
	if !s.closed {
		s.closed = true
		s.c.d.stmts.Add(-1)
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
