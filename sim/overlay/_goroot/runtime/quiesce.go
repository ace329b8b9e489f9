// What the overlay of quiesce adds to the runtime. See the documentation of package
// quiesce/sim/overlay.

package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// overlayVersion is the version of Go of which the overlay was made.
const overlayVersion = "GOVERSION"

func init() {
	if buildVersion != overlayVersion {
		println("the overlay of quiesce was written for", overlayVersion, "and this is", buildVersion+"; write it again: go run quiesce/cmd/explore overlay DIR")
		exit(2)
	}
}

// A drawing is what a goroutine in a bubble draws for. There is a stream for each, so
// that one drawing more of one kind changes nothing of the others.
type drawing uint8

const (
	drawStart  drawing = iota // the place of a goroutine that it starts
	drawSelect                // which case of a select comes first
	drawTimer                 // which of the timers of the same moment fires first
	drawRand                  // math/rand, and whoever else asks for random numbers
	drawCrypto                // crypto/rand
	drawSeed                  // runtime.rand, which is the seed of a map
	drawings
)

// A bubblePlace is where a goroutine is in the tree of those that its bubble has started,
// and how often it has drawn. What it draws next follows from both, so it depends neither on
// which goroutine is first to run nor on other bubbles.
type bubblePlace struct {
	seed  uint64
	drawn [drawings]uint32
	lock  uintptr // the mutex that it waits for, until it goes on; 0 is none
}

// bubbleRoot is the place of the goroutine that runs a bubble, which is that of every bubble.
const bubbleRoot = 0x71756965736365

// bubbleMix is the finalizer of splitmix64.
//
//go:nosplit
func bubbleMix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// bubbleCurrent returns the goroutine in a bubble on whose behalf gp runs. The system stack runs
// timers, for whoever lets one fire by setting it, and else for the root of the bubble.
//
//go:nosplit
func bubbleCurrent(gp *g) *g {
	if gp != gp.m.g0 {
		return gp
	}
	if gp.m.curg != nil {
		return gp.m.curg
	}
	return gp.bubble.root
}

// bubbleDraw returns what the goroutine, which is in a bubble, draws next.
//
//go:nosplit
func bubbleDraw(what drawing) uint64 {
	p := &bubbleCurrent(getg()).place
	n := atomic.Xadd(&p.drawn[what], 1)
	return bubbleMix(bubbleMix(p.seed+uint64(what)) ^ uint64(n))
}

// bubbleStart gives a new goroutine its place if it is in a bubble.
func bubbleStart(newg, callergp *g) {
	if newg.bubble == nil {
		return
	}
	p := &bubbleCurrent(callergp).place
	n := atomic.Xadd(&p.drawn[drawStart], 1)
	newg.place = bubblePlace{seed: bubbleMix(bubbleMix(p.seed) ^ uint64(n))}
}

// bubbleRand is rand for all but the compiler and the runtime.
//
//go:nosplit
//go:linkname bubbleRand
func bubbleRand() uint64 {
	if getg().bubble != nil {
		return bubbleDraw(drawRand)
	}
	return rand()
}

// maps_offsets returns where the iteration of a map with that many entries starts. In a bubble
// nothing is drawn for it: code that runs once in the life of a program, such as one
// that fills a table of types, would change what is drawn later in the first bubble alone.
//
//go:linkname maps_offsets internal/runtime/maps.offsets
func maps_offsets(used uint64) (entry, dir uint64) {
	gp := getg()
	if gp.bubble == nil {
		return rand(), rand()
	}
	entry = bubbleMix(bubbleCurrent(gp).place.seed ^ used)
	return entry, bubbleMix(entry)
}

// sysrand_readInBubble fills b in a bubble, and returns false outside.
//
//go:linkname sysrand_readInBubble crypto/internal/sysrand.ReadInBubble
func sysrand_readInBubble(b []byte) bool {
	if getg().bubble == nil {
		return false
	}
	var z uint64
	for i := range b {
		if i%8 == 0 {
			z = bubbleDraw(drawCrypto)
		}
		b[i] = byte(z)
		z >>= 8
	}
	return true
}

