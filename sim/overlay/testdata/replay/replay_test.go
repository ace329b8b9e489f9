// Package replay is tested with the overlay: what happens in a bubble is the same in every bubble.
package replay

import (
	cryptorand "crypto/rand"
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"iter"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quiesce/sim/overlay"
)

const replays = 1000

func TestMain(m *testing.M) {
	if ok, err := overlay.Active(); !ok || err != nil {
		fmt.Println("the overlay is not active:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// bubble returns what f does in a new bubble.
func bubble(f func() string) (did string) {
	synctest.Test(new(testing.T), func(*testing.T) { did = f() })
	return did
}

// cases are what a bubble does. All goroutines of one write down what they do where no other writes.
var cases = map[string]func() string{
	"mutex":              mutex,
	"rwmutex":            rwmutex,
	"once":               once,
	"order":              order,
	"polls":              polls,
	"race":               race,
	"race of coroutines": coroutines,
	"select":             selects,
	"select tree":        func() string { return tree(selects) },
	"map":                func() string { return maps(2000) },
	"map tree":           func() string { return tree(func() string { return maps(30) }) },
	"global map":         globals,
	"timers":             timers,
	"math/rand":          func() string { return fmt.Sprint(rand.Int(), rand.Perm(5), rand.Float64(), read()) },
	"math/rand/v2":       func() string { return fmt.Sprint(randv2.Int(), randv2.Perm(5), randv2.N(1000)) },
	"crypto/rand":        func() string { return cryptorand.Text() },
	"random tree":        func() string { return tree(draws) },
	"once in a process":  firsts,
	"maphash":            func() string { return fmt.Sprint(maphash.String(maphash.MakeSeed(), "key")) },
}

func read() []byte {
	b := make([]byte, 13)
	rand.Read(b) //lint:ignore SA1019 it is there
	return b
}

// TestReplays: a thousand bubbles do the same, eight at a time. The first of each was not the first
// of the process to draw, so also what is done once in a process makes no difference.
func TestReplays(t *testing.T) {
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := bubble(f)
			var differ atomic.Int64
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					for range replays / 8 {
						if got := bubble(f); got != want && differ.Add(1) == 1 {
							t.Errorf("%s\nis not what was done first:\n%s", got, want)
						}
					}
				})
			}
			workers.Wait()
			if n := differ.Load(); n > 0 {
				t.Errorf("%d of %d replays differ", n, replays)
			}
		})
	}
}

// TestDigest prints what is compared with that of another process.
func TestDigest(t *testing.T) {
	h := fnv.New64a()
	for _, name := range []string{"select tree", "map", "map tree", "global map", "timers", "random tree", "maphash"} {
		fmt.Fprintln(h, bubble(cases[name]))
	}
	t.Logf("all draws: %x", h.Sum64())
}

// A log is what goroutines write, one after the other.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) write(v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprint(v...))
}

func (l *log) String() string { return strings.Join(l.lines, " ") }

// mutex holds a mutex across a wait of an hour, while two goroutines wait for it.
func mutex() string {
	var mu sync.Mutex
	var log log
	start := time.Now()
	hold := func(name string) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Hour)
			log.write(name, time.Since(start))
		}
	}
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		all.Go(hold(name))
		synctest.Wait()
	}
	all.Wait()
	return log.String()
}

// rwmutex holds it for reading and for writing across waits.
func rwmutex() string {
	var rw sync.RWMutex
	var log log
	start := time.Now()
	var all sync.WaitGroup
	for i, l := range []sync.Locker{rw.RLocker(), rw.RLocker(), &rw, rw.RLocker(), &rw} {
		all.Go(func() {
			l.Lock()
			defer l.Unlock()
			time.Sleep(time.Duration(i+1) * time.Hour)
			synctest.Wait()
			log.write(i, time.Since(start))
		})
		synctest.Wait()
	}
	all.Wait()
	return log.String()
}

// once waits for an hour in what is done once, for which others wait.
func once() string {
	value := sync.OnceValue(func() time.Time {
		time.Sleep(time.Hour)
		return time.Now()
	})
	return tree(func() string { return value().String() })
}

// order lets a goroutine unlock and lock again while another waits, which is then next, for however
// much of real time.
func order() string {
	var mu sync.Mutex
	var log log
	done := make(chan struct{})
	mu.Lock()
	go func() {
		defer close(done)
		mu.Lock()
		defer mu.Unlock()
		log.write("waiting")
	}()
	synctest.Wait()
	work()
	mu.Unlock()
	mu.Lock()
	log.write("again")
	time.Sleep(time.Second)
	mu.Unlock()
	mu.Lock()
	log.write("once more")
	mu.Unlock()
	<-done
	return log.String()
}

