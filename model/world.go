package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// A World owns the stores on which the workloads of one strategy run.
type World struct {
	strategy Strategy
	cache    *redis.Store
	db       *sqlite.Store
	keys     int
}

// NewWorld opens the stores: an empty cache, and a database of that many
// products, or of none if the writers create them.
func NewWorld(s Strategy, keys int) (*World, error) {
	setup := slices.Concat([]string{createProducts}, s.Tables)
	if s.Race != nil {
		setup = s.Race.Setup
	}
	for id := 1; id <= keys && s.Race == nil && !s.Absent; id++ {
		setup = append(setup, insertProduct(id))
	}
	db, err := sqlite.NewStore(dbStore, sqlite.Options{Setup: setup, Mode: s.Mode})
	if err != nil {
		return nil, err
	}
	cache, err := redis.NewStore(cacheStore, redis.Options{})
	if err != nil {
		return nil, err
	}
	if s.Race != nil {
		keys = 0
	}
	return &World{s, cache, db, keys}, nil
}

// Strategy returns the strategy of the world.
func (world *World) Strategy() Strategy { return world.strategy }

// Close closes the stores.
func (world *World) Close() error {
	world.cache.Close()
	return world.db.Close()
}

// System returns the system of one workload with one property. Systems of one
// world share its stores, so only one of them may run at a time. The number of
// keys is that of the world.
func (world *World) System(w Workload, prop Property) (*sim.System, error) {
	sys, asked, err := world.Ask(w, prop)
	if err != nil {
		return nil, err
	}
	sys.Property = asked[0]
	return sys, nil
}

// refuse returns why the strategy has no such workload; nil if it has.
func (s Strategy) refuse(w Workload) error {
	switch {
	case w.Creators > 0 && s.Uncreated != "":
		return fmt.Errorf("%s has no creators: %s", s.Name, s.Uncreated)
	case w.Creators > 0 && w.Warm && !s.Absent:
		return fmt.Errorf("%s has no warm cache with creators: what is not there is in no cache", s.Name)
	}
	return nil
}

// emptied returns the requests after which the database has no product.
func (world *World) emptied(stores []sim.Store) (setup []sim.Request, err error) {
	sys := &sim.System{Stores: stores, Programs: []sim.Program{{Name: "setup", New: func(p *sim.Process) []sim.Task {
		db := world.db.Open(p)
		return []sim.Task{func(ctx context.Context) (string, error) {
			_, err := db.ExecContext(ctx, "DELETE FROM products")
			return "", err
		}}
	}}}}
	err = sys.Guard(context.Background(), func() error {
		return inTurn(sys, 1, func(e *sim.Execution) error {
			for _, step := range e.Trace() {
				setup = append(setup, step.Request)
			}
			return nil
		})
	})
	return setup, err
}

// Ask is System for several properties, which it returns: the system itself has none.
func (world *World) Ask(w Workload, props ...Property) (*sim.System, []sim.Property, error) {
	w.Keys = world.keys
	sys := &sim.System{Stores: world.stores(), Faults: w.Faults}
	var asked []sim.Property
	told, tick := false, world.strategy.tick(w)
	for _, p := range props {
		switch {
		case p.timed && w.MaxStall == 0:
			return nil, nil, fmt.Errorf("the property %s is about time; say how long a request may take, with -max-stall", p.Name)
		case p.timed && p.lasts/tick > sim.MostTicks:
			return nil, nil, fmt.Errorf("the property %s waits for %d ticks of %s, more than %d; ask for a shorter time, or make the durations of the workload longer", p.Name, p.lasts/tick, tick, sim.MostTicks)
		}
		asked, told = append(asked, p.of(world.strategy, w)), told || p.told
	}
	if w.MaxStall > 0 {
		sys.Timing = &sim.Timing{Tick: tick, MaxStall: w.MaxStall, MaxWait: w.MaxWait}
		if w.Faults[sim.Expire] > 0 {
			return nil, nil, errors.New("expire is a fault of untimed workloads; with -max-stall keys expire when their time has come")
		}
	}
	if err := world.strategy.refuse(w); err != nil {
		return nil, nil, err
	}
	var local map[int64]Product
	if w.Creators > 0 && !world.strategy.Absent {
		var err error
		if sys.Setup, err = world.emptied(sys.Stores); err != nil {
			return nil, nil, fmt.Errorf("take the products away: %w", err)
		}
	}
	if w.Warm {
		var err error
		if sys.Setup, local, err = world.warm(sys.Stores, w); err != nil {
			return nil, nil, fmt.Errorf("warm the cache: %w", err)
		}
	}
	sys.Programs = world.servers(w, local, told)
	return sys, asked, nil
}
