package model

import (
	"context"
	"database/sql"
	"fmt"

	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// A Workload says what happens at once: every reader reads one product and every
// writer sets its price, each a task. Readers and writers take the products in
// turn. The zero value is a workload in which nothing happens.
type Workload struct {
	Readers, Writers int
	Keys             int  // products
	Warm             bool // the cache holds every product when it begins

	// Servers is the number of servers, which the tasks take in turn, first the
	// readers and then the writers; the tasks of one server share its service. 0
	// means a server for each task.
	Servers int

	// Workers is the number of tasks of a race, which has none of the others.
	Workers int
}

// String returns the workload in words.
func (w Workload) String() string {
	words := fmt.Sprintf("%s, %s, %s, %s cache", plural(w.Readers, "reader"), plural(w.Writers, "writer"), plural(w.Keys, "key"), w.Cache())
	if w.Workers > 0 {
		words = plural(w.Workers, "worker")
	}
	if w.Servers > 0 {
		words += ", " + plural(w.Servers, "server")
	}
	return words
}

// Cache returns "warm" or "cold".
func (w Workload) Cache() string {
	if w.Warm {
		return "warm"
	}
	return "cold"
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// The stores of every system, in this order.
const (
	cacheStore = iota
	dbStore
)

// A World owns the stores on which the workloads of one strategy run.
type World struct {
	strategy Strategy
	cache    *redis.Store
	db       *sqlite.Store
	keys     int
}

// NewWorld opens the stores: an empty cache, and a database of that many
// products.
func NewWorld(s Strategy, keys int) (*World, error) {
	setup := []string{createProducts}
	if s.Race != nil {
		setup, keys = s.Race.Setup, 0
	}
	for id := 1; id <= keys; id++ {
		setup = append(setup, insertProduct(id))
	}
	db, err := sqlite.NewStore("db", sqlite.Options{Setup: setup})
	if err != nil {
		return nil, err
	}
	cache, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		return nil, err
	}
	return &World{s, cache, db, keys}, nil
}

// Strategy returns the strategy of the world.
func (w *World) Strategy() Strategy { return w.strategy }

// Close closes the stores.
func (w *World) Close() error {
	w.cache.Close()
	return w.db.Close()
}

// System returns the system of one workload with one property. Systems of one
// world share its stores, so only one of them may run at a time. The number of
// keys is that of the world.
func (w *World) System(load Workload, prop Property) (*sim.System, error) {
	load.Keys = w.keys
	sys := &sim.System{Stores: []sim.Store{cacheStore: w.cache, dbStore: w.db}, Property: prop.of(w.strategy, load)}
	var ops []operation
	if w.strategy.Race != nil {
		sys.Stores = []sim.Store{w.db}
	}
	for i := range load.Workers {
		ops = append(ops, work(i, w.strategy.Race.Numbered))
	}
	for i := range load.Readers {
		ops = append(ops, read(i, load.Keys))
	}
	for i := range load.Writers {
		ops = append(ops, write(i, load.Keys))
	}
	if load.Servers == 0 {
		for _, op := range ops {
			sys.Programs = append(sys.Programs, w.server(op.name, []operation{op}))
		}
	}
	for i := range min(load.Servers, len(ops)) {
		var own []operation
		for j := i; j < len(ops); j += load.Servers {
			own = append(own, ops[j])
		}
		sys.Programs = append(sys.Programs, w.server(fmt.Sprintf("server-%d", i+1), own))
	}
	if load.Warm {
		if err := w.warm(sys); err != nil {
			return nil, fmt.Errorf("warm the cache: %w", err)
		}
	}
	return sys, nil
}

// An operation is one call of a service, as a task.
type operation struct {
	name  string // of the task
	class string // equal for the same call with the same arguments
	do    func(context.Context, server) (string, error)
}

// A server is what an operation is called on: a service, or the database alone.
type server struct {
	Service
	race *Race
	db   *sql.DB
}

func read(i, keys int) operation {
	id := int64(i%keys + 1)
	return operation{fmt.Sprintf("reader-%d", i+1), fmt.Sprintf("read %d", id), func(ctx context.Context, s server) (string, error) {
		// No property looks at what an operation returned, so nothing is recorded.
		_, err := s.Read(ctx, id)
		return "", err
	}}
}

// write sets a price that no other writer sets.
func write(i, keys int) operation {
	id, price := int64(i%keys+1), int64(7900+i)
	if price >= initialPrice {
		price += initialPrice // skips the initial price
	}
	return operation{fmt.Sprintf("writer-%d", i+1), fmt.Sprintf("write %d %d", id, price), func(ctx context.Context, s server) (string, error) {
		return "", s.Write(ctx, id, price)
	}}
}

func work(i int, numbered bool) operation {
	class := "work"
	if numbered {
		class = fmt.Sprintf("work %d", i)
	}
	return operation{fmt.Sprintf("worker-%d", i+1), class, func(ctx context.Context, s server) (string, error) {
		return s.race.Work(ctx, s.db, i+1)
	}}
}

// server returns a process with one service, on which the operations are called.
func (w *World) server(name string, ops []operation) sim.Program {
	p := sim.Program{Name: name}
	for _, op := range ops {
		p.Tasks = append(p.Tasks, sim.TaskSpec{Name: op.name})
		p.Class += op.class + ";"
	}
	p.New = func(p *sim.Process) (tasks []sim.Task) {
		s := server{race: w.strategy.Race, db: w.db.Open(p)}
		if w.strategy.New != nil {
			s.Service = w.strategy.New(w.cache.Client(p), s.db)
		}
		for _, op := range ops {
			tasks = append(tasks, func(ctx context.Context) (string, error) { return op.do(ctx, s) })
		}
		return tasks
	}
	return p
}

// warm makes the cache as the strategy's own reads leave it: it runs one reader
// for every product and keeps their requests as the setup of the system.
func (w *World) warm(sys *sim.System) error {
	readers := &sim.System{Stores: sys.Stores}
	for i := range w.keys {
		op := read(i, w.keys)
		readers.Programs = append(readers.Programs, w.server(op.name, []operation{op}))
	}
	e, err := readers.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	for task := range readers.Programs {
		for {
			if _, ok := e.Pending(task); !ok {
				break
			}
			if err := e.Step(task); err != nil {
				return err
			}
		}
	}
	for _, step := range e.Trace() {
		sys.Setup = append(sys.Setup, step.Request)
	}
	return nil
}

// Smallest returns the workloads of at least one reader and one writer, or of at
// least one worker of a race, and at most that many tasks, smallest first: by the
// number of tasks, then fewer writers first. All else is that of w.
func (w Workload) Smallest(tasks int) []Workload {
	var all []Workload
	if w.Workers > 0 {
		for w.Workers = 1; w.Workers <= tasks; w.Workers++ {
			all = append(all, w)
		}
		return all
	}
	for n := 2; n <= tasks; n++ {
		for writers := 1; writers < n; writers++ {
			w.Readers, w.Writers = n-writers, writers
			all = append(all, w)
		}
	}
	return all
}
