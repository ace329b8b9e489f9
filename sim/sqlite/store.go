package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
)

// Options say what a store holds.
type Options struct {
	// Setup are the SQL statements that make the initial content. They may do
	// what tasks may not, such as PRAGMA foreign_keys=ON and BEGIN..COMMIT, but
	// not ATTACH a database or create temporary or virtual tables.
	Setup []string
}

// A Store is a SQL database as a [sim.Store].
//
// Reset is a savepoint: everything that is executed after the setup happens in
// one transaction of SQLite that never ends, and ROLLBACK TO undoes all of it
// exactly, rows, schema and sqlite_sequence alike, in one statement. Inside a
// transaction SQLite behaves as if each statement committed by itself, with
// three exceptions, all refused: a conflict that is resolved by ROLLBACK undoes
// more than its statement, deferred foreign keys are not checked until COMMIT,
// and VACUUM is impossible.
type Store struct {
	name string
	conn *sqlite3.SQLiteConn
	calc *calculator

	stmts map[string]*statement // by SQL text; valid for the current schema
	guard guard
	// defining says that the statement that is being executed changes the schema.
	defining bool
	refused  error // why the statement that is being executed is refused

	begin, reset, mark, idle *sqlite3.SQLiteStmt
	// marked says that last_insert_rowid() is 0.
	marked bool

	now   time.Time
	drawn uint64 // by random and randomblob

	written   bool // since the last Reset
	redefined bool // the schema, since the last Reset
	schema    schema
	content   sim.Content // nil if it has to be read
	start     struct {    // the state that Reset goes back to
		drawn   uint64
		schema  map[string]object
		content sim.Content
	}

	free []*database // of processes that have ended, for Open
}

// A statement is SQL text, prepared.
type statement struct {
	*sqlite3.SQLiteStmt
	shape
	reads  bool // does not change the content
	header string
	row    []driver.Value // one for each column
}

// markTable exists to be inserted into: that makes last_insert_rowid() 0, and if
// it is another number after a statement then this has inserted that row.
const markTable = "quiesce mark"

// NewStore returns the store called name, in its initial content. It fails if a
// statement of the setup does.
func NewStore(name string, opts Options) (*Store, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(":memory:")
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s := &Store{name: name, conn: conn.(*sqlite3.SQLiteConn), stmts: make(map[string]*statement), now: Epoch}
	if err := s.init(opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return s, nil
}

func (s *Store) init(opts Options) (err error) {
	if s.calc, err = newCalculator(); err != nil {
		return err
	}
	if err := s.installClock(); err != nil {
		return err
	}
	if err := s.installRandom(); err != nil {
		return err
	}
	s.conn.RegisterAuthorizer(s.authorize)

	s.guard = setup
	for i, sql := range opts.Setup {
		_, err := s.conn.Exec(sql, nil)
		if s.refused != nil {
			err = s.refused
		}
		if err != nil {
			return fmt.Errorf("setup statement %d: %w", i+1, err)
		}
	}
	s.guard = private
	if !s.conn.AutoCommit() {
		return errors.New("setup leaves a transaction open")
	}

	if err := s.replaceRefused(); err != nil {
		return err
	}
	if _, err := s.conn.Exec(`PRAGMA temp_store=MEMORY; CREATE TEMP TABLE "`+markTable+`" (id INTEGER PRIMARY KEY)`, nil); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sqlite3.SQLiteStmt
		sql  string
	}{
		{&s.begin, `SAVEPOINT start`},
		{&s.reset, `ROLLBACK TO start`},
		{&s.mark, `INSERT OR REPLACE INTO temp."` + markTable + `" VALUES (0)`},
		{&s.idle, `SELECT 0 WHERE 0`},
	} {
		if *p.stmt, err = s.prepare(p.sql); err != nil {
			return err
		}
	}
	if _, err := s.begin.Exec(nil); err != nil {
		return err
	}

	s.start.drawn = s.drawn
	if err := s.readSchema(); err != nil {
		return err
	}
	s.start.schema = s.schema.objects
	s.start.content, err = s.Content()
	return err
}

// prepare prepares a statement of the store itself.
func (s *Store) prepare(sql string) (*sqlite3.SQLiteStmt, error) {
	st, err := s.conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	return st.(*sqlite3.SQLiteStmt), nil
}

// Close releases the store and the databases of [Store.Open] that no process
// uses any more.
func (s *Store) Close() error {
	for _, d := range s.free {
		d.db.Close()
	}
	s.free = nil
	s.forget()
	s.schema.close()
	for _, st := range []*sqlite3.SQLiteStmt{s.begin, s.reset, s.mark, s.idle} {
		if st != nil {
			st.Close()
		}
	}
	err := s.conn.Close()
	if s.calc != nil {
		err = errors.Join(err, s.calc.close())
	}
	return err
}

// Name returns the name that requests carry.
func (s *Store) Name() string { return s.name }

// Reset puts the store back into its initial content.
func (s *Store) Reset() error {
	if s.written {
		if s.conn.AutoCommit() {
			// The last statement has ended the transaction, and was refused.
			if _, err := s.begin.Exec(nil); err != nil {
				return err
			}
		} else if _, err := s.reset.Exec(nil); err != nil {
			return err
		}
		s.written = false
	}
	if s.redefined {
		s.forget()
		if err := s.readSchema(); err != nil {
			return err
		}
		s.redefined = false
	}
	s.drawn = s.start.drawn
	s.content = s.start.content
	return nil
}

// forget drops the prepared statements of tasks. They remember the columns of
// the schema for which they were prepared.
func (s *Store) forget() {
	for _, st := range s.stmts {
		st.Close()
	}
	clear(s.stmts)
}

