package learn

import (
	"fmt"
	"slices"
	"strconv"

	"quiesce/sim"
)

// Two histories of a process that shows all memory which its tasks share
// ([sim.Process.ShowsAll]) are one if nothing that is still to come depends on more. What
// a task does next, and the memory then, follow from what it was told itself, each time
// with the memory that it found, from the reply and from the memory. So a history is no
// more than the memory, what each unfinished task was told, the results of the others,
// whether a fault has struck the process, and whether it was started again after a crash.
//
// That is a promise of whoever wrote the process. So what is equal by it has to lead to
// what is equal, in every delivery that is run, and in the orders of [Process.Leaves].

// A merged is what a table knows whose histories are merged.
type merged struct {
	derivable bool // what follows from what is known need not be run
	memories  *Numbers[string]
	shown     []sim.Content // by memory
	own       *Numbers[ownStep]
	movers    *Numbers[string]
	effects   map[occasion]*effect
	byKey     map[string]uint32 // histories
}

// A recall is what a history is known by, beside what its tasks want.
type recall struct {
	memory    uint32
	own       []uint32 // by task: 1 + the last step of what it was told; 0 if that is nothing, or it has finished
	faulted   bool     // a fault has struck a request
	restarted bool     // it began after a crash
	derived   bool     // the process was never seen there
}

// An ownStep is the last step of what a task was told itself: the steps before it, the
// reply, the memory that it found, and what it wanted then. In a process of goroutines a
// task also goes on by what another one was told.
type ownStep struct {
	before uint32 // 1 + the step before it; 0 is none
	by     uint32 // 1 + what has moved it; 0 is the reply
	reply  uint32
	ticks  int // that have passed before it
	memory uint32
	want   Want
}

// An occasion is all that the effect of a delivery depends on.
type occasion struct {
	task               int
	own, reply, memory uint32
	ticks              int
	faulted, restarted bool
}

// An effect is what a task wants after a delivery, and the memory then.
type effect struct {
	want   Want
	memory uint32
	by     delivery // that was run first
	uses   uint     // later ones
}

func newMerged(derivable bool) *merged {
	return &merged{derivable, NewNumbers[string](), nil, NewNumbers[ownStep](), NewNumbers[string](), map[occasion]*effect{}, map[string]uint32{}}
}

// number returns the number of the memory of a process.
func (m *merged) number(p sim.Machine) uint32 {
	n := m.memories.Of(p.Shared().Key)
	if int(n) == len(m.shown) {
		m.shown = append(m.shown, p.Memory())
	}
	return n
}

// remember sets by what a history is known, except for the memory.
func (t *Process) remember(h *history) {
	r := &h.recall
	if h.begins(len(t.histories)) {
		r.own, r.restarted = make([]uint32, len(t.Tasks)), h.last.task == crashed
		return
	}
	before := &t.histories[h.last.before].recall
	in := t.occasion(h.last)
	r.own, r.faulted, r.restarted = slices.Clone(before.own), in.faulted, in.restarted
	r.own[in.task] = 0
	step := 1 + t.merged.own.Of(ownStep{before: in.own, reply: in.reply, ticks: in.ticks, memory: in.memory, want: h.wants[in.task]})
	if h.wants[in.task].Store != Finished {
		r.own[in.task] = step
	}
	moved := t.moved[h.last]
	if moved == 0 {
		return
	}
	// What they do depends on whatever those know that go on together.
	mover := strconv.AppendUint(nil, uint64(step), 10)
	for task, own := range before.own {
		if moved>>task&1 == 1 {
			mover = strconv.AppendUint(append(mover, ' '), uint64(own), 10)
		}
	}
	by := 1 + t.merged.movers.Of(string(mover))
	for task, w := range h.wants {
		if moved>>task&1 == 0 {
			continue
		}
		if r.own[task] = 0; w.Store != Finished {
			r.own[task] = 1 + t.merged.own.Of(ownStep{before: before.own[task], by: by, memory: in.memory, want: w})
		}
	}
}

// mergeKey returns a string that is equal exactly for histories that are one.
func (h *history) mergeKey() string {
	r := &h.recall
	b := strconv.AppendUint(nil, uint64(r.memory), 10)
	b = strconv.AppendBool(append(b, ' '), r.faulted)
	b = strconv.AppendBool(append(b, ' '), r.restarted)
	for task, w := range h.wants {
		b = append(b, ' ')
		if w.Store == Finished {
			b = strconv.AppendQuote(b, w.Result)
		} else {
			b = strconv.AppendUint(b, uint64(r.own[task]), 10)
		}
	}
	return string(b)
}

// occasion returns what the effect of a delivery depends on.
func (t *Process) occasion(d delivery) occasion {
	r := &t.histories[d.before].recall
	failed := t.reply(d).Fault != ""
	return occasion{d.task, r.own[d.task], d.reply, r.memory, d.ticks, r.faulted || failed, r.restarted}
}

