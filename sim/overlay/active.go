package overlay

import (
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Active reports whether the program was built with the overlay, by what the overlay does: locks
// that are waited for in a bubble, and what two bubbles draw. It measures that once, when it is first asked,
// which takes some milliseconds and leaves no goroutine behind. An overlay of which only a part works is an error;
// it is then of another version of this package, or something else decides what is random. It cannot be asked for
// the first time inside a bubble, and panics there.
func Active() (bool, error) {
	if !measured.Load() && bubble() != "" {
		panic("overlay.Active is asked in a bubble for the first time; ask before the bubble starts")
	}
	return active()
}

var measured atomic.Bool

var active = sync.OnceValues(func() (bool, error) {
	defer measured.Store(true)
	var works, fails []string
	note := func(name string, does bool) {
		if does {
			works = append(works, name)
		} else {
			fails = append(fails, name)
		}
	}
	cryptorand.Text() // in FIPS mode the first one looks at real time, which there is none of in a bubble
	first, second := draw(), draw()
	for i, d := range drawn {
		note(d.name, first[i] == second[i])
	}
	for _, w := range measureWaits() {
		note(w.name, w.durable)
	}
	note("turns", measureTurns())
	return judge(works, fails)
})

// errPart is what is wrong with an overlay of which a part does not work.
var errPart = errors.New("write it again: go run quiesce/cmd/explore overlay DIR; and leave out what makes random numbers of its own, such as GODEBUG=randautoseed=0 or cryptotest.SetGlobalRandom")

// judge returns the answer, from what was measured.
func judge(works, fails []string) (bool, error) {
	switch {
	case len(fails) == 0:
		return true, nil
	case len(works) == 0:
		return false, nil
	}
	return false, fmt.Errorf("the overlay works for %s and not for %s; %w", strings.Join(works, ", "), strings.Join(fails, ", "), errPart)
}

// drawn is what a bubble draws. Without the overlay it would be equal in two bubbles less than once in 2^64 times.
var drawn = []struct {
	name string
	draw func() string
}{
	{"select", drawSelect},
	{"maps", drawMap},
	{"timers", drawTimers},
	{"math/rand", func() string { return fmt.Sprint(rand.Uint64(), rand.Uint64()) }},
	{"math/rand/v2", func() string { return fmt.Sprint(randv2.Uint64(), randv2.Uint64()) }},
	{"crypto/rand", cryptorand.Text},
}

// draw draws all that in a new bubble.
func draw() []string {
	var all []string
	synctest.Test(new(testing.T), func(*testing.T) {
		for _, d := range drawn {
			all = append(all, d.draw())
		}
	})
	return all
}

func drawSelect() string {
	a, b := make(chan string, 1), make(chan string, 1)
	a <- "a"
	b <- "b"
	var cases strings.Builder
	for range 80 {
		select {
		case s := <-a:
			cases.WriteString(s)
			a <- s
		case s := <-b:
			cases.WriteString(s)
			b <- s
		}
	}
	return cases.String()
}

func drawMap() string {
	m := map[int]int{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0}
	var keys strings.Builder
	for range 30 { // each may start at one of eight
		for k := range m {
			fmt.Fprint(&keys, k)
		}
	}
	return keys.String()
}

func drawTimers() string {
	var fired strings.Builder
	for range 80 {
		a, b := time.NewTimer(time.Second), time.NewTimer(time.Second)
		select {
		case <-a.C:
			fired.WriteString("a")
		case <-b.C:
			fired.WriteString("b")
		}
	}
	return fired.String()
}

// measureTurns reports whether goroutines run in the order in which they were started. Without the overlay the last one
// is first, or they run in parallel.
func measureTurns() bool {
	sorted := true
	synctest.Test(new(testing.T), func(*testing.T) {
		for range 50 {
			var mu sync.Mutex
			var order []int
			for i := range 10 {
				go func() {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				}()
			}
			synctest.Wait()
			sorted = sorted && slices.IsSorted(order)
		}
	})
	return sorted
}

// A wait is one for a lock, in a bubble.
type wait struct {
	name    string // as a traceback has it
	durable bool
}

// measureWaits waits for locks in a bubble until the traceback shows the goroutines that do.
func measureWaits() (waits []wait) {
	synctest.Test(new(testing.T), func(*testing.T) {
		var mu sync.Mutex
		var rw sync.RWMutex
		mu.Lock()
		rw.Lock()
		var waiting sync.WaitGroup
		for _, l := range []sync.Locker{&mu, rw.RLocker()} {
			waiting.Go(func() {
				l.Lock()
				defer l.Unlock()
			})
		}
		for len(waits) < 2 {
			runtime.Gosched()
			waits = lockWaits()
		}
		mu.Unlock()
		rw.Unlock()
		waiting.Wait()
	})
	return waits
}

// lockWait is in the head of the traceback of a goroutine, such as
//
//	goroutine 7 [sync.Mutex.Lock (durable), synctest bubble 3]:
var lockWait = regexp.MustCompile(`(?m)^goroutine \d+ \[(sync\.(?:RW)?Mutex\.R?Lock)( \(durable\))?.*, synctest bubble (\d+)`)

// lockWaits returns the waits for locks in the bubble of the goroutine.
func lockWaits() (waits []wait) {
	self := bubble()
	for _, m := range lockWait.FindAllStringSubmatch(traceback(true), -1) {
		if m[3] == self {
			waits = append(waits, wait{name: m[1], durable: m[2] != ""})
		}
	}
	return waits
}

// bubbled is in the head of the traceback of a goroutine in a bubble.
var bubbled = regexp.MustCompile(`^goroutine .*, synctest bubble (\d+)`)

// bubble returns the number of the bubble of the goroutine; "" is none.
func bubble() string {
	if m := bubbled.FindStringSubmatch(traceback(false)); m != nil {
		return m[1]
	}
	return ""
}

// traceback returns that of the goroutine, or of all.
func traceback(all bool) string {
	for size := 1 << 16; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, all); n < size {
			return string(b[:n])
		}
	}
}
