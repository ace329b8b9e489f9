package model

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A Service reads and writes products through a cache and a database.
type Service interface {
	// Read returns the product, from the cache if it is there.
	Read(ctx context.Context, id int64) (Product, error)

	// Write sets the price of the product, in cents.
	Write(ctx context.Context, id, price int64) error
}

// A Strategy is a protocol by which a [Service] keeps its cache, or by which
// workers share a row of the database.
type Strategy struct {
	Name    string // as given to -strategy
	Summary string // what reader and writer do, in one line
	Claim   string // what the literature says of it, to be tested

	// New builds the service of a strategy that keeps a cache; nil if Race is not.
	New func(cache *redis.Client, db *sql.DB) Service

	// Race is a strategy without a cache.
	Race *Race
}

// A Race is what workers do at once to one row of a database.
type Race struct {
	Property string   // the name of the one that is asked
	Setup    []string // SQL: the table and the row
	Row      string   // the item of the content that is the row
	Column   string   // whose values -values shows

	Work     Work
	Numbered bool // what a worker does depends on its number
}

// Work is what one worker does, numbered from 1. It returns what it is told.
type Work func(ctx context.Context, db *sql.DB, worker int) (told string, err error)

var strategies []Strategy

// register adds a strategy; every strategy's file calls it from init.
func register(s Strategy) { strategies = append(strategies, s) }

// Strategies returns all strategies in the order of their names.
func Strategies() []Strategy {
	return slices.SortedFunc(slices.Values(strategies), func(a, b Strategy) int { return strings.Compare(a.Name, b.Name) })
}

// Caches returns the strategies that keep a cache, in the order of their names.
func Caches() []Strategy {
	return slices.DeleteFunc(Strategies(), func(s Strategy) bool { return s.Race != nil })
}

// Races returns the strategies without a cache, in the order of their names.
func Races() []Strategy {
	return slices.DeleteFunc(Strategies(), func(s Strategy) bool { return s.Race == nil })
}

// LookupStrategy returns the strategy called name, or an error that says which
// are allowed.
func LookupStrategy(name string) (Strategy, error) {
	return lookup("strategy", name, Strategies(), func(s Strategy) string { return s.Name })
}

func lookup[T any](kind, name string, all []T, nameOf func(T) string) (T, error) {
	names := make([]string, len(all))
	for i, v := range all {
		if names[i] = nameOf(v); names[i] == name {
			return v, nil
		}
	}
	var none T
	return none, fmt.Errorf("unknown %s %q; %s", kind, name, Suggest(name, names))
}