// polls waits for others by asking again and again.
func polls() string {
	var log log
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(4)
	for i := range 4 {
		all.Go(func() {
			log.write("begins", i)
			for left.Load() > int64(i) {
				runtime.Gosched()
			}
			log.write("ends", i)
			left.Add(-1)
		})
	}
	left.Add(-1)
	for left.Load() > 0 {
		runtime.Gosched()
	}
	all.Wait()
	return log.String()
}

var works atomic.Uint64

// work takes up to a millisecond or two, another time whenever it is called.
func work() {
	x := works.Add(1)
	for range x % 4 * 500_000 {
		x = x*6364136223846793005 + 1
	}
	works.CompareAndSwap(x, 0) // so that x is used
}

// race lets goroutines that become runnable at once write to the same log: those that are started, whose channel is
// closed, whose condition holds, whose timers fire, that compete for a value, and that yield.
func race() string {
	var log log
	closed, values := make(chan bool), make(chan int)
	var locked sync.Mutex
	cond := sync.NewCond(&locked)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			log.write("start", i)
			garbage := make([][]byte, 0)
			for range 20 {
				garbage = append(garbage, make([]byte, 1000+i))
			}
			<-closed
			log.write("closed", len(garbage), i)
			locked.Lock()
			cond.Wait()
			locked.Unlock()
			log.write("cond", i)
			runtime.Gosched()
			log.write("yield", i)
			time.Sleep(time.Second)
			log.write("timer", i)
			log.write("value", <-values, i)
		})
	}
	synctest.Wait()
	close(closed)
	synctest.Wait()
	cond.Broadcast()
	time.Sleep(2 * time.Second)
	for i := range 8 {
		all.Go(func() { values <- i })
	}
	all.Wait()
	return log.String()
}

// shared are locks of a library, which all bubbles use, and goroutines outside too.
var shared struct {
	sync.Mutex
	rw sync.RWMutex
}

// crowd lets many goroutines lock them, one after the other. Who has to wait for somebody outside does not lose its turn.
func crowd() string {
	var log log
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				shared.Lock()
				log.write(i)
				shared.Unlock()
				shared.rw.RLock()
				log.write("r", i)
				shared.rw.RUnlock()
			}
			shared.rw.Lock()
			log.write("w", i)
			shared.rw.Unlock()
		})
	}
	all.Wait()
	return log.String()
}

// TestCrowd is TestReplays of crowd, while goroutines outside use the locks all the time.
func TestCrowd(t *testing.T) {
	want := bubble(crowd)
	var stop atomic.Bool
	var outside sync.WaitGroup
	for range 4 {
		outside.Go(func() {
			for !stop.Load() {
				shared.Lock()
				runtime.Gosched()
				shared.Unlock()
				shared.rw.RLock()
				runtime.Gosched()
				shared.rw.RUnlock()
			}
		})
	}
	for range replays {
		if got := bubble(crowd); got != want {
			t.Errorf("%s\nis not what was done first:\n%s", got, want)
			break
		}
	}
	stop.Store(true)
	outside.Wait()
}

// coroutines lets goroutines yield in the middle of what they iterate over.
func coroutines() string {
	var log log
	numbers := func(yield func(int) bool) {
		for i := range 5 {
			runtime.Gosched()
			if !yield(i) {
				return
			}
			time.Sleep(time.Second)
		}
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			next, stop := iter.Pull(numbers)
			defer stop()
			for range 3 + i {
				runtime.Gosched()
				n, ok := next()
				log.write(i, n, ok)
			}
		})
	}
	all.Wait()
	return log.String()
}

func selects() string {
	chans := []chan int{make(chan int, 1), make(chan int, 1), make(chan int, 1)}
	for i, c := range chans {
		c <- i
	}
	var got []int
	for range 50 {
		var i int
		select {
		case i = <-chans[0]:
		case i = <-chans[1]:
		case i = <-chans[2]:
		}
		chans[i] <- i
		got = append(got, i)
	}
	return fmt.Sprint(got)
}

// maps iterates over a map while it is small, a table and, with more than 1,000 entries, many.
func maps(size int) string {
	var keys []string
	m := map[string]int{}
	for i := range size {
		m[fmt.Sprint("key ", i)] = i
		if i == 7 || i == 20 || i == size-1 {
			for k := range m {
				keys = append(keys, k)
			}
		}
	}
	clear(m)
	m["one"], m["two"] = 1, 2
	var sm sync.Map
	for i := range 100 {
		sm.Store(i, i)
	}
	sm.Range(func(k, _ any) bool {
		keys = append(keys, fmt.Sprint(k))
		return true
	})
	for k := range m {
		keys = append(keys, k)
	}
	return strings.Join(keys, ",")
}

