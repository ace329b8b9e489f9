package sim

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goroutines are a process of goroutines as an engine drives them: a [bubble], and what it
// was told, so that there can be another one.
//
// When the next timer fires nobody can tell but by letting time pass, which cannot be
// undone. So whenever a process was told something for the first time, time passes in its
// bubble until something is to be seen; and if it is told more after that, it is told all
// of it again in a new bubble.
type goroutines struct {
	sys     *System
	program int
	results []string // of the tasks that have ended before a crash; nil if there was none
	bubble  *bubble
	spent   bool // time has passed in the bubble
	words   []word
	history uint32        // in what was told to all
	lag     time.Duration // that passes before the next delivery
	now     time.Duration // that has passed

	pending  Pending
	returned []string // by task
	finished []bool   // by task
	memory   Content
	shared   SharedMemory
}

var _ Machine = (*goroutines)(nil)

// A word is what a process is told.
type word struct {
	pass  time.Duration // time passes first
	at    Place         // the clock, if nothing but that happens
	reply Reply
}

// A told is what processes of goroutines were told so far. Equal words after equal ones
// have one number.
type told struct {
	numbers map[toldWord]uint32
	timers  map[uint32]timing
}

type toldWord struct {
	before uint32 // the words before; 0 is none
	kind   string // of the program, of the first word
	word   word
}

// A timing is after how much time something happens by itself; false if nothing does.
type timing struct {
	after time.Duration
	is    bool
}

func (t *told) number(w toldWord) uint32 {
	if t.numbers == nil {
		t.numbers, t.timers = map[toldWord]uint32{}, map[uint32]timing{}
	}
	n, ok := t.numbers[w]
	if !ok {
		n = uint32(len(t.numbers) + 1)
		t.numbers[w] = n
	}
	return n
}

// horizon is for how long a process is watched for a timer in an untimed system. What
// would happen by itself after that does not happen.
const horizon = time.Hour

func (s *System) horizon() time.Duration {
	if s.Timing == nil {
		return horizon
	}
	return MostTicks * s.Timing.Tick
}

var errClockAfterCrash = errors.New("a process of goroutines that crashes while time passes in ticks is not simulated, since its clock would begin again: leave out the crash or the timing")

// startGoroutines is [System.start] for a process of goroutines.
func (s *System) startGoroutines(program int, results []string) (Machine, error) {
	if results != nil && s.Timing != nil {
		return nil, errClockAfterCrash
	}
	p := &s.Programs[program]
	m := &goroutines{sys: s, program: program, results: results}
	m.history = s.origin().told.number(toldWord{kind: p.kind(program) + strings.Join(quoted(results), ",")})
	if err := m.begin(); err != nil {
		return m, err
	}
	alone := len(p.specs())+len(s.placesOf(program)) == 1
	if alone && !m.bubble.tasks[0].finished {
		return m, m.Deliver(Place{}, Reply{})
	}
	return m, m.look()
}

func quoted(all []string) (q []string) {
	for _, s := range all {
		q = append(q, strconv.Quote(s))
	}
	return q
}

// begin starts a bubble.
func (m *goroutines) begin() (err error) {
	m.bubble, err = m.sys.newBubble(m.program, m.results != nil)
	m.spent = false
	if err != nil || m.results == nil {
		return err
	}
	for i, spec := range m.sys.Programs[m.program].specs() {
		if t := m.bubble.tasks[i]; !spec.Background {
			t.finished, t.counted, t.result = true, true, m.results[i]
		}
	}
	return nil
}

// Deliver hands a reply to who waits at a place, or lets time pass up to the next timer.
func (m *goroutines) Deliver(at Place, r Reply) error {
	if _, ok := m.pending.At(at); !ok && len(m.words) > 0 {
		panic("sim: Deliver to " + m.sys.Programs[m.program].nameOf(at) + ", where nobody waits")
	}
	w, before := word{m.pass(at), at, r}, m.sys.origin().told.timers[m.history]
	m.lag = 0
	if m.spent {
		m.bubble.end()
		if err := m.begin(); err != nil {
			return err
		}
		for _, before := range m.words {
			if err := m.tell(before); err != nil {
				return err
			}
		}
	}
	m.words, m.now = append(m.words, w), m.now+w.pass
	m.history = m.sys.origin().told.number(toldWord{before: m.history, word: w})
	if err := m.tell(w); err != nil {
		return err
	}
	err := m.look()
	if after := m.sys.origin().told.timers[m.history]; m.sys.Timing == nil && before.is && after.is && after.after < before.after-w.pass {
		m.overtakes()
	}
	return err
}

// overtakes records that a timer was set that fires before one which runs already. Had
// more time passed before, it would not.
func (m *goroutines) overtakes() {
	o := m.sys.origin()
	if name := m.bubble.process.name; !slices.Contains(o.overtaking, name) {
		o.overtaking = append(o.overtaking, name)
	}
}

// Overtaking returns the processes of goroutines of which a timer was set while a longer one
// ran. In an untimed system the longer one never fires before it.
func (s *System) Overtaking() []string { return s.origin().overtaking }

