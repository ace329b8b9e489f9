package sqlclient

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"quiesce/sim"
)

// Options say what the database is like.
type Options struct {
	// Transactions says that there are some. The zero value makes BeginTx a request
	// without the name of a connection, which the store refuses.
	Transactions bool

	// Cause returns the error of the own driver of the database that has the code of an
	// [Error], and nil if there is none:
	//
	//	var e sqlite3.Error
	//	if errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintUnique {
	//
	// So the client needs not know which database it is. nil finds none.
	Cause func(code string) error
}

// Databases are the clients of one store, for all processes.
type Databases struct {
	store    string
	opts     Options
	sessions sessions
	pool     sim.Pool[*database]
}

// New returns the clients of the store with that name.
func New(store string, opts Options) *Databases { return &Databases{store: store, opts: opts} }

// Open returns a database for the tasks of a process. It is an ordinary
// [sql.DB], except that each statement, and each beginning and end of a
// transaction, is a step: the goroutine of the task must be the only one that
// uses it. It is closed when the process ends. With immediate set every transaction asks
// to wait for all other writers when it begins: see [Beginning].
//
// A statement that is executed with another number of arguments than it has
// parameters fails without a step.
//
// A task that returns while a transaction that it has begun is open has failed.
func (all *Databases) Open(h sim.Host, immediate bool) *sql.DB {
	// A new sql.DB starts a goroutine, which costs more than everything else.
	d := all.pool.Take(h, all.newDatabase)
	d.bind(h, immediate)
	return d.db
}

// Connector returns what a service opens a [sql.DB] with itself, by [sql.OpenDB] or through
// a library that wraps a connector. The sql.DB is like that of Open, except that nobody
// else closes it: a service that does not, at the latest when [sim.Process.Context] is
// done, leaves a goroutine behind in every run.
func (all *Databases) Connector(h sim.Host, immediate bool) driver.Connector {
	d := &database{all: all}
	d.bind(h, immediate)
	return connector{d}
}

// bind makes the requests those of a process.
func (d *database) bind(h sim.Host, immediate bool) {
	d.process.Store(&h)
	d.immediate = immediate
	if d.all.opts.Transactions {
		d.session = d.all.sessions.of(h)
		h.Context() // ends what database/sql starts for each transaction
	}
}

// Close closes the databases that no process uses any more.
func (all *Databases) Close() { all.pool.Close() }

// Stats say what is kept of clients.
type Stats struct {
	Free     int // databases for later processes, outside of isolations
	Sessions int // processes that go on and may have transactions
}

// Stats returns what is kept now.
func (all *Databases) Stats() Stats { return Stats{all.pool.Free(), all.sessions.processes()} }

// A database is the connector of a [sql.DB], bound to one process at a time. The
// pointer is atomic for the sake of a goroutine that outlives its task.
type database struct {
	all     *Databases
	db      *sql.DB // nil if a service has opened it itself
	process atomic.Pointer[sim.Host]
	stmts   atomic.Int64 // that are open
	closed  atomic.Bool

	immediate bool     // see Beginning
	session   *session // nil if there are no transactions
}

func (all *Databases) newDatabase() *database {
	d := &database{all: all}
	d.db = sql.OpenDB(connector{d})
	return d
}

// host returns the process that the database is bound to.
func (d *database) host() sim.Host { return *d.process.Load() }

// Release says whether the next process cannot tell the database from a new one.
func (d *database) Release(clean bool) bool {
	if !clean || !d.unused() {
		return false
	}
	d.session = nil
	return true
}

// Close closes the sql.DB.
func (d *database) Close() error { return d.db.Close() }

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

// A connector is what the sql.DB of a database has of it.
type connector struct{ d *database }

func (c connector) Connect(context.Context) (driver.Conn, error) { return &conn{d: c.d}, nil }
func (c connector) Driver() driver.Driver                        { return noDriver{} }

// Close is called by [sql.DB.Close].
func (c connector) Close() error {
	c.d.closed.Store(true)
	return nil
}

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("quiesce: a simulated database is opened by the store")
}
