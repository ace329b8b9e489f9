package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"quiesce/sim"
	"quiesce/sim/history"
)

// raiseBy is what every writer of a [Raiser] adds, in cents.
const raiseBy = 100

// An operation is one call of a service, as a task.
type operation struct {
	part
	class string // equal for the same call with the same arguments
	do    func(context.Context, server) (string, error)
}

// session says whether it is a session of several operations, which a log records.
func (o operation) session() bool { return o.role == shopper || o.role == editor }

// A server is what an operation is called on: a service, or the database alone.
type server struct {
	Service
	race *Race
	db   *sql.DB
	log  *history.Log // of sessions

	absent bool // a product may not be there
}

// read returns a read, whose result is what it has found if that is told to a property.
func read(p part, told bool) operation {
	return operation{p, fmt.Sprintf("read %d", p.product), func(ctx context.Context, s server) (string, error) {
		found, err := s.Read(ctx, p.product)
		if s.missing(err) {
			found, err = Product{}, nil
		}
		if !told {
			return outcome("", err) // one result is one state
		}
		return outcome(priced(p.product, found.Price), err)
	}}
}

// missing says whether an error is that a product is not there, where that can be.
func (s server) missing(err error) bool { return s.absent && errors.Is(err, sql.ErrNoRows) }

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

// write returns a write, which adds the product if it creates it.
func write(p part, create bool) operation {
	return operation{p, fmt.Sprintf("write %d %d", p.product, p.price()), func(ctx context.Context, s server) (string, error) {
		if create {
			ctx = context.WithValue(ctx, creating{}, true)
		}
		err := s.Write(ctx, p.product, p.price())
		if s.missing(err) {
			return toldMissing, nil
		}
		return outcome("", err)
	}}
}

// shop returns the session of a shopper. What is charged is in the database, and not what
// a cache says.
func shop(p part) operation {
	return operation{p, fmt.Sprintf("shop %d", p.product), func(ctx context.Context, s server) (string, error) {
		charge := func(ctx context.Context, id int64) (Product, error) { return selectProduct(ctx, s.db, id) }
		for _, step := range []struct {
			name string
			read func(context.Context, int64) (Product, error)
		}{{"view", s.Read}, {"cart", s.Read}, {"checkout", charge}} {
			if there, err := s.look(ctx, p, step.name, step.read); err != nil || !there {
				return outcome("", err)
			}
		}
		return "", nil
	}}
}

// errNothingSet is what a log is told of an update whose caller was told that it has set
// nothing.
var errNothingSet = errors.New("nothing is set")

// edit returns the session of an editor: a view, the update by a write or a raise, and a
// view again.
func edit(p part, update operation, op history.Op) operation {
	return operation{p, "edit by " + update.class, func(ctx context.Context, s server) (told string, err error) {
		if _, err := s.look(ctx, p, "view", s.Read); err != nil {
			return outcome("", err)
		}
		logged := s.log.Do(p.String(), op, func() (string, error) {
			told, err = update.do(ctx, s)
			if err == nil && told != "" && told != toldRaised {
				return "", errNothingSet
			}
			return "", err
		})
		if logged == nil {
			_, err = s.look(ctx, p, "view", s.Read)
		}
		return outcome(told, err)
	}}
}

// look is a read of a session. It says whether the product is there.
func (s server) look(ctx context.Context, p part, name string, read func(context.Context, int64) (Product, error)) (there bool, err error) {
	err = s.log.Do(p.String(), history.Op{Name: name, Key: productKey(p.product)}, func() (string, error) {
		found, err := read(ctx, p.product)
		if s.missing(err) {
			found, err = Product{}, nil
		}
		there = found.Price != 0
		return strconv.FormatInt(found.Price, 10), err
	})
	return there, err
}

func raise(p part) operation {
	return operation{p, fmt.Sprintf("raise %d", p.product), func(ctx context.Context, s server) (string, error) {
		return toldRaised, s.Service.(Raiser).Raise(ctx, p.product, raiseBy)
	}}
}

func work(p part, numbered bool) operation {
	class := "work"
	if numbered {
		class = fmt.Sprintf("work %d", p.number)
	}
	return operation{p, class, func(ctx context.Context, s server) (string, error) {
		return s.race.Work(ctx, s.db, p.number)
	}}
}

// operations returns those of a workload, in the order of its parts.
func (world *World) operations(w Workload, told bool) (ops []operation) {
	for _, p := range w.parts() {
		ops = append(ops, world.strategy.operation(p, w, told))
	}
	return ops
}

func (s Strategy) operation(p part, w Workload, told bool) operation {
	switch {
	case p.role == worker:
		return work(p, s.Race.Numbered)
	case p.role == reader:
		return read(p, told)
	case p.role == shopper:
		return shop(p)
	case p.role == editor:
		return edit(p, s.update(p, w), s.updates("update", p))
	case p.role == creator:
		return write(p, true)
	}
	return s.update(p, w)
}

