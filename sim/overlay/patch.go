package overlay

import (
	"embed"
	"fmt"
	"strings"
)

// added are whole files, below the directory src of GOROOT.
//
//go:embed _goroot
var added embed.FS

// A patch puts other text in the place of text that is in a file exactly once.
type patch struct {
	file     string // below the directory src of GOROOT
	old, new string
}

// patches is all that is changed in files of GOROOT, in the order in which it is done.
var patches = []patch{
	// A wait for a lock is durable; waitsElsewhere makes sure that the lock is held in the bubble.
	{"runtime/runtime2.go", "	waitReasonSynctestSelect:        true,\n", `	waitReasonSynctestSelect:        true,
	waitReasonSyncMutexLock:         true,
	waitReasonSyncRWMutexRLock:      true,
	waitReasonSyncRWMutexLock:       true,
`},
	{"runtime/synctest.go", "	active  int // other sources of activity\n", `	active  int // other sources of activity

	mark  uint32   // what a lock remembers of the bubble that holds it; odd
	waits int      // number of goroutines that wait for a lock
	turn  guintptr // the goroutine that has the turn; 0 is none
	queue gQueue   // those that wait for it
`},
	{"runtime/synctest.go", "	bubble.total += totalDelta\n", `	bubble.total += totalDelta
	if oldval == _Gwaiting && gp.waitreason.isMutexWait() {
		bubble.waits--
	}
	if newval == _Gwaiting && gp.waitreason.isMutexWait() {
		bubble.waits++
	}
`},
	{"runtime/synctest.go", "	if bubble.running > 0 || bubble.active > 0 {\n", "	if bubble.running > 0 || bubble.active > 0 || bubble.waitsElsewhere() {\n"},

	// A lock remembers in which bubble it is held: a mutex, and a lock for writing, the mark of the bubble,
	// a lock for reading the sum of the marks of its readers.
	{"internal/sync/mutex.go", "	state int32\n	sema  uint32\n", `	state  int32
	sema   uint32
	holder uint32 // the mark of the bubble in which it is locked; 0 is none
`},
	{"internal/sync/mutex.go", "	if atomic.CompareAndSwapInt32(&m.state, 0, mutexLocked) {\n", `	if atomic.CompareAndSwapInt32(&m.state, 0, mutexLocked) {
		atomic.StoreUint32(&m.holder, bubbleMark())
`},
	{"internal/sync/mutex.go", `	if !atomic.CompareAndSwapInt32(&m.state, old, old|mutexLocked) {
		return false
	}
`, `	if !atomic.CompareAndSwapInt32(&m.state, old, old|mutexLocked) {
		return false
	}
	atomic.StoreUint32(&m.holder, bubbleMark())
`},
	{"internal/sync/mutex.go", `			awoke = true
			iter = 0
		} else {
			old = m.state
		}
	}
`, `			awoke = true
			iter = 0
		} else {
			old = m.state
		}
	}
	atomic.StoreUint32(&m.holder, bubbleMark())
	bubbleLocks(nil)
`},
	{"internal/sync/mutex.go", "	new := atomic.AddInt32(&m.state, -mutexLocked)\n", `	atomic.StoreUint32(&m.holder, 0)
	new := atomic.AddInt32(&m.state, -mutexLocked)
`},
	{"sync/rwmutex.go", "	readerWait  atomic.Int32 // number of departing readers\n", `	readerWait  atomic.Int32 // number of departing readers
	readers     uint32       // the sum of the marks of the bubbles in which it is locked for reading
`},
	{"sync/rwmutex.go", `		runtime_SemacquireRWMutexR(&rw.readerSem, false, 0)
	}
`, `		runtime_SemacquireRWMutexR(&rw.readerSem, false, 0)
	}
	atomic.AddUint32(&rw.readers, bubbleMark())
`},
	{"sync/rwmutex.go", "		if rw.readerCount.CompareAndSwap(c, c+1) {\n", `		if rw.readerCount.CompareAndSwap(c, c+1) {
			atomic.AddUint32(&rw.readers, bubbleMark())
`},
	{"sync/rwmutex.go", "	if r := rw.readerCount.Add(-1); r < 0 {\n", `	atomic.AddUint32(&rw.readers, -bubbleMark())
	if r := rw.readerCount.Add(-1); r < 0 {
`},

	// In a bubble a lock is handed to whoever has waited for it longest. Otherwise that goroutine and
	// the one that unlocks are in a race for it, and after a millisecond of real time they are not.
	// One that was woken before, and competes for the lock, must not find the lock to be handed over.
	{"internal/sync/mutex.go", "		if starving && old&mutexLocked != 0 {\n", "		if starving && old&mutexLocked != 0 && (awoke || old&mutexWoken == 0) {\n"},
	{"internal/sync/mutex.go", "	starving := false\n", "	starving := bubbleLocks(unsafe.Pointer(m))\n"},

	// The goroutines of a bubble take turns.
	{"runtime/synctest.go", `		pp := getg().m.p.ptr()
		runqput(pp, bubble.main, true)
		wakep()
`, `		bubble.admit(bubble.main)
`},
	{"runtime/proc.go", `	runqput(mp.p.ptr(), gp, next)
	wakep()
	releasem(mp)
`, `	if gp.bubble == nil || gp.bubble.admit(gp) {
		runqput(mp.p.ptr(), gp, next)
		wakep()
	}
	releasem(mp)
`},
	{"runtime/proc.go", "		newg := newproc1(fn, gp, pc, false, waitReasonZero)\n", `		newg := newproc1(fn, gp, pc, false, waitReasonZero)
		if newg.bubble != nil && !newg.bubble.admit(newg) {
			return
		}
`},
	{"runtime/proc.go", `	if bubble != nil {
		bubble.incActive()
	}
`, `	if bubble != nil {
		bubble.incActive()
		bubble.park(gp)
	}
`},
	{"runtime/proc.go", "			execute(gp, true) // Schedule it back, never returns.\n", `			if bubble != nil && !bubble.admit(gp) {
				schedule()
			}
			execute(gp, true) // Schedule it back, never returns.
`},
	{"runtime/proc.go", "func gosched_m(gp *g) {\n", `func gosched_m(gp *g) {
	if gp.bubble != nil {
		gp.bubble.yield(gp)
	}
`},
	{"runtime/proc.go", "	gp.bubble = nil\n	gp.fipsOnlyBypass = false\n", `	if gp.bubble != nil {
		gp.bubble.pass(gp)
	}
	gp.bubble = nil
	gp.fipsOnlyBypass = false
`},
	{"runtime/coro.go", `		canCAS = false
		bubble.incActive()
`, `		canCAS = false
		bubble.incActive()
		bubble.hand(gp, c.gp.ptr())
`},

	// A goroutine in a bubble has a place, and draws from streams of its own.
	{"runtime/runtime2.go", "	valgrindStackID uintptr\n}\n", "	valgrindStackID uintptr\n\n	place bubblePlace // if in a bubble\n}\n"},
	{"runtime/synctest.go", "	gp.bubble = bubble\n	defer func() {\n", `	bubble.mark = uint32(bubbleMix(bubble.id)) | 1
	gp.place = bubblePlace{seed: bubbleRoot}
	bubble.turn.set(gp)
	gp.bubble = bubble
	defer func() {
		bubble.pass(gp)
`},
	{"runtime/proc.go", "		newg.bubble = callergp.bubble\n", "		newg.bubble = callergp.bubble\n		bubbleStart(newg, callergp)\n"},
	{"runtime/select.go", "		j := cheaprandn(uint32(norder + 1))\n", `		j := cheaprandn(uint32(norder + 1))
		if gp.bubble != nil {
			j = uint32(bubbleDraw(drawSelect)>>32) % uint32(norder+1)
		}
`},
	{"runtime/time.go", "		if gp.bubble != nil {\n			t.isFake = true\n", `		if gp.bubble != nil {
			t.isFake = true
			t.rand = uint32(bubbleDraw(drawTimer))
`},
	{"runtime/time.go", "	if bubble := getg().bubble; bubble != nil {\n		t.isFake = true\n", `	if bubble := getg().bubble; bubble != nil {
		t.isFake = true
		t.rand = uint32(bubbleDraw(drawTimer))
`},
	// A select sets its timers in the order of addresses, so each keeps what was drawn when it was made.
	{"runtime/time.go", "			t.rand = cheaprand()\n", ""},
	// The compiler has new maps ask runtime.rand, so that is a stream of its own.
	{"runtime/rand.go", "func rand() uint64 {\n", `func rand() uint64 {
	if getg().bubble != nil {
		return bubbleDraw(drawSeed)
	}
`},
	{"runtime/rand.go", "func legacy_fastrand() uint32 {\n	return uint32(rand())\n", "func legacy_fastrand() uint32 {\n	return uint32(bubbleRand())\n"},
	{"runtime/rand.go", "func legacy_fastrand64() uint64 {\n	return rand()\n", "func legacy_fastrand64() uint64 {\n	return bubbleRand()\n"},
	{"math/rand/rand.go", "//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.bubbleRand\n"},
	{"math/rand/v2/rand.go", "//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.bubbleRand\n"},
	{"hash/maphash/maphash_runtime.go", "//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.bubbleRand\n"},
	{"os/tempfile.go", "//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.bubbleRand\n"},
	{"math/rand/rand.go", "	n, err = read(p, fs, readVal, readPos)\n", `	*readPos = 0 // what is left of the last number may be of another bubble
	n, err = read(p, fs, readVal, readPos)
`},
	{"crypto/internal/fips140/drbg/rand.go", "	if !fips140.Enabled {\n		sysrand.Read(b)\n", `	if sysrand.ReadInBubble(b) {
		return
	}

	if !fips140.Enabled {
		sysrand.Read(b)
`},

	// The order of the entries of a map follows from what was done to it, in every process: the keys of
	// the hash functions and the seeds of maps, also of those that were made outside of bubbles, are fixed.
	{"runtime/alg.go", "		hashkey[i] = uintptr(bootstrapRand())\n", "		hashkey[i] = uintptr(bubbleMix(uint64(i)))\n"},
	{"runtime/alg.go", "		key[i] = bootstrapRand()\n", "		key[i] = bubbleMix(uint64(i))\n"},
	{"internal/runtime/maps/table.go", "	it.entryOffset = rand()\n	it.dirOffset = rand()\n", "	it.entryOffset, it.dirOffset = offsets(m.used)\n"},
	{"internal/runtime/maps/runtime.go", "func runtime_mapassign(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n", "func runtime_mapassign(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/runtime_fast32.go", "func runtime_mapassign_fast32(typ *abi.MapType, m *Map, key uint32) unsafe.Pointer {\n", "func runtime_mapassign_fast32(typ *abi.MapType, m *Map, key uint32) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/runtime_fast32.go", "func runtime_mapassign_fast32ptr(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n", "func runtime_mapassign_fast32ptr(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/runtime_fast64.go", "func runtime_mapassign_fast64(typ *abi.MapType, m *Map, key uint64) unsafe.Pointer {\n", "func runtime_mapassign_fast64(typ *abi.MapType, m *Map, key uint64) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/runtime_fast64.go", "func runtime_mapassign_fast64ptr(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n", "func runtime_mapassign_fast64ptr(typ *abi.MapType, m *Map, key unsafe.Pointer) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/runtime_faststr.go", "func runtime_mapassign_faststr(typ *abi.MapType, m *Map, key string) unsafe.Pointer {\n", "func runtime_mapassign_faststr(typ *abi.MapType, m *Map, key string) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/runtime/maps/map.go", "func (m *Map) PutSlot(typ *abi.MapType, key unsafe.Pointer) unsafe.Pointer {\n", "func (m *Map) PutSlot(typ *abi.MapType, key unsafe.Pointer) unsafe.Pointer {\n	m.fixSeed()\n"},
	{"internal/sync/hashtriemap.go", "	ht.seed = uintptr(runtime_rand())\n", "	ht.seed = 0\n"},
	{"unique/canonmap.go", "	cm.seed = uintptr(runtime_rand())\n", "	cm.seed = 0\n"},
}

// apply changes the text of a file.
func (p patch) apply(text string) (string, error) {
	if n := strings.Count(text, p.old); n != 1 {
		line, _, _ := strings.Cut(strings.TrimSpace(p.old), "\n")
		return "", fmt.Errorf("%s has the text %q %d times, not once", p.file, line, n)
	}
	return strings.Replace(text, p.old, p.new, 1), nil
}
