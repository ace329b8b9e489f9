package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/petermattis/goid"
)

// Code of the system under test can fail to come back: a task waits for a lock that
// another one holds across a request, or computes for ever. Nothing virtual can tell,
// since nothing virtual happens, so this file looks at real time. It decides no order
// and no verdict: all that it does is to end a run by an error.

// defaultPatience is the [System.Patience] of the zero value.
const defaultPatience = 5 * time.Second

// A HangError says that code of the system under test did not come back. The system
// cannot be used any more afterwards: what runs in it still does.
type HangError struct {
	Task string        // or the process, of code that is part of no task
	For  time.Duration // it has asked for nothing; 0 if it is known never to do

	// Place is where that code is: in sync.(*Mutex).Lock at service.go:158.
	Place string

	// Waits says that the code waits for something, and does not run.
	Waits bool

	// Abandoned says that the run of the task was over, and its clients have failed.
	Abandoned bool

	// Locked says that it waits for a sync.Mutex, or a sync.RWMutex, in a process of
	// goroutines, which the runtime of Go does not take for waiting.
	Locked bool

	// Interrupted is the error of the context that ended the wait for it; nil if it
	// took too long.
	Interrupted error
}

func (e *HangError) Error() string {
	if e.Interrupted != nil {
		return fmt.Sprintf("interrupted while %s was %s", e.Task, e.Place)
	}
	text := fmt.Sprintf("%s has asked for nothing for %s; it is %s; ", e.Task, e.For, e.Place)
	if e.For == 0 {
		text = fmt.Sprintf("%s waits for ever; it is %s; ", e.Task, e.Place)
	}
	switch {
	case e.Locked:
		return text + "a lock that is held across a request needs the overlay: write it with `go run quiesce/cmd/explore overlay DIR`, and test with -overlay DIR/overlay.json"
	case e.Abandoned:
		return text + "its run is over: return when a client fails, or when the context is done"
	case strings.HasPrefix(e.Place, "in time.Sleep "):
		return text + "that is real time, and takes as long for every interleaving: sleep by sim.Clock"
	case e.Waits:
		return text + "the other tasks go on only when it asks for something or ends: hold no lock and no connection across a request that another task needs, share none between processes, and wait for no goroutine"
	}
	return text + "let it ask for something, sleep by its clock, or end; System.Patience is for code that computes for so long"
}

// Unwrap returns the error of the context, if that has ended the wait.
func (e *HangError) Unwrap() error { return e.Interrupted }

// A watchdog sees whether code of the system under test runs, and whether it is still
// the same piece. Such code runs in one place at a time.
type watchdog struct {
	// beat is odd while such code runs, another odd number for every piece of it, and
	// hung if it has not come back.
	beat atomic.Uint64

	// Of the piece that runs, written before beat says so.
	n         uint64
	name      string
	task      *coroutine // nil for code that is part of no task
	bubble    *bubble    // in which it runs; nil if in none
	goid      int64      // of that code
	abandoned bool

	guards bool                      // somebody looks at it
	hang   atomic.Pointer[HangError] // nil unless it has hung
	left   atomic.Int64              // abandoned tasks that have not ended
	leaky  atomic.Int64              // bubbles in which goroutines were left
	last   atomic.Pointer[string]    // the name of the last of them
}

const hung = 1<<64 - 1

// enter is called before code of the system under test runs, on the goroutine on which
// it does, or which resumes c.
func (w *watchdog) enter(name string, c *coroutine, abandoned bool) {
	w.n += 2
	w.name, w.task, w.bubble, w.abandoned = name, c, nil, abandoned
	if c == nil {
		w.goid = goid.Get()
	}
	w.beat.Store(w.n | 1)
}

// leave is called when that code has come back. It does not return if it was given up
// meanwhile: whoever did so may have closed the stores.
func (w *watchdog) leave() {
	if !w.beat.CompareAndSwap(w.n|1, w.n) {
		select {}
	}
}

