package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"sync/atomic"

	"github.com/petermattis/goid"
)

// A Task is ordinary client code. What it returns is recorded: finished
// processes with equal results cannot be told apart any more, so a task returns
// "" unless a property looks at its result.
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
	ctx      context.Context // of the tasks; nil stands for one that never ends
	cancel   context.CancelFunc

	shown func() Content // what the memory holds; nil if nobody shows it
	hurt  bool           // a fault has struck one of its requests
	again bool           // it was started again after a crash
	stray *atomic.Pointer[TaskError]

	isolation *Isolation
}

// A coroutine is one task of a process.
type coroutine struct {
	name    string
	task    Task
	known   []error // outcomes of its program
	next    func() (Request, bool)
	stop    func()
	yield   func(Request) bool
	reply   Reply
	pending Request
	waiting bool // for the reply to pending, or to be started
	unwound bool
	held    error  // see Hold; nil unless it is held
	failed  int    // requests in a row
	struck  int    // requests that have failed, in all
	refused string // the store that has answered nothing since it refused a request; "" is none
	again   bool   // its work has failed and is done again: see Supervise
	result  string
	err     error
	goid    atomic.Int64 // 0 unless it has started and not ended
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

// unwinding is the panic that ends an abandoned task.
type unwinding struct{}

// start builds the process of prog. If it has one task, that runs up to its first
// request. After a crash only the background tasks start; results are those of the
// other ones, which have ended.
func start(prog Program, results []string, sys *System) (*Process, error) {
	p := &Process{name: prog.Name, stray: &sys.stray, isolation: sys.isolation, again: results != nil}
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
	tasks := prog.New(p)
	if len(tasks) != len(specs) {
		return fmt.Errorf("sim: %s has %d tasks, but its New returns %d", prog.Name, len(specs), len(tasks))
	}
	for i, task := range tasks {
		p.tasks[i].task = task
	}
	return nil
}

// start makes the coroutine; it does not run yet. hurt says whether it may fail.
func (c *coroutine) start(ctx context.Context, hurt *bool) {
	c.next, c.stop = iter.Pull(func(yield func(Request) bool) {
		c.yield = yield
		c.goid.Store(goid.Get())
		growStack()
		defer func() {
			c.goid.Store(0)
			if v := recover(); v != nil && v != (unwinding{}) && c.err == nil {
				c.err = panicked(c.name, v)
			}
		}()
		result, err := c.task(ctx)
		if o := c.outcome(err); o != nil {
			result, err = cmp.Or(result, o.Error()), nil
		}
		c.result = result
		switch {
		case c.err != nil:
		case c.held != nil && (err == nil || *hurt):
			c.err = &TaskError{Task: c.name, Err: c.held}
		case err == nil:
		case *hurt:
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
	return &TaskError{Task: name, Err: fmt.Errorf("panic: %v", v), Stack: string(debug.Stack())}
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
	for i := len(p.atEnd) - 1; i >= 0; i-- {
		p.atEnd[i](clean)
	}
	p.atEnd = nil
	if p.cancel != nil {
		p.cancel()
	}
}

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// Restarted says whether the process was started again after a crash: what its memory
// held before the workload began is gone.
func (p *Process) Restarted() bool { return p.again }

// AtEnd registers f to be called when the process has ended: clean says that all
// its tasks returned without an error and none was abandoned on the way.
func (p *Process) AtEnd(f func(clean bool)) { p.atEnd = append(p.atEnd, f) }

// Isolation returns the isolation in which the process was started, and nil if that was
// in none.
func (p *Process) Isolation() *Isolation { return p.isolation }

// AtReturn registers f to be called when a task has returned without an error. An
// error of f is one of the task.
func (p *Process) AtReturn(f func(task string) error) { p.atReturn = append(p.atReturn, f) }

// Context returns the context of the tasks, which is canceled when the process has
// ended. A constructor asks for it if goroutines of a library are to end with the
// process. If none does, the context is one that is never canceled, which costs
// less.
func (p *Process) Context() context.Context {
	if p.ctx == nil {
		p.ctx, p.cancel = context.WithCancel(context.Background())
	}
	return p.ctx
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
// all of it that matters, and is called only while no task runs.
func (p *Process) Show(f func() Content) { p.shown = f }

// Memory returns what [Process.Show] shows. It is nil only if nothing is shown:
// an empty memory is not nil.
func (p *Process) Memory() Content {
	if p.shown == nil {
		return nil
	}
	if c := p.shown(); c != nil {
		return c
	}
	return Content{}
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
		ctx := p.ctx
		if ctx == nil {
			ctx = context.Background()
		}
		c.start(ctx, &p.hurt)
	}
	if c.refused == c.pending.Store {
		c.refused = ""
	}
	if kind, failed := r.Failure(); !failed {
		c.failed = 0
	} else {
		p.hurt, c.failed, c.struck = true, c.failed+1, c.struck+1
		if kind == RedisDown {
			c.refused = c.pending.Store
		}
		if c.failed > mostFailures {
			return &TaskError{Task: c.name, Err: errNoEnd}
		}
	}
	c.reply = r
	c.pending, c.waiting = c.next()
	if stray := p.stray.Load(); stray != nil {
		return stray
	}
	if c.err != nil {
		return c.err
	}
	if !c.waiting {
		for _, f := range p.atReturn {
			if err := f(c.name); err != nil {
				return &TaskError{Task: c.name, Err: err}
			}
		}
	}
	p.endIfDone()
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
	p.end(!p.hurt)
}

// Stop abandons the process: tasks that have not finished are unwound. The
// process must not be used afterwards.
func (p *Process) Stop() {
	for _, c := range p.tasks {
		if c.stop != nil {
			c.stop()
		}
		c.waiting = false
	}
	p.end(false)
}

// ErrAbandoned is what [Process.Ask] returns if the process is stopped.
var ErrAbandoned = errors.New("quiesce: the process was abandoned")

// Call is how the client of a store asks for a request: it suspends the task
// until the reply is delivered. It does not return if the process is stopped
// meanwhile, or if the task is held, and returns [ErrOutside] if the caller is
// not a task of the process.
func (p *Process) Call(r Request) (Reply, error) {
	reply, err := p.Ask(r)
	if err == ErrAbandoned {
		panic(unwinding{})
	}
	return reply, err
}

// Ask is Call for a client that holds a lock which a deferred call of the task
// waits for, so that it cannot be unwound: it returns [ErrAbandoned] if the process
// is stopped meanwhile.
func (p *Process) Ask(r Request) (Reply, error) {
	c := p.running()
	if c == nil {
		return "", p.Outside()
	}
	c.checkHeld()
	if c.unwound || !c.yield(r) {
		// A deferred call of the task may come here again while it unwinds.
		c.unwound = true
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

// Supervise does the work of a task that has no caller to be told of an error, as a
// supervisor does in production: work that has failed is done again. Only an error
// of work in which a fault has struck a request of the task counts as such. Any other
// one ends the run, whatever faults there were before. Faults are counted, so no task
// works in vain for ever; of an outage see [Process.Persists].
func (p *Process) Supervise(work func() error) error {
	c := p.running()
	if c == nil {
		return work() // whose requests are reported
	}
	c.refused = ""
	defer func() { c.again = false }()
	for {
		struck := c.struck
		err := work()
		if err == nil {
			return nil
		}
		if c.struck == struck {
			c.err = &TaskError{Task: c.name, Err: err}
			return err
		}
		c.again = true
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
	return c != nil && c.again && c.refused == store
}

// Hold is for a client that has sent something to which the task has yet to read
// the reply. Until release is called, the run fails with err if the task asks for
// a request, of whichever store, is held once more, or returns. From anywhere but
// a task of the process it does nothing, and Call reports that.
func (p *Process) Hold(err error) (release func()) {
	c := p.running()
	if c == nil {
		return func() {}
	}
	c.checkHeld()
	c.held = err
	return func() {
		if p.running() == c {
			c.held = nil
		}
	}
}

// checkHeld ends the task if it is held.
func (c *coroutine) checkHeld() {
	if c.held == nil {
		return
	}
	if c.err == nil {
		c.err = &TaskError{Task: c.name, Err: c.held}
	}
	panic(unwinding{})
}
