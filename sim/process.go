package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/petermattis/goid"
)

// A Task is ordinary client code. What it returns is recorded: finished
// processes with equal results cannot be told apart any more, so a task returns
// "" unless a property looks at its result.
//
// Its context is canceled when its process is abandoned: see [Process.Stop]. Unless the
// constructor has asked for [Process.Context], Done returns nil before that, as if the
// context were never canceled, so a loop has to call it each time, as is usual.
//
// An error says that the task could not do its work, and ends the run: a
// workload in which operations fail proves nothing about the ones that do not.
// Once a fault has struck a request of its process, an error is what the caller
// of the task is told, and the result is [Failed]. An error that belongs to the
// protocol, such as one that says sold out, is no failure: see [Program.Outcomes].
type Task func(context.Context) (result string, err error)

// Results of tasks that have not done their work.
const (
	Failed  = "failed"  // it returned an error, after a fault
	Crashed = "crashed" // its process crashed meanwhile
)

// A Program says what a process runs.
type Program struct {
	// Name is unique in a system: "server-1", or "reader-1" if the process is
	// there for one task.
	Name string

	// Class is equal for programs that are the same code with the same
	// arguments, which makes their processes interchangeable. The zero value
	// stands for a class of its own.
	Class string

	// Tasks are those that New returns. The zero value stands for one task with
	// the name of the program.
	Tasks []TaskSpec

	// Outcomes are the errors by which the protocol says what has become of a task,
	// such as ErrSoldOut. A task whose error is one of them, as by [errors.Is], has
	// done its work, also after a fault. Its result is what it returned, or if that
	// is "" the text of the error in this list. The zero value stands for none.
	Outcomes []error

	// New builds the service, that is its clients and its local memory, and
	// returns the tasks that run in it. It makes no request.
	New func(*Process) []Task
}

// A TaskSpec says what is known of a task before it runs.
type TaskSpec struct {
	Name string // unique in a system

	// Background says that the task need not finish: a subscriber, a relay. An
	// execution is over when it is blocked.
	Background bool

	// Boot says that the task runs before all others, up to where it is blocked:
	// a server serves when its subscriptions are in place. Tasks boot one after the
	// other, in the order of [System.Tasks], and their steps are part of no trace.
	Boot bool
}

// specs returns the tasks of the program.
func (p *Program) specs() []TaskSpec {
	if len(p.Tasks) > 0 {
		return p.Tasks
	}
	return []TaskSpec{{Name: p.Name}}
}

// A Process is one run of a [Program]. Its tasks are coroutines that share its
// memory: one of them runs at a time, and only inside Deliver, or inside the
// start of the process, until it asks for a request or returns.
//
// A process of one task runs it up to its first request at once. With several
// tasks the order in which they begin can matter, so each has to be started by
// the delivery of an empty reply.
type Process struct {
	name  string
	tasks []*coroutine

	atReturn []func(task string) error
	atEnd    []func(clean bool)
	ctx      taskContext // of the tasks
	cancel   context.CancelFunc
	over     atomic.Bool // it has ended, or was abandoned

	memory    memory // of its tasks
	faulted   bool   // a fault has struck one of its requests
	restarted bool   // it was started again after a crash
	stray     *atomic.Pointer[TaskError]
	watch     *watchdog

	isolation *Isolation
}

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

// ErrOutside is what a client gets for a request that does not come from the
// task of its process: from a goroutine that the task started, from the
// constructor, or after the end of the process. The run fails as well.
var ErrOutside = errors.New("quiesce: a client was called from outside its task; call it only on the goroutine of the task, after New has returned")

// mostFailures is how many requests of a task may fail in a row. While a store is
// down a task that tries again for ever takes steps for ever.
const mostFailures = 50

var errNoEnd = fmt.Errorf("quiesce: %d requests in a row have failed: a task has to give up at last while a store is down", mostFailures)

// A TaskError says that a task did not do its work.
type TaskError struct {
	Task  string
	Err   error
	Stack string // "" for an error that the task returned

	returned bool // by a task that could have said that it is an outcome
}

// Error returns the task and its error in one line, and behind it the stack.
func (e *TaskError) Error() string {
	text := e.Task + ": " + e.Err.Error()
	switch {
	case e.returned:
		text += " (if the protocol expects this error, declare it in Program.Outcomes)"
	case e.Stack != "":
		text += "\n" + e.Stack
	}
	return text
}

