package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
)

// historical are the properties that can be asked of every strategy with a cache.
var historical = []string{"eventual", "no-silent-staleness", "available", "no-lost-write", "no-deadlock", "db-load", "bounded-staleness"}

// eventual is coherent of what is left when everything has expired that can. What
// a server keeps in its memory does not expire.
func eventual(s Strategy, w Workload) sim.Property {
	stale := coherent(s, w).Violation
	return sim.Property{Name: "eventual", Premise: cached(w), Violation: func(v sim.View) string {
		v.Contents = slices.Clone(v.Contents)
		v.Contents[cacheStore] = slices.DeleteFunc(slices.Clone(v.Contents[cacheStore]), func(it sim.Item) bool { return it.TTL > 0 })
		return stale(v)
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
		case e.Fault.Kind == sim.DBError || e.Fault.Kind != "" && e.Fault.Kind != sim.Crash && e.Request.Store == "db":
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
				if req.Store == "db" && strings.Contains(req.Body, loadProduct) {
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

// A staleness is the state of the monitor of bounded-staleness.
type staleness struct {
	Prices map[int64]int64      // of every product, in the database
	Old    map[string]*replaced // by what a read finds that has been replaced, and has not come back
	Begun  map[string][]string  // by reader: what is too old for it
	Broken string               // how the property was violated
}

// replaced says what is known of the write that replaced a price.
type replaced struct {
	Writer string // the task
	Told   bool   // its caller knows
	Age    int    // in ticks, since then
}

func boundedStaleness(p *Property, value string) error {
	bound, err := time.ParseDuration(value)
	if err != nil || bound < 0 {
		return fmt.Errorf("bounded-staleness=%s: must be a duration, such as 2s", value)
	}
	p.lasts = bound
	p.of = func(s Strategy, w Workload) sim.Property {
		limit := int(bound / s.tick(w))
		watch := func(st *staleness, e sim.Event) {
			for id := int64(1); id <= int64(w.Keys); id++ {
				price := rowPrice(e.View, id)
				if before := st.Prices[id]; before != price {
					st.Prices[id], st.Old[priced(id, before)] = price, &replaced{Writer: e.Name}
					st.renew(priced(id, price))
				}
			}
			if e.Fault.Kind == sim.Tick {
				for _, r := range st.Old {
					if r.Told {
						r.Age = min(r.Age+1, limit+1)
					}
				}
			}
			if _, begun := st.Begun[e.Name]; strings.HasPrefix(e.Name, "reader-") && !begun {
				st.Begun[e.Name] = []string{}
				for found, r := range st.Old {
					if r.Age > limit {
						st.Begun[e.Name] = append(st.Begun[e.Name], found)
					}
				}
				slices.Sort(st.Begun[e.Name])
			}
			if !e.Finished {
				return
			}
			for _, r := range st.Old {
				if r.Writer == e.Name && e.View.Results[e.Task] != sim.Failed && e.View.Results[e.Task] != sim.Crashed {
					r.Told = true
				}
			}
			found := e.View.Results[e.Task]
			if slices.Contains(st.Begun[e.Name], found) && st.Broken == "" {
				_, price, _ := strings.Cut(found, " ")
				st.Broken = fmt.Sprintf("a read returned the price %s more than %s after the write that replaced it was acknowledged", price, bound)
			}
		}
		begin := staleness{Prices: map[int64]int64{}, Old: map[string]*replaced{}, Begun: map[string][]string{}}
		for id := int64(1); id <= int64(w.Keys); id++ {
			begin.Prices[id] = initialPrice
			if _, ok := s.Prototype().(Creator); ok {
				begin.Prices[id] = 0
			}
		}
		return sim.Property{Name: p.Name, Monitor: &sim.Monitor{
			Start: begin.String(),
			After: func(state string, e sim.Event) string {
				var st staleness
				if err := json.Unmarshal([]byte(state), &st); err != nil {
					panic(err) // we wrote it
				}
				watch(&st, e)
				return st.String()
			},
		}, Premise: func(v sim.View) bool {
			var st staleness
			if err := json.Unmarshal([]byte(v.Monitor), &st); err != nil {
				panic(err) // we wrote it
			}
			for _, old := range st.Begun {
				if len(old) > 0 {
					return true
				}
			}
			return false
		}, Violation: func(v sim.View) string {
			var st staleness
			if err := json.Unmarshal([]byte(v.Monitor), &st); err != nil {
				panic(err) // we wrote it
			}
			return st.Broken
		}}
	}
	return nil
}

// renew says that the database has again what a read finds: a writer who adds to an
// old price can set one that was there before. Nobody can tell the two apart then.
func (s *staleness) renew(found string) {
	delete(s.Old, found)
	for reader, old := range s.Begun {
		s.Begun[reader] = slices.DeleteFunc(old, func(o string) bool { return o == found })
	}
}

// rowPrice returns the price of a product in the database, 0 if it has none.
func rowPrice(v sim.View, id int64) int64 {
	row, ok := v.Contents[dbStore].Lookup(fmt.Sprintf("products/%d", id))
	if !ok {
		return 0
	}
	p, err := decode(row)
	if err != nil {
		panic(err) // the row is of our own table
	}
	return p.Price
}

// String returns the state in one form: JSON sorts the keys of a map.
func (s staleness) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers and strings
	}
	return string(b)
}
