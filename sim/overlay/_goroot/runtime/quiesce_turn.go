package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// The goroutines of a bubble take turns: one of them runs until it waits, yields or ends, and
// then the one that has been runnable longest is next. Go may put whoever has the turn aside, and runs it on
// whatever thread, which changes nothing. A goroutine keeps the turn in a system call, and while it
// waits for a lock that is held outside of the bubble. One that the network wakes does not wait
// for it.
//
// bubble.turn has the turn, or nobody if it is 0, and bubble.queue are those that wait for it. Both are protected
// by bubble.mu. Those in the queue are in no other one.

// admit reports whether gp, which is runnable, has the turn, and else lets it wait for it.
func (bubble *synctestBubble) admit(gp *g) bool {
	lock(&bubble.mu)
	if bubble.turn == 0 {
		bubble.turn.set(gp)
	}
	has := bubble.turn.ptr() == gp
	if !has {
		bubble.queue.pushBack(gp)
	}
	unlock(&bubble.mu)
	return has
}

// pass lets the next goroutine run if gp has the turn.
func (bubble *synctestBubble) pass(gp *g) {
	var next *g
	lock(&bubble.mu)
	if bubble.turn.ptr() == gp {
		next = bubble.queue.pop()
		bubble.turn.set(next)
	}
	unlock(&bubble.mu)
	if next != nil {
		mp := acquirem()
		runqput(mp.p.ptr(), next, true)
		wakep()
		releasem(mp)
	}
}

// park passes the turn of gp, which is about to wait. The next goroutine may run before it does: whatever
// gp waits for is locked until then.
func (bubble *synctestBubble) park(gp *g) {
	if !bubble.lockedElsewhere(gp) {
		bubble.pass(gp)
	}
}

// yield lets those run that wait for the turn of gp, and gp when it is its turn again. If there are none it returns.
func (bubble *synctestBubble) yield(gp *g) {
	lock(&bubble.mu)
	alone := bubble.turn.ptr() != gp || bubble.queue.empty()
	unlock(&bubble.mu)
	if alone {
		return
	}
	trace := traceAcquire()
	if trace.ok() {
		trace.GoSched()
	}
	casgstatus(gp, _Grunning, _Grunnable)
	if trace.ok() {
		traceRelease(trace)
	}
	dropg()
	lock(&bubble.mu)
	bubble.queue.pushBack(gp)
	unlock(&bubble.mu)
	bubble.pass(gp)
	schedule()
}

// hand gives the turn of gp to next, to which it switches as to a coroutine.
func (bubble *synctestBubble) hand(gp, next *g) {
	lock(&bubble.mu)
	if bubble.turn.ptr() == gp {
		bubble.turn.set(next)
	}
	unlock(&bubble.mu)
}

// lockedElsewhere reports whether gp, which is about to wait for a lock, waits for nobody in the bubble. A lock
// that nobody holds any more is on its way from outside, or else gp would have it.
func (bubble *synctestBubble) lockedElsewhere(gp *g) bool {
	sema := bubbleSemaphore(gp)
	if sema == 0 {
		return false
	}
	switch gp.waitreason {
	case waitReasonSyncMutexLock:
		m := bubbleMutexOf(sema)
		return atomic.Load(&m.holder) != bubble.mark && !bubble.locking(m, gp)
	case waitReasonSyncRWMutexRLock:
		rw := bubbleRWMutexOfReader(sema)
		return atomic.Load(&rw.w.holder) != bubble.mark && atomic.Loadint32(&rw.readerWait) == 0
	case waitReasonSyncRWMutexLock:
		return atomic.Load(&bubbleRWMutexOfWriter(sema).readers) == 0
	}
	return false
}

// locking reports whether a goroutine of the bubble other than gp has waited for the mutex and not gone on yet.
func (bubble *synctestBubble) locking(m *bubbleMutex, gp *g) bool {
	found := false
	forEachGRace(func(other *g) {
		if other != gp && other.bubble == bubble && other.place.lock == uintptr(unsafe.Pointer(m)) {
			found = true
		}
	})
	return found
}
