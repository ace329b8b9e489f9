package quiesce

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"pgregory.net/rapid"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/sim"
)

// Random runs interleavings that are drawn, where there are too many for [Test]: a hundred,
// or as many as -rapid.checks says. It is no proof: that none of them violates says nothing
// about the others. One that does is shrunk to few tasks and few changes between them, and
// kept by package rapid under testdata/rapid.
//
//	func TestRush(t *testing.T) { quiesce.Random(t, rush) }
//
// In a check of package rapid, t is a *rapid.T, and one interleaving is drawn. So the world
// can be drawn as well, and go test -fuzz can draw both:
//
//	func FuzzRush(f *testing.F) {
//		f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { quiesce.Random(t, rush) }))
//	}
func Random(t T, build func(*World)) {
	t.Helper()
	w := newWorld(t, build)
	defer w.close()
	if *schedule != "" {
		w.replay(*schedule)
		return
	}
	d := newDrawing(w)
	if drawn, ok := t.(*rapid.T); ok {
		d.one(drawn)
		return
	}
	rapid.Check(t, d.one)
	if t.Failed() {
		return
	}
	for _, p := range w.properties {
		if l := d.missed(p); l != nil {
			t.Error(fmt.Sprintf("%s is vacuous: it looked up %q in %s, which no state of the interleavings that were drawn holds", p.name, l.Name, l.Place))
		}
	}
}

// A drawing draws interleavings of a world.
type drawing struct {
	world     *World
	workloads []workload
	held      map[string]map[string]bool        // the names of the items of each place in any state
	lookups   map[*Property]map[sim.Lookup]bool // of what was not found, at quiescence

	finished bool // every task has, in the last state
	suspect  bool // a property has not held in some state
}

func newDrawing(w *World) *drawing {
	d := &drawing{world: w, workloads: w.workloads(), held: map[string]map[string]bool{}, lookups: map[*Property]map[sim.Lookup]bool{}}
	for _, p := range w.properties {
		d.lookups[p] = map[sim.Lookup]bool{}
	}
	return d
}

// mostSteps is how many an interleaving may have.
const mostSteps = 2000

var errEndless = fmt.Errorf("an interleaving has more than %d steps; does a task ask in a loop?", mostSteps)

// one draws a workload and an interleaving of it, and asks all properties about that.
func (d *drawing) one(t *rapid.T) {
	l := d.workloads[0]
	if n := len(d.workloads); n > 1 {
		l = d.workloads[rapid.IntRange(0, n-1).Draw(t, "workload")]
	}
	sys := l.system()
	view := d.world.view(l, sys)
	schedule, err := d.run(t, sys, view)
	if err != nil {
		t.Fatal(d.world.failed(err))
	}
	if d.finished && !d.suspect {
		return
	}
	for _, p := range d.world.properties {
		trace, err := explore.Replay(sys.With(p.property(view)), schedule)
		if misfit := (*explore.ScheduleError)(nil); errors.As(err, &misfit) {
			t.Skip(err) // what has happened is no interleaving: a key would have to expire
		}
		if err != nil {
			t.Fatal(d.world.failed(err))
		}
		if trace.Violation != "" {
			about := d.world.subject(p)
			about.Begin(l, sys, d.world.command)
			r := report.Report{Answer: &report.Replay{Subject: about, Trace: trace}}
			t.Log(d.world.failure(r))
			t.Fatal(r.Sentence())
		}
	}
}

// run runs the interleaving that is drawn, and returns its schedule.
func (d *drawing) run(t *rapid.T, sys *sim.System, view func(sim.View) View) (schedule explore.Schedule, err error) {
	d.suspect = false
	var stopped any // by package rapid, which has nothing more to draw
	err = sys.Guard(t.Context(), func() error {
		return sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
			return func(yield func(sim.Move, error) bool) {
				schedule = schedule[:0]
				for _, s := range e.Trace() {
					schedule = append(schedule, s.Move)
				}
				moves, err := d.next(t, sys, e, view, &stopped)
				for i := 0; i < len(moves) && err == nil; i++ {
					if !yield(moves[i], nil) {
						return
					}
				}
				if err != nil {
					yield(sim.Move{}, err)
				}
			}
		})
	})
	if stopped != nil {
		panic(stopped)
	}
	return schedule, err
}

// next returns the moves of which the first that is possible is made: that which is drawn,
// and those behind it. With nothing but zeros drawn the last task goes on.
func (d *drawing) next(t *rapid.T, sys *sim.System, e *sim.Execution, view func(sim.View) View, stopped *any) (moves []sim.Move, err error) {
	defer func() {
		if *stopped = recover(); *stopped != nil {
			err = errors.New("nothing more is drawn")
		}
	}()
	made := len(e.Trace())
	if made > mostSteps {
		return nil, errEndless
	}
	if err := d.look(sys, e, view); err != nil {
		return nil, err
	}
	moves, certain, err := e.Moves()
	if err != nil {
		return nil, err
	}
	faults := moves[certain:]
	moves = slices.Clone(moves[:certain])
	if made > 0 {
		last := e.Trace()[made-1].Task
		slices.SortStableFunc(moves, func(a, b sim.Move) int { return later(a, last) - later(b, last) })
	}
	moves = rotated(t, moves, "step")
	if len(faults) > 0 && rapid.IntRange(0, 7).Draw(t, "fault") == 7 {
		moves = append(rotated(t, faults, "which"), moves...)
	}
	return moves, nil
}

func later(m sim.Move, last int) int {
	if m.Task == last {
		return 0
	}
	return 1
}

// rotated returns the moves from the one that is drawn on, and then those before it.
func rotated(t *rapid.T, moves []sim.Move, label string) []sim.Move {
	i := 0
	if n := len(moves); n > 1 {
		i = rapid.IntRange(0, n-1).Draw(t, label)
	}
	return slices.Concat(moves[i:], moves[:i])
}

// look notes what there is in a state, and at quiescence what the properties look up in vain.
func (d *drawing) look(sys *sim.System, e *sim.Execution, view func(sim.View) View) error {
	state, err := e.View()
	if err != nil {
		return err
	}
	for i, st := range sys.Stores {
		d.hold(st.Name(), state.Contents[i])
	}
	for i, p := range sys.Programs {
		d.hold(p.Name, state.Memories[i])
	}
	d.finished = true
	for i, task := range sys.Tasks() {
		_, goes := e.Pending(i)
		d.finished = d.finished && (!goes || task.Background)
	}
	for _, p := range d.world.properties {
		if p.always || d.finished {
			d.ask(p, view, sys.Lookups(), state)
		}
	}
	return nil
}

// ask asks a property about a state. What it says is said again by a replay.
func (d *drawing) ask(p *Property, view func(sim.View) View, l *sim.Lookups, state sim.View) {
	defer func() { d.suspect = d.suspect || recover() != nil }()
	if p.judge(view(l.View(state))) != nil {
		d.suspect = true
	}
	if p.Premise == nil {
		for _, at := range l.Missed() {
			d.lookups[p][at] = true
		}
	}
}

func (d *drawing) hold(place string, c sim.Content) {
	if d.held[place] == nil {
		d.held[place] = map[string]bool{}
	}
	for _, it := range c {
		d.held[place][it.Name] = true
	}
}

// missed returns something that a property has looked up and no state has held; nil if there
// is none.
func (d *drawing) missed(p *Property) *sim.Lookup {
	for l := range d.lookups[p] {
		found := false
		for name := range d.held[l.Place] {
			found = found || l.Finds(sim.Item{Name: name})
		}
		if !found {
			return &l
		}
	}
	return nil
}
