package learn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quiesce/sim"
	"quiesce/sim/overlay"
)

// How often what processes do is run again before a verdict. What a fair coin decides
// is then missed in one of a million explorations. Go takes two keys of a map in the
// rarer order once in eight times, so where no random schedules follow it is more often.
const (
	TimesAgain = 20
	MostAgain  = 100

	// A table with many ends has few runs of each, since most of what its processes do
	// is on the way to many. There are as many as one in shareAgain of the runs by which
	// it was learned, but not fewer than runsAgain.
	runsAgain  = 1000
	shareAgain = 10
)

// A Course is what a process was told from its start on, and what could be seen of it
// at each moment. A process is deterministic and shares nothing, so whenever the same
// is told to one of its program, or of a program of its class, the same is seen.
type Course struct {
	program int
	Times   int      // how often to go through it again
	unseen  bool     // no process was seen to take it in this order
	results []string // if it begins after a crash: see [sim.System.Restart]; nil otherwise
	told    []word
	moments []moment // one more than told
}

// A word is what a task of a process was told.
type word struct {
	task  int
	reply sim.Reply
	pass  time.Duration // time passes first
}

// A moment is what can be seen of a process between two words.
type moment struct {
	pending []sim.Request // by task; the zero value if it has finished, or is parked
	results []string      // by task; isParked if it is
	memory  string        // that it shows
	failed  string        // what went wrong
}

// isParked is what stands for the result of a task that waits for another one.
const isParked = "waits for nothing but other tasks"

func momentOf(p sim.Machine, tasks []sim.TaskRef) moment {
	m := moment{pending: make([]sim.Request, len(tasks)), results: make([]string, len(tasks)), memory: p.Memory().Key()}
	for i, t := range tasks {
		finished := false
		req, ok := p.Pending().At(t.Place)
		if m.pending[i] = req; ok {
			continue
		}
		if !t.Spawned() {
			m.results[i], finished = p.Result(i)
		}
		if !finished {
			m.results[i] = isParked
		}
	}
	return m
}

func (m moment) equal(o moment) bool {
	return m.memory == o.memory && m.failed == o.failed && slices.Equal(m.pending, o.pending) && slices.Equal(m.results, o.results)
}

// equalButTimers is equal, whenever the next timer is to fire.
func (m moment) equalButTimers(o moment) bool {
	m.pending, o.pending = slices.Clone(m.pending), slices.Clone(o.pending)
	for i := range m.pending {
		_, timer := m.pending[i].Timer()
		if _, other := o.pending[i].Timer(); timer && other {
			m.pending[i] = o.pending[i]
		}
	}
	return m.equal(o)
}

// tasksOf returns the tasks of a program.
func tasksOf(sys *sim.System, program int) []sim.TaskRef {
	return slices.DeleteFunc(sys.Tasks(), func(t sim.TaskRef) bool { return t.Program != program })
}

// again tells a process of a program once more what was told in a course, and returns
// the moments up to the first that differs. It returns an error if a client was called
// from outside its task.
func (c *Course) again(sys *sim.System, program int) ([]moment, error) {
	tasks := tasksOf(sys, program)
	var p sim.Machine
	err := sys.Usable()
	if err != nil {
		return nil, err
	}
	if c.results == nil {
		p, err = sys.Process(program)
	} else {
		p, err = sys.Restart(program, c.results)
	}
	if p != nil {
		defer p.Stop()
	}
	var seen []moment
	for i := 0; ; i++ {
		if stray := sys.Stray(); stray != nil {
			return nil, stray
		}
		switch {
		case errors.As(err, new(*sim.PlaceError)), errors.As(err, new(*sim.HangError)):
			return nil, err
		case err != nil:
			return append(seen, moment{failed: sim.WithoutStack(err)}), nil
		}
		seen = append(seen, momentOf(p, tasks))
		if i == len(c.told) || !seen[i].equal(c.moments[i]) {
			return seen, nil
		}
		if w := c.told[i]; w.pass > 0 {
			p.Pass(w.pass)
		}
		err = p.Deliver(tasks[c.told[i].task].Place, c.told[i].reply)
	}
}

// differs says whether moments, which [course.again] has returned, are others than
// those of the course.
func (c *Course) differs(seen []moment) bool {
	return !seen[len(seen)-1].equal(c.moments[len(seen)-1])
}

// nondeterminism returns the error of a course of which a process of the program has
// come to these moments.
func (c *Course) nondeterminism(sys *sim.System, program int, seen []moment) error {
	last := len(seen) - 1
	e := &NondeterminismError{Machine: "process " + sys.Programs[program].Name}
	if tasks := tasksOf(sys, program); len(tasks) == 1 {
		e.Machine = "task " + tasks[0].Name
	}
	for i, w := range c.told[:last] {
		e.Before = append(e.Before, c.line(sys, w.task, c.moments[i].pending[w.task], w.reply))
	}
	e.Now = slices.Clone(e.Before)
	e.Before = append(e.Before, c.lines(sys, c.moments[last], seen[last])...)
	e.Now = append(e.Now, c.lines(sys, seen[last], c.moments[last])...)
	e.Cause = c.cause(sys, program)
	return e
}

