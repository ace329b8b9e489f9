package quiesce

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// Faults say how many faults of each kind an execution may have; see [Timing] for time.
//
//	w.Faults = quiesce.Faults{quiesce.Expire: 1}
type Faults = sim.Faults

// The kinds of faults: see docs/time.md.
const (
	Expire       = sim.Expire
	Evict        = sim.Evict
	DropMessage  = sim.DropMessage
	LostRequest  = sim.LostRequest
	LostReply    = sim.LostReply
	RequestError = sim.RequestError
	Outage       = sim.Outage
	Crash        = sim.Crash
	AnyFault     = sim.AnyFault
)

// Timing makes time pass: no call takes longer than MaxStall, and TTLs run out when their
// time has come. Tick divides all durations; 0 stands for MaxStall.
//
//	w.Timing = &quiesce.Timing{MaxStall: time.Second}
type Timing = sim.Timing

// Limits end a search, and with it the test, which fails then. The zero value means none.
type Limits struct {
	States int   // of a workload
	Memory int64 // that states and transitions of a workload take, in bytes
}

// A World is what takes part in a test: stores, servers and properties. The function that
// is given to [Test] puts it together and starts nothing.
type World struct {
	// Faults may happen in an execution. The zero value means that nothing fails and
	// nothing expires.
	Faults Faults

	// Timing makes the world timed. nil means that every call, and every pause between
	// two calls, may take as long as it likes, and TTLs do not run out.
	Timing *Timing

	// Limits are those of the search.
	Limits Limits

	// Patience is how much real time the code of a task may take up to its next request;
	// after that it hangs. The zero value means 5 seconds.
	Patience time.Duration

	t          T
	built      bool
	caches     []*Redis
	databases  []*Database
	servers    []*server
	properties []*Property
	remembers  bool // it has a History

	// Somebody tells servers apart that do the same: by their names, or by the tasks that
	// run there.
	labelled atomic.Bool
}

// A Redis is a simulated Redis server: see package sim/redis.
type Redis struct {
	world *World
	name  string
	setup [][]string
	store *redis.Store
}

// Redis adds a Redis server, which is empty unless [Redis.Do] says otherwise. Properties
// know it by its name.
func (w *World) Redis(name string) *Redis {
	w.t.Helper()
	w.addStore(name)
	r := &Redis{world: w, name: name}
	w.caches = append(w.caches, r)
	return r
}

// Do executes a command before every execution. Its arguments are written as fmt.Sprint
// does; SCRIPT LOAD makes a script known.
//
//	cache.Do("SET", "stock:1", 1)
func (r *Redis) Do(args ...any) {
	r.world.t.Helper()
	r.world.building("Redis.Do")
	if len(args) == 0 {
		r.world.fatalf("Redis.Do has no command; give one, such as cache.Do(%q, %q, 1)", "SET", "stock:1")
	}
	command := make([]string, len(args))
	for i, a := range args {
		command[i] = fmt.Sprint(a)
	}
	r.setup = append(r.setup, command)
}

// Client returns a client for the tasks of a process: the real go-redis, whose commands,
// pipelines, scripts and subscriptions are steps. It need not be closed.
func (r *Redis) Client(p *Process) *goredis.Client { return r.store.Client(p.Process) }

// Dialer returns what a client dials with that the service makes itself, of whichever
// library: the Dialer of a go-redis client, the DialCtxFn of rueidis. The network and the
// address do not matter. What its connections carry are steps, as with [Redis.Client].
//
//	goredis.NewUniversalClient(&goredis.UniversalOptions{Dialer: cache.Dialer(p)})
func (r *Redis) Dialer(p *Process) func(ctx context.Context, network, address string) (net.Conn, error) {
	return r.store.Dialer(p.Process)
}

// A Database is a simulated SQL database: see package sim/sqlite.
type Database struct {
	// Mode says what transactions see of each other. It is sqlite.WAL unless it is set:
	// snapshots, as REPEATABLE READ of PostgreSQL. docs/pass.md says what each mode stands
	// for, and what it does not show.
	Mode sqlite.Mode

	world *World
	name  string
	setup []string
	store *sqlite.Store
}

// SQLite adds a SQL database in memory. Each schema is SQL that is executed before every
// execution, such as the text of a file of migrations: any number of statements.
func (w *World) SQLite(name string, schema ...string) *Database {
	w.t.Helper()
	w.addStore(name)
	d := &Database{Mode: sqlite.WAL, world: w, name: name, setup: schema}
	w.databases = append(w.databases, d)
	return d
}

// Exec executes SQL before every execution, after the schema.
//
//	db.Exec("INSERT INTO products VALUES (1, 9900)")
func (d *Database) Exec(sql ...string) {
	d.world.t.Helper()
	d.world.building("Database.Exec")
	d.setup = append(d.setup, sql...)
}

