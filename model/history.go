package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
)

// eventual is coherent of what is left when everything has expired that can. What
// a server keeps in its memory does not expire.
func eventual(s Strategy, w Workload) sim.Property {
	stale := coherent(s, w).Violation
	return sim.Property{Name: "eventual", Premise: cached(w), Violation: func(v sim.View) string {
		return stale(withCache(v, slices.DeleteFunc(slices.Clone(cacheOf(v)), func(it sim.Item) bool { return it.TTL > 0 })))
	}}
}

func noSilentStaleness(s Strategy, w Workload) sim.Property {
	stale := coherent(s, w).Violation
	silent := func(v sim.View) bool { return count(v, sim.Failed)+count(v, sim.Crashed) == 0 }
	holds := cached(w)
	return sim.Property{Name: "no-silent-staleness", Premise: func(v sim.View) bool { return silent(v) && holds(v) }, Violation: func(v sim.View) string {
		if !silent(v) {
			return ""
		}
		if line := stale(v); line != "" {
			return line + ", and no operation has failed"
		}
		return ""
	}}
}

// available looks at operations that have failed or have given up. Those of a process that has
// crashed have not: nobody is there to be told. It says nothing of an execution in
// which the database has failed.
func available(_ Strategy, w Workload) sim.Property {
	const struck, databaseDown = "struck", "the database has failed"
	return sim.Property{Name: "available", Monitor: &sim.Monitor{After: func(state string, e sim.Event) string {
		switch {
		case e.Fault.Kind == sim.RequestError || e.Fault.Kind != "" && e.Fault.Kind != sim.Crash && e.Request.Store == dbStore:
			return databaseDown
		case state == "" && e.Strikes():
			return struck
		}
		return state
	}}, Premise: func(v sim.View) bool { return v.Monitor == struck }, Violation: func(v sim.View) string {
		if v.Monitor == databaseDown {
			return ""
		}
		if n := count(v, sim.Failed); n > 0 {
			return fmt.Sprintf("%s failed although the database is up", plural(n, "operation"))
		}
		if n := count(v, toldGaveUp); n > 0 {
			return fmt.Sprintf("%s gave up although the database is up", plural(n, "operation"))
		}
		return ""
	}}
}

// noDeadlock is violated by a deadlock, as every property is, and by nothing else.
func noDeadlock(Strategy, Workload) sim.Property {
	return sim.Property{Name: "no-deadlock", Violation: func(sim.View) string { return "" }}
}

func dbLoad(p *Property, value string) error {
	most, err := strconv.Atoi(value)
	if err != nil || most < 0 {
		return fmt.Errorf("db-load=%s: must be a number of tasks", value)
	}
	p.of = func(_ Strategy, w Workload) sim.Property {
		return sim.Property{Name: p.Name, Always: true, Violation: func(v sim.View) string {
			loads := map[string]int{} // tasks that wait for a product, by request
			for _, req := range v.Pending {
				if req.Store == dbStore && strings.Contains(req.Body, loadProduct) {
					loads[req.Body]++
				}
			}
			for _, n := range loads {
				if n > most {
					return fmt.Sprintf("%d tasks at once load the same product from the database", n)
				}
			}
			return ""
		}}
	}
	return nil
}

// rowPrice returns the price of a product in the database, 0 if it has none.
func rowPrice(v sim.View, id int64) int64 {
	row := productRow(v, id)
	if row == "" {
		return 0
	}
	p, err := decode(row)
	if err != nil {
		panic(err) // the row is of our own table
	}
	return p.Price
}