// Guard calls work, which runs tasks of the system, and returns its error, or a
// [*HangError] as soon as one of them has asked for nothing for [System.Patience], or
// ctx is done and a task does not come back. In those cases work never comes back
// either. So everything that runs tasks without a Guard around it may hang: an
// [Execution] does not watch itself.
//
// A Guard in the work of another one is no more than a call.
func (s *System) Guard(ctx context.Context, work func() error) error {
	w := s.watch()
	if w.guards {
		return work()
	}
	if err := s.Usable(); err != nil {
		return err
	}
	if slices.ContainsFunc(s.Programs, func(p Program) bool { return p.Goroutines }) {
		if in, _ := ownStack(); in != "" {
			return errInBubble
		}
		defer oneAtATime()()
	}
	w.guards = true
	defer func() { w.guards = false }()
	ended := make(chan ending, 1)
	go func() {
		end := ending{exits: true} // unless it returns
		defer func() {
			if end.exits {
				end.panicked = recover()
				end.stack = debug.Stack()
			}
			ended <- end
		}()
		end.err = work()
		end.exits = false
	}()
	err := w.wait(ctx, s.patience(), ended)
	if stray := s.Stray(); stray != nil && w.hang.Load() != nil {
		return fmt.Errorf("%w\n%w", stray, err) // it waits for what came of that, perhaps
	}
	return err
}

var errInBubble = errors.New("processes of goroutines run in bubbles of testing/synctest, and this is one already: explore outside of it")

// single counts the explorations of processes of goroutines.
var single struct {
	sync.Mutex
	n, before int
}

// oneAtATime has Go run one goroutine at a time until restore is called. So those of a
// process that can go on at once do so in the same order in every run, and their numbers
// ascend in the order in which they were started.
func oneAtATime() (restore func()) {
	single.Lock()
	defer single.Unlock()
	if single.n++; single.n == 1 {
		single.before = runtime.GOMAXPROCS(1)
	}
	return func() {
		single.Lock()
		defer single.Unlock()
		if single.n--; single.n == 0 {
			runtime.GOMAXPROCS(single.before)
		}
	}
}

// An ending is how the work of a Guard has ended.
type ending struct {
	err      error
	exits    bool // it did not return
	panicked any  // nil if its goroutine has just ended, as by testing.T.FailNow
	stack    []byte
}

// deliver ends the caller in the same way.
func (e *ending) deliver() error {
	switch {
	case !e.exits:
		return e.err
	case e.panicked == nil:
		runtime.Goexit()
	}
	if err, ok := e.panicked.(error); ok {
		panic(fmt.Errorf("%w\n\n%s", err, e.stack))
	}
	panic(fmt.Sprintf("%v\n\n%s", e.panicked, e.stack))
}

// wait looks a few times a second whether the piece of code that runs is another one,
// and counts how often it is not, rather than to read a clock: a machine that has slept
// has not waited.
func (w *watchdog) wait(ctx context.Context, patience time.Duration, ended <-chan ending) error {
	pause := min(patience/8, 100*time.Millisecond)
	most := int(patience / pause)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	canceled := ctx.Done()
	seen, looks := uint64(0), 0
	for {
		select {
		case end := <-ended:
			return end.deliver()
		case <-canceled:
			// A task that comes back at once is not interrupted, as the search sees ctx.
			canceled, most, looks = nil, min(most, 4), 0
		case <-ticker.C:
		}
		if n := w.beat.Load(); n != seen || n%2 == 0 {
			seen, looks = n, 0
			continue
		}
		if looks++; looks < most || !w.beat.CompareAndSwap(seen, hung) {
			continue
		}
		e := w.error()
		e.For, e.Interrupted = patience, ctx.Err()
		return e
	}
}

// error returns the error of the piece of code that runs, which was given up.
func (w *watchdog) error() *HangError {
	e := &HangError{Task: w.name, Abandoned: w.abandoned}
	id := w.goid
	if w.task != nil {
		id = w.task.goid.Load()
	}
	g := lookAt(id)
	if w.bubble != nil {
		g = w.bubble.culprit()
		e.Locked = g.locks()
	}
	e.Place, e.Waits = g.place(), g.waits()
	w.hang.Store(e)
	return e
}

