package explore

import (
	"slices"
	"strings"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// An account is of what tasks and stores have done in the interleavings of a search.
type account struct {
	sys       *sim.System
	tasks     []sim.TaskRef
	asks      []bool                  // by task: it makes a request in some interleaving
	expires   bool                    // something that a store held had a TTL
	stuck     bool                    // an execution could not go on: see sim.Execution.Stuck
	news      bool                    // an exchange is new since that was looked for
	exchanges []map[sim.Exchange]bool // by store
}

func newAccount(sys *sim.System, tasks []sim.TaskRef) *account {
	a := &account{sys: sys, tasks: tasks, asks: make([]bool, len(tasks)), news: true}
	for range sys.Stores {
		a.exchanges = append(a.exchanges, map[sim.Exchange]bool{})
	}
	return a
}

// caveats returns what a pass does not cover, in the order of the stores; what is
// about all of them comes first.
func (a *account) caveats() (all []string) {
	var idle []string
	for i, t := range a.tasks {
		if !t.Spawned() && !a.asksFor(i) {
			idle = append(idle, t.Name)
		}
	}
	switch len(idle) {
	case 0:
	case 1:
		all = append(all, idle[0]+" makes no request in any interleaving")
	default:
		all = append(all, strings.Join(idle, ", ")+" make no request in any interleaving")
	}
	if f := a.sys.Faults; a.expires && a.sys.Timing == nil && f[sim.Expire]+f[sim.AnyFault] == 0 {
		all = append(all, "nothing expired; the workload has TTLs")
	}
	if aging := a.sys.Aging(); len(aging) > 0 && a.sys.Timing == nil {
		all = append(all, "nothing expired in the memory of "+strings.Join(aging, ", ")+", which changes when time passes; set a timing")
	}
	if hasty := a.sys.Hasty(); len(hasty) > 0 && a.sys.Timing == nil {
		all = append(all, "no time passed for "+strings.Join(hasty, ", ")+" but up to a timer, and something else is done when it does; set a timing")
	}
	if overtaking := a.sys.Overtaking(); len(overtaking) > 0 {
		all = append(all, "of two timers of "+strings.Join(overtaking, ", ")+" the shorter one fires first, whenever it was set; set a timing")
	}
	switch {
	case a.stuck && a.sys.Timing != nil:
		all = append(all, "executions in which a request would wait longer than MaxWait are left out")
	case a.stuck:
		all = append(all, "executions in which a key would have to expire are left out; allow -faults expire=N")
	}
	for i, st := range a.sys.Stores {
		candid, ok := st.(sim.Candid)
		if !ok {
			continue
		}
		var exchanges []sim.Exchange
		for e := range a.exchanges[i] {
			exchanges = append(exchanges, e)
		}
		for _, c := range candid.Caveats(exchanges) {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// asksFor says whether a task, or a goroutine that it has started, makes a request. One
// that nobody has started, such as that of a connection, makes those of any task.
func (a *account) asksFor(task int) bool {
	t := a.tasks[task]
	for i, o := range a.tasks {
		if a.asks[i] && o.Program == t.Program && (o.Place.Task == t.Place.Task || o.Place.Task == sim.Nobody) {
			return true
		}
	}
	return false
}

// see looks for TTLs in what a store holds.
func (a *account) see(c sim.Content) {
	a.expires = a.expires || slices.ContainsFunc(c, func(it sim.Item) bool { return it.TTL > 0 })
}

// ended records who has asked for something in an execution that is an interleaving.
func (a *account) ended(trace []sim.Step) {
	for _, s := range trace {
		if s.Task != sim.Environment && !s.Request.Local() {
			a.asks[s.Task] = true
		}
	}
}

// took records a step of a task.
func (a *account) took(s sim.Step) {
	if s.Task == sim.Environment || s.Request.Local() {
		return
	}
	if s.Reply.Fault == "" {
		all, e := a.exchanges[a.sys.Store(s.Request.Store)], sim.Exchange{Request: s.Request, Reply: s.Reply}
		if !all[e] {
			all[e], a.news = true, true
		}
	}
}

// waited records a request that was blocked; not one that a store which is down has
// not seen.
func (a *account) waited(req sim.Request, down bool) {
	if store := a.sys.Store(req.Store); !down || store != a.sys.FailingStore() {
		a.exchanges[store][sim.Exchange{Request: req, Blocked: true}] = true
	}
}

// account returns that of a search that was complete.
func (g *graph) account() *account {
	a := newAccount(g.sys, g.tasks)
	a.stuck = g.stuck != nil
	for i, t := range g.stores {
		for x := range t.Exchanges() {
			a.exchanges[i][x] = true
		}
	}
	lasting := !slices.ContainsFunc(g.stores, (*learn.Store).Expires)
	for id := 0; id < g.set.n && (slices.Contains(a.asks, false) || !lasting && !a.expires); id++ {
		values := g.values(uint32(id))
		for i := 0; i < len(g.stores) && !lasting; i++ {
			a.see(g.stores[i].Content(values[len(g.slots)+i]))
		}
		for _, e := range g.from(uint32(id)) {
			if e.task == noTask {
				continue
			}
			s := g.slots[e.slot]
			if g.codes[s.code].Wants(values[e.slot])[e.task].Store < 0 {
				continue // a start or an arrival
			}
			for i := g.first(int(e.slot)); i <= s.last; i++ { // it may be any of them
				a.asks[g.base(g.slots[i].program)+int(e.task)] = true
			}
		}
	}
	return a
}
