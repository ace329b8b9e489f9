package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/petermattis/goid"
)

// A bubble is one run of a process of goroutines, in a bubble of package testing/synctest.
// Its main goroutine waits for commands on a channel that was made outside, for which the
// clock of the bubble stands still. A command does something, such as to hand a reply to
// who waits for it, and lets all goroutines go on until each waits for something that only
// another command can bring.
type bubble struct {
	process *Process
	sys     *System
	prog    *Program
	tasks   []*bubbled
	name    string // of the bubble, as the runtime calls it
	number  int    // of the process and of its life: no two draw the same at random

	commands chan func()
	done     chan struct{} // a command is
	over     chan any      // the bubble is: what it panicked with, nil if it did not
	seen     chan struct{} // something was asked for, withdrawn or returned; made inside
	main     int64         // the goroutine that executes commands
	timed    bool          // a timer of the process has fired
	hangs    bool          // it takes no more commands
	exits    atomic.Bool   // a task has ended its goroutine, as by testing.T.FailNow

	mu      sync.Mutex
	strands map[int64]*strand // by the id of the goroutine
	fresh   []*strand         // that have asked for the first time
	nobody  int               // how many places nobody has
	failed  error             // what ends the run
	last    int64             // deliveries so far
}

// A bubbled is a task of a process of goroutines.
type bubbled struct {
	name     string
	task     Task
	started  bool
	finished bool
	counted  bool // AtReturn was told
	result   string
}

// A strand is a goroutine that has called a client, or is that of a task.
type strand struct {
	id, parent int64 // as the runtime calls it, and the one that has started it
	at         Place
	named      bool
	children   int // that have a name
	request    Request
	replies    chan Reply    // for the request; nil if none is pending
	since      int64         // the delivery in which it was asked for
	turn       chan struct{} // closed when it has its turn; nil if it does not wait for one

	failed   int    // requests in a row
	struck   int    // requests that have failed, in all
	refused  string // see coroutine
	retrying bool
	asked    int // in vain, since the process was abandoned
}

// epoch is when an execution begins, in a bubble as in the stores.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// resolver has package net make outside of all bubbles what it makes when the first name is
// looked up. It would be of the bubble of whoever does that, such as a client that asks
// where its server is, and nobody in another bubble could use it.
var resolver = sync.OnceFunc(func() { _, _ = net.LookupHost("localhost") })

// newBubble starts a run of a program, in which no task has started. It returns one also
// with an error, to be ended.
func (s *System) newBubble(program int, restarted bool) (*bubble, error) {
	resolver()
	o := s.origin()
	b := &bubble{sys: o, prog: &s.Programs[program], commands: make(chan func()), done: make(chan struct{}), over: make(chan any, 1), strands: map[int64]*strand{}}
	b.process = &Process{name: b.prog.Name, stray: &o.stray, watch: s.watch(), restarted: restarted, isolation: &Isolation{sys: o}, bubble: b}
	b.process.ctx.process = b.process
	b.number = 2 * program
	if restarted {
		b.number++
	}
	go b.live()
	err := b.do(b.process.name, func() {
		time.Sleep(time.Until(epoch))
		b.seen = make(chan struct{}, 1)
		b.process.ctx.base, b.process.cancel = context.WithCancel(context.Background())
		b.construct()
	})
	return b, cmp.Or(err, b.failed)
}

// live is the bubble.
func (b *bubble) live() {
	defer func() { b.over <- recover() }()
	synctest.Test(new(testing.T), func(*testing.T) {
		b.name, _ = ownStack()
		// With the overlay what a goroutine draws at random follows from its place among those
		// that the bubble has started, so the ones of each process are below another one.
		for range b.number {
			go func() {}()
		}
		var main sync.WaitGroup
		main.Go(b.execute)
		main.Wait()
	})
}

// execute executes commands.
func (b *bubble) execute() {
	b.main = goid.Get()
	for f := range b.commands {
		// Whatever the engine has read is read before a goroutine that a timer wakes writes it.
		b.mu.Lock()
		//lint:ignore SA2001 the pair orders what is before it, and guards nothing
		b.mu.Unlock()
		f()
		synctest.Wait()
		b.christen()
		for b.giveTurn() {
			synctest.Wait()
			b.christen()
		}
		b.done <- struct{}{}
	}
}

