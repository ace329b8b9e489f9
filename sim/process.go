package sim

import (
	"context"
	"sync/atomic"
)

// A Process is one run of a [Program], as the code that runs in it sees it: the memory
// that its tasks share, and what New hands to the clients of stores, whose [Host] it is.
// One task runs at a time, until it asks for a request or returns.
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
	bubble    *bubble // in which the tasks are goroutines; nil if they are coroutines
}

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// Restarted says whether the process was started again after a crash: what its memory
// held before the workload began is gone.
func (p *Process) Restarted() bool { return p.restarted }

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

// Show says how a property sees what the memory of the process holds: f returns
// all of it that matters, and is called only while no task runs. If that is all memory
// which its tasks share, [Process.ShowsAll] says so.
func (p *Process) Show(f func() Content) { p.memory.shown = f }

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
// works in vain for ever; of an outage see [Host]. It returns the error of
// work when the process was abandoned.
func (p *Process) Supervise(work func() error) error {
	if p.bubble != nil {
		return p.bubble.supervise(work)
	}
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
