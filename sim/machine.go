package sim

// A Machine is a process as an engine drives it. What runs in it waits for replies to
// its requests; handed one, it goes on up to where all of it waits again, or has ended.
// The same replies in the same order lead to the same requests, results and memory. It
// shares nothing with other machines, and is used from one goroutine at a time.
//
// The machine of a [Program] is made of coroutines, one for each task.
type Machine interface {
	// Pending returns what the process waits for now. It is valid up to the next call
	// of any method.
	Pending() Pending

	// Result returns what a task returned, and false if it has not finished. The task
	// is named by its index in the program.
	Result(task int) (result string, finished bool)

	// Memory returns what the process shows of its memory. It is nil only if it shows
	// nothing: an empty memory is not nil.
	Memory() Content

	// Shared returns the memory that its tasks share, as far as it is known.
	Shared() SharedMemory

	// Deliver hands a reply to whoever waits at a place, and returns when all of the
	// process waits again or has ended. An error ends the run: a task panics, returns an
	// error that is no outcome, or uses a client from outside. It panics if nobody waits
	// there.
	Deliver(at Place, r Reply) error

	// Stop abandons the process, which must not be used afterwards: what it asks for
	// from now on fails, so that it ends by its own paths. It is safe to call more than
	// once.
	Stop()
}

// A Place is where in a process somebody waits. Its name is the same in every run.
type Place struct {
	Task int // index in the tasks of the program

	// Path says how whoever waits has come out of the task, if that is not the task
	// itself. It is "" in a process of coroutines.
	Path string
}

// Pending is a set of requests, each with the place that waits for the reply, in the
// order of their places. With every delivery it may grow and shrink.
type Pending []Waiting

// A Waiting is a request that has no reply yet.
type Waiting struct {
	Place   Place
	Request Request // [Start] of a task that is yet to be started
}

// At returns the request that is pending at a place, and false if there is none.
func (p Pending) At(at Place) (Request, bool) {
	for i := range p {
		if p[i].Place == at {
			return p[i].Request, true
		}
	}
	return Request{}, false
}
