package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

// Options say what a store holds. The zero value is an empty database without
// transactions.
type Options struct {
	// Setup are the SQL statements that make the initial content. They may do
	// what tasks may not, such as PRAGMA foreign_keys=ON and BEGIN..COMMIT, but
	// not ATTACH a database or create temporary or virtual tables. With
	// transactions, foreign_keys is the only PRAGMA.
	Setup []string

	// Mode says what transactions see of each other; the zero value, [InMemory],
	// has none.
	Mode Mode
}

// A Store is a SQL database as a [sim.Store].
//
// With transactions there is one connection to the real database for each that is
// open, one for all other statements, and one that looks at the content. Reset
// copies the content of the start over the database.
//
// Without them Reset is a savepoint: everything that is executed after the setup
// happens in one transaction of SQLite that never ends, and ROLLBACK TO undoes all
// of it exactly, rows, schema and sqlite_sequence alike, in one statement. Inside a
// transaction SQLite behaves as if each statement committed by itself, with
// three exceptions, all refused: a conflict that is resolved by ROLLBACK undoes
// more than its statement, deferred foreign keys are not checked until COMMIT,
// and VACUUM is impossible.
type Store struct {
	name string
	mode Mode
	dsn  string // of the database, and the directory that it is in; "" in memory
	dir  string
	calc *calculator

	connections []*connection // all
	pristine    *connection   // to the database that the setup has made
	own         *connection   // that looks at the committed content
	auto        *connection   // for statements outside transactions
	spare       []*connection // for transactions to come
	enforce     bool          // foreign keys

	transactions map[string]*transaction // by name of the connection

	guard guard
	// defining says that the statement that is being executed changes the schema.
	defining bool
	touched  bool  // the database, by the statement that is being prepared
	refused  error // why the statement that is being executed is refused

	now   time.Time
	timed bool
	drawn uint64 // by random and randomblob

	lastRowid bool     // some table has had a row with the largest rowid
	inserted  []string // since then: the rows that a statement has written

	written   bool // since the last Reset
	redefined bool // the schema, since the last Reset
	schema    schema
	committed sim.Content // rows and schema; nil if they have to be read
	start     struct {    // the state that Reset goes back to
		drawn     uint64
		tables    []string
		schema    map[string]object
		committed sim.Content
	}

	databases *sqlclient.Databases
}