// do executes a command. Code of the process that does not come back is an error, at once
// if it waits for a lock.
func (b *bubble) do(name string, f func()) error {
	w := b.process.watch
	w.enter(name, nil, b.process.over.Load())
	w.bubble = b
	b.commands <- f
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for looks := 0; ; timer.Reset(firstLook) {
		select {
		case <-b.done:
			w.leave()
			return nil
		case <-timer.C:
		}
		if looks++; !b.locked() {
			looks = 0
		}
		if looks == 3 && w.beat.CompareAndSwap(w.n|1, hung) {
			e := w.error()
			b.hangs = true
			return e
		}
	}
}

// locked says whether no goroutine of the bubble goes on and one waits for a lock, which
// package synctest does not take for waiting.
func (b *bubble) locked() bool {
	locked := false
	for _, g := range lookInto(b.name) {
		locked = locked || g.locks()
		if !g.waits() && !g.durable() {
			return false
		}
	}
	return locked
}

// culprit returns the goroutine that keeps a command from coming back.
func (b *bubble) culprit() (found goroutine) {
	all := lookInto(b.name)
	for _, is := range []func(goroutine) bool{goroutine.locks, func(g goroutine) bool { return !g.durable() }} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i]
		}
	}
	return goroutine{}
}

func (b *bubble) construct() {
	defer func() {
		if v := recover(); v != nil {
			b.fail(panicked(b.process.name, v))
		}
	}()
	specs := b.prog.specs()
	tasks := b.prog.New(b.process)
	if len(tasks) != len(specs) {
		b.fail(fmt.Errorf("sim: %s has %d tasks, but its New returns %d", b.prog.Name, len(specs), len(tasks)))
		return
	}
	for i, task := range tasks {
		b.tasks = append(b.tasks, &bubbled{name: specs[i].Name, task: task})
	}
}

// fail ends the run with an error.
func (b *bubble) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = err
	}
}

// poke tells whoever lets time pass that there is something to be seen.
func (b *bubble) poke() {
	select {
	case b.seen <- struct{}{}:
	default:
	}
}

// start starts the goroutine of a task.
func (b *bubble) start(task int) {
	t := b.tasks[task]
	t.started = true
	go func() {
		b.mu.Lock()
		id := goid.Get()
		b.strands[id] = &strand{id: id, at: Place{Task: task}, named: true}
		b.mu.Unlock()
		defer b.poke()
		exits := true // unless it returns or panics
		defer func() {
			v := recover()
			b.mu.Lock()
			t.finished = true
			b.mu.Unlock()
			switch {
			case b.process.over.Load():
			case v != nil:
				b.fail(panicked(t.name, v))
			case exits:
				b.exits.Store(true)
			}
		}()
		result, err := t.task(b.process.ctx.base)
		exits = false
		if b.process.over.Load() {
			return
		}
		b.mu.Lock()
		result, err = b.outcome(t, result, err)
		t.result = result
		b.mu.Unlock()
		if err != nil {
			b.fail(err)
		}
	}()
}

// outcome returns the result of a task that has returned something, or what ends the run.
func (b *bubble) outcome(t *bubbled, result string, err error) (string, error) {
	o := outcomeOf(b.prog.Outcomes, err)
	switch {
	case o != nil:
		return cmp.Or(result, o.Error()), nil
	case err == nil:
		return result, nil
	case b.process.faulted, b.timed && timesOut(err):
		return Failed, nil
	}
	return "", &TaskError{Task: t.name, Err: err, returned: true}
}

// timesOut says whether an error is that of something which has taken too long.
func timesOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded)
}

// strand returns that of the running goroutine; nil if it is none of the bubble, or the
// one that executes commands.
func (b *bubble) strand() *strand {
	id := goid.Get()
	b.mu.Lock()
	s := b.strands[id]
	b.mu.Unlock()
	if s != nil {
		return s
	}
	bubble, parent := ownStack()
	if bubble != b.name || id == b.main {
		return nil
	}
	s = &strand{id: id, parent: parent}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.strands[id] = s
	return s
}

