package model

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// The names of the stores. A system has them in this order, and behind them the clock if
// its strategy pauses; that of a race has the database alone.
const (
	cacheStore = "cache"
	dbStore    = "db"
)

// stores returns those of every system of the world.
func (world *World) stores() []sim.Store {
	switch {
	case world.strategy.Race != nil:
		return []sim.Store{world.db}
	case world.strategy.Delay > 0:
		return []sim.Store{world.cache, world.db, sim.Clock{}}
	}
	return []sim.Store{world.cache, world.db}
}

// cacheOf returns what the cache holds in a view. A race has no cache.
func cacheOf(v sim.View) sim.Content { return v.Contents[0] }

// withCache returns the view in which the cache holds something else.
func withCache(v sim.View, c sim.Content) sim.View {
	v.Contents = slices.Clone(v.Contents)
	v.Contents[0] = c
	return v
}

// databaseOf returns what the database holds in a view.
func databaseOf(v sim.View) sim.Content {
	if len(v.Contents) == 1 { // of a race
		return v.Contents[0]
	}
	return v.Contents[1]
}

// productRow returns the row of a product in the database as JSON, "" if there is none.
func productRow(v sim.View, id int64) string {
	row, _ := databaseOf(v).Lookup(fmt.Sprintf("products/%d", id))
	return row
}
