package explore

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A graph is the product of the learned machines: every state that some
// schedule reaches, and every step from it. A state is one number for each
// process, in the table of its code, and one for each store.
//
// Interchangeable processes stand side by side, and their numbers are kept in
// ascending order, so that one state stands for all that differ only by a
// permutation of them. That is a bisimulation as long as nothing tells the
// processes apart, and every step carries the number of labelled tasks that
// could take it, so counts still speak of labelled tasks.
type graph struct {
	sys      *sim.System
	stores   []*learn.Store
	codes    []*learn.Process
	slots    []slot
	tasks    []sim.TaskRef
	slotOf   []int // by program
	relation *sim.Relation
	rows     [][]row // by code, and then by state of a process of that code and task

	plain   bool // there is nothing but the steps of tasks: see plain.go
	dated   bool // the environment has times: see sim.System.Dated
	envs    *learn.Numbers[sim.EnvironmentState]
	causes  *learn.Numbers[sim.Fault]
	labels  chunks[uint32] // of the edges: which of causes each is
	watches []watch        // of all properties that have a monitor
	asked   int            // which of watches is that of the property of sys; -1 if none
	lookups *sim.Lookups   // by the property of sys

	begins   []uint32 // the first state, in which interchangeable processes are not in order
	layout   layout
	set      *stateSet
	scratch  []uint64     // a key
	spans    chunks[span] // of the edges of every expanded state
	edges    chunks[edge]
	steps    int             // all edges
	most     int             // of the ways on from a state, and to end there
	expanded int             // states whose edges are known; all if the search was complete
	stuck    map[uint32]bool // states that are no ends though nothing goes on there: see prune; nil is none
	suspect  bool            // a task may ask the same for ever: see chase
	depth    int             // of the breadth-first search
	height   int             // of the longest execution if the environment moves, which is known at the end
}

// A slot is the place of one process in a state.
type slot struct {
	program int
	code    int
	group   int // equal for interchangeable processes
	last    int // the last slot of its group
	tasks   int // how many the process has
	base    int // the first of them in System.Tasks
	first   int // the first of them among the tasks of all slots
}

// A watch is the monitor of a property, and the states that it has come to.
type watch struct {
	monitor *sim.Monitor
	states  *learn.Numbers[string]
	lookups *sim.Lookups // by the monitor and the property
}

// An edge is one step from a state.
type edge struct {
	to   uint32
	slot uint8 // the first of the interchangeable slots that can take it
	many uint8 // how many of them there are
	at   uint8 // the slot in which the process that takes it is afterwards
	task uint8 // of that process
}

// A span is the index of the first of some edges, and in the lowest byte their
// number.
type span uint64

const (
	maxTasks  = 40 // the least common multiple of 1..maxTasks has to fit into 64 bits
	maxSpan   = 255
	maxStates = math.MaxUint32 - 1
	edgeBytes = 8
	spanBytes = 8
)

