package explore

import (
	"quiesce/explore/learn"
	"quiesce/sim"
)

// A plain graph is one in which nothing happens but the steps of tasks: there are no
// faults, no time and no monitors. Its steps are found here without asking the relation,
// by one look-up for each. TestPlain compares them with those of the relation.

// A row holds what has been learned about a task of a process in one state,
// together with the store that its request goes to: one look-up a transition.
type row struct {
	store int    // of the request; or what stands for one: see learn.Want
	next  []move // by state of the store
}

// A move is one learned transition of a process and a store.
type move struct {
	kind  learn.Kind
	node  uint32 // of the process after it
	state uint32 // of the store after it
}

// expandPlain appends the steps from the state which is being expanded, of these values.
func (g *graph) expandPlain(values []uint32, steps []edge) ([]edge, error) {
	stores := values[len(g.slots):]
	key := g.scratch
	for i := 0; i < len(g.slots); i++ {
		s := &g.slots[i]
		node := values[i]
		first := i
		for i < s.last && values[i+1] == node {
			i++ // interchangeable, and in the same state
		}
		for task := range s.tasks {
			r := g.row(s.code, node, task)
			store := r.store
			if store == learn.Finished || store == learn.Parked {
				continue
			}
			state := uint32(0)
			if store != learn.Local {
				state = stores[store]
			}
			var m move
			if int(state) < len(r.next) {
				m = r.next[state]
			}
			if m.kind == learn.Unknown {
				var err error
				if m, err = g.learn(s.code, node, task, state); err != nil {
					return nil, g.failed(g.move(edge{task: uint8(task)}, sim.Fault{}, i), err)
				}
				if !g.fits() {
					g.relayout()
				}
				key = g.scratch
			}
			if m.kind == learn.Blocked {
				continue
			}
			copy(key, g.set.key(g.expanded))
			at := g.place(key, values, first, i, m.node)
			if m.state != state {
				f := &g.layout.fields[len(g.slots)+store]
				key[f.word] ^= uint64(state^m.state) << f.shift
			}
			to, _ := g.set.add(key)
			steps = append(steps, edge{to, uint8(first), uint8(i - first + 1), uint8(at), uint8(task)})
		}
	}
	return steps, nil
}

// row returns what has been learned about a task of a process in a state.
func (g *graph) row(code int, node uint32, task int) *row {
	table := g.codes[code]
	i := int(node)*len(table.Tasks) + task
	for i >= len(g.rows[code]) {
		n := len(g.rows[code])
		g.rows[code] = append(g.rows[code], row{store: table.Wants(uint32(n / len(table.Tasks)))[n%len(table.Tasks)].Store})
	}
	return &g.rows[code][i]
}

// learn finds out what a step of a task does, for real if need be. state is that
// of the store that its request goes to.
func (g *graph) learn(code int, node uint32, task int, state uint32) (move, error) {
	process := g.codes[code]
	w := process.Wants(node)[task]
	m := move{kind: learn.Done, state: state}
	reply := uint32(0)
	if w.Store != learn.Local {
		if err := g.tellsApart(process, g.stores[w.Store].Requests.All[w.Request]); err != nil {
			return move{}, err
		}
		s, err := g.stores[w.Store].Step(state, w.Request)
		if err != nil {
			return move{}, err
		}
		m.kind, m.state, reply = s.Kind, s.State, s.Reply
	}
	if m.kind == learn.Done {
		var err error
		if m.node, err = process.Step(node, task, reply); err != nil {
			return move{}, err
		}
		g.suspect = g.suspect || process.Suspect
	}
	r := g.row(code, node, task)
	for len(r.next) <= int(state) {
		r.next = append(r.next, move{})
	}
	r.next[state] = m
	return m, nil
}

// place replaces in key, which packs values, one of the equal numbers in the
// slots first to last by node, and puts the group back into ascending order. It
// returns the slot in which node is now.
func (g *graph) place(key []uint64, values []uint32, first, last int, node uint32) int {
	set := func(i int, v uint32) {
		f := &g.layout.fields[i]
		key[f.word] ^= uint64(values[i]^v) << f.shift
	}
	if node > values[first] {
		i := last
		for ; i < g.slots[first].last && values[i+1] < node; i++ {
			set(i, values[i+1])
		}
		set(i, node)
		return i
	}
	i := first
	for ; i > 0 && g.slots[i-1].group == g.slots[first].group && values[i-1] > node; i-- {
		set(i, values[i-1])
	}
	set(i, node)
	return i
}