// inside says whether the running goroutine is one of the process.
func (b *bubble) inside() bool { return b.strand() != nil }

// christen names the goroutines that have asked for the first time: siblings in the order
// in which they were started, since their ids ascend: see [System.Guard].
func (b *bubble) christen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortFunc(b.fresh, func(s, t *strand) int { return cmp.Compare(s.id, t.id) })
	for _, s := range b.fresh {
		s.named, s.at = true, Place{Task: Nobody}
		siblings := &b.nobody
		if p := b.strands[s.parent]; p != nil && p.named {
			siblings, s.at = &p.children, p.at
		}
		*siblings++
		if s.at.Path != "" {
			s.at.Path += "/"
		}
		s.at.Path += fmt.Sprint(*siblings)
	}
	b.fresh = b.fresh[:0]
}

// takeTurn waits until nothing else runs in the bubble: see [Host].
func (b *bubble) takeTurn() {
	s := b.strand()
	if s == nil || b.process.over.Load() {
		return
	}
	turn := make(chan struct{})
	b.mu.Lock()
	s.turn = turn
	if !s.named {
		b.fresh = append(b.fresh, s)
	}
	b.mu.Unlock()
	b.poke()
	<-turn
}

// giveTurn lets the first of those go on who wait for their turn, and returns false if
// nobody does.
func (b *bubble) giveTurn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first *strand
	for _, s := range b.strands {
		if s.turn != nil && (first == nil || s.at.compare(first.at) < 0) {
			first = s
		}
	}
	if first == nil {
		return false
	}
	close(first.turn)
	first.turn = nil
	return true
}

// call asks for a request on any goroutine of the bubble: see [Host].
func (b *bubble) call(ctx context.Context, r Request) (Reply, error) {
	s := b.strand()
	switch {
	case s == nil:
		return Reply{}, b.process.Outside()
	case b.process.over.Load():
		s.askInVain()
		return Reply{}, ErrAbandoned
	}
	replies := make(chan Reply, 1)
	b.mu.Lock()
	s.request, s.replies, s.since = r, replies, b.last
	if !s.named {
		b.fresh = append(b.fresh, s)
	}
	b.mu.Unlock()
	b.poke()
	select {
	case reply, ok := <-replies:
		if !ok {
			return Reply{}, ErrAbandoned
		}
		return reply, nil
	case <-ctx.Done():
		b.mu.Lock()
		s.replies = nil
		b.mu.Unlock()
		b.poke()
		if b.process.over.Load() {
			return Reply{}, ErrAbandoned
		}
		return Reply{}, ctx.Err()
	}
}

// askInVain suspends a goroutine of an abandoned process for ever if it asks too often.
func (s *strand) askInVain() {
	if s.asked++; s.asked >= mostAsked {
		select {}
	}
}

// running returns the name of the place of the running goroutine; "" if it has none.
func (b *bubble) running() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.strands[goid.Get()]; s != nil && s.named {
		return b.prog.nameOf(s.at)
	}
	return ""
}

func (b *bubble) persists(store string) bool {
	s := b.strand()
	return s != nil && s.retrying && s.refused == store
}

// supervise does work again that has failed: see [Process.Supervise].
func (b *bubble) supervise(work func() error) error {
	s := b.strand()
	if s == nil {
		return work() // whose requests are reported
	}
	s.refused = ""
	defer func() { s.retrying = false }()
	for {
		struck := s.struck
		err := work()
		if err == nil || b.process.over.Load() {
			return err
		}
		if s.struck == struck {
			b.fail(&TaskError{Task: b.running(), Err: err})
			return err
		}
		s.retrying = true
	}
}

// at returns the strand that waits at a place; nil if none does.
func (b *bubble) at(place Place) *strand {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.strands {
		if s.replies != nil && s.named && s.at == place {
			return s
		}
	}
	return nil
}