// update returns how a writer sets the price of its product.
func (s Strategy) update(p part, w Workload) operation {
	if s.raises() {
		return raise(p)
	}
	return write(p, s.Absent && w.Creators == 0)
}

// serverName returns the name of the i-th server, which is that of its task if it
// is there for that alone.
func serverName(i int) string { return fmt.Sprintf("server-%d", i+1) }

// servers returns the servers of a workload, each with the work of the service in
// the background, and behind them the processes of what is done apart. The local
// caches hold these products when they begin.
func (world *World) servers(w Workload, local map[int64]Product, told bool) (programs []sim.Program) {
	ops := world.operations(w, told)
	service := world.strategy.Prototype()
	_, remembers := service.(LocalCacher)
	n := w.Servers
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
		if w.Servers == 0 && !remembers && beside == nil {
			name = own[0].String()
		}
		programs = append(programs, world.server(name, own, beside, local, w, told))
	}
	for i, b := range background(service, true) {
		programs = append(programs, sim.Program{Name: b.Name, Tasks: []sim.TaskSpec{b.spec(b.Name)}, New: func(p *sim.Process) []sim.Task {
			s := world.service(p, world.db.Open(p), w)
			return []sim.Task{background(s, true)[i].in(p)}
		}})
	}
	return programs
}

// server returns a process with one service, on which the operations are called,
// beside tasks for its work in the background.
func (world *World) server(name string, ops []operation, beside []sim.TaskSpec, local map[int64]Product, w Workload, told bool) sim.Program {
	p := sim.Program{Name: name}
	for _, op := range ops {
		p.Tasks = append(p.Tasks, sim.TaskSpec{Name: op.String()})
		p.Class += op.class + ";"
	}
	p.Tasks = append(p.Tasks, beside...)
	p.New = func(p *sim.Process) (tasks []sim.Task) {
		s := server{race: world.strategy.Race, log: history.NewLog(p), absent: w.Creators > 0}
		if s.race != nil && s.race.Immediate {
			s.db = world.db.OpenImmediate(p)
		} else {
			s.db = world.db.Open(p)
		}
		if s.race == nil {
			s.Service = world.service(p, s.db, w)
		}
		c, remembers := s.Service.(LocalCacher)
		if remembers && !p.Restarted() {
			maps.Copy(c.Local(), local)
		}
		s.log.First = !remembers // else it may find all that it needs in the memory
		logs := told && slices.ContainsFunc(ops, operation.session)
		if remembers || logs {
			p.Show(func() (shown sim.Content) {
				if remembers {
					shown = content(c.Local())
				}
				if logs {
					shown = append(shown, s.log.Content()...)
				}
				return shown
			})
		}
		if k, ok := s.Service.(Keeper); ok {
			p.Keep(k.Kept)
		}
		p.ShowsAll()
		p.Derivable()
		// A read that asks for nothing, since it finds all in a local cache, would be over before
		// the first step, and not at any time.
		yields := told && remembers && len(ops)+len(beside) == 1 && ops[0].role == reader
		for _, op := range ops {
			tasks = append(tasks, func(ctx context.Context) (string, error) {
				if yields {
					p.Yield()
				}
				return op.do(ctx, s)
			})
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
func (world *World) service(p *sim.Process, db *sql.DB, w Workload) Service {
	return world.strategy.build(Deps{Cache: world.cache.Client(p), DB: db, Clock: sim.Clock{}.For(p)}, w)
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
func (world *World) warm(stores []sim.Store, w Workload) (setup []sim.Request, local map[int64]Product, err error) {
	readers := &sim.System{Stores: stores}
	for _, p := range (Workload{Readers: world.keys, Keys: world.keys}).parts() {
		op := read(p, false)
		readers.Programs = append(readers.Programs, world.server(op.String(), []operation{op}, nil, nil, w, false))
	}
	err = readers.Guard(context.Background(), func() (err error) {
		setup, local, err = warmed(readers)
		return err
	})
	return setup, local, err
}

// warmed runs readers one after the other, and returns what warm does.
func warmed(readers *sim.System) (setup []sim.Request, local map[int64]Product, err error) {
	local = map[int64]Product{}
	err = inTurn(readers, len(readers.Programs), func(e *sim.Execution) error {
		for _, step := range e.Trace() {
			setup = append(setup, step.Request)
		}
		v, err := e.View()
		for _, m := range v.Memories {
			for _, it := range m {
				p, err := decode(it.Value)
				if err != nil {
					return err
				}
				local[p.ID] = p
			}
		}
		return err
	})
	return setup, local, err
}

// inTurn runs the first tasks of a system one after the other, each to its end, and calls
// last then.
func inTurn(sys *sim.System, tasks int, last func(*sim.Execution) error) error {
	return sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		return func(yield func(sim.Move, error) bool) {
			for task := range tasks {
				if _, ok := e.Pending(task); ok {
					if yield(sim.Move{Task: task}, nil) {
						yield(sim.Move{}, sim.ErrBlocked)
					}
					return
				}
			}
			if err := last(e); err != nil {
				yield(sim.Move{}, err)
			}
		}
	})
}
