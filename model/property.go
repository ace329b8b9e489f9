package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"quiesce/sim"
)

// A Property is asked of a workload.
type Property struct {
	Name    string // as given to -property
	Summary string

	Takes string // what is given after a "=", "" if nothing is

	asked func(Strategy) bool // of which strategies, but for those whose question it is; nil: of no other
	timed bool                // it is asked of timed workloads only
	lasts time.Duration       // how much time has to pass before it can be violated
	told  bool                // it wants to know what reads return
	of    func(Strategy, Workload) sim.Property
	with  func(*Property, string) error // sets of from what is given
}

// Properties returns all properties. A new one needs its entry here and the function that
// the entry names.
func Properties() []Property {
	return []Property{{
		Name:    "coherent",
		Summary: "at quiescence every cache, also that of each server, holds nothing for the key or exactly the row of the database",
		asked:   Strategy.caches,
		of:      coherent,
	}, {
		Name:    "no-lost-update",
		Summary: "at quiescence the counter, or the rise of the price, is what workers or writers were told they had added",
		of:      noLostUpdate,
	}, {
		Name:    "at-most-one-booking",
		Summary: "at quiescence at most one worker was told that the seat is its own",
		of:      atMostOneBooking,
	}, {
		Name:    "stock-never-negative",
		Summary: "the stock is never below zero",
		of:      stockNeverNegative,
	}, {
		Name:    "no-dirty-read",
		Summary: "at quiescence no worker was told a value that was never committed",
		of:      noDirtyRead,
	}, {
		Name:    "eventual",
		Summary: "coherent after everything has expired that can: a violation does not heal by itself",
		asked:   Strategy.caches,
		of:      eventual,
	}, {
		Name:    "no-silent-staleness",
		Summary: "coherent, unless some operation has reported an error to its caller",
		asked:   Strategy.caches,
		of:      noSilentStaleness,
	}, {
		Name:    "available",
		Summary: "no operation fails, unless the database does",
		asked:   Strategy.caches,
		of:      available,
	}, {
		Name:    "no-lost-write",
		Summary: "a price whose writer was told that it is set has been in the database at some time, at the latest at quiescence",
		asked:   Strategy.sets,
		of:      noLostWrite,
	}, {
		Name:    "no-deadlock",
		Summary: "every task finishes",
		asked:   func(Strategy) bool { return true },
		of:      noDeadlock,
	}, {
		Name:    "db-load",
		Summary: "never more than N tasks at once wait for the database to load the same product",
		asked:   Strategy.caches,
		Takes:   "N",
		with:    dbLoad,
	}, {
		Name:    "bounded-staleness",
		Summary: "no read that begins more than D after a write was acknowledged returns a price from before it",
		asked:   func(s Strategy) bool { return s.caches() && !s.Deferred },
		Takes:   "D",
		timed:   true,
		told:    true,
		with:    boundedStaleness,
	}, {
		Name:    "no-stale-read",
		Summary: "no read that begins after a write was acknowledged returns a price from before it",
		asked:   Strategy.caches,
		told:    true,
		of:      noStaleRead,
	}, {
		Name:    "read-your-writes",
		Summary: "no editor reads a price from before the one that it was told it has set",
		asked:   Strategy.caches,
		told:    true,
		of:      readYourWrites,
	}, {
		Name:    "monotonic-reads",
		Summary: "no shopper reads a price from before one that it has read",
		asked:   Strategy.caches,
		told:    true,
		of:      monotonicReads,
	}, {
		Name:    "cart-price",
		Summary: "a shopper is charged the price at which the product is in the cart, if nobody sets it between the two",
		asked:   Strategy.caches,
		told:    true,
		of:      cartPrice,
	}, {
		Name:    "linearizable",
		Summary: "the operations of a product can have happened one after the other, each between its call and its return",
		asked:   Strategy.sets,
		told:    true,
		of:      linearizable,
	}}
}

