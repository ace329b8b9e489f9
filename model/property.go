package model

import (
	"encoding/json"
	"fmt"
	"strings"

	"quiesce/sim"
)

// A Property is asked of a workload.
type Property struct {
	Name    string // as given to -property
	Summary string

	race bool // asked of races, not of strategies that keep a cache
	of   func(Strategy, Workload) sim.Property
}

// Properties returns all properties.
func Properties() []Property {
	return []Property{{
		Name:    "coherent",
		Summary: "at quiescence the cache holds nothing for the key or exactly the row of the database",
		of:      coherent,
	}, {
		Name:    "no-lost-update",
		Summary: "at quiescence the counter is the number of workers that were told they had counted",
		race:    true,
		of:      noLostUpdate,
	}, {
		Name:    "at-most-one-booking",
		Summary: "at quiescence at most one worker was told that the seat is its own",
		race:    true,
		of:      atMostOneBooking,
	}, {
		Name:    "stock-never-negative",
		Summary: "the stock is never below zero",
		race:    true,
		of:      stockNeverNegative,
	}}
}

// LookupProperty returns the property called name, that of the strategy if name
// is "". The error says which are allowed.
func LookupProperty(name string, s Strategy) (Property, error) {
	own := "coherent"
	if s.Race != nil {
		own = s.Race.Property
	}
	if name == "" {
		name = own
	}
	p, err := lookup("property", name, Properties(), func(p Property) string { return p.Name })
	if err == nil && (p.race || s.Race != nil) && name != own {
		err = fmt.Errorf("the property %s is not one of %s; it has %s", name, s.Name, own)
	}
	return p, err
}

func coherent(_ Strategy, w Workload) sim.Property {
	return sim.Property{Name: "coherent", Violation: func(v sim.View) string {
		for id := int64(1); id <= int64(w.Keys); id++ {
			cached, ok := v.Contents[cacheStore].Lookup(productKey(id))
			if !ok {
				continue
			}
			row, ok := v.Contents[dbStore].Lookup(fmt.Sprintf("products/%d", id))
			if !ok {
				return fmt.Sprintf("%s: the cache holds %s, the database has no such row", productKey(id), cached)
			}
			c, err := decode(cached)
			if err != nil {
				return fmt.Sprintf("%s: the cache holds %s, which is no product", productKey(id), cached)
			}
			if r, err := decode(row); err != nil {
				panic(err) // the row is of our own table
			} else if c != r {
				return fmt.Sprintf("%s: the cache holds %s, the database %s", productKey(id), encode(c), encode(r))
			}
		}
		return ""
	}}
}

// What workers are told.
const (
	toldCounted = "counted"
	toldBooked  = "booked"
	toldTaken   = "taken"
	toldSold    = "sold"
	toldSoldOut = "sold out"
	toldGaveUp  = "gave up"
)

func noLostUpdate(s Strategy, _ Workload) sim.Property {
	return sim.Property{Name: "no-lost-update", Violation: func(v sim.View) string {
		if n, told := s.Race.column(v), count(v, toldCounted); n != int64(told) {
			return fmt.Sprintf("%d workers were told that they had counted, the counter is %d", told, n)
		}
		return ""
	}}
}

func atMostOneBooking(Strategy, Workload) sim.Property {
	return sim.Property{Name: "at-most-one-booking", Violation: func(v sim.View) string {
		if n := count(v, toldBooked); n > 1 {
			return fmt.Sprintf("%d workers were told that the seat is their own", n)
		}
		return ""
	}}
}

func stockNeverNegative(s Strategy, _ Workload) sim.Property {
	return sim.Property{Name: "stock-never-negative", Always: true, Violation: func(v sim.View) string {
		if n := s.Race.column(v); n < 0 {
			return fmt.Sprintf("the stock is %d", n)
		}
		return ""
	}}
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
	row, _ := v.Contents[len(v.Contents)-1].Lookup(r.Row)
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
// of a race, or what cache and database hold for every product.
func Values(s Strategy, w Workload) Expression {
	if r := s.Race; r != nil {
		return Expression{r.Row + " " + r.Column, func(v sim.View) string { return fmt.Sprint(r.column(v)) }}
	}
	return Expression{"price in cache and database", func(v sim.View) string {
		var all []string
		for id := int64(1); id <= int64(w.Keys); id++ {
			cached, _ := v.Contents[cacheStore].Lookup(productKey(id))
			row, _ := v.Contents[dbStore].Lookup(fmt.Sprintf("products/%d", id))
			all = append(all, price(cached)+" "+price(row))
		}
		return strings.Join(all, ", ")
	}}
}

// price returns the price of a product as JSON, or a dash.
func price(s string) string {
	p, err := decode(s)
	if err != nil {
		return "-"
	}
	return fmt.Sprint(p.Price)
}