// derive returns the history after a delivery if that need not be run: its effect is
// known, and was not just now used twice as often as when it was last run.
func (t *Process) derive(d delivery) (h uint32, ok bool) {
	if t.merged == nil || !t.merged.derivable {
		return 0, false
	}
	e := t.merged.effects[t.occasion(d)]
	if e == nil {
		return 0, false
	}
	if e.uses++; e.uses&(e.uses-1) == 0 {
		return 0, false
	}
	shown := t.merged.shown[e.memory]
	next := history{wants: slices.Clone(t.histories[d.before].wants), memory: shown, key: shown.Key(), last: d}
	next.wants[d.task] = e.want
	next.recall = recall{memory: e.memory, derived: true}
	return t.add(next), true
}

// agrees returns an error unless p, after a delivery, is as it was after another one on
// an equal occasion.
func (t *Process) agrees(p sim.Machine, d delivery) error {
	if t.merged == nil {
		return nil
	}
	in := t.occasion(d)
	now := &effect{want: t.wants(p, d.task), memory: t.merged.number(p), by: d}
	e := t.merged.effects[in]
	switch {
	case e == nil:
		t.merged.effects[in] = now
	case e.want != now.want || e.memory != now.memory:
		return t.hidden(e, now, momentOf(p, t.Tasks))
	}
	return nil
}

// hidden returns the error of two deliveries on equal occasions with effects that are
// not: after the second one the process was so. If it is not so again, that is why.
func (t *Process) hidden(first, then *effect, seen moment) error {
	e := &NondeterminismError{Machine: "task " + t.Tasks[then.by.task].Name, Cause: CauseHidden}
	for _, f := range []*effect{first, then} {
		root, way := t.way(f.by.before)
		c := t.along(root, way)
		last := seen
		if f == first {
			last = t.moment(t.delivered[f.by])
		}
		c.told, c.moments = append(c.told, t.word(f.by)), append(c.moments, last)
		for range MostAgain {
			again, err := c.again(t.sys, t.Program)
			if err != nil {
				return err
			}
			if c.differs(again) {
				return c.nondeterminism(t.sys, t.Program, again)
			}
		}
		lines := make([]string, 0, len(c.told)+2)
		for i, w := range c.told {
			lines = append(lines, c.line(t.sys, w.task, c.moments[i].pending[w.task], w.reply))
		}
		lines = append(lines, t.describe(f.by.task, f.want, sim.Reply{}))
		if first.memory != then.memory {
			lines = append(lines, fmt.Sprintf("memory %q", t.merged.memories.All[f.memory]))
		}
		if f == first {
			e.Before = lines
		} else {
			e.Now = lines
		}
	}
	return e
}

// orders returns ways through the histories of a merged table, from the start or a crash
// to where nothing is known to come: all of them if they are no more than most, and
// otherwise as many, each of which goes on by the delivery that was taken least often.
func (t *Process) orders(most int) (courses []Course) {
	out := make([][]delivery, len(t.histories))
	roots := []uint32{0}
	for d, h := range t.delivered {
		if d.task == crashed {
			roots = append(roots, h)
		} else {
			out[d.before] = append(out[d.before], d)
		}
	}
	slices.Sort(roots)
	for _, ds := range out {
		slices.SortFunc(ds, delivery.compare)
	}
	if t.ways(roots, out, most) > most {
		taken := map[delivery]int{}
		for i := range most {
			root := roots[i%len(roots)]
			courses = append(courses, t.along(root, t.rarest(root, out, taken)))
		}
		return courses
	}
	var visit func(root, h uint32, way []delivery)
	visit = func(root, h uint32, way []delivery) {
		if len(out[h]) == 0 {
			courses = append(courses, t.along(root, way))
		}
		for _, d := range out[h] {
			visit(root, t.delivered[d], append(way, d))
		}
	}
	for _, root := range roots {
		visit(root, root, nil)
	}
	return courses
}

// ways returns how many ways there are from the roots on, or a larger number than most if
// they are more than that.
func (t *Process) ways(roots []uint32, out [][]delivery, most int) (all int) {
	known := map[uint32]int{}
	var from func(h uint32) int
	from = func(h uint32) int {
		n, ok := known[h]
		if !ok {
			for _, d := range out[h] {
				n = min(n+from(t.delivered[d]), most+1)
			}
			n = max(n, 1)
			known[h] = n
		}
		return n
	}
	for _, root := range roots {
		all += from(root)
	}
	return all
}

// rarest returns a way on from a history that has been taken least often so far.
func (t *Process) rarest(h uint32, out [][]delivery, taken map[delivery]int) (way []delivery) {
	for len(out[h]) > 0 {
		d := slices.MinFunc(out[h], func(a, b delivery) int { return taken[a] - taken[b] })
		taken[d]++
		way, h = append(way, d), t.delivered[d]
	}
	return way
}