// LookupProperty returns the property called name, that of the strategy if name
// is "". The error says which are allowed.
func LookupProperty(name string, s Strategy) (Property, error) {
	own := s.properties()
	if name == "" {
		name = own[0]
	}
	name, value, given := strings.Cut(name, "=")
	p, err := lookup("property", "properties", name, Properties(), func(p Property) string { return p.Name })
	if err == nil && given != (p.Takes != "") {
		form := p.Name
		if p.Takes != "" {
			form += "=" + p.Takes
		}
		return p, fmt.Errorf("the property %s is given as %s", p.Name, form)
	}
	if err == nil && given {
		p.Name += "=" + value
		err = p.with(&p, value)
	}
	if err == nil && !slices.Contains(own, name) {
		err = fmt.Errorf("the property %s is not one of %s; it has %s", name, s.Name, strings.Join(own, ", "))
	}
	return p, err
}

func coherent(_ Strategy, w Workload) sim.Property {
	return sim.Property{Name: "coherent", Premise: cached(w), Violation: func(v sim.View) string {
		for id := int64(1); id <= int64(w.Keys); id++ {
			row := productRow(v, id)
			if line := differs("the cache", cacheOf(v), id, row); line != "" {
				return line
			}
			for i, m := range v.Memories {
				if line := differs("the local cache of "+serverName(i), m, id, row); line != "" {
					return line
				}
			}
		}
		return ""
	}}
}

// cached says whether any cache holds a product.
func cached(w Workload) func(sim.View) bool {
	return func(v sim.View) bool {
		for id := int64(1); id <= int64(w.Keys); id++ {
			for _, c := range append(slices.Clone(v.Memories), cacheOf(v)) {
				if _, ok := c.Lookup(productKey(id)); ok {
					return true
				}
			}
		}
		return false
	}
}

// differs returns the line that says how what a cache holds of a product differs
// from its row, "" if it holds nothing or the same.
func differs(cache string, c sim.Content, id int64, row string) string {
	key := productKey(id)
	cached, ok := c.Lookup(key)
	if !ok || cached == noProduct && row == "" {
		return ""
	}
	if row == "" {
		return fmt.Sprintf("%s: %s holds %s, the database has no such row", key, cache, cached)
	}
	if cached == noProduct {
		return fmt.Sprintf("%s: %s says that there is none, the database holds %s", key, cache, row)
	}
	p, err := decode(cached)
	if err != nil {
		return fmt.Sprintf("%s: %s holds %s, which is no product", key, cache, cached)
	}
	r, err := decode(row)
	if err != nil {
		panic(err) // the row is of our own table
	}
	if p != r {
		return fmt.Sprintf("%s: %s holds %s, the database %s", key, cache, encode(p), encode(r))
	}
	return ""
}

// What workers are told.
const (
	toldCounted = "counted"
	toldBooked  = "booked"
	toldTaken   = "taken"
	toldSold    = "sold"
	toldSoldOut = "sold out"
	toldGaveUp  = "gave up"
	toldRaised  = "raised"
	toldMissing = "missing" // there is no such product

	toldRolledBack = "rolled back"
	toldRead       = "read " // and the value
)

func noLostUpdate(s Strategy, w Workload) sim.Property {
	if s.Race == nil {
		return noLostRaise(w)
	}
	return sim.Property{Name: "no-lost-update", Premise: told(toldCounted), Violation: func(v sim.View) string {
		if n, told := s.Race.column(v), count(v, toldCounted); n != int64(told) {
			return fmt.Sprintf("%d workers were told that they had counted, the counter is %d", told, n)
		}
		return ""
	}}
}

// noLostRaise is no-lost-update of prices. All raises are the same and none is
// counted twice, so one that is lost is missing in the sum.
func noLostRaise(w Workload) sim.Property {
	return sim.Property{Name: "no-lost-update", Premise: told(toldRaised), Violation: func(v sim.View) string {
		var rise int64
		for id := int64(1); id <= int64(w.Keys); id++ {
			p, err := decode(productRow(v, id))
			if err != nil {
				panic(err) // the row is of our own table
			}
			rise += p.Price - initialPrice
		}
		if told := count(v, toldRaised); rise != int64(told)*raiseBy {
			return fmt.Sprintf("%d writers were told that they had raised a price by %d, together the prices rose by %d", told, raiseBy, rise)
		}
		return ""
	}}
}