// newGraph starts the tables and numbers the initial state, of a graph that is about
// all these properties. Processes of classes in apart share no table. Unless merge is
// set, a process is in the same state twice only after the same history.
func newGraph(sys *sim.System, properties []sim.Property, symmetry, merge bool, apart map[string]bool) (*graph, error) {
	env, err := sys.Environment()
	if err != nil {
		return nil, err
	}
	g := &graph{sys: sys, tasks: sys.Tasks(), relation: sys.Relation(), envs: learn.NewNumbers(env), causes: learn.NewNumbers(sim.Fault{}), asked: -1, lookups: sys.Lookups()}
	for _, p := range properties {
		if p.Monitor != nil {
			g.watches = append(g.watches, watch{p.Monitor, learn.NewNumbers(p.Monitor.Start), sys.Lookups()})
		}
		symmetry = symmetry && !p.Labelled && p.Monitor == nil
	}
	g.dated = sys.Dated()
	g.plain = !g.restless() && !g.dated && len(g.watches) == 0
	if len(g.tasks) > maxTasks {
		return nil, fmt.Errorf("%d tasks are too many; the product engine takes %d", len(g.tasks), maxTasks)
	}
	for i := range sys.Stores {
		t, err := learn.NewStore(sys, i)
		if err != nil {
			return nil, err
		}
		g.stores = append(g.stores, t)
	}
	codes, base := map[string]int{}, 0
	for i, p := range sys.Programs {
		var tasks []sim.TaskRef
		for _, t := range g.tasks {
			if t.Program == i {
				tasks = append(tasks, t)
			}
		}
		code, ok := codes[p.Class]
		if ok && p.Class != "" && !apart[p.Class] {
			g.codes[code].Shared = true
		} else {
			code = len(g.codes)
			codes[p.Class] = code
			t, err := learn.NewProcess(sys, i, tasks, g.stores, merge)
			if err != nil {
				return nil, ended(sys, err)
			}
			g.codes = append(g.codes, t)
			g.rows = append(g.rows, nil)
		}
		group := i
		if symmetry {
			group = code
		}
		g.slots = append(g.slots, slot{program: i, code: code, group: group, tasks: len(tasks), base: base})
		base += len(tasks)
	}
	slices.SortStableFunc(g.slots, func(a, b slot) int { return a.group - b.group })
	for i := 1; i < len(g.slots); i++ {
		g.slots[i].first = g.slots[i-1].first + g.slots[i-1].tasks
	}
	for i := len(g.slots) - 1; i >= 0; i-- {
		g.slots[i].last = i
		if i+1 < len(g.slots) && g.slots[i+1].group == g.slots[i].group {
			g.slots[i].last = g.slots[i+1].last
		}
	}
	g.slotOf = slotsOf(g.slots)
	if err := g.boot(); err != nil {
		return nil, misbooted(sys, err)
	}
	g.relayout()
	g.set.add(g.key(g.begins))
	return g, nil
}

// boot sets the first state: that in which all machines are in their first, or
// what the tasks that boot make of it.
func (g *graph) boot() error {
	g.begins = make([]uint32, g.fields())
	w := &tables{g: g, values: g.begins}
	if _, err := g.relation.Boot(w); err != nil {
		return err
	}
	for i, s := range g.slots { // some sleep from the start
		if err := g.sleepsApart(g.codes[s.code], g.begins[i]); err != nil {
			return err
		}
	}
	return g.relation.Begin(w)
}

// restless says whether the environment moves as well.
func (g *graph) restless() bool { return len(g.sys.Faults) > 0 || g.sys.Timing != nil }

// about returns the same graph as one of the system with this property, which is one
// of those for which it was made.
func (g *graph) about(p sim.Property) *graph {
	one := *g
	one.sys = g.sys.With(p)
	one.asked = slices.IndexFunc(g.watches, func(w watch) bool { return p.Monitor != nil && w.monitor == p.Monitor })
	one.lookups = g.sys.Lookups()
	if one.asked >= 0 {
		one.lookups = g.watches[one.asked].lookups
	}
	return &one
}

// apart returns a graph of the same system and tables, yet to be searched, in
// which no processes are interchangeable: a state stands for itself alone.
func (g *graph) apart() *graph {
	a := &graph{sys: g.sys, tasks: g.tasks, relation: g.relation, stores: g.stores, codes: g.codes, rows: g.rows, plain: g.plain, dated: g.dated, asked: g.asked, lookups: g.lookups}
	a.envs, a.causes = g.envs.Clone(), g.causes.Clone()
	for _, w := range g.watches {
		a.watches = append(a.watches, watch{w.monitor, w.states.Clone(), w.lookups})
	}
	a.slots, a.begins = slices.Clone(g.slots), slices.Clone(g.begins)
	slices.SortFunc(a.slots, func(s, t slot) int { return s.program - t.program })
	for i := range a.slots {
		s := &a.slots[i]
		s.group, s.last, s.first = i, i, g.base(s.program)
		a.begins[i] = g.begins[g.slotOf[s.program]]
	}
	a.slotOf = slotsOf(a.slots)
	a.relayout()
	a.set.add(a.key(a.begins))
	return a
}