// bubbleMark returns what a lock remembers of the bubble in which it is held; 0 is none.
func bubbleMark() uint32 {
	if b := getg().bubble; b != nil {
		return b.mark
	}
	return 0
}

//go:linkname sync_bubbleMark sync.bubbleMark
func sync_bubbleMark() uint32 { return bubbleMark() }

//go:linkname internal_sync_bubbleMark internal/sync.bubbleMark
func internal_sync_bubbleMark() uint32 { return bubbleMark() }

// internal_sync_bubbleLocks notes which mutex the goroutine waits for, and reports whether it is in a bubble.
//
//go:linkname internal_sync_bubbleLocks internal/sync.bubbleLocks
func internal_sync_bubbleLocks(m unsafe.Pointer) bool {
	gp := getg()
	gp.place.lock = uintptr(m)
	return gp.bubble != nil
}

// bubbleMutex is internal/sync.Mutex, which is all that a sync.Mutex is.
type bubbleMutex struct {
	state        int32
	sema, holder uint32
}

// bubbleRWMutex is sync.RWMutex.
type bubbleRWMutex struct {
	w                       bubbleMutex
	writerSem, readerSem    uint32
	readerCount, readerWait int32
	readers                 uint32
}

// waitsElsewhere reports whether a goroutine of the bubble waits for a lock that is held
// outside of the bubble, or that nobody holds any more, because whoever it was is about to wake it. Then the bubble is not
// blocked. It looks at that when nothing runs in the bubble, since whoever has a lock when
// the waiting begins need not have it then. The caller holds bubble.mu.
func (bubble *synctestBubble) waitsElsewhere() bool {
	if bubble.waits == 0 {
		return false
	}
	n := 0
	forEachGRace(func(gp *g) {
		if gp.bubble == bubble && readgstatus(gp)&^_Gscan == _Gwaiting && gp.waitreason.isMutexWait() && bubble.locked(gp) {
			n++
		}
	})
	return n != bubble.waits // one that is just being woken is none of them
}

// locked reports whether what gp waits for is held by goroutines of the bubble alone.
func (bubble *synctestBubble) locked(gp *g) bool {
	sema := bubbleSemaphore(gp)
	if sema == 0 {
		return false // it has been woken
	}
	switch gp.waitreason {
	case waitReasonSyncMutexLock:
		return atomic.Load(&bubbleMutexOf(sema).holder) == bubble.mark
	case waitReasonSyncRWMutexRLock:
		return atomic.Load(&bubbleRWMutexOfReader(sema).w.holder) == bubble.mark
	}
	rw := bubbleRWMutexOfWriter(sema)
	n := atomic.Loadint32(&rw.readerWait)
	return n > 0 && atomic.Load(&rw.readers) == uint32(n)*bubble.mark
}

// bubbleSemaphore returns the address of the semaphore at which gp waits; 0 if it has been woken.
func bubbleSemaphore(gp *g) uintptr {
	s := gp.waiting
	if s == nil {
		return 0
	}
	return s.elem.uintptr()
}

// bubbleMutexOf returns the mutex with that semaphore.
func bubbleMutexOf(sema uintptr) *bubbleMutex {
	return (*bubbleMutex)(unsafe.Pointer(sema - unsafe.Offsetof(bubbleMutex{}.sema)))
}

// bubbleRWMutexOfReader returns the lock at which readers wait with that semaphore.
func bubbleRWMutexOfReader(sema uintptr) *bubbleRWMutex {
	return (*bubbleRWMutex)(unsafe.Pointer(sema - unsafe.Offsetof(bubbleRWMutex{}.readerSem)))
}

// bubbleRWMutexOfWriter returns the lock at which a writer waits with that semaphore.
func bubbleRWMutexOfWriter(sema uintptr) *bubbleRWMutex {
	return (*bubbleRWMutex)(unsafe.Pointer(sema - unsafe.Offsetof(bubbleRWMutex{}.writerSem)))
}