func (c *Course) line(sys *sim.System, task int, req sim.Request, reply sim.Reply) string {
	text, answer := sys.Describe(req, reply)
	if answer != "" {
		text += " -> " + answer
	}
	if tasks := tasksOf(sys, c.program); len(tasks) > 1 {
		return tasks[task].Name + ": " + text
	}
	return text
}

// lines describes what of a moment is not so in another one.
func (c *Course) lines(sys *sim.System, m, other moment) (lines []string) {
	if m.failed != "" {
		return []string{"it failed: " + m.failed}
	}
	for task, req := range m.pending {
		switch {
		case other.failed == "" && req == other.pending[task] && m.results[task] == other.results[task]:
		case req == sim.Request{}:
			line := fmt.Sprintf("has finished with %q", m.results[task])
			if tasks := tasksOf(sys, c.program); len(tasks) > 1 {
				line = tasks[task].Name + ": " + line
			}
			lines = append(lines, line)
		default:
			lines = append(lines, c.line(sys, task, req, sim.Reply{}))
		}
	}
	if m.memory != other.memory {
		lines = append(lines, fmt.Sprintf("memory %q", m.memory))
	}
	return lines
}

// A Check tells processes again what was told in courses. It runs in bubbles, so that
// the clock is another one and nothing that a process leaves behind is overlooked.
type Check struct {
	Sys     *sim.System
	Courses []Course
	Class   func(program int) []int // the programs that do the same, this one included
}

// fewLeft is how many tasks that ask for ever may have been left alone for processes to
// be told more than once again: each costs memory.
const fewLeft = 100

// Together is how many processes run in one bubble.
const Together = 32

// Run goes through every course once on every program of its class, the last first, and
// then on one of them in turn, until there were as many rounds as the course has times;
// the first from of them have been before. It stops early if ctx is canceled.
func (k *Check) Run(ctx context.Context, from int) error {
	if from == 0 {
		for i := len(k.Sys.Programs) - 1; i >= 0; i-- {
			if err := k.on(ctx, i, k.of(i, 0)); err != nil {
				return err
			}
		}
	}
	for i := range k.Sys.Programs {
		if from == 0 {
			if err := k.haste(ctx, i); err != nil {
				return err
			}
		}
		var mine []*Course
		for round := max(1, from); round < MostAgain; round++ {
			mine = append(mine, k.of(i, round)...)
		}
		if k.Sys.Left() > fewLeft {
			mine = nil
		}
		if err := k.on(ctx, i, mine); err != nil {
			return err
		}
	}
	return nil
}

// mostLate is how many courses of a program are gone through while time passes.
const mostLate = 100

// haste goes through courses of a process of goroutines in an untimed system with an hour
// before each word, or as much as there is up to the next timer that is to be seen. A
// process that does something else then is one of which a search says little: see
// [sim.System.Hasty].
func (k *Check) haste(ctx context.Context, program int) error {
	if k.Sys.Timing != nil || !k.Sys.Programs[program].Goroutines {
		return nil
	}
	var mine []*Course
	for i := range k.Courses {
		if c := &k.Courses[i]; c.program == program && len(c.told) > 0 {
			mine = append(mine, c)
		}
	}
	for i := 0; i < len(mine) && ctx.Err() == nil; i += 1 + len(mine)/mostLate {
		if hasty, err := mine[i].late(k.Sys); hasty || err != nil {
			if hasty {
				k.Sys.NoteHasty(program)
			}
			return err
		}
	}
	return nil
}

// late goes through a course while time passes, and says whether a process does something
// else then. It returns an error if nothing can be run after it.
func (c *Course) late(sys *sim.System) (hasty bool, err error) {
	tasks := tasksOf(sys, c.program)
	var p sim.Machine
	if c.results == nil {
		p, err = sys.Process(c.program)
	} else {
		p, err = sys.Restart(c.program, c.results)
	}
	if p != nil {
		defer p.Stop()
	}
	for i := 0; ; i++ {
		switch {
		case errors.As(err, new(*sim.PlaceError)), errors.As(err, new(*sim.HangError)):
			return false, err
		case err != nil, !momentOf(p, tasks).equalButTimers(c.moments[i]):
			return true, nil
		case i == len(c.told):
			return false, nil
		}
		p.Pass(horizon)
		err = p.Deliver(tasks[c.told[i].task].Place, c.told[i].reply)
	}
}

// of returns the courses that a process of a program goes through in a round.
func (k *Check) of(program, round int) (mine []*Course) {
	for i := range k.Courses {
		c := &k.Courses[i]
		class := k.Class(c.program)
		if at := slices.Index(class, program); round < c.Times && at >= 0 && (round == 0 || at == round%len(class)) {
			mine = append(mine, c)
		}
	}
	slices.Reverse(mine)
	return mine
}