// fields returns how many numbers a state is.
func (g *graph) fields() int {
	return len(g.slots) + len(g.stores) + 1 + len(g.watches)
}

// slotsOf returns where the programs are.
func slotsOf(slots []slot) []int {
	all := make([]int, len(slots))
	for i, s := range slots {
		all[s.program] = i
	}
	return all
}

// key packs values, with those of interchangeable processes in ascending order.
func (g *graph) key(values []uint32) []uint64 {
	values = slices.Clone(values)
	for i, s := range g.slots {
		if i == 0 || s.group != g.slots[i-1].group {
			slices.Sort(values[i : s.last+1])
		}
	}
	key := make([]uint64, g.layout.words)
	g.layout.pack(values, key)
	return key
}

// relayout packs the states anew, with fields that are wide enough for all
// numbers that the tables have given out so far and some more.
func (g *graph) relayout() {
	var widths []uint
	for _, s := range g.slots {
		widths = append(widths, width(g.codes[s.code].States()))
	}
	for _, t := range g.stores {
		widths = append(widths, width(t.States()))
	}
	env := uint(0) // bits for the one state that a plain graph has
	if n := len(g.envs.All); n > 1 {
		env = width(n)
	}
	widths = append(widths, env)
	for _, w := range g.watches {
		widths = append(widths, width(len(w.states.All)))
	}
	old, oldLayout := g.set, g.layout
	g.layout = newLayout(widths)
	g.set, g.scratch = newStateSet(g.layout.words), make([]uint64, g.layout.words)
	if old == nil {
		return
	}
	values := make([]uint32, len(widths))
	key := make([]uint64, g.layout.words)
	for id := range old.n {
		oldLayout.unpack(old.key(id), values)
		g.layout.pack(values, key)
		g.set.add(key)
	}
}

// width returns the bits of a field for at least n numbers.
func width(n int) uint {
	w := uint(3)
	for 1<<w < n {
		w++
	}
	return w
}

// fits says whether the fields are wide enough for all numbers given out.
func (g *graph) fits() bool {
	for i, s := range g.slots {
		if uint64(g.codes[s.code].States()) > g.layout.fields[i].mask+1 {
			return false
		}
	}
	for i, t := range g.stores {
		if uint64(t.States()) > g.layout.fields[len(g.slots)+i].mask+1 {
			return false
		}
	}
	room := func(i, n int) bool { return uint64(n) <= g.layout.fields[i].mask+1 }
	for i, w := range g.watches {
		if !room(g.watchAt(i), len(w.states.All)) {
			return false
		}
	}
	return room(g.envAt(), len(g.envs.All))
}

// bytes returns the memory that states and edges occupy.
func (g *graph) bytes() (states, edges int64) {
	return g.set.bytes() + spanBytes*chunkSize*int64(len(g.spans.all)), edgeBytes * chunkSize * int64(len(g.edges.all))
}

// values returns the numbers of a state.
func (g *graph) values(state uint32) []uint32 {
	values := make([]uint32, g.fields())
	g.layout.unpack(g.set.key(int(state)), values)
	return values
}

// out returns the steps from a state, each as the move of the first process that can
// make it; none if the state was not expanded.
func (g *graph) out(state uint32) iter.Seq2[edge, sim.Move] {
	return func(yield func(edge, sim.Move) bool) {
		if int(state) >= g.expanded {
			return
		}
		begin, n := g.span(state)
		for i, e := range g.edges.slice(begin, n) {
			if !yield(e, g.move(e, g.label(begin+i), int(e.slot))) {
				return
			}
		}
	}
}

// from returns the edges of a state; none if it was not expanded.
func (g *graph) from(state uint32) []edge {
	if int(state) >= g.expanded {
		return nil
	}
	return g.edges.slice(g.span(state))
}

// span returns the index of the first step from a state that was expanded, and
// their number.
func (g *graph) span(state uint32) (begin, n int) {
	s := *g.spans.at(int(state))
	return int(s >> 8), int(s & 0xff)
}

