package sim

import (
	"errors"
	"fmt"
	"time"
)

// Time is virtual and passes in one of two ways.
//
// Untimed, which is the default, nothing has a speed: a sleep ends at any moment
// after it began, however much happens meanwhile, and a key with a TTL does not
// expire unless by a fault.
//
// Timed, it passes in ticks, which are steps of the environment. A request is
// executed, and its reply delivered, at most MaxStall after the task asked for
// it: when one is due, time waits. Sleeps and TTLs are exact. When a task begins,
// and how long it waits for what may block, is not bounded. A digital clock is
// exact for such systems, whose constraints include their limits: Henzinger,
// Manna, Pnueli, "What good are digital clocks?", ICALP 1992.
type Timing struct {
	Tick     time.Duration // divides every duration of the system
	MaxStall time.Duration
}

// MostTicks is how many ticks any duration of a timed system may be.
const MostTicks = 500

// What the environment does in a timed system. They are no faults.
const (
	Tick FaultKind = "tick" // lets time pass

	// Lapse takes away what has reached the end of its TTL. Whatever happens at the
	// same time happens before or after it, as with everything else that is due. So
	// something whose time has come is there up to the lapse, or up to the next tick.
	Lapse FaultKind = "lapse"
)

// ErrLapse is the error of a store in which no fewer things can lapse after a lapse.
// No budget ends what lapses, so it would have no end.
var ErrLapse = errors.New("what has lapsed, or something else instead, can lapse at once: a lapse has to take away what is there no longer")

// A Timed store is one for which time matters.
type Timed interface {
	Store

	// SetTimed is called before every execution and says whether time passes.
	SetTimed(bool)

	// Tick returns the request that lets that much time pass, and the zero value
	// if the content does not change by that. In an untimed system it is less than a
	// millisecond and negative, and no reply may change by it.
	Tick(time.Duration) Request

	// Waits says whether the request may have to wait for another task, so that
	// there is no bound for it.
	Waits(Request) bool
}

// ClockName is the name of a [Clock].
const ClockName = "clock"

// A Clock is the store that tasks ask for a pause. It holds nothing: how far a
// sleep has come is kept with the task.
type Clock struct{}

// For returns the clock of a process, which has the methods of clocks in
// production, such as those of github.com/jonboulle/clockwork.
func (Clock) For(p *Process) ProcessClock { return ProcessClock{p} }

// A ProcessClock is the clock of a process.
type ProcessClock struct{ process *Process }

// Sleep pauses the task that calls it. A duration of 0 or less is no pause.
func (c ProcessClock) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	// An error ends the run: the caller is no task.
	_, _ = c.process.Call(Request{Store: ClockName, Body: d.String()})
}

// Sleeps returns how long a request to the clock sleeps; false for any other
// request.
func (r Request) Sleeps() (time.Duration, bool) {
	if r.Store != ClockName {
		return 0, false
	}
	d, err := time.ParseDuration(r.Body)
	return d, err == nil
}

// Name returns [ClockName].
func (Clock) Name() string { return ClockName }

// Reset does nothing.
func (Clock) Reset() error { return nil }

// Content returns nothing.
func (Clock) Content() (Content, error) { return nil, nil }

// Execute answers a sleep that is over. Any other request is an error.
func (Clock) Execute(r Request) (Reply, error) {
	if _, ok := r.Sleeps(); !ok {
		return "", errors.New("sim: a clock can only be asked to sleep")
	}
	return "", nil
}

// Describe returns a sleep with its duration.
func (Clock) Describe(r Request, reply Reply) (string, string) { return "sleep " + r.Body, "" }

// A TickError says that a duration cannot be counted in ticks. It is about the timing of
// the system, and whatever comes to such a duration ends in it.
type TickError struct{ text string }

func (e *TickError) Error() string { return e.text }

func tickError(format string, args ...any) error { return &TickError{fmt.Sprintf(format, args...)} }

// ticks returns how many ticks a duration is.
func (t *Timing) ticks(d time.Duration) (int, error) {
	n := int(d / t.Tick)
	switch {
	case d%t.Tick != 0:
		return 0, tickError("%s is no multiple of the tick of %s", d, t.Tick)
	case n > MostTicks:
		return 0, tickError("%s is %d ticks of %s, more than %d; make the durations more alike, such as a longer stall", d, n, t.Tick, MostTicks)
	}
	return n, nil
}

// Fit returns an error if the content of a store has a TTL that is not a number of
// ticks, or too many. Of TTLs only whole milliseconds count.
func (s *System) Fit(c Content) error {
	if s.Timing == nil {
		return nil
	}
	for _, it := range c {
		if _, err := s.Timing.ticks(it.TTL.Truncate(time.Millisecond)); err != nil {
			return fmt.Errorf("the TTL of %s: %w", it.Name, err)
		}
	}
	return nil
}

// A Span says between how many ticks after it was asked for something happens.
// The zero value is at any time.
type Span struct {
	Least, Most int
	Bounded     bool // Most means something
	Waits       bool // it may have to wait for another task
}

// Span returns when the next step of a task happens: its request is executed, or
// the reply arrives. fresh says that it is the first thing that the task does,
// which it does at any time. In an untimed system everything happens at any time.
func (s *System) Span(req Request, fresh bool) (sp Span, err error) {
	if s.Timing == nil || req == Start {
		return sp, nil
	}
	if d, ok := req.Sleeps(); ok {
		n, err := s.Timing.ticks(d)
		return Span{n, n, true, false}, err
	}
	if !req.Local() {
		i := s.Store(req.Store)
		t, timed := s.Stores[i].(Timed)
		f := s.Fallible(i)
		if timed && t.Waits(req) || f != nil && f.Retries(req) {
			return Span{Waits: true}, nil
		}
	}
	if fresh {
		return sp, nil
	}
	n, err := s.Timing.ticks(s.Timing.MaxStall)
	return Span{0, n, true, false}, err
}

// Passes says what a tick does to something that was asked for age ticks ago: it
// returns its age afterwards, and false if it is due, so that time waits.
func (sp Span) Passes(age int) (int, bool) {
	switch {
	case !sp.Bounded:
		return 0, true
	case age >= sp.Most:
		return age, false
	}
	return age + 1, true
}

// Ticking returns the requests that let a tick pass, by store; those of stores
// that do not care are empty.
func (s *System) Ticking() []Request {
	all := make([]Request, len(s.Stores))
	for i, st := range s.Stores {
		if t, ok := st.(Timed); ok {
			all[i] = t.Tick(s.Timing.Tick)
		}
	}
	return all
}