var global = func() map[string]bool {
	m := map[string]bool{}
	for i := range 100 {
		m[fmt.Sprint("global ", i)] = true
	}
	return m
}()

func globals() string {
	var keys []string
	for k := range global {
		keys = append(keys, k)
	}
	return strings.Join(keys, ",")
}

// timers fires many at the same moment, as channels and as functions.
func timers() string {
	drawn := make([]uint64, 20)
	for i := range drawn {
		time.AfterFunc(time.Duration(i%2)*time.Second, func() { drawn[i] = randv2.Uint64() })
	}
	var first []string
	for range 20 {
		a, b := time.NewTimer(time.Second), time.NewTicker(time.Second)
		select {
		case <-a.C:
			first = append(first, "timer")
		case <-b.C:
			first = append(first, "ticker")
		}
		b.Stop()
	}
	synctest.Wait()
	return fmt.Sprint(drawn, first)
}

func draws() string {
	return fmt.Sprintln(rand.Uint64(), randv2.Uint64(), cryptorand.Text())
}

// tree does the same in many goroutines, some of which others have started, and which run in parallel.
func tree(do func() string) string {
	did := make([]string, 12)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 3 {
				all.Go(func() { did[3*i+j] = do() })
			}
			do()
		})
	}
	all.Wait()
	return strings.Join(did, "\n")
}

var first sync.Once

// firsts fills maps once in the life of the process, which changes nothing of what is drawn after it.
func firsts() string {
	first.Do(func() {
		sum := 0
		m := map[int]int{1: 1, 2: 2}
		for k, v := range m {
			sum += k * v
		}
		var sm sync.Map
		sm.Store(sum, sum)
	})
	return draws() + maps(20) + selects()
}

// TestGoroutinesDiffer: no two goroutines draw the same, or all would make the same identifiers.
func TestGoroutinesDiffer(t *testing.T) {
	seen := map[string]bool{}
	n := 0
	for _, f := range []func() string{func() string { return tree(draws) }, timers} {
		for _, s := range strings.FieldsFunc(bubble(f), func(r rune) bool { return strings.ContainsRune(" \n[]", r) }) {
			if s == "timer" || s == "ticker" {
				continue
			}
			n++
			if seen[s] {
				t.Errorf("%s is drawn twice", s)
			}
			seen[s] = true
		}
	}
	if want := 12*3 + 20; n != want {
		t.Errorf("%d drawn, want %d", n, want)
	}
}

// TestOutside: while a lock is held outside of the bubble, or in another one, the bubble is not blocked, so its
// time stands still, also where goroutines of the bubble have the lock or wait for it as well.
func TestOutside(t *testing.T) {
	for range 300 {
		for name, outside := range map[string]func(hold func()){
			"outside":        func(hold func()) { hold() },
			"another bubble": func(hold func()) { synctest.Test(new(testing.T), func(*testing.T) { hold() }) },
		} {
			for kind, locks := range lockings() {
				var released atomic.Bool
				held, bubbled := make(chan struct{}), make(chan struct{})
				var holder sync.WaitGroup
				holder.Go(func() {
					outside(func() {
						locks.outside.Lock()
						close(held)
						<-bubbled
						for range 100 {
							cryptorand.Text() // some time
						}
						released.Store(true)
						locks.outside.Unlock()
					})
				})
				<-held
				synctest.Test(t, func(t *testing.T) {
					for range 2 {
						go func() {
							locks.inside.Lock()
							defer locks.inside.Unlock()
						}()
					}
					close(bubbled)
					time.Sleep(time.Hour)
					if !released.Load() {
						t.Errorf("%s, %s: an hour has passed while the lock was held", name, kind)
					}
				})
				holder.Wait()
			}
		}
	}
}

// A locking is one lock as two use it.
type locking struct{ outside, inside sync.Locker }

func lockings() map[string]locking {
	var mu sync.Mutex
	var a, b, c sync.RWMutex
	return map[string]locking{
		"mutex":          {&mu, &mu},
		"write, write":   {&a, &a},
		"write, read":    {&b, b.RLocker()},
		"read and write": {c.RLocker(), &c},
	}
}

// TestDeadlock: goroutines that wait for each other's locks are a deadlock at once.
func TestDeadlock(t *testing.T) {
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "deadlock: ") {
			t.Errorf("no deadlock: %s", r)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		var a, b sync.Mutex
		go func() {
			a.Lock()
			time.Sleep(time.Second)
			b.Lock()
		}()
		b.Lock()
		time.Sleep(time.Second)
		a.Lock()
	})
}