// on tells a process of a program again what was told in courses.
func (k *Check) on(ctx context.Context, program int, courses []*Course) error {
	for some := range slices.Chunk(courses, Together) {
		if ctx.Err() != nil {
			return nil
		}
		if err := k.some(program, some); err != nil {
			return err
		}
	}
	return nil
}

func (k *Check) some(program int, courses []*Course) error {
	var other *Course // that is not taken
	var seen []moment
	err := Bubble(k.Sys, k.Sys.Programs[program].Name, func() (err error) {
		for _, c := range courses {
			if seen, err = c.again(k.Sys, program); err != nil {
				return err
			}
			if c.differs(seen) {
				other = c
				return nil
			}
		}
		return nil
	})
	if other != nil {
		return other.nondeterminism(k.Sys, program, seen)
	}
	return err
}

// cause returns which of the usual causes is that a process of the program does not
// take a course; "" if that is not known. What the runs in one bubble disagree about is
// chance, and what they agree about while a run outside disagrees is the clock.
func (c *Course) cause(sys *sim.System, program int) string {
	var inside []moment
	const runs = 100 // Go takes two keys of a map in the rarer order once in eight times
	chance := false
	err := Bubble(sys, sys.Programs[program].Name, func() (err error) {
		for range runs {
			before := inside
			if inside, err = c.again(sys, program); err != nil {
				return err
			}
			chance = chance || before != nil && !slices.EqualFunc(before, inside, moment.equal)
		}
		return nil
	})
	if err != nil {
		return ""
	}
	outside, err := c.again(sys, program)
	if err != nil {
		return ""
	}
	own, err := c.again(sys, c.program)
	switch {
	case err != nil:
		return ""
	case chance && hasGoroutines(sys, sys.Programs[program].Name) && !overlaid():
		return CauseOverlay
	case chance:
		return CauseChance
	case !slices.EqualFunc(inside, outside, moment.equal):
		return CauseClock
	case program != c.program && !c.differs(own):
		return fmt.Sprintf(CauseClass, sys.Programs[c.program].Name, sys.Programs[program].Name)
	case c.unseen:
		return CauseHidden
	}
	return CauseMemory
}

// overlaid says whether the overlay makes goroutines the same in every run.
func overlaid() bool {
	active, _ := overlay.Active()
	return active
}

// Leaves returns the courses through all histories of the table after which nothing is
// known to come; the others are on the way to them. Where histories are merged it
// returns those through all orders. Of very many it leaves some out.
func (t *Process) Leaves(times int) (courses []Course) {
	most := max(runsAgain, t.Runs/shareAgain)
	if t.merged != nil {
		courses = t.orders(most)
	} else {
		courses = t.leaves(most)
	}
	for i := range courses {
		courses[i].Times = max(1, min(times, most/len(courses)))
	}
	return courses
}

// leaves returns the courses to all histories after which nothing is known to come, or to
// about as many as most of them.
func (t *Process) leaves(most int) (courses []Course) {
	inner := make([]bool, len(t.histories))
	for d := range t.delivered {
		if d.task != crashed {
			inner[d.before] = true
		}
	}
	var last []uint32
	for h := range t.histories {
		if !inner[h] {
			last = append(last, uint32(h))
		}
	}
	for i := 0; i < len(last); i += 1 + len(last)/most {
		courses = append(courses, t.along(t.way(last[i])))
	}
	return courses
}

// along returns the course of a way from a history on.
func (t *Process) along(root uint32, way []delivery) Course {
	c := Course{program: t.Program, moments: []moment{t.moment(root)}}
	if root != 0 {
		c.results = t.ends[t.histories[root].last.reply]
	}
	for _, d := range way {
		h := t.delivered[d]
		c.told = append(c.told, t.word(d))
		c.moments = append(c.moments, t.moment(h))
		c.unseen = c.unseen || t.histories[h].last != d || t.histories[h].recall.derived
	}
	return c
}

// word returns what a delivery tells.
func (t *Process) word(d delivery) word {
	w := word{task: d.task, reply: t.reply(d)}
	if d.ticks > 0 {
		w.pass = time.Duration(d.ticks) * t.sys.Timing.Tick
	}
	return w
}

// moment returns what can be seen of the process after a history.
func (t *Process) moment(h uint32) moment {
	hist := &t.histories[h]
	m := moment{pending: make([]sim.Request, len(hist.wants)), results: make([]string, len(hist.wants)), memory: hist.key}
	for task, w := range hist.wants {
		switch {
		case w.Store == Finished:
			m.results[task] = w.Result
		case w.Store == Parked:
			m.results[task] = isParked
		case w.Store == Local:
			m.pending[task] = t.localRequest(w)
		default:
			m.pending[task] = t.stores[w.Store].Requests.All[w.Request]
		}
	}
	return m
}