func atMostOneBooking(Strategy, Workload) sim.Property {
	return sim.Property{Name: "at-most-one-booking", Premise: told(toldBooked), Violation: func(v sim.View) string {
		if n := count(v, toldBooked); n > 1 {
			return fmt.Sprintf("%d workers were told that the seat is their own", n)
		}
		return ""
	}}
}

func stockNeverNegative(s Strategy, _ Workload) sim.Property {
	return sim.Property{Name: "stock-never-negative", Always: true, Premise: told(toldSold), Violation: func(v sim.View) string {
		if n := s.Race.column(v); n < 0 {
			return fmt.Sprintf("the stock is %d", n)
		}
		return ""
	}}
}

// noDirtyRead is about workers of whom none commits a change, so the value at the
// end is the only one that ever was committed.
func noDirtyRead(s Strategy, _ Workload) sim.Property {
	reads := func(v sim.View) bool {
		return slices.ContainsFunc(v.Results, func(r string) bool { return strings.HasPrefix(r, toldRead) })
	}
	return sim.Property{Name: "no-dirty-read", Premise: reads, Violation: func(v sim.View) string {
		committed := fmt.Sprint(s.Race.column(v))
		for _, r := range v.Results {
			if read, ok := strings.CutPrefix(r, toldRead); ok && read != committed {
				return fmt.Sprintf("a worker was told %s, which was never committed: the value has always been %s", read, committed)
			}
		}
		return ""
	}}
}

// told says whether any worker was told that.
func told(what string) func(sim.View) bool {
	return func(v sim.View) bool { return count(v, what) > 0 }
}

// count returns how many workers were told that.
func count(v sim.View, told string) (n int) {
	for _, r := range v.Results {
		if r == told {
			n++
		}
	}
	return n
}

// column returns the value of the column of the race.
func (r *Race) column(v sim.View) int64 {
	row, _ := databaseOf(v).Lookup(r.Row)
	var columns map[string]json.RawMessage
	var n int64
	if err := json.Unmarshal([]byte(row), &columns); err != nil {
		panic(fmt.Errorf("row %s is %q: %w", r.Row, row, err))
	}
	if err := json.Unmarshal(columns[r.Column], &n); err != nil {
		panic(fmt.Errorf("row %s is %q: %w", r.Row, row, err))
	}
	return n
}

// An Expression is a name for what is left at quiescence.
type Expression struct {
	Name string
	Of   func(sim.View) string
}

// Values returns the expression whose values are shown of a workload: the column
// of a race, or what cache, local caches and database hold for every product. The
// local caches are in the order of their prices, since servers are interchangeable.
func Values(s Strategy, w Workload) Expression {
	if r := s.Race; r != nil {
		return Expression{r.Row + " " + r.Column, func(v sim.View) string { return fmt.Sprint(r.column(v)) }}
	}
	name := "price in cache and database"
	if _, ok := s.Prototype().(LocalCacher); ok {
		name = "price in cache, local caches and database"
	}
	return Expression{name, func(v sim.View) string {
		var all []string
		for id := int64(1); id <= int64(w.Keys); id++ {
			cached, _ := cacheOf(v).Lookup(productKey(id))
			var local []string
			for _, m := range v.Memories {
				if m != nil {
					held, _ := m.Lookup(productKey(id))
					local = append(local, price(held))
				}
			}
			slices.Sort(local)
			all = append(all, strings.Join(slices.Concat([]string{price(cached)}, local, []string{price(productRow(v, id))}), " "))
		}
		return strings.Join(all, ", ")
	}}
}

// price returns the price of a product as JSON, noProduct as it is, or a dash.
func price(s string) string {
	if s == noProduct {
		return s
	}
	p, err := decode(s)
	if err != nil {
		return "-"
	}
	return fmt.Sprint(p.Price)
}