// Execute executes one statement. An error of SQLite, such as a violated
// constraint, is a reply; a statement that is refused is an error.
func (s *Store) Execute(r sim.Request) (sim.Reply, error) {
	c, err := decodeCall(r.Body)
	if err != nil {
		return "", err
	}
	if c.mode == modeBegin {
		return "", noTransactions
	}
	s.guard, s.refused = client, nil
	defer func() { s.guard = private }()

	st, err := s.statement(c.sql)
	if s.refused != nil {
		return "", s.refused
	}
	if err != nil {
		if fails(err) {
			return "", err
		}
		return sim.Reply(appendError(nil, err)), nil
	}
	if n := st.NumInput(); n != len(c.args) {
		return "", fmt.Errorf("sqlite: %d arguments for the %d parameters of %q", len(c.args), n, c.sql)
	}

	drawn := s.drawn
	s.defining = defines(st.verb)
	if !st.reads {
		s.written = true
		s.content = nil
	}
	var reply []byte
	switch {
	case c.mode == modeQuery:
		reply, _, err = s.query(st, c.args)
	default:
		reply, err = s.exec(st, c.args)
	}
	if s.drawn != drawn {
		s.content = nil
	}
	if s.defining {
		s.defining = false
		s.guard = private
		s.redefined = true
		s.forget()
		if err := s.readSchema(); err != nil {
			return "", err
		}
	}
	switch {
	case s.refused != nil:
		return "", s.refused
	case err != nil && !st.reads && s.conn.AutoCommit():
		return "", noRollback
	case fails(err):
		return "", err
	}
	return sim.Reply(reply), nil
}

// fails reports whether an error is one of the simulation, and not one that the
// same statement would give a real service.
func fails(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrInternal, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem, sqlite3.ErrInterrupt,
		sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrCantOpen, sqlite3.ErrMisuse, sqlite3.ErrNotADB:
		return true
	}
	return false
}

// statement returns sql prepared.
func (s *Store) statement(sql string) (*statement, error) {
	if st := s.stmts[sql]; st != nil {
		return st, nil
	}
	sh := shapeOf(sql)
	if sh.many {
		return nil, s.refuse(noMany)
	}
	if why, refused := refusedVerbs[sh.verb]; refused {
		return nil, s.refuse(why)
	}
	s.defining = defines(sh.verb)
	prepared, err := s.prepare(sql)
	s.defining = false
	if err != nil {
		return nil, err
	}
	st := &statement{SQLiteStmt: prepared, shape: sh, reads: prepared.Readonly()}

	// Query binds; the statement is not executed before the first row is read.
	dr, err := st.Query(nil)
	if err != nil {
		return nil, err
	}
	rows := dr.(*sqlite3.SQLiteRows)
	cols := rows.Columns()
	b := binary.AppendUvarint(nil, uint64(len(cols)))
	for i, name := range cols {
		b = appendString(b, name)
		b = appendString(b, rows.ColumnTypeDatabaseTypeName(i))
	}
	st.header, st.row = string(b), make([]driver.Value, len(cols))
	if err := rows.Close(); err != nil {
		return nil, err
	}

	const limit = 1000 // texts with values in them could be many
	if len(s.stmts) >= limit {
		s.forget()
	}
	s.stmts[sql] = st
	return st, nil
}

// query executes a statement and returns its reply and the number of its rows.
func (s *Store) query(st *statement, args []driver.NamedValue) (reply []byte, n int64, err error) {
	if inserts(st.verb) {
		s.marked = false
	}
	rows, err := st.QueryContext(context.Background(), args)
	if err != nil {
		return appendError(nil, err), 0, err
	}
	defer rows.Close()
	reply = append(append(make([]byte, 0, 64), modeQuery), st.header...)
	for ; ; n++ {
		switch err := rows.Next(st.row); {
		case err == io.EOF:
			return append(reply, endMark), n, nil
		case err != nil:
			return appendError(reply, err), n, err
		}
		reply = append(reply, rowMark)
		for _, v := range st.row {
			if reply, err = appendValue(reply, v); err != nil {
				return nil, n, err
			}
		}
	}
}

// exec executes a statement and returns its reply.
func (s *Store) exec(st *statement, args []driver.NamedValue) ([]byte, error) {
	if st.reads {
		if _, _, err := s.query(st, args); err != nil {
			return appendError(nil, err), err
		}
		return appendResult(nil, result{}), nil
	}
	inserting := inserts(st.verb)
	if inserting && !s.marked {
		s.guard = private
		_, err := s.mark.Exec(nil)
		s.guard = client
		if err != nil {
			return nil, err
		}
		s.marked = true
	}

	var res result
	if len(st.row) == 0 {
		r, err := st.ExecContext(context.Background(), args)
		if err != nil {
			s.marked = false
			return appendError(nil, err), err
		}
		res.id, _ = r.LastInsertId()
		res.changes, _ = r.RowsAffected()
	} else {
		// A RETURNING clause has a row for every row changed, and the counters of
		// SQLite are set only when it has returned them all.
		_, n, err := s.query(st, args)
		if err != nil {
			return appendError(nil, err), err
		}
		r, err := s.idle.Exec(nil)
		if err != nil {
			return nil, err
		}
		res.id, _ = r.LastInsertId()
		res.changes = n
	}
	if inserting {
		s.marked = res.id == 0
	} else {
		res.id = 0
	}
	if !writes(st.verb) {
		res.changes = 0
	}
	return appendResult(nil, res), nil
}

// Describe returns a request and its reply, each in one line.
func (s *Store) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return describeRequest(req.Body), describeReply(string(reply))
}