// GiveUp gives up the code of the system that runs, and returns a [*HangError]. It is for
// who knows that this code never comes back, as the runtime does in a bubble of package
// testing/synctest. It returns nil if none runs.
func (s *System) GiveUp() error {
	w := s.watch()
	if n := w.beat.Load(); n%2 == 0 || n == hung || !w.beat.CompareAndSwap(n, hung) {
		return nil
	}
	return w.error()
}

// watch returns the watchdog of the system, which a copy by With shares.
func (s *System) watch() *watchdog {
	if s.watchdog == nil {
		s.watchdog = new(watchdog)
	}
	return s.watchdog
}

func (s *System) patience() time.Duration {
	if s.Patience <= 0 {
		return defaultPatience
	}
	return s.Patience
}

// Usable returns an error if no process can be started any more: a task hangs, or too
// many were left alone.
func (s *System) Usable() error {
	w := s.watch()
	if e := w.hang.Load(); e != nil {
		return fmt.Errorf("a system in which a task hangs cannot be used again: %w", e)
	}
	if w.leaky.Load() > mostLeaky {
		return fmt.Errorf("%d runs of processes have left goroutines behind, such as of %s: end what a service starts when its process ends, as by Process.AtEnd, or when the context is done", mostLeaky, *w.last.Load())
	}
	if w.left.Load() > mostLeft {
		return fmt.Errorf("%s and others, more than %d in all, go on for ever after their run is over and their clients fail: return on an error, or when the context is done", *w.last.Load(), mostLeft)
	}
	return nil
}

// Left returns how many abandoned tasks were left alone, since they ask for ever.
func (s *System) Left() int { return int(s.watch().left.Load()) }

// mostLeft is how many abandoned tasks may be left alone. Each keeps its stack and its
// clients, together some 100 KB. Tests lower it.
var mostLeft int64 = 1000

// mostLeaky is how many processes of goroutines may leave some behind, which cost some
// 10 to 100 KB each.
const mostLeaky = 10_000

// mostAsked is how often an abandoned task may ask for something in vain.
const mostAsked = 100

// firstLook is after how long an abandoned task is looked at that has not ended. It is
// long for what a task does after an error, since to look stops the world.
const firstLook = 5 * time.Millisecond

// abandon resumes a task that is to end, and waits until it has, or is left alone
// because it asks for ever. It returns false if the task is blocked: it may wait for
// a lock that another one gives back when that is abandoned as well.
func (w *watchdog) abandon(c *coroutine, bubble bool) (ended bool) {
	c.done = make(chan struct{})
	w.left.Add(1)
	next := c.next
	go func() {
		asks := false // also if the goroutine just ends, as by testing.T.FailNow
		defer func() {
			if asks {
				w.last.Store(&c.name)
			} else {
				w.left.Add(-1)
			}
			close(c.done)
		}()
		_, asks = next()
	}()
	if bubble && w.standstill(c) {
		return false
	}
	return w.ends(c)
}

// standstill says of an abandoned task, in a bubble, whether it waits for something that
// is no part of the bubble or for a lock: the clock stands still for as long as it does,
// and so would everything that waits for a timer. It returns once the task waits, or has
// ended.
func (w *watchdog) standstill(c *coroutine) bool {
	w.enter(c.name, c, true)
	defer w.leave()
	for looks := 0; looks < 3; looks++ {
		for range 1000 {
			select {
			case <-c.done:
				return false
			default:
				runtime.Gosched()
			}
		}
		switch g := lookAt(c.goid.Load()); {
		case g.durable():
			return false
		case !g.waits():
			looks = -1
		}
	}
	return true
}

// ends waits until an abandoned task has ended, and returns false if it is blocked.
// Whether it is blocked or just slow is not a matter of time alone: a task that can run
// is waited for, since the next one must not run together with it.
func (w *watchdog) ends(c *coroutine) bool {
	w.enter(c.name, c, true)
	defer w.leave()
	looks := 0
	for pause := firstLook; looks < 3; pause = min(2*pause, 100*time.Millisecond) {
		timer := time.NewTimer(pause)
		select {
		case <-c.done:
			timer.Stop()
			return true
		case <-timer.C:
		}
		if looks++; !lookAt(c.goid.Load()).waits() {
			looks = 0
		}
	}
	w.last.Store(&c.name)
	return false
}