func (e *TaskError) Unwrap() error { return e.Err }

// WithoutStack returns the text of an error without the stack of a panic at its end, which
// differs from run to run.
func WithoutStack(err error) string {
	if t := (*TaskError)(nil); errors.As(err, &t) && t.Stack != "" {
		return strings.TrimSuffix(err.Error(), "\n"+t.Stack)
	}
	return err.Error()
}

// start builds the process of prog. If it has one task, that runs up to its first
// request. After a crash only the background tasks start; results are those of the
// other ones, which have ended.
func (s *System) start(prog Program, results []string) (*Process, error) {
	if err := s.Usable(); err != nil {
		return nil, err
	}
	o := s.origin()
	p := &Process{name: prog.Name, stray: &o.stray, watch: s.watch(), isolation: o.isolation, restarted: results != nil}
	p.ctx.process = p
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
		return p, p.Deliver(0, "")
	}
	p.endIfDone()
	return p, nil
}

func (p *Process) construct(prog Program) (err error) {
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
	tasks := prog.New(p)
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
		if o := c.outcome(err); o != nil {
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

// outcome returns which of the outcomes of its program an error is; nil if none.
func (c *coroutine) outcome(err error) error {
	for _, o := range c.known {
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
func (p *Process) end(clean bool) {
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

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// Restarted says whether the process was started again after a crash: what its memory
// held before the workload began is gone.
func (p *Process) Restarted() bool { return p.restarted }

// AtEnd registers f to be called when the process has ended: clean says that all
// its tasks returned without an error and none was abandoned on the way.
func (p *Process) AtEnd(f func(clean bool)) { p.atEnd = append(p.atEnd, f) }

// Isolation returns the isolation in which the process was started, and nil if that was
// in none.
func (p *Process) Isolation() *Isolation { return p.isolation }

// AtReturn registers f to be called when a task has returned without an error. An
// error of f is one of the task.
func (p *Process) AtReturn(f func(task string) error) { p.atReturn = append(p.atReturn, f) }

// Context returns a context that is canceled when the process has ended or is
// abandoned. A constructor asks for it if goroutines of a library are to end with the
// process; then the context of the tasks is derived from it. If none does, that one is
// never canceled before then, which costs less: see [Task].
func (p *Process) Context() context.Context {
	if p.ctx.base == nil {
		p.ctx.base, p.cancel = context.WithCancel(context.Background())
	}
	return p.ctx.base
}

// Running returns the name of the task that calls it, and "" if none does.
func (p *Process) Running() string {
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

// Show says how a property sees what the memory of the process holds: f returns
// all of it that matters, and is called only while no task runs. If that is all memory
// which its tasks share, [Process.ShowsAll] says so.
func (p *Process) Show(f func() Content) { p.memory.shown = f }

// Memory returns what [Process.Show] shows. It is nil only if nothing is shown:
// an empty memory is not nil.
func (p *Process) Memory() Content {
	if p.memory.shown == nil {
		return nil
	}
	p.watch.enter(p.name, nil, false)
	c := p.memory.shown()
	p.watch.leave()
	if c == nil {
		return Content{}
	}
	return c
}

// Pending returns the request that a task waits for: [Start] if it is yet to be
// started. It is false if the task has finished.
func (p *Process) Pending(task int) (Request, bool) {
	return p.tasks[task].pending, p.tasks[task].waiting
}

// Result returns what a task returned, and "" before that.
func (p *Process) Result(task int) string { return p.tasks[task].result }

// Deliver hands the reply to its pending request to a task, which runs up to its
// next request or its end. It returns an error if the task panics, returns an
// error, or uses a client outside the simulation.
func (p *Process) Deliver(task int, r Reply) error {
	c := p.tasks[task]
	if !c.waiting {
		panic("sim: Deliver to " + c.name + ", which waits for nothing")
	}
	if c.next == nil {
		c.start(p)
	}
	if c.refused == c.pending.Store {
		c.refused = ""
	}
	if kind, failed := r.Failure(); !failed {
		c.failed = 0
	} else {
		p.faulted, c.failed, c.struck = true, c.failed+1, c.struck+1
		if kind == Outage {
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
func (p *Process) returned(c *coroutine) error {
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
func (p *Process) endIfDone() {
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
//
// The process must not be used afterwards.
func (p *Process) Stop() {
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
func (p *Process) abandon() {
	p.over.Store(true)
	if p.cancel != nil {
		p.cancel()
	}
}

// Abandoned says whether the process has ended or was abandoned. It may be called on
// any goroutine.
func (p *Process) Abandoned() bool { return p.over.Load() }

// ErrAbandoned is what a client gets for a request of a task whose process was
// abandoned.
var ErrAbandoned = errors.New("quiesce: the process was abandoned")

// Call is how the client of a store asks for a request: it suspends the task until
// the reply is delivered. It returns [ErrAbandoned] if the process is stopped
// meanwhile, and at once if it was before, and [ErrOutside] if the caller is not a task
// of the process. The client hands on the first as what a failed connection gives, in a
// form for which no library tries again.
func (p *Process) Call(r Request) (Reply, error) {
	c := p.running()
	switch {
	case c == nil:
		return "", p.Outside()
	case p.over.Load():
		c.askInVain()
		return "", ErrAbandoned
	case c.held != nil:
		c.failHeld()
		return "", ErrAbandoned
	}
	c.yield(r)
	if p.over.Load() {
		return "", ErrAbandoned
	}
	return c.reply, nil
}

// Outside returns [ErrOutside], and the run fails, if the caller is no task of the
// process. A client asks before it does anything that a call from elsewhere must not:
// it may be closed, or one of a bubble.
func (p *Process) Outside() error {
	if p.running() != nil {
		return nil
	}
	p.stray.CompareAndSwap(nil, &TaskError{Task: p.name, Err: ErrOutside, Stack: string(debug.Stack())})
	return ErrOutside
}

// askInVain suspends an abandoned task for ever if it asks too often.
func (c *coroutine) askInVain() {
	if c.asked++; c.asked >= mostAsked {
		c.yield(Request{})
	}
}

// Yield lets others run, tasks of the same process and all others, and returns at some
// later time. It stands for a place in the code between two requests where another
// goroutine may get in that shares memory with this one:
//
//	if c.generation() == g {
//		p.Yield()
//		c.put(id, price) // of an older generation, perhaps
//	}
//
// It is a step of its own, called "yield", which no store executes and nothing blocks.
// In a timed system it takes no longer than a request. A loop of Yield that waits for
// another task has no end, so neither has a search.
func (p *Process) Yield() {
	_, _ = p.Call(Yield) // an error ends the run, or the process is over
}

// Supervise does the work of a task that has no caller to be told of an error, as a
// supervisor does in production: work that has failed is done again. Only an error
// of work in which a fault has struck a request of the task counts as such. Any other
// one ends the run, whatever faults there were before. Faults are counted, so no task
// works in vain for ever; of an outage see [Process.Persists]. It returns the error of
// work when the process was abandoned.
func (p *Process) Supervise(work func() error) error {
	c := p.running()
	if c == nil {
		return work() // whose requests are reported
	}
	c.refused = ""
	defer func() { c.retrying = false }()
	for {
		struck := c.struck
		err := work()
		if err == nil || p.over.Load() {
			return err
		}
		if c.struck == struck {
			c.err = &TaskError{Task: c.name, Err: err}
			return err
		}
		c.retrying = true
	}
}

// Persists says whether the running task does work again in which the store refused a
// request, and it has got nothing else from it yet. A client of a store that can be
// down makes such a request one that [Fallible.Retries]: whoever tries again while the
// store is down is refused again, which changes nothing there. So what the work does
// up to that request is done twice for an outage, and not more often, and what it
// would do if it were refused twice is not explored.
func (p *Process) Persists(store string) bool {
	c := p.running()
	return c != nil && c.retrying && c.refused == store
}

// Hold is for a client that has sent something to which the task has yet to read
// the reply. Until release is called, the run fails with err if the task asks for
// a request, of whichever store, is held once more, or returns. From anywhere but
// a task of the process it does nothing, and Call reports that.
func (p *Process) Hold(err error) (release func()) {
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

// failHeld ends the run, and suspends the task up to when it is abandoned.
func (c *coroutine) failHeld() {
	if c.err == nil {
		c.err = &TaskError{Task: c.name, Err: c.held}
	}
	c.yield(Request{})
}
