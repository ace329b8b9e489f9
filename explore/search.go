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

// search expands every reachable state, breadth first. It stops early, without
// an error, if ctx is canceled or stop returns true, which is asked now and then
// and as soon as there are more states than limit, unless that is 0; expanded
// tells.
func (g *graph) search(ctx context.Context, limit int, stop func() bool) error {
	if limit == 0 {
		limit = math.MaxInt
	}
	values := make([]uint32, g.fields())
	var steps []edge
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
		var err error
		if steps, labels, err = g.expand(values, steps[:0], labels[:0]); err != nil {
			return err
		}
		if len(steps) > maxSpan {
			return fmt.Errorf("%d steps from one state are too many; allow fewer faults", len(steps))
		}
		if err := g.record(values, steps, labels); err != nil {
			return err
		}
		if g.suspect {
			g.suspect = false
			if err := g.chase(values); err != nil {
				return err
			}
			if !g.fits() {
				g.relayout()
			}
		}
	}
	return nil
}

// expand appends the steps from the state which is being expanded, of these values, and
// their labels. It is the one place in which the plain graph, which has no labels, is
// another one: the relation says the same of it and takes four times as long.
func (g *graph) expand(values []uint32, steps []edge, labels []uint32) ([]edge, []uint32, error) {
	if g.plain {
		steps, err := g.expandPlain(values, steps)
		return steps, nil, err
	}
	return g.expandMoves(values, steps, labels)
}

// record keeps the steps from the state which is being expanded, of these values.
func (g *graph) record(values []uint32, steps []edge, labels []uint32) error {
	stuck, err := g.sticks(values, labels)
	if err != nil {
		return err
	}
	if stuck {
		g.stick(uint32(g.expanded))
	}
	room, begin := g.edges.run(len(steps))
	copy(room, steps)
	named, _ := g.labels.run(len(labels))
	copy(named, labels)
	ways := 0
	if len(labels) == len(steps) && !slices.ContainsFunc(labels, func(l uint32) bool { return certain(g.causes.All[l]) }) {
		ways = 1 // to end here
	}
	for _, e := range steps {
		ways += int(e.many)
	}
	g.most = max(g.most, ways)
	g.steps += len(steps)
	one, _ := g.spans.run(1)
	one[0] = span(begin<<8 | len(steps))
	return nil
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
			after, _, ok, err := g.do(at, sim.Move{Task: i})
			if ofTables(err) {
				return err
			}
			if err != nil || !ok || !slices.Equal(stores(after), stores(at)) {
				break // an error is found by the search as well
			}
			at = after
		}
	}
	return nil
}
