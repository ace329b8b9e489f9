package model

import (
	"errors"
	"fmt"
	"slices"
	"time"

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
	Warm             bool // the caches hold every product when it begins, local ones too

	// Servers is the number of servers, which the tasks take in turn, first the
	// readers and then the writers; the tasks of one server share its service. 0
	// means a server for each task.
	Servers int

	// Faults may happen; the zero value means none.
	Faults sim.Faults

	// MaxStall makes the workload timed: see [sim.Timing]. 0 means untimed.
	MaxStall time.Duration

	// MaxWait is how long a request of a timed workload waits for other tasks, on top:
	// see [sim.Timing]. 0 means that there is no bound.
	MaxWait time.Duration

	// Delay is how long a strategy that pauses does so; 0 is its own delay.
	Delay time.Duration

	// TTL is that of products in the cache; 0 is the strategy's own, and NoExpiry means
	// that they never expire.
	TTL time.Duration

	// Workers is the number of tasks of a race, which has none of the others.
	Workers int
}

// NoExpiry is the TTL of products that never expire.
const NoExpiry time.Duration = -1

// Tasks returns the tasks in brief, such as 1R 2W.
func (w Workload) Tasks() string {
	if w.Workers > 0 {
		return plural(w.Workers, "worker")
	}
	return fmt.Sprintf("%dR %dW", w.Readers, w.Writers)
}

// Timed says whether time passes.
func (w Workload) Timed() bool { return w.MaxStall > 0 }

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

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
	_, creates := s.Prototype().(Creator)
	if s.Race != nil {
		setup = s.Race.Setup
	}
	for id := 1; id <= keys && s.Race == nil && !creates; id++ {
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
	var local map[int64]Product
	if w.Warm {
		var err error
		if sys.Setup, local, err = world.warm(sys.Stores, w); err != nil {
			return nil, nil, fmt.Errorf("warm the cache: %w", err)
		}
	}
	sys.Programs = world.servers(w, local, told)
	return sys, asked, nil
}

// tick returns the greatest common divisor of all durations of a timed workw.
func (s Strategy) tick(w Workload) time.Duration {
	return divisor(s.Tick(w), s.delay(w))
}

// Tick returns the greatest common divisor of all durations of a timed workload but
// the delay, so that delays which are multiples of it have it for their tick.
func (s Strategy) Tick(w Workload) time.Duration {
	var tick time.Duration
	for _, d := range s.durations(w) {
		tick = divisor(tick, d)
	}
	return tick
}

// Unit returns the unit in which a threshold of the delay is looked for unless another
// is asked for: 1s, or what divides all other durations too if that is less. If one of
// them is longer than a minute, the unit is their greatest common divisor, since there
// would be many ticks.
func (s Strategy) Unit(w Workload) time.Duration {
	if slices.Max(s.durations(w)) > time.Minute {
		return s.Tick(w)
	}
	return divisor(s.Tick(w), time.Second)
}

// durations returns those of a timed workload but the delay.
func (s Strategy) durations(w Workload) []time.Duration {
	return slices.Concat([]time.Duration{w.MaxStall, w.MaxWait, s.ttl(w)}, s.TTLs, s.Durations)
}

// divisor returns the greatest common divisor, by Euclid's algorithm; that with 0 is
// the other one.
func divisor(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
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
