package sim

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/petermattis/goid"
)

// coroutines are the tasks of a process as an engine drives them, each a coroutine: one
// of them runs at a time, and only inside Deliver, or inside the start of the process,
// until it asks for a request or returns.
//
// A process of one task runs it up to its first request at once. With several
// tasks the order in which they begin can matter, so each has to be started by
// the delivery of an empty reply.
type coroutines struct {
	*Process
	pending Pending // what Pending has returned
}

var _ Machine = (*coroutines)(nil)

// A coroutine is one task of a process.
type coroutine struct {
	name     string
	task     Task
	known    []error // outcomes of its program
	next     func() (Request, bool)
	yield    func(Request) bool
	reply    Reply
	pending  Request
	waiting  bool          // for the reply to pending, or to be started
	asked    int           // in vain, since its process was abandoned
	done     chan struct{} // closed when it has ended after that, or is left alone
	held     error         // see Hold; nil unless it is held
	failed   int           // requests in a row
	struck   int           // requests that have failed, in all
	refused  string        // the store that has answered nothing since it refused a request; "" is none
	retrying bool          // its work has failed and is done again: see Supervise
	result   string
	err      error
	goid     atomic.Int64 // 0 unless it has started and not ended
}

// start builds the process of prog. If it has one task, that runs up to its first
// request. After a crash only the background tasks start; results are those of the
// other ones, which have ended.
func (s *System) start(program int, results []string) (Machine, error) {
	if err := s.Usable(); err != nil {
		return nil, err
	}
	o, prog := s.origin(), s.Programs[program]
	if prog.Goroutines {
		return s.startGoroutines(program, results)
	}
	p := &coroutines{Process: &Process{name: prog.Name, stray: &o.stray, watch: s.watch(), isolation: o.isolation, restarted: results != nil}}
	p.ctx.process = p.Process
	if err := p.construct(prog); err != nil {
		p.end(false)
		return nil, err
	}
	for i, spec := range prog.specs() {
		if results != nil && !spec.Background {
			c := p.tasks[i]
			c.pending, c.waiting, c.result = Request{}, false, results[i]
		}
	}
	if len(p.tasks) == 1 && p.tasks[0].waiting {
		return p, p.Deliver(Place{}, Reply{})
	}
	p.endIfDone()
	return p, nil
}

func (p *coroutines) construct(prog Program) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(p.name, v)
		}
	}()
	// They are there before New hands out a client that an earlier process may have left
	// to a goroutine, which looks for itself among them.
	specs := prog.specs()
	for _, spec := range specs {
		p.tasks = append(p.tasks, &coroutine{name: spec.Name, known: prog.Outcomes, pending: Start, waiting: true})
	}
	p.watch.enter(p.name, nil, false)
	tasks := prog.New(p.Process)
	p.watch.leave()
	if len(tasks) != len(specs) {
		return fmt.Errorf("sim: %s has %d tasks, but its New returns %d", prog.Name, len(specs), len(tasks))
	}
	for i, task := range tasks {
		p.tasks[i].task = task
	}
	return nil
}

// start makes the coroutine of a task of p; it does not run yet. What comes of it once
// p was abandoned is of no interest, and somebody else may look at the task by then.
func (c *coroutine) start(p *Process) {
	c.next, _ = iter.Pull(func(yield func(Request) bool) {
		c.yield = yield
		c.goid.Store(goid.Get())
		growStack()
		defer func() {
			c.goid.Store(0)
			if v := recover(); v != nil && c.err == nil && !p.over.Load() {
				c.err = panicked(c.name, v)
			}
		}()
		result, err := c.task(&p.ctx)
		if p.over.Load() {
			return
		}
		if o := outcomeOf(c.known, err); o != nil {
			result, err = cmp.Or(result, o.Error()), nil
		}
		c.result = result
		switch {
		case c.err != nil:
		case c.held != nil && (err == nil || p.faulted):
			c.err = &TaskError{Task: c.name, Err: c.held}
		case err == nil:
		case p.faulted:
			c.result = Failed
		default:
			c.err = &TaskError{Task: c.name, Err: err, returned: true}
		}
	})
}

// outcomeOf returns which of the outcomes of a program an error is; nil if none.
func outcomeOf(outcomes []error, err error) error {
	for _, o := range outcomes {
		if err != nil && errors.Is(err, o) {
			return o
		}
	}
	return nil
}

func panicked(name string, v any) *TaskError {
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	return &TaskError{Task: name, Err: fmt.Errorf("panic: %w", err), Stack: string(debug.Stack())}
}

// growStack makes the stack of a new coroutine large enough for a database client
// at once. Otherwise it grows, and is copied, several times in the first request,
// which is a tenth of the time of a short execution.
//
//go:noinline
func growStack() byte {
	var room [16 << 10]byte
	return room[len(os.Args)]
}

