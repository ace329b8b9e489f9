package model

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"quiesce/sim/sqlite"
)

// A Group is what some strategies have in common.
type Group int

// The groups, in the order in which they are listed.
const (
	FillAndInvalidate Group = 1 + iota
	VersionsAndLeases
	LocalCaches
	TimeAndFaults
	DatabaseRaces
)

var titles = [...]string{
	FillAndInvalidate: "fill and invalidate",
	VersionsAndLeases: "versions and leases",
	LocalCaches:       "local caches and messages",
	TimeAndFaults:     "time and faults",
	DatabaseRaces:     "database races",
}

// String returns the title of the group.
func (g Group) String() string { return titles[g] }

// Groups returns all groups in their order.
func Groups() (all []Group) {
	for g := 1; g < len(titles); g++ {
		all = append(all, Group(g))
	}
	return all
}

// A Strategy is a protocol by which a [Service] keeps its cache, or by which
// workers share a row of the database.
type Strategy struct {
	Name    string // as given to -strategy
	Group   Group
	Summary string // what reader and writer do, in one sentence
	Claim   string // what the literature says of it, to be tested

	// Promises says that the claim means that the property holds. The zero value
	// means that the claim names a weakness, or nothing that is asked here.
	Promises bool

	// Deferred says that a write is acknowledged before the database has it, so that
	// how old a read is cannot be measured from there.
	Deferred bool

	// Absent says that no product is there at first, and that writers add it, unless the
	// workload has creators for that.
	Absent bool

	// Uncreated says in a clause why its workloads have no creators. The zero value means
	// that they can have some.
	Uncreated string

	// Mode is that of the database. The zero value is in memory, where every
	// statement commits by itself.
	Mode sqlite.Mode

	// Tables is SQL: what the database of a strategy with a cache has beside the
	// products.
	Tables []string

	// New builds the service of a strategy that keeps a cache; nil if Race is not.
	// It only keeps what it gets.
	New func(Deps) Service

	// TTL is that of products in the cache that the servers share, and Delay how long
	// the service pauses, unless the workload says otherwise. The zero value means that
	// there is no such thing, so that none can be chosen.
	TTL, Delay time.Duration

	// TTLs are those of what else the service keeps in Redis, such as the lease of a
	// lock, and Durations what else it measures time by.
	TTLs, Durations []time.Duration

	// Race is a strategy without a cache.
	Race *Race
}

// Deps are what a service gets from whoever runs it: its clients, and what can be
// chosen. All are zero where a service is built to see what it can do.
type Deps struct {
	Cache *redis.Client
	DB    *sql.DB
	Clock Clock
	TTL   time.Duration // of products in the cache; 0 means that they never expire
	Delay time.Duration // of a pause
}

// A Clock is what a service pauses with. It has a part of the methods of the clocks
// that are used in production and in tests, such as those of
// github.com/jonboulle/clockwork. Nothing here asks what time it is, since that would
// be a part of every state, or waits for a channel, which only goroutines of its own
// could do.
type Clock interface {
	Sleep(time.Duration)
}

// A Race is what workers do at once to one row of a database.
type Race struct {
	Property string   // the name of the one that is asked
	Setup    []string // SQL: the table and the row
	Row      string   // the item of the content that is the row
	Column   string   // whose values -values shows

	Work      Work
	Numbered  bool // what a worker does depends on its number
	Immediate bool // a transaction begins with its lock, as by SELECT ... FOR UPDATE
}

// Work is what one worker does, numbered from 1. It returns what it is told.
type Work func(ctx context.Context, db *sql.DB, worker int) (told string, err error)

var strategies []Strategy

// register adds a strategy; every strategy's file calls it from init.
func register(s Strategy) {
	if s.Group <= 0 || int(s.Group) >= len(titles) {
		panic("model: " + s.Name + " is in no group")
	}
	strategies = append(strategies, s)
}

// InGroup returns the strategies of a group, in the order of their names.
func InGroup(g Group) []Strategy {
	return slices.DeleteFunc(Strategies(), func(s Strategy) bool { return s.Group != g })
}

// Prototype returns a service without clients, which says by its interfaces what
// services of the strategy can do; nil if it is a race.
func (s Strategy) Prototype() Service {
	return s.build(Deps{}, Workload{})
}

// build returns a service on these clients, nil if the strategy is a race.
func (s Strategy) build(d Deps, w Workload) Service {
	if s.New == nil {
		return nil
	}
	d.TTL, d.Delay = s.ttl(w), s.delay(w)
	return s.New(d)
}

// ttl returns how long products stay in the cache; 0 means for ever.
func (s Strategy) ttl(w Workload) time.Duration { return max(0, cmp.Or(w.TTL, s.TTL)) }

// Expires says whether anything that the service keeps in Redis has a TTL.
func (s Strategy) Expires(w Workload) bool { return s.ttl(w) > 0 || len(s.TTLs) > 0 }

// delay returns how long the service pauses.
func (s Strategy) delay(w Workload) time.Duration { return cmp.Or(w.Delay, s.Delay) }

// caches says whether the strategy keeps a cache.
func (s Strategy) caches() bool { return s.Race == nil }

// raises says whether the writers add to a price, each the same.
func (s Strategy) raises() bool {
	_, ok := s.Prototype().(Raiser)
	return ok
}

// sets says whether the writers set prices of their own, which can be told apart.
func (s Strategy) sets() bool { return s.caches() && !s.raises() }

// question returns the name of the property that is asked by default.
func (s Strategy) question() string {
	switch {
	case !s.caches():
		return s.Race.Property
	case s.raises():
		return "no-lost-update"
	}
	return "coherent"
}

// properties returns the names of those that can be asked of the strategy, first
// the one that is asked by default.
func (s Strategy) properties() []string {
	names := []string{s.question()}
	for _, p := range Properties() {
		if p.Name != names[0] && p.asked != nil && p.asked(s) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Strategies returns all strategies in the order of their names.
func Strategies() []Strategy {
	return slices.SortedFunc(slices.Values(strategies), func(a, b Strategy) int { return strings.Compare(a.Name, b.Name) })
}

// Caches returns the strategies that keep a cache, in the order of their names.
func Caches() []Strategy {
	return slices.DeleteFunc(Strategies(), func(s Strategy) bool { return !s.caches() })
}

// Races returns the strategies without a cache, in the order of their names.
func Races() []Strategy {
	return slices.DeleteFunc(Strategies(), Strategy.caches)
}

// LookupStrategy returns the strategy called name, or an error that says which
// are allowed.
func LookupStrategy(name string) (Strategy, error) {
	return lookup("strategy", "strategies", name, Strategies(), func(s Strategy) string { return s.Name })
}

func lookup[T any](kind, kinds, name string, all []T, nameOf func(T) string) (T, error) {
	names := make([]string, len(all))
	for i, v := range all {
		if names[i] = nameOf(v); names[i] == name {
			return v, nil
		}
	}
	var none T
	return none, fmt.Errorf("unknown %s %q; %s", kind, name, Suggest(name, names, fmt.Sprintf("-list prints the %d %s", len(names), kinds)))
}
