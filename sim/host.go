package sim

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/petermattis/goid"
)

// A Host is the process in which the client of a store runs, as that client sees it. A
// [Process] is one. All but Abandoned, Goroutines and Outside are for the goroutine of a task, or for
// the constructor of the program.
type Host interface {
	// Name returns the name of the process, by which a client names its connections.
	Name() string

	// Running returns the name of the task on whose goroutine it is called, and "" if
	// that is none of the process.
	Running() string

	// Call asks for a request: it suspends the task until the reply is delivered. It
	// returns [ErrAbandoned] if the process is stopped meanwhile, and at once if it was
	// before, and [ErrOutside] if the caller is no task of the process. The client hands
	// on the first as what a failed connection gives, in a form for which no library
	// tries again.
	Call(Request) (Reply, error)

	// CallUntil is Call until ctx is done: then it returns the error of ctx, and the
	// request was withdrawn: the store does not execute it any more, or has, and the reply
	// is lost. A task that is a coroutine has no timers, so there the run fails if ctx can
	// ever be done.
	CallUntil(ctx context.Context, r Request) (Reply, error)

	// Goroutines says whether the process is one of goroutines: whether any goroutine
	// that its tasks or its constructor start may call. See [Program.Goroutines].
	Goroutines() bool

	// Outside returns [ErrOutside], and the run fails, if the caller is no task of the
	// process. A client asks before it does anything that a call from elsewhere must not:
	// it may be closed, or one of a bubble.
	Outside() error

	// Abandoned says whether the process has ended or was abandoned. It may be called on
	// any goroutine.
	Abandoned() bool

	// Hold is for a client that has sent something to which the task has yet to read
	// the reply. Until release is called, the run fails with err if the task asks for
	// a request, of whichever store, is held once more, or returns. From anywhere but
	// a task of the process it does nothing, and Call reports that.
	Hold(err error) (release func())

	// Turn is for a client that is about to number something, such as a connection: it
	// returns when nothing else of the process runs. Goroutines that go on at the same
	// time have their turns one after the other, in the order of their places.
	Turn()

	// Persists says whether the running task does work again in which the store refused
	// a request, and it has got nothing else from it yet: see [Process.Supervise]. A
	// client of a store that can be down says so in the request, which then is one that
	// [Fallible.Retries]: whoever tries again while the store is down is refused again,
	// which changes nothing there. So what the work does up to that request is done twice
	// for an outage, and not more often, and what it would do if it were refused twice is
	// not explored.
	Persists(store string) bool

	// Context returns a context that is canceled when the process has ended or is
	// abandoned, for what a library starts: see [Process.Context].
	Context() context.Context

	// AtReturn registers f to be called when a task has returned without an error. An
	// error of f is one of the task.
	AtReturn(f func(task string) error)

	// AtEnd registers f to be called when the process has ended: clean says that all
	// its tasks returned without an error and none was abandoned on the way.
	AtEnd(f func(clean bool))

	// Keep is for a client that keeps something for all tasks of the process: see
	// [Process.Keep].
	Keep(f func() string)

	// Isolation returns the isolation in which the process was started, and nil if that
	// was in none. A [Pool] looks after it.
	Isolation() *Isolation
}

var _ Host = (*Process)(nil)

// ErrOutside is what a client gets for a request that does not come from the
// task of its process: from a goroutine that the task started, from the
// constructor, or after the end of the process. The run fails as well.
var ErrOutside = errors.New("quiesce: a client was called from outside its task; call it only on the goroutine of the task, after New has returned")

// ErrAbandoned is what a client gets for a request of a task whose process was
// abandoned.
var ErrAbandoned = errors.New("quiesce: the process was abandoned")

// Call asks for a request: see [Host].
func (p *Process) Call(r Request) (Reply, error) {
	if p.bubble != nil {
		return p.bubble.call(context.Background(), r)
	}
	c := p.running()
	switch {
	case c == nil:
		return Reply{}, p.Outside()
	case p.over.Load():
		c.askInVain()
		return Reply{}, ErrAbandoned
	case c.held != nil:
		c.failHeld()
		return Reply{}, ErrAbandoned
	}
	c.yield(r)
	if p.over.Load() {
		return Reply{}, ErrAbandoned
	}
	return c.reply, nil
}

// CallUntil asks for a request until ctx is done: see [Host].
func (p *Process) CallUntil(ctx context.Context, r Request) (Reply, error) {
	switch {
	case p.bubble != nil:
		return p.bubble.call(ctx, r)
	case ctx.Done() == nil:
		return p.Call(r)
	}
	c := p.running()
	switch {
	case c == nil:
		return Reply{}, p.Outside()
	case p.over.Load():
		c.askInVain()
	default:
		c.fail(errNoTimers)
	}
	return Reply{}, ErrAbandoned
}

var errNoTimers = errors.New("quiesce: the task waits for a limited time, and a coroutine has no timers: let it wait without a limit, by a timeout of 0, or set Goroutines in its Program")

// Goroutines says whether any goroutine may call: see [Host].
func (p *Process) Goroutines() bool { return p.bubble != nil }

// Turn waits until nothing else of the process runs: see [Host].
func (p *Process) Turn() {
	if p.bubble != nil {
		p.bubble.takeTurn()
	}
}

// Outside returns an error if the caller is no task of the process: see [Host].
func (p *Process) Outside() error {
	if p.bubble != nil && p.bubble.inside() || p.running() != nil {
		return nil
	}
	p.stray.CompareAndSwap(nil, &TaskError{Task: p.name, Err: ErrOutside, Stack: string(debug.Stack())})
	return ErrOutside
}

// Running returns the name of the task that calls it, and "" if none does.
func (p *Process) Running() string {
	if p.bubble != nil {
		return p.bubble.running()
	}
	if c := p.running(); c != nil {
		return c.name
	}
	return ""
}

// running returns the task on whose goroutine it is called; nil if there is none.
func (p *Process) running() *coroutine {
	id := goid.Get()
	for _, c := range p.tasks {
		if c.goid.Load() == id {
			return c
		}
	}
	return nil
}

// Abandoned says whether the process has ended or was abandoned.
func (p *Process) Abandoned() bool { return p.over.Load() }

// Hold makes the run fail with err if the task goes on before release is called: see
// [Host].
func (p *Process) Hold(err error) (release func()) {
	if p.bubble != nil {
		return func() {} // another goroutine may be the one that reads
	}
	c := p.running()
	if c == nil || p.over.Load() {
		return func() {}
	}
	if c.held != nil {
		c.failHeld()
		return func() {}
	}
	c.held = err
	return func() {
		if p.running() == c {
			c.held = nil
		}
	}
}

// Persists says whether the running task asks a store again that has refused it: see
// [Host].
func (p *Process) Persists(store string) bool {
	if p.bubble != nil {
		return p.bubble.persists(store)
	}
	c := p.running()
	return c != nil && c.retrying && c.refused == store
}

// AtReturn registers f to be called when a task has returned: see [Host].
func (p *Process) AtReturn(f func(task string) error) { p.atReturn = append(p.atReturn, f) }

// AtEnd registers f to be called when the process has ended: see [Host].
func (p *Process) AtEnd(f func(clean bool)) { p.atEnd = append(p.atEnd, f) }

// Isolation returns the isolation in which the process was started: see [Host].
func (p *Process) Isolation() *Isolation { return p.isolation }