// end runs what was registered with AtEnd, latest first.
func (p *coroutines) end(clean bool) {
	p.over.Store(true)
	p.watch.enter(p.name, nil, false)
	for i := len(p.atEnd) - 1; i >= 0; i-- {
		p.atEnd[i](clean)
	}
	p.atEnd = nil
	if p.cancel != nil {
		p.cancel()
	}
	p.watch.leave()
}

// Pending returns what the tasks wait for.
func (p *coroutines) Pending() Pending {
	p.pending = p.pending[:0]
	for i, c := range p.tasks {
		if c.waiting {
			p.pending = append(p.pending, Waiting{Place: Place{Task: i}, Request: c.pending})
		}
	}
	return p.pending
}

// Result returns what a task returned, and false if it has not.
func (p *coroutines) Result(task int) (string, bool) {
	c := p.tasks[task]
	return c.result, !c.waiting
}

// Parked returns "": a coroutine waits for nothing but replies.
func (p *coroutines) Parked(int) string { return "" }

// Pass does nothing: a coroutine has no clock.
func (p *coroutines) Pass(time.Duration) {}

// Memory returns what [Process.Show] shows.
func (p *coroutines) Memory() Content {
	p.watch.enter(p.name, nil, false)
	defer p.watch.leave()
	shown, _ := p.memory.look()
	return shown
}

// mostFailures is how many requests of a task may fail in a row. While a store is
// down a task that tries again for ever takes steps for ever.
const mostFailures = 50

var errNoEnd = fmt.Errorf("quiesce: %d requests in a row have failed: a task has to give up at last while a store is down", mostFailures)

// Deliver hands the reply to its pending request to a task, which runs up to its
// next request or its end.
func (p *coroutines) Deliver(at Place, r Reply) error {
	if at.Path != "" {
		panic("sim: Deliver to " + at.Path + " of a task, where nobody waits")
	}
	c := p.tasks[at.Task]
	if !c.waiting {
		panic("sim: Deliver to " + c.name + ", which waits for nothing")
	}
	if c.next == nil {
		c.start(p.Process)
	}
	if c.refused == c.pending.Store {
		c.refused = ""
	}
	if r.Fault == "" {
		c.failed = 0
	} else {
		p.faulted, c.failed, c.struck = true, c.failed+1, c.struck+1
		if r.Fault == Outage {
			c.refused = c.pending.Store
		}
		if c.failed > mostFailures {
			return &TaskError{Task: c.name, Err: errNoEnd}
		}
	}
	c.reply = r
	p.watch.enter(c.name, c, false)
	c.pending, c.waiting = c.next()
	p.watch.leave()
	if stray := p.stray.Load(); stray != nil {
		return stray
	}
	if c.err != nil {
		return c.err
	}
	if !c.waiting {
		if err := p.returned(c); err != nil {
			return err
		}
	}
	p.endIfDone()
	return nil
}

// returned runs what was registered with AtReturn.
func (p *coroutines) returned(c *coroutine) error {
	p.watch.enter(c.name, nil, false)
	defer p.watch.leave()
	for _, f := range p.atReturn {
		if err := f(c.name); err != nil {
			return &TaskError{Task: c.name, Err: err}
		}
	}
	return nil
}

// endIfDone ends the process if all its tasks have. An error ends the run, so
// there was none; but a fault may have left something behind.
func (p *coroutines) endIfDone() {
	for _, c := range p.tasks {
		if c.waiting {
			return
		}
	}
	p.end(!p.faulted)
}

// Stop abandons the process: what its tasks ask for from now on fails, with
// [ErrAbandoned], and their context is canceled, as on a server that loses its network
// while it shuts down. So a task that has not finished ends by its own paths, and its
// errors and panics are nobody's.
//
// One task after the other is told so. One that is blocked, as by a lock that another
// task of the process holds, may end when that one has. A task that stays blocked, or
// asks a hundred times in vain, is left where it is for ever, with its stack and its
// clients. If that are more than a thousand, the system cannot be used again.
func (p *coroutines) Stop() {
	var blocked []*coroutine
	for _, c := range p.tasks {
		if c.waiting && c.next != nil {
			p.abandon()
			if !p.watch.abandon(c, p.isolation != nil) {
				blocked = append(blocked, c)
			}
		}
		c.waiting, c.next = false, nil
	}
	ended := true
	for _, c := range blocked {
		ended = p.watch.ends(c) && ended
	}
	if ended { // else it uses its clients
		p.end(false)
	}
}

// abandon makes everything fail that the tasks ask for.
func (p *coroutines) abandon() {
	p.over.Store(true)
	if p.cancel != nil {
		p.cancel()
	}
}

// askInVain suspends an abandoned task for ever if it asks too often.
func (c *coroutine) askInVain() {
	if c.asked++; c.asked >= mostAsked {
		c.yield(Request{})
	}
}

// failHeld ends the run with the error for which the task is held.
func (c *coroutine) failHeld() { c.fail(c.held) }

// fail ends the run with an error of the task, and suspends it up to when it is abandoned.
func (c *coroutine) fail(err error) {
	if c.err == nil {
		c.err = &TaskError{Task: c.name, Err: err}
	}
	c.yield(Request{})
}