// NewStore returns the store called name, in its initial content. It fails if a
// statement of the setup does.
func NewStore(name string, opts Options) (*Store, error) {
	s := &Store{name: name, mode: opts.Mode, now: Epoch, transactions: make(map[string]*transaction)}
	s.databases = sqlclient.New(name, sqlclient.Options{Transactions: opts.Mode != InMemory, Cause: cause})
	if err := s.init(opts.Setup); err != nil {
		s.Close()
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return s, nil
}

const (
	startSQL = `SAVEPOINT start`
	resetSQL = `ROLLBACK TO start`
)

func (s *Store) init(setup []string) (err error) {
	if s.calc, err = newCalculator(); err != nil {
		return err
	}
	if s.pristine, err = s.connect(":memory:"); err != nil {
		return err
	}
	if err := s.setUp(setup); err != nil {
		return err
	}
	s.own, s.auto = s.pristine, s.pristine
	if s.enforce, err = s.foreignKeys(); err != nil {
		return err
	}
	if s.mode != InMemory {
		err = s.openPlace()
	} else if err = s.furnish(s.pristine); err == nil {
		_, err = s.auto.run(startSQL)
	}
	if err != nil {
		return err
	}
	s.start.drawn = s.drawn
	if err := s.readSchema(); err != nil {
		return err
	}
	s.start.schema = s.schema.objects
	for _, t := range s.schema.tables {
		s.start.tables = append(s.start.tables, t.name)
	}
	s.start.committed, err = s.rows()
	return err
}

// setUp executes the setup.
func (s *Store) setUp(sqls []string) error {
	s.guard = setup
	defer func() { s.guard = private }()
	for i, sql := range sqls {
		_, err := s.pristine.Exec(sql, nil)
		if s.refused != nil {
			err = s.refused
		}
		if err != nil {
			return fmt.Errorf("setup statement %d: %w", i+1, err)
		}
	}
	if !s.pristine.AutoCommit() {
		return errors.New("setup leaves a transaction open")
	}
	return nil
}

// Close releases the store and the databases of [Store.Open] that no process
// uses any more, and removes its files.
func (s *Store) Close() error {
	s.databases.Close()
	var err error
	for _, c := range s.connections {
		err = errors.Join(err, c.close())
	}
	s.connections = nil
	if s.calc != nil {
		err = errors.Join(err, s.calc.close())
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// Open returns a database for the tasks of a process: see [sqlclient.Databases.Open].
func (s *Store) Open(p *sim.Process) *sql.DB { return s.databases.Open(p, false) }

// OpenImmediate is Open, except that a transaction waits for all other writers
// when it begins, by BEGIN IMMEDIATE: as a database of go-sqlite3 does that is
// opened with _txlock=immediate. It stands for a transaction whose first statement
// is SELECT ... FOR UPDATE, but locks the whole database and not one row.
func (s *Store) OpenImmediate(p *sim.Process) *sql.DB { return s.databases.Open(p, true) }

// Connector returns what a service opens a [sql.DB] of the database with itself: see
// [sqlclient.Databases.Connector].
func (s *Store) Connector(h sim.Host) driver.Connector { return s.databases.Connector(h, false) }

// Name returns the name that requests carry.
func (s *Store) Name() string { return s.name }

// Reset puts the store back into its initial content.
func (s *Store) Reset() error {
	if err := s.abandon(); err != nil {
		return err
	}
	if s.written {
		if err := s.undo(); err != nil {
			return err
		}
		s.written = false
	}
	if s.redefined {
		s.auto.forget()
		if err := s.readSchema(); err != nil {
			return err
		}
		s.redefined = false
	}
	s.drawn = s.start.drawn
	s.committed = s.start.committed
	return nil
}

// undo undoes what was executed outside transactions or has been committed.
func (s *Store) undo() (err error) {
	switch {
	case s.mode != InMemory:
		err = s.restore()
	case s.auto.AutoCommit():
		// The last statement has ended the transaction, and was refused.
		_, err = s.auto.run(startSQL)
	default:
		_, err = s.auto.run(resetSQL)
	}
	return err
}

// Execute executes one statement, or begins or ends a transaction. An error of
// SQLite, such as a violated constraint, is a reply; a statement that is refused is
// an error. It returns a [*sim.BlockedError] for a request that another
// transaction is in the way of, and [sim.ErrBlocked] for one of [Await].
func (s *Store) Execute(r sim.Request) (sim.Reply, error) {
	if process, ok := strings.CutPrefix(r.Body, leavePrefix); ok {
		return sim.Reply{}, s.leave(process)
	}
	c, err := sqlclient.ParseCall(r.Body)
	if err != nil {
		return sim.Reply{}, err
	}
	switch c.Kind {
	case sqlclient.Begin, sqlclient.Commit, sqlclient.Rollback:
		if err := s.bound(r.Conn, c); err != nil {
			return sim.Reply{}, err
		}
		return sqlclient.DoneReply, nil
	}
	t := s.transactions[r.Conn]
	if t == nil && r.Conn != "" {
		return sim.Reply{}, fmt.Errorf("sqlite: a statement on the connection %q, which has no transaction", r.Conn)
	}
	return s.execute(r, c, t)
}

// bound begins or ends a transaction.
func (s *Store) bound(name string, c sqlclient.Call) error {
	switch c.Kind {
	case sqlclient.Commit:
		return s.end(name, commitSQL)
	case sqlclient.Rollback:
		return s.end(name, rollbackSQL)
	}
	b, err := c.Beginning()
	if err != nil {
		return err
	}
	return s.begin(name, beginning{b})
}

// execute executes a statement in a transaction, or outside one if t is nil.
func (s *Store) execute(r sim.Request, c sqlclient.Call, t *transaction) (sim.Reply, error) {
	s.guard, s.refused = client, nil
	defer func() { s.guard = private }()
	conn := s.auto
	if t != nil {
		conn = t.conn
	}

	st, err := s.statement(conn, c.SQL)
	if s.refused != nil {
		return sim.Reply{}, s.refused
	}
	if err != nil {
		if err := foreign(c.SQL, err); err != nil {
			return sim.Reply{}, err
		}
		if fails(err) {
			return sim.Reply{}, err
		}
		return sim.Reply{Body: string(appendError(nil, err))}, nil
	}
	if n := st.NumInput(); n != len(c.Args) {
		return sim.Reply{}, fmt.Errorf("sqlite: %d arguments for the %d parameters of %q", len(c.Args), n, c.SQL)
	}
	if s.timed && looksAtTime(c.SQL) {
		return sim.Reply{}, noTime
	}
	if !st.reads && s.mode == SharedCache {
		if err := s.keepCommitted(); err != nil {
			return sim.Reply{}, err
		}
	}

	var rows []string
	rehearsed := s.lastRowid && sqltext.Writes(st.Verb)
	if rehearsed {
		s.written = true
		if rows, err = s.rehearse(conn, st, c.Args); err != nil {
			return sim.Reply{}, err
		}
	}
	s.inserted = nil
	drawn := s.drawn
	s.defining = sqltext.Defines(st.Verb)
	var (
		reply []byte
		n     int64 // rows
	)
	if c.Kind == sqlclient.Exec {
		reply, err = s.exec(conn, st, c.Args)
	} else {
		reply, n, err = conn.query(st, c.Args)
	}
	s.guard = private
	if s.refused == nil && s.mode != InMemory && err != nil {
		if err = s.blocked(r.Conn, err); errors.Is(err, sim.ErrBlocked) {
			s.drawn = drawn
			return sim.Reply{}, err
		}
	}
	if !st.reads {
		s.written = true
		if t == nil {
			s.committed = nil
		}
	}
	if s.defining {
		s.defining = false
		s.redefined = true
		s.auto.forget()
		if err := s.readSchema(); err != nil {
			return sim.Reply{}, err
		}
	}
	switch {
	case s.refused != nil:
		return sim.Reply{}, s.refused
	case s.drew(rehearsed, rows):
		return sim.Reply{}, noLastRowid
	case err != nil && !st.reads && (t != nil || s.mode == InMemory) && conn.AutoCommit():
		return sim.Reply{}, noRollback
	case fails(err):
		return sim.Reply{}, err
	case r.Awaits && s.drawn != drawn:
		return sim.Reply{}, noAwaitRandom
	case r.Awaits && n == 0 && err == nil:
		return sim.Reply{}, sim.ErrBlocked
	case t != nil:
		if err := s.note(t, st, r.Body, drawn, err); err != nil {
			return sim.Reply{}, err
		}
	}
	return sim.Reply{Body: string(reply)}, nil
}

// Describe returns a request and its reply, each in one line.
func (s *Store) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return describeRequest(req), describeReply(reply.Body)
}