// moment is what passes before a delivery in an untimed system, while a timer runs: two
// timers that are set at different moments do not fire at the same one.
const moment = 8 * time.Nanosecond

// pass returns how much time passes before a delivery. One that comes when a timer is due,
// and before it, comes a moment earlier.
func (m *goroutines) pass(at Place) time.Duration {
	next := m.sys.origin().told.timers[m.history]
	switch {
	case at.Clock():
		return next.after
	case next.is && m.sys.Timing == nil:
		return min(moment, next.after/2)
	case next.is && m.lag >= next.after:
		return max(0, next.after-1)
	}
	return m.lag
}

// tell tells the bubble something. A task that ends its goroutine, as by
// testing.T.FailNow, ends that of the caller.
func (m *goroutines) tell(w word) error {
	b := m.bubble
	err := b.do(m.sys.Programs[m.program].nameOf(w.at), func() { b.take(w) })
	if err == nil && b.exits.Load() {
		runtime.Goexit()
	}
	if err == nil && m.sys.origin().stray.Load() != nil {
		err = m.sys.origin().stray.Load()
	}
	if err == nil {
		b.mu.Lock()
		err = b.failed
		b.mu.Unlock()
	}
	if err == nil {
		err = b.returned()
	}
	return err
}

// look finds out what the process waits for and shows now, and when its next timer fires.
// It returns a [*PlaceError] if somebody waits at a place that was not known.
func (m *goroutines) look() error {
	b := m.bubble
	m.pending = b.pending()
	m.returned, m.finished = m.returned[:0], m.finished[:0]
	for _, t := range b.tasks {
		m.returned, m.finished = append(m.returned, t.result), append(m.finished, t.finished)
	}
	err := b.do(b.process.name, func() {
		defer func() {
			if v := recover(); v != nil {
				b.fail(panicked(b.process.name, v))
			}
		}()
		m.memory, m.shared = b.process.memory.look()
	})
	if err == nil {
		err = b.failed
	}
	if err != nil {
		return err
	}
	told := &m.sys.origin().told
	next, known := told.timers[m.history]
	if !known {
		m.spent = true
		if err := b.do(b.process.name, func() { next.after, next.is = b.elapse(m.sys.horizon()) }); err != nil {
			return err
		}
		told.timers[m.history] = next
		if err := m.noteAging(next); err != nil {
			return err
		}
	}
	m.shared.Key += fmt.Sprintf("\n%d %v", m.now, next) // they share the clock, too
	if next.is {
		if m.sys.Timing == nil && m.sys.Dated() {
			return fmt.Errorf("%s has a timer, beside keys that may expire or a sim.Clock: give the system a Timing, so that all go by one clock", b.process.name)
		}
		m.pending = append(m.pending, Waiting{clockPlace, Timer(next.after.Round(time.Microsecond)), true})
	}
	var unknown error
	for _, w := range m.pending {
		unknown = cmp.Or(m.sys.place(m.program, w.Place), unknown)
	}
	return unknown
}

// noteAging notes whether the memory that a process shows has changed only since time has
// passed, in which nothing else was to be seen.
func (m *goroutines) noteAging(next timing) error {
	o := m.sys.origin()
	if next.is || m.memory == nil || slices.Contains(o.aging, m.bubble.process.name) {
		return nil
	}
	return m.bubble.do(m.bubble.process.name, func() {
		defer func() { _ = recover() }() // it did not panic before
		if shown, _ := m.bubble.process.memory.look(); shown.Key() != m.memory.Key() {
			o.aging = append(o.aging, m.bubble.process.name)
		}
	})
}

// Aging returns the processes of goroutines that show memory which changes by nothing but
// a timer, such as what a local cache holds for a minute. In an untimed system that does
// not happen, as no key of a store expires by itself.
func (s *System) Aging() []string { return s.origin().aging }

// NoteHasty notes that the processes of a program are hasty.
func (s *System) NoteHasty(program int) {
	if o, name := s.origin(), s.Programs[program].Name; !slices.Contains(o.hasty, name) {
		o.hasty = append(o.hasty, name)
	}
}

// Hasty returns the processes of goroutines that are known to do something else if time
// passes between two words that they are told, such as to look whether an entry is too old. In
// an untimed system none does, but what a timer waits for that asks for something.
func (s *System) Hasty() []string { return s.origin().hasty }

func (m *goroutines) Pending() Pending { return m.pending }

func (m *goroutines) Result(task int) (string, bool) {
	return m.returned[task], m.finished[task]
}

func (m *goroutines) Parked(task int) string {
	if _, waits := m.pending.At(Place{Task: task}); waits || m.finished[task] {
		return ""
	}
	return m.bubble.parked(task)
}

func (m *goroutines) Memory() Content      { return m.memory }
func (m *goroutines) Shared() SharedMemory { return m.shared }
func (m *goroutines) Pass(d time.Duration) { m.lag = d }

// Stop ends the bubble: see [Machine].
func (m *goroutines) Stop() {
	if m.bubble != nil && !m.bubble.process.over.Load() {
		m.bubble.end()
	}
}
