package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Time is virtual and passes in one of two ways.
//
// Untimed, which is the default, nothing has a speed: a sleep ends at any moment
// after it began, however much happens meanwhile, and a key with a TTL does not
// expire unless by a fault.
//
// Timed, it passes in ticks, which are steps of the environment. No call takes longer
// than MaxStall: a request is executed, and its reply arrives, which are two moments,
// at most MaxStall after the task asked for it. When one is due, time waits. Code
// between two calls takes no time. So two requests of one task may be executed up to
// 2 MaxStall apart, the first at once with its reply late, and the second late:
//
//	asked    executed                  arrives, and the next is asked              executed
//	|--------|-------------------------|-------------------------------------------|
//	|<-------------- MaxStall -------->|<---------------- MaxStall --------------->|
//
// TTLs are exact. A sleep ends exactly, and its task goes on at most MaxStall after that.
// When a task begins is not bounded. A request that is
// blocked by another task grows no older meanwhile, see [Wait].
//
// A digital clock is exact for such systems, whose constraints include their limits:
// Henzinger, Manna, Pnueli, "What good are digital clocks?", ICALP 1992.
type Timing struct {
	Tick     time.Duration // divides every duration of the system
	MaxStall time.Duration

	// MaxWait is how long a request waits for other tasks, on top of MaxStall: for
	// what blocks it to go away, and to take what has come for it, such as the lag of a
	// relay or of a replica. The zero value means that there is no bound.
	MaxWait time.Duration
}

// A Wait says for what a request may have to wait.
type Wait uint8

const (
	NoWait Wait = iota // it is never blocked

	// ForOthers: it is blocked while another task holds what it needs, such as a lock. In
	// all it is blocked for at most [Timing.MaxWait], and otherwise takes no longer than
	// any request.
	ForOthers

	// ForNews: it is blocked until there is something for it, such as a message or a row
	// that a poll finds, and comes at most [Timing.MaxWait] later: a message can be late
	// and a poll can have any period.
	ForNews
)

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

	// Waits says for what the request may have to wait. Of one that is never blocked it
	// may say anything but ForNews.
	Waits(Request) Wait
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
		return Reply{}, errors.New("sim: a clock can only be asked to sleep")
	}
	return Reply{}, nil
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
	if t.Tick <= 0 {
		return 0, tickError("the tick of a timed system is %s; it has to be longer than 0", t.Tick)
	}
	n := int(d / t.Tick)
	switch {
	case d%t.Tick != 0:
		return 0, tickError("%s is no multiple of the tick of %s", d, t.Tick)
	case n > MostTicks:
		return 0, tickError("%s is %d ticks of %s, more than %d; make the durations more alike, such as a longer stall", d, n, t.Tick, MostTicks)
	}
	return n, nil
}

// CheckTTLs returns an error if the content of a store has a TTL that is not a number of
// ticks, or too many. Of TTLs only whole milliseconds count.
func (s *System) CheckTTLs(c Content) error {
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

	Waits      Wait
	MaxBlocked int // it is blocked for at most so many ticks; 0 means any number
}

// An Age is how many ticks ago something was asked for: those in which it was not
// blocked, and those in which it was, as far as somebody counts them.
type Age struct{ Asked, Blocked int }

// Span returns when the next step of a task happens: its request is executed, or
// the reply arrives. fresh says that it is the first thing that the task does,
// which it does at any time; work in the background has begun, and news for it are
// there from then on. In an untimed system everything happens at any time.
func (s *System) Span(t TaskRef, req Request, fresh bool) (sp Span, err error) {
	if s.Timing == nil || req == Start {
		return sp, nil
	}
	d, ok := req.Sleeps()
	if !ok {
		d, ok = req.Timer()
	}
	if ok {
		n, err := s.Timing.ticks(d)
		return Span{Least: n, Most: n, Bounded: true}, err
	}
	longest, err := s.Timing.ticks(s.Timing.MaxWait)
	if err != nil {
		return sp, err
	}
	switch sp.Waits = s.waits(req); sp.Waits {
	case ForNews:
		sp.Most, sp.Bounded = longest, longest > 0 && (!fresh || t.Background || t.Boot)
		return sp, nil
	case ForOthers:
		sp.MaxBlocked = longest
	}
	if fresh {
		return Span{Waits: sp.Waits}, nil // it may ask for it later
	}
	sp.Bounded = true
	sp.Most, err = s.Timing.ticks(s.Timing.MaxStall)
	return sp, err
}

// waits says for what a request may have to wait: also for the end of an outage, if
// its client tries again until then.
func (s *System) waits(req Request) Wait {
	if req.Local() {
		return NoWait
	}
	i := s.Store(req.Store)
	if t, ok := s.Stores[i].(Timed); ok && t.Waits(req) != NoWait {
		return t.Waits(req)
	}
	if f := s.Fallible(i); f != nil && f.Retries(req) {
		return ForOthers
	}
	return NoWait
}

// Passes says what a tick does to something of this age, which is blocked meanwhile or
// not: it returns its age afterwards, and false if it is due, so that time waits.
func (sp Span) Passes(a Age, blocked bool) (Age, bool) {
	switch {
	case blocked && sp.Waits == ForNews:
		return Age{}, true // nothing has come for it yet
	case blocked && sp.MaxBlocked == 0:
		return a, true
	case blocked:
		return Age{a.Asked, a.Blocked + 1}, a.Blocked < sp.MaxBlocked
	case !sp.Bounded:
		return Age{}, true
	}
	return Age{a.Asked + 1, a.Blocked}, a.Asked < sp.Most
}

// outlasts says whether time alone can end what blocks the request of a task; c is what
// the store of the request holds. An outage ends at any time. What waits for news may
// wait for something to be gone, such as for a lock with a TTL whose owner has crashed.
// Work in the background waits for news for ever, so no time passes for that.
func (s *System) outlasts(w EnvironmentState, t TaskRef, req Request, c Content) bool {
	if s.refused(w, req) {
		return true
	}
	return !t.Background && s.waits(req) == ForNews && slices.ContainsFunc(c, func(it Item) bool { return it.TTL > 0 })
}

// Rests says whether the reply to a request, which has just been executed, is due from
// now on and not from when it was asked for: after a sleep, or after news.
func (s *System) Rests(req Request) bool {
	_, sleeps := req.Sleeps()
	return sleeps || s.Timing != nil && s.waits(req) == ForNews
}

// ticking returns the requests that let a tick pass, by store; those of stores
// that do not care are empty.
func (s *System) ticking() []Request {
	all := make([]Request, len(s.Stores))
	for i, st := range s.Stores {
		if t, ok := st.(Timed); ok {
			all[i] = t.Tick(s.Timing.Tick)
		}
	}
	return all
}
