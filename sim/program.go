package sim

import (
	"context"
	"errors"
	"strings"
)

// A Task is ordinary client code. What it returns is recorded: finished
// processes with equal results cannot be told apart any more, so a task returns
// "" unless a property looks at its result.
//
// Its context is canceled when its process is abandoned: see [Machine]. Unless the
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

	// Goroutines says that the tasks are ordinary goroutines, in a bubble of package
	// testing/synctest: they may start others, wait for each other, sleep and look at the
	// clock. Whatever in there asks for something takes part, and timers are moves of
	// their own. The zero value makes them coroutines, which do nothing but call their
	// clients and are several times as fast.
	Goroutines bool

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
