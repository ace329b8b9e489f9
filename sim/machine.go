package sim

import "time"

// A Machine is a process as an engine drives it. What runs in it waits for replies to
// its requests; handed one, it goes on up to where all of it waits again, or has ended.
// The same replies in the same order lead to the same requests, results and memory. It
// shares nothing with other machines, and is used from one goroutine at a time.
//
// The machine of a [Program] is made of coroutines, one for each task, or of goroutines:
// see [Program.Goroutines].
type Machine interface {
	// Pending returns what the process waits for now. It is valid up to the next call
	// of any method.
	Pending() Pending

	// Result returns what a task returned, and false if it has not finished. The task
	// is named by its index in the program. One that has not finished, and has nothing
	// pending, is parked: it waits for another task of the process.
	Result(task int) (result string, finished bool)

	// Parked returns where the code of a task is that is parked.
	Parked(task int) string

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

	// Pass says how much time passes before the next delivery. It is less than that to the
	// next timer, or as much if the delivery comes before that timer at the same time.
	// Only a process of goroutines, in a timed system, has a clock that this matters to.
	Pass(d time.Duration)

	// Stop abandons the process, which must not be used afterwards: what it asks for
	// from now on fails, so that it ends by its own paths. It is safe to call more than
	// once.
	Stop()
}

// Pending is a set of requests, each with the place that waits for the reply, in the
// order of their places. With every delivery it may grow and shrink.
type Pending []Waiting

// A Waiting is a request that has no reply yet.
type Waiting struct {
	Place   Place
	Request Request // [Start] of a task that is yet to be started, [Timer] at the clock
	Fresh   bool    // it was asked for since the last delivery
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

// Fresh says whether the request at a place is another one than before the last delivery,
// or there is none.
func (p Pending) Fresh(at Place) bool {
	for i := range p {
		if p[i].Place == at {
			return p[i].Fresh
		}
	}
	return true
}
