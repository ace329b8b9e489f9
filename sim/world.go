package sim

// A World is where the machines of a system are, in one state at a time: the real ones,
// of an [Execution], or those of which everything was learned. A [Relation] asks it what
// there is, and has it do what machines do.
type World interface {
	// Pending returns what the next step of a task is: its request, [Start], [Yield], or
	// [Arrive] if a reply is on its way. It is false if the task has finished.
	Pending(task int) (Request, bool)

	// Arriving returns the reply that is on its way to a task; the zero value if none is.
	Arriving(task int) Reply

	// Waited returns how long a task has waited for its next step, in a timed system, and
	// whether it is fresh: see [System.Span].
	Waited(task int) (age Age, fresh bool)

	// Execute has the store execute the pending request of a task, which does not get the
	// reply by that. It returns [ErrBlocked], and nothing has changed, if it is blocked.
	Execute(task int) (Reply, error)

	// Blocked says whether the pending request of a task would be blocked.
	Blocked(task int) (bool, error)

	// Answer sends the reply to its request to a task: it arrives at once if the task is
	// folded.
	Answer(task int, r Reply) error

	// Resume lets a task start, go on after a yield, or get what is on its way.
	Resume(task int) error

	// Crash ends the tasks of a process and starts those in the background again.
	Crash(program int) error

	// Age lets a tick pass for the tasks of a process: see [Span.Passes]. The bits of
	// blocked say which of its tasks are.
	Age(program int, blocked uint64) error

	// Content returns what a store holds.
	Content(store int) (Content, error)

	// Incidents returns what can happen to a store as long as it is allowed: see
	// [System.Incidents].
	Incidents(store int) ([]Fault, []Request, error)

	// Impose has a store execute a request of the environment, which may not be blocked.
	Impose(store int, r Request) error

	// Environment returns what the environment can still do, and SetEnvironment sets it.
	Environment() EnvironmentState
	SetEnvironment(EnvironmentState)

	// Changes returns, once after every step of a dated system, what the step has done to
	// the items that go away by themselves. store is the one that has executed the request
	// of a task in it; "" if none has. Living returns those items.
	Changes(store string) (Changes, error)
	Living() []Lifetime

	// Observe lets monitors see a step.
	Observe(Step) error

	// State returns a string that is equal as long as nothing changes that time and
	// monitors can change.
	State() (string, error)

	// Ages returns what puts back how long everything has waited to as it is now, after a
	// tick that was none.
	Ages() (undo func())

	// Mark returns what puts everything back to as it is now.
	Mark() (undo func() error)
}
