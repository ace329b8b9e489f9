package explore

import (
	"context"
	"fmt"
	"math"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A connectionError says that a process of a class makes a request for which the
// store looks at the connection, so that the processes of the class differ; or sleeps,
// and how long ago it fell asleep matters.
type connectionError struct{ class string }

func (e *connectionError) Error() string {
	return "processes of class " + e.class + " are told apart by a store"
}

// tellsApart returns a *connectionError if processes share the table although a
// store tells them apart by this request.
func (g *graph) tellsApart(table *learn.Process, req sim.Request) error {
	if table.Shared && req.Conn != "" {
		return &connectionError{g.sys.Programs[table.Program].Class}
	}
	return nil
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

// search expands every reachable state, breadth first. It stops early, without
// an error, if ctx is canceled or stop returns true, which is asked now and then
// and as soon as there are more states than limit, unless that is 0; expanded
// tells.
func (g *graph) search(ctx context.Context, limit int, stop func() bool) error {
	if limit == 0 {
		limit = math.MaxInt
	}
	values := make([]uint32, g.fields())
	stores := values[len(g.slots):]
	key := make([]uint64, g.layout.words)
	steps := make([]edge, 0, len(g.tasks))
	var labels []uint32
	level := 1 // the first state that is one step deeper
	for ; g.expanded < g.set.n; g.expanded++ {
		if g.expanded == level {
			g.depth++
			level = g.set.n
		}
		if (g.expanded%1024 == 0 || g.set.n > limit) && (ctx.Err() != nil || stop()) {
			return nil
		}
		g.layout.unpack(g.set.key(g.expanded), values)
		if g.environmentMoves {
			var err error
			if steps, labels, err = g.expand(values, steps, labels[:0]); err != nil {
				return err
			}
			if stuck, err := g.sticks(values, labels); err != nil {
				return err
			} else if stuck {
				g.stick(uint32(g.expanded))
			}
		}
		for i := 0; i < len(g.slots) && !g.environmentMoves; i++ {
			s := &g.slots[i]
			node := values[i]
			first := i
			for i < s.last && values[i+1] == node {
				i++ // interchangeable, and in the same state
			}
			for task := range s.tasks {
				r := g.row(s.code, node, task)
				store := r.store
				if store == learn.Finished {
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
						return g.failed(g.move(edge{task: uint8(task)}, sim.Fault{}, s.program), err)
					}
					if !g.fits() {
						g.relayout()
						key = make([]uint64, g.layout.words)
					}
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
		room, begin := g.edges.run(len(steps))
		copy(room, steps)
		if g.environmentMoves {
			room, _ := g.labels.run(len(labels))
			copy(room, labels)
			ways := 0
			for _, e := range steps {
				ways += int(e.many)
			}
			g.most = max(g.most, ways)
			if len(steps) > maxSpan {
				return fmt.Errorf("%d steps from one state are too many; allow fewer faults", len(steps))
			}
		}
		g.steps += len(steps)
		one, _ := g.spans.run(1)
		one[0] = span(begin<<8 | len(steps))
		steps = steps[:0]
		if g.suspect {
			g.suspect = false
			if err := g.chase(values); err != nil {
				return err
			}
			if !g.fits() {
				g.relayout()
				key = make([]uint64, g.layout.words)
			}
		}
	}
	return nil
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

// chase lets every task go on alone from a state of these values, as long as it changes
// nothing in the stores, and returns the error if one of them never ends. Breadth first
// the search would get there late: several tasks that go round and round do so in all
// combinations.
func (g *graph) chase(values []uint32) error {
	stores := func(values []uint32) []uint32 { return values[len(g.slots):g.envAt()] }
	for i := range g.tasks {
		at := values
		for range 2 * learn.LongestLoop * learn.MostRepeats { // a request and its arrival
			s, ok, err := g.do(at, sim.Move{Task: i})
			if ofTables(err) {
				return err
			}
			if err != nil || !ok || !slices.Equal(stores(s.values), stores(at)) {
				break // an error is found by the search as well
			}
			at = s.values
		}
	}
	return nil
}
