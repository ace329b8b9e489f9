package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"quiesce/sim"
)

// raiseBy is what every writer of a [Raiser] adds, in cents.
const raiseBy = 100

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

// read returns a read, whose result is what it has found if that is told to a property.
func read(i, keys int, told bool) operation {
	id := int64(i%keys + 1)
	return operation{fmt.Sprintf("reader-%d", i+1), fmt.Sprintf("read %d", id), func(ctx context.Context, s server) (string, error) {
		p, err := s.Read(ctx, id)
		if !told {
			return outcome("", err) // one result is one state
		}
		return outcome(priced(id, p.Price), err)
	}}
}

// priced is the result of a read that has found the product at this price.
func priced(id, price int64) string { return fmt.Sprintf("%s %d", productKey(id), price) }

// outcome returns what the caller of an operation is told. An error ends the run
// unless a fault was there before it; to give up is no error.
func outcome(result string, err error) (string, error) {
	if errors.Is(err, errGaveUp) {
		return toldGaveUp, nil
	}
	return result, err
}

// writerPrice returns the price that the i-th writer sets, and no other writer does.
func writerPrice(i int) int64 {
	price := int64(7900 + i)
	if price >= initialPrice {
		price += initialPrice // skips the initial price
	}
	return price
}

func write(i, keys int) operation {
	id, price := int64(i%keys+1), writerPrice(i)
	return operation{fmt.Sprintf("writer-%d", i+1), fmt.Sprintf("write %d %d", id, price), func(ctx context.Context, s server) (string, error) {
		if c, ok := s.Service.(Creator); ok {
			return outcome("", c.Create(ctx, id, price))
		}
		return outcome("", s.Write(ctx, id, price))
	}}
}

func raise(i, keys int) operation {
	id := int64(i%keys + 1)
	return operation{fmt.Sprintf("writer-%d", i+1), fmt.Sprintf("raise %d", id), func(ctx context.Context, s server) (string, error) {
		return toldRaised, s.Service.(Raiser).Raise(ctx, id, raiseBy)
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

// operations returns those of a workload: workers, or readers and then writers.
func (w *World) operations(load Workload, told bool) (ops []operation) {
	for i := range load.Workers {
		ops = append(ops, work(i, w.strategy.Race.Numbered))
	}
	for i := range load.Readers {
		ops = append(ops, read(i, load.Keys, told))
	}
	change := write
	if _, ok := w.strategy.Prototype().(Raiser); ok {
		change = raise
	}
	for i := range load.Writers {
		ops = append(ops, change(i, load.Keys))
	}
	return ops
}

// serverName returns the name of the i-th server, which is that of its task if it
// is there for that alone.
func serverName(i int) string { return fmt.Sprintf("server-%d", i+1) }

// servers returns the servers of a workload, each with the work of the service in
// the background, and behind them the processes of what is done apart. The local
// caches hold these products when they begin.
func (w *World) servers(load Workload, local map[int64]Product, told bool) (programs []sim.Program) {
	ops := w.operations(load, told)
	service := w.strategy.Prototype()
	_, remembers := service.(LocalCacher)
	n := load.Servers
	if n == 0 {
		n = len(ops)
	}
	for i := range min(n, len(ops)) {
		var own []operation
		for j := i; j < len(ops); j += n {
			own = append(own, ops[j])
		}
		var beside []sim.TaskSpec
		for _, b := range background(service, false) {
			beside = append(beside, b.spec(fmt.Sprintf("%s-%d", b.Name, i+1)))
		}
		name := serverName(i)
		if load.Servers == 0 && !remembers && beside == nil {
			name = own[0].name
		}
		programs = append(programs, w.server(name, own, beside, local, load))
	}
	for i, b := range background(service, true) {
		programs = append(programs, sim.Program{Name: b.Name, Tasks: []sim.TaskSpec{b.spec(b.Name)}, New: func(p *sim.Process) []sim.Task {
			s := w.service(p, w.db.Open(p), load)
			return []sim.Task{background(s, true)[i].in(p)}
		}})
	}
	return programs
}

// server returns a process with one service, on which the operations are called,
// beside tasks for its work in the background.
func (w *World) server(name string, ops []operation, beside []sim.TaskSpec, local map[int64]Product, load Workload) sim.Program {
	p := sim.Program{Name: name}
	for _, op := range ops {
		p.Tasks = append(p.Tasks, sim.TaskSpec{Name: op.name})
		p.Class += op.class + ";"
	}
	p.Tasks = append(p.Tasks, beside...)
	p.New = func(p *sim.Process) (tasks []sim.Task) {
		s := server{race: w.strategy.Race}
		if s.race != nil && s.race.Immediate {
			s.db = w.db.OpenImmediate(p)
		} else {
			s.db = w.db.Open(p)
		}
		if s.race == nil {
			s.Service = w.service(p, s.db, load)
		}
		if c, ok := s.Service.(LocalCacher); ok {
			if !p.Restarted() {
				maps.Copy(c.Local(), local)
			}
			p.Show(func() sim.Content { return content(c.Local()) })
		}
		if k, ok := s.Service.(Keeper); ok {
			p.Keep(k.Kept)
		}
		p.ShowsAll()
		p.Derivable()
		for _, op := range ops {
			tasks = append(tasks, func(ctx context.Context) (string, error) { return op.do(ctx, s) })
		}
		if beside != nil {
			for _, b := range background(s.Service, false) {
				tasks = append(tasks, b.in(p))
			}
		}
		return tasks
	}
	return p
}

// service returns a service for the tasks of a process.
func (w *World) service(p *sim.Process, db *sql.DB, load Workload) Service {
	return w.strategy.build(Deps{Cache: w.cache.Client(p), DB: db, Clock: sim.Clock{}.For(p)}, load)
}

// content returns what a local cache holds.
func content(local map[int64]Product) (c sim.Content) {
	for _, id := range slices.Sorted(maps.Keys(local)) {
		c = append(c, sim.Item{Name: productKey(id), Value: encode(local[id])})
	}
	return c
}

// warm returns what makes the caches as the strategy's own reads leave them: it
// runs one reader for every product, on servers without work in the background,
// and returns their requests and what their local caches hold.
func (w *World) warm(stores []sim.Store, load Workload) (setup []sim.Request, local map[int64]Product, err error) {
	readers := &sim.System{Stores: stores}
	for i := range w.keys {
		op := read(i, w.keys, false)
		readers.Programs = append(readers.Programs, w.server(op.name, []operation{op}, nil, nil, load))
	}
	err = readers.Guard(context.Background(), func() (err error) {
		setup, local, err = warmed(readers)
		return err
	})
	return setup, local, err
}

// warmed runs readers one after the other, and returns what warm does.
func warmed(readers *sim.System) (setup []sim.Request, local map[int64]Product, err error) {
	e, err := readers.Start()
	if err != nil {
		return nil, nil, err
	}
	defer e.Stop()
	for task := range readers.Programs {
		for {
			if _, ok := e.Pending(task); !ok {
				break
			}
			if err := e.Step(task); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, step := range e.Trace() {
		setup = append(setup, step.Request)
	}
	v, err := e.View()
	if err != nil {
		return nil, nil, err
	}
	local = map[int64]Product{}
	for _, m := range v.Memories {
		for _, it := range m {
			p, err := decode(it.Value)
			if err != nil {
				return nil, nil, err
			}
			local[p.ID] = p
		}
	}
	return setup, local, nil
}
