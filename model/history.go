package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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

// A staleness is the state of the monitor of bounded-staleness.
type staleness struct {
	Writes map[int64][]priceWrite // of every product, in the order of the database; the first is that of the setup
	Begun  map[string][]string    // by reader: what is too old for it
	Broken string                 // how the property was violated
}

// A priceWrite is a write of a price, as the database has it.
type priceWrite struct {
	Price  int64
	Writer string `json:",omitempty"` // the task
	Told   bool   `json:",omitempty"` // its caller knows
	Age    int    `json:",omitempty"` // in ticks, since then
}

func boundedStaleness(p *Property, value string) error {
	bound, err := time.ParseDuration(value)
	if err != nil || bound < 0 {
		return fmt.Errorf("bounded-staleness=%s: must be a duration, such as 2s", value)
	}
	p.lasts = bound
	p.of = func(s Strategy, w Workload) sim.Property {
		limit, cast := int(bound/s.tick(w)), w.cast()
		watch := func(st *staleness, e sim.Event) {
			st.write(e, cast[e.Name])
			if e.Fault.Kind == sim.Tick {
				st.tick(limit + 1)
			}
			if _, begun := st.Begun[e.Name]; cast[e.Name].role == reader && !begun {
				st.Begun[e.Name] = st.tooOld(limit)
			}
			if !e.Finished {
				return
			}
			found := e.View.Results[e.Task]
			if found == "" || found == toldRaised {
				st.tell(e.Name)
			}
			if slices.Contains(st.Begun[e.Name], found) && st.Broken == "" {
				_, price, _ := strings.Cut(found, " ")
				st.Broken = fmt.Sprintf("a read that began more than %s after a write was acknowledged returned the price %s from before it", bound, price)
			}
		}
		begin := staleness{Writes: map[int64][]priceWrite{}, Begun: map[string][]string{}}
		for id := int64(1); id <= int64(w.Keys); id++ {
			first := priceWrite{Price: initialPrice}
			if _, ok := s.Prototype().(Creator); ok {
				first.Price = 0
			}
			begin.Writes[id] = []priceWrite{first}
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

// write adds what the database has been written by a step: every price that is new
// there, and one that was there already, which a writer who adds to an old price can
// set. The step is one of the task that has this part.
func (s *staleness) write(e sim.Event, by part) {
	for _, id := range slices.Sorted(maps.Keys(s.Writes)) {
		price, last := rowPrice(e.View, id), s.Writes[id][len(s.Writes[id])-1]
		if price != last.Price || setsPrice(e, by) && by.product == id && last.Writer != e.Name {
			s.Writes[id] = append(s.Writes[id], priceWrite{Price: price, Writer: e.Name})
			s.renew(priced(id, price))
		}
	}
}

// setsPrice says whether a step is a writer's UPDATE of the price of its product that
// commits by itself.
func setsPrice(e sim.Event, by part) bool {
	return by.role == writer && e.Fault.Kind != sim.RequestError &&
		e.Request.Store == dbStore && e.Request.Conn == "" && strings.Contains(e.Request.Body, setPrice)
}

// renew says that the database has again what a read finds. Nobody can tell that from
// what was there before.
func (s *staleness) renew(found string) {
	for reader, old := range s.Begun {
		s.Begun[reader] = slices.DeleteFunc(old, func(o string) bool { return o == found })
	}
}

// tick lets the time since every acknowledgment grow, up to most ticks.
func (s *staleness) tick(most int) {
	for _, writes := range s.Writes {
		for i := range writes {
			if writes[i].Told {
				writes[i].Age = min(writes[i].Age+1, most)
			}
		}
	}
}

// tell says that the caller of a task knows that it has finished.
func (s *staleness) tell(task string) {
	for _, writes := range s.Writes {
		for i := range writes {
			if writes[i].Writer == task {
				writes[i].Told = true
			}
		}
	}
}

// tooOld returns what a read that begins now must not find: every price that is from
// before a write which was acknowledged more than limit ticks ago. It is from before the
// write unless it was there from the write on.
func (s *staleness) tooOld(limit int) []string {
	old := []string{}
	for id, writes := range s.Writes {
		late := 0 // the last of those writes
		for i, w := range writes {
			if w.Age > limit {
				late = i
			}
		}
		for _, before := range writes[:late] {
			price := before.Price
			if !slices.ContainsFunc(writes[late:], func(w priceWrite) bool { return w.Price == price }) {
				old = append(old, priced(id, price))
			}
		}
	}
	slices.Sort(old)
	return slices.Compact(old)
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

// String returns the state in one form: JSON sorts the keys of a map.
func (s staleness) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers and strings
	}
	return string(b)
}