// pending returns what the process waits for, but for its clock.
func (b *bubble) pending() (all Pending) {
	for i, t := range b.tasks {
		if !t.started && !t.finished {
			all = append(all, Waiting{Place{Task: i}, Start, false})
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.strands {
		if s.replies != nil {
			all = append(all, Waiting{s.at, s.request, s.since == b.last})
		}
	}
	slices.SortFunc(all, func(v, w Waiting) int { return v.Place.compare(w.Place) })
	return all
}

// take executes what the process is told: time passes, and a reply is delivered.
func (b *bubble) take(w word) {
	b.mu.Lock()
	b.last++
	b.timed = b.timed || w.at.Clock()
	b.mu.Unlock()
	if w.pass > 0 {
		time.Sleep(w.pass)
	}
	if w.at.Clock() {
		return
	}
	if w.pass > 0 {
		synctest.Wait()
	}
	if t := w.at.Task; t >= 0 && w.at.Path == "" && !b.tasks[t].started {
		b.start(t)
		return
	}
	s := b.at(w.at)
	if s == nil {
		b.fail(fmt.Errorf("%s: nobody waits at %s any more, where somebody did before: the process does not do the same when it is told the same", b.process.name, b.prog.nameOf(w.at)))
		return
	}
	if s.refused == s.request.Store {
		s.refused = ""
	}
	if w.reply.Fault == "" {
		s.failed = 0
	} else {
		b.process.faulted, s.failed, s.struck = true, s.failed+1, s.struck+1
		if w.reply.Fault == Outage {
			s.refused = s.request.Store
		}
		if s.failed > mostFailures {
			b.fail(&TaskError{Task: b.prog.nameOf(w.at), Err: errNoEnd})
		}
	}
	replies := s.replies
	s.replies = nil
	replies <- w.reply
}

// elapse lets time pass up to the next moment at which something can be seen from outside,
// or the horizon. It returns how much that is, and false if it is the horizon.
func (b *bubble) elapse(horizon time.Duration) (d time.Duration, seen bool) {
	select {
	case <-b.seen:
	default:
	}
	begin, timer := time.Now(), time.NewTimer(horizon)
	defer timer.Stop()
	select {
	case <-b.seen:
		seen = true
	case <-timer.C:
	}
	return time.Since(begin), seen
}

// returned runs what was registered with AtReturn for the tasks that have finished.
func (b *bubble) returned() error {
	for _, t := range b.tasks {
		if !t.finished || t.counted {
			continue
		}
		t.counted = true
		for _, f := range b.process.atReturn {
			if err := f(t.name); err != nil {
				return &TaskError{Task: t.name, Err: err}
			}
		}
	}
	return nil
}

// unfinished says whether a task has started and not finished.
func (b *bubble) unfinished() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.tasks, func(t *bubbled) bool { return t.started && !t.finished })
}

// end abandons the run: whatever is asked for fails, and contexts are canceled. Time
// passes for what waits for a timer. Goroutines that wait for ever are left where they
// are, and the run is counted.
func (b *bubble) end() {
	if b.hangs {
		return
	}
	err := b.do(b.process.name, func() {
		b.process.over.Store(true)
		b.process.cancel()
		b.mu.Lock()
		for _, s := range b.strands {
			if s.replies != nil {
				close(s.replies)
				s.replies = nil
			}
		}
		b.mu.Unlock()
		synctest.Wait()
		for pause := time.Millisecond; b.unfinished() && pause < 2*time.Hour; pause *= 10 {
			time.Sleep(pause)
			synctest.Wait()
		}
		for _, f := range slices.Backward(b.process.atEnd) {
			f(false)
		}
		b.process.isolation.End()
	})
	if err != nil {
		return
	}
	close(b.commands)
	if left := <-b.over; left != nil {
		b.process.watch.leaky.Add(1)
		b.process.watch.last.Store(&b.process.name)
	}
}

// parked returns where the code of a task is that waits for another one.
func (b *bubble) parked(task int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.strands {
		if s.at == (Place{Task: task}) && s.named {
			return lookAt(id).place()
		}
	}
	return ""
}