// ends says whether nothing happens any more in a state unless by a fault, or to a key
// that lapses: it is quiescent or a deadlock.
func (g *graph) ends(state uint32) bool {
	if g.stuck != nil && g.stuck[state] {
		return false
	}
	if int(state) >= g.expanded {
		return false
	}
	begin, n := g.span(state)
	for i := begin; i < begin+n; i++ {
		if certain(g.label(i)) {
			return false
		}
	}
	return true
}

// prune takes away every step to a state from which no end is reached, so that every
// path from the first state is the beginning of an interleaving. A state that was not
// expanded may be one that ends.
func (g *graph) prune(order []uint32) {
	if g.stuck == nil {
		return
	}
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		if int(s) >= g.expanded {
			continue
		}
		ends := g.ends(s)
		begin, n := g.span(s)
		left := begin
		for j := begin; j < begin+n; j++ {
			if e := *g.edges.at(j); !g.dead(e.to) {
				*g.edges.at(left), *g.labels.at(left) = e, *g.labels.at(j)
				left++
			}
		}
		*g.spans.at(int(s)) = span(begin<<8 | (left - begin))
		g.steps -= begin + n - left
		if !ends && g.ends(s) { // what is left of its steps need not happen, such as a fault
			g.stuck[s] = true
		}
	}
}

// dead says whether no end is reached from a state, whose steps have been pruned.
func (g *graph) dead(state uint32) bool {
	return g.stuck[state] && len(g.from(state)) == 0
}

// waits says whether a task that is not a background task has not finished in a
// state of these values.
func (g *graph) waits(values []uint32) bool {
	for i, s := range g.slots {
		if g.codes[s.code].Waits(values[i]) {
			return true
		}
	}
	return false
}

// view returns what a property sees of a state.
func (g *graph) view(values []uint32) sim.View {
	v := sim.View{Contents: make([]sim.Content, len(g.stores)), Results: make([]string, len(g.tasks))}
	for i, t := range g.stores {
		v.Contents[i] = t.Content(values[len(g.slots)+i])
	}
	v.Memories, v.Pending = make([]sim.Content, len(g.slots)), make([]sim.Request, len(g.tasks))
	for i, s := range g.slots {
		table := g.codes[s.code]
		v.Memories[s.program] = table.Memory(values[i])
		for task, first := 0, g.base(s.program); task < s.tasks; task++ {
			v.Results[first+task] = table.Wants(values[i])[task].Result
			if table.Asks(values[i])[task].Store == learn.Parked {
				if v.Parked == nil {
					v.Parked = make([]bool, len(g.tasks))
				}
				v.Parked[first+task] = true
			}
			v.Pending[first+task] = table.Asked(values[i], task)
		}
	}
	if g.asked >= 0 {
		v.Monitor = g.watches[g.asked].states.All[values[g.watchAt(g.asked)]]
	}
	return g.lookups.View(v)
}

// order returns all states so that every step goes from an earlier to a later
// one. There is such an order because a process never gets back into a state:
// what its tasks were told only grows, until they finish. The rank of a state is the sum
// over all tasks of how many steps they have taken, where a finished one has taken as
// many as it ever does.
func (g *graph) order() []uint32 {
	if !g.plain {
		order := g.sorted()
		g.measure(order)
		return order
	}
	ranks := make([][]int, len(g.codes))
	for i, code := range g.codes {
		ranks[i] = code.Ranks()
	}
	values := make([]uint32, g.fields())
	rank := make([]uint32, g.set.n)
	var begin []int // of the states of each rank, by counting
	for id := range g.set.n {
		g.layout.unpack(g.set.key(id), values)
		r := 0
		for i, s := range g.slots {
			r += ranks[s.code][values[i]]
		}
		rank[id] = uint32(r)
		for len(begin) <= r+1 {
			begin = append(begin, 0)
		}
		begin[r+1]++
	}
	for r := 1; r < len(begin); r++ {
		begin[r] += begin[r-1]
	}
	order := make([]uint32, g.set.n)
	for id := range g.set.n {
		r := rank[id]
		order[begin[r]] = uint32(id)
		begin[r]++
	}
	return order
}