// Migrate executes the files that match a pattern of path.Match, in the order of their
// names, as [Database.Exec] does. Files that undo something must not match.
//
//	//go:embed migrations/*.up.sql
//	var migrations embed.FS
//
//	db.Migrate(migrations, "migrations/*.up.sql")
func (d *Database) Migrate(files fs.FS, pattern string) {
	d.world.t.Helper()
	d.world.building("Database.Migrate")
	names, err := fs.Glob(files, pattern)
	if err == nil && len(names) == 0 {
		err = fs.ErrNotExist
	}
	for _, name := range names {
		var text []byte
		if text, err = fs.ReadFile(files, name); err != nil {
			break
		}
		d.setup = append(d.setup, string(text))
	}
	if err != nil {
		d.world.fatalf("migrations of %s: %s: %v", d.name, pattern, err)
	}
}

// Open returns a database for the tasks of a process: a real sql.DB, of which every
// statement is a step, and so are the beginning and the end of a transaction. It need not
// be closed.
func (d *Database) Open(p *Process) *sql.DB { return d.store.Open(p.Process) }

// OpenImmediate is Open for code whose transactions begin with SELECT ... FOR UPDATE: each
// locks the database when it begins.
func (d *Database) OpenImmediate(p *Process) *sql.DB { return d.store.OpenImmediate(p.Process) }

// PerTask, as the number of [World.Servers], gives each task a server of its own.
const PerTask = 0

// Server adds a server. run builds the service, with clients of the stores, and says by
// [Process.Go] which tasks run in it, beside each other and with the same memory. It is
// called for every run of the process, must do the same each time, and makes no request.
func (w *World) Server(name string, run func(*Process)) {
	w.t.Helper()
	w.Servers(name, 1, run)
}

// Servers adds n servers with the same code, shop-1, shop-2 and so on, over which the tasks
// are spread, in turn. Work in the background is done on each. With [PerTask] no two
// tasks share memory, which is much quicker to explore than one server for all: it
// finds what goes wrong between servers, and nothing that goes wrong within one.
func (w *World) Servers(name string, n int, run func(*Process)) {
	w.t.Helper()
	w.building("World.Server")
	switch {
	case name == "":
		w.fatalf("a server has no name; give it one, such as %q", "shop")
	case run == nil:
		w.fatalf("server %s has no function; give it one that calls p.Go", name)
	case n < 0:
		w.fatalf("%d servers called %s; give their number, or quiesce.PerTask", n, name)
	case slices.ContainsFunc(w.servers, func(s *server) bool { return s.name == name }):
		w.fatalf("there are two servers called %s; give them different names", name)
	}
	w.servers = append(w.servers, &server{world: w, name: name, count: n, run: run})
}

// addStore checks the name of a store that is added.
func (w *World) addStore(name string) {
	w.t.Helper()
	w.building("a store")
	switch {
	case name == "":
		w.fatalf("a store has no name; give it one, such as %q", "cache")
	case slices.Contains(w.storeNames(), name):
		w.fatalf("there are two stores called %s; give them different names", name)
	}
}

// building ends the test unless the world is being put together.
func (w *World) building(what string) {
	w.t.Helper()
	if w.built {
		panic(mistakenly("%s is for the function that is given to quiesce.Test; inside a server or a property the world is complete", what))
	}
}

func (w *World) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatal(fmt.Sprintf(format, args...))
}

// storeNames returns the names of the stores, first those of Redis.
func (w *World) storeNames() []string { return append(cacheNames(w), databaseNames(w)...) }

func cacheNames(w *World) (names []string) {
	for _, r := range w.caches {
		names = append(names, r.name)
	}
	return names
}

func databaseNames(w *World) (names []string) {
	for _, d := range w.databases {
		names = append(names, d.name)
	}
	return names
}

// open makes the stores.
func (w *World) open() (err error) {
	for _, r := range w.caches {
		if r.store, err = redis.NewStore(r.name, redis.Options{Setup: r.setup}); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for _, d := range w.databases {
		if d.store, err = sqlite.NewStore(d.name, sqlite.Options{Mode: d.Mode, Setup: d.setup}); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return nil
}

// close closes the stores that were made.
func (w *World) close() {
	for _, r := range w.caches {
		if r.store != nil {
			r.store.Close()
		}
	}
	for _, d := range w.databases {
		if d.store != nil {
			d.store.Close()
		}
	}
}

// stores returns what the systems of the world have.
func (w *World) stores() (stores []sim.Store) {
	for _, r := range w.caches {
		stores = append(stores, r.store)
	}
	for _, d := range w.databases {
		stores = append(stores, d.store)
	}
	return stores
}

// there says which names there are, for a sentence.
func there(names []string) string {
	switch len(names) {
	case 0:
		return "there is none"
	case 1:
		return "there is " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}
