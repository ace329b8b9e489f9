package sqlclient

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"

	"quiesce/sim"
	"quiesce/sim/sqltext"
)

// A conn has no state unless it has a transaction: otherwise there is nothing that
// a pool could hand to another task.
type conn struct {
	d  *database
	tx *tx // nil if none is open
}

// request makes a step of the process.
func (c *conn) request(ctx context.Context, call Call, awaits bool) (*Reader, error) {
	body, err := call.Encode()
	if err != nil {
		return nil, err
	}
	req := sim.Request{Store: c.d.all.store, Body: body, Awaits: awaits}
	if c.tx != nil {
		req.Conn = c.tx.name
	}
	h := c.d.host()
	if !h.Goroutines() { // where a context is done only when the task is abandoned
		ctx = context.Background()
	}
	reply, err := h.CallUntil(ctx, req)
	if err == nil {
		err = failure(reply)
	}
	if err != nil {
		return nil, err
	}
	return Read(reply.Body, c.d.all.opts.Cause), nil
}

// execute makes a step with a statement. The reader is behind the kind, which has
// to be that of the request.
func (c *conn) execute(ctx context.Context, kind byte, query string, args []driver.NamedValue, awaits bool) (*Reader, error) {
	if n := sqltext.ShapeOf(query).Params; len(args) != n {
		return nil, fmt.Errorf("sql: expected %d arguments, got %d", n, len(args))
	}
	r, err := c.request(ctx, Call{kind, query, args}, awaits)
	if err != nil {
		return nil, err
	}
	switch r.Kind() {
	case kind:
		return r, nil
	case Failed:
		return nil, r.Err()
	}
	return nil, ErrMalformed
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
	return &stmt{c: c, query: query, params: sqltext.ShapeOf(query).Params}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if awaits(ctx) {
		panic(misusedAwait)
	}
	r, err := c.execute(ctx, Exec, query, args, false)
	if err != nil {
		return nil, err
	}
	return r.Result()
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	awaits := awaits(ctx)
	if awaits && (c.tx != nil || sqltext.ShapeOf(query).Verb != "SELECT") {
		panic(misusedAwait)
	}
	r, err := c.execute(ctx, Query, query, args, awaits)
	if err != nil {
		return nil, err
	}
	names, types, err := r.Columns()
	if err != nil {
		return nil, err
	}
	return &rows{names, types, r}, nil
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx asks for a step even if the store refuses it: that ends the run although
// the task might ignore the error.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	h := c.d.host()
	if err := h.Outside(); err != nil {
		return nil, err // before it touches what belongs to the task
	}
	h.Turn()
	c.tx = c.d.session.begin(c)
	b := Beginning{sql.IsolationLevel(opts.Isolation), opts.ReadOnly, c.d.immediate}
	if err := c.bound(ctx, b.Call()); err != nil {
		c.forgetTx()
		return nil, err
	}
	return c.tx, nil
}

// bound makes a step that begins or ends a transaction.
func (c *conn) bound(ctx context.Context, call Call) error {
	r, err := c.request(ctx, call, false)
	if err != nil {
		return err
	}
	if r.Kind() != Done {
		return ErrMalformed
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

// rows are those of one reply.
type rows struct {
	names, types []string
	reader       *Reader
}

func (r *rows) Columns() []string                       { return r.names }
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i] }
func (r *rows) Close() error                            { return nil }

func (r *rows) Next(dest []driver.Value) error {
	ok, err := r.reader.Row(dest)
	if err == nil && !ok {
		return io.EOF
	}
	return err
}
