package sim

import (
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
type Task func(context.Context) (result string, err error)

// A Program says what a process runs.
type Program struct {
	// Name is unique in a system: "reader-1".
	Name string

	// Class is equal for programs that are the same code with the same
	// arguments, which makes their processes interchangeable. The zero value
	// stands for a class of its own.
	Class string

	// New builds the service, that is its clients and its local memory, and
	// returns the task that runs in it. It makes no request.
	New func(*Process) Task
}

// A Process is one run of a [Program]. Its task is a coroutine: it runs only
// inside Deliver, or inside the start of the process, until it asks for a
// request or returns.
type Process struct {
	name    string
	next    func() (Request, bool)
	stop    func()
	yield   func(Request) bool
	reply   Reply
	pending Request
	waiting bool // for the reply to pending
	unwound bool
	result  string
	err     error
	atEnd   []func(clean bool)

	goid  atomic.Int64 // of the coroutine, 0 while there is none
	stray *atomic.Pointer[TaskError]
}

// ErrOutside is what a client gets for a request that does not come from the
// task of its process: from a goroutine that the task started, from the
// constructor, or after the end of the process. The run fails as well.
var ErrOutside = errors.New("quiesce: a client was called from outside its task; call it only on the goroutine of the task, after New has returned")

// A TaskError says that a task did not do its work.
type TaskError struct {
	Task  string
	Err   error
	Stack string // "" for an error that the task returned
}

func (e *TaskError) Error() string {
	if e.Stack == "" {
		return e.Task + ": " + e.Err.Error()
	}
	return e.Task + ": " + e.Err.Error() + "\n" + e.Stack
}

func (e *TaskError) Unwrap() error { return e.Err }

// unwinding is the panic that ends an abandoned task.
type unwinding struct{}

// start runs prog up to its first request.
func start(prog Program, stray *atomic.Pointer[TaskError]) (*Process, error) {
	p := &Process{name: prog.Name, stray: stray}
	if err := p.construct(prog); err != nil {
		p.end(false)
		return nil, err
	}
	return p, p.resume()
}

func (p *Process) construct(prog Program) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = p.panicked(v)
		}
	}()
	task := prog.New(p)
	p.next, p.stop = iter.Pull(func(yield func(Request) bool) {
		p.yield = yield
		p.goid.Store(goid.Get())
		growStack()
		defer func() {
			p.goid.Store(0)
			if v := recover(); v != nil && v != (unwinding{}) {
				p.err = p.panicked(v)
			}
		}()
		result, err := task(context.Background())
		p.result = result
		if err != nil {
			p.err = &TaskError{Task: p.name, Err: err}
		}
	})
	return nil
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

func (p *Process) panicked(v any) *TaskError {
	return &TaskError{Task: p.name, Err: fmt.Errorf("panic: %v", v), Stack: string(debug.Stack())}
}

// resume runs the task until it asks for a request or ends.
func (p *Process) resume() error {
	p.pending, p.waiting = p.next()
	if stray := p.stray.Load(); stray != nil {
		return stray
	}
	if !p.waiting {
		p.end(p.err == nil)
	}
	return p.err
}

// end runs what was registered with AtEnd, latest first.
func (p *Process) end(clean bool) {
	for i := len(p.atEnd) - 1; i >= 0; i-- {
		p.atEnd[i](clean)
	}
	p.atEnd = nil
}

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// AtEnd registers f to be called when the process has ended: clean says that
// its task returned without an error and was not abandoned on the way.
func (p *Process) AtEnd(f func(clean bool)) { p.atEnd = append(p.atEnd, f) }

// Pending returns the request that the task waits for. It is false if the task
// has finished.
func (p *Process) Pending() (Request, bool) { return p.pending, p.waiting }

// Result returns what the task returned, and "" before that.
func (p *Process) Result() string { return p.result }

// Deliver hands the reply to the pending request to the task, which runs up to
// its next request or its end. It returns an error if the task panics, returns
// an error, or uses a client outside the simulation.
func (p *Process) Deliver(r Reply) error {
	if !p.waiting {
		panic("sim: Deliver to " + p.name + ", which waits for nothing")
	}
	p.reply = r
	return p.resume()
}

// Stop abandons the process: a task that has not finished is unwound. The
// process must not be used afterwards.
func (p *Process) Stop() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.waiting = false
	p.end(false)
}

// Call is how the client of a store asks for a request: it suspends the task
// until the reply is delivered. It does not return if the process is stopped
// meanwhile, and returns [ErrOutside] if the caller is not the task.
func (p *Process) Call(r Request) (Reply, error) {
	if id := p.goid.Load(); id == 0 || id != goid.Get() {
		p.stray.CompareAndSwap(nil, &TaskError{Task: p.name, Err: ErrOutside, Stack: string(debug.Stack())})
		return "", ErrOutside
	}
	if p.unwound || !p.yield(r) {
		// A deferred call of the task may come here again while it unwinds.
		p.unwound = true
		panic(unwinding{})
	}
	return p.reply, nil
}
