package sim

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// finish runs every execution step in the order of the tasks, as far as there are any.
func finish(s *System) error {
	e, err := s.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	for moved := true; moved; {
		moved = false
		for task := range e.machines.tasks {
			if _, ok := e.Pending(task); ok {
				moved = true
				if err := e.Step(task); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pool stands for one of the standard library: all that it gives out is one.
type pool struct{ free chan bool }

func (p *pool) get() { <-p.free }

// TestHang has what hangs: the error says who, where and what to do.
func TestHang(t *testing.T) {
	ask := func(p *Process) { _, _ = p.Call(Request{Store: "counter", Body: "x"}) }
	server := func(tasks ...func(p *Process)) func() []Program {
		return func() []Program {
			prog := Program{Name: "server", New: func(p *Process) (all []Task) {
				for _, task := range tasks {
					all = append(all, func(context.Context) (string, error) { task(p); return "", nil })
				}
				return all
			}}
			for i := range tasks {
				prog.Tasks = append(prog.Tasks, TaskSpec{Name: fmt.Sprint("view-", i+1)})
			}
			return []Program{prog}
		}
	}
	locked := func() func(p *Process) {
		var mu sync.Mutex
		return func(p *Process) {
			mu.Lock()
			defer mu.Unlock()
			ask(p)
		}
	}
	var over atomic.Bool // so that nothing computes for ever
	defer over.Store(true)
	loop := func(p *Process) {
		ask(p)
		for !over.Load() {
			runtime.Gosched()
		}
	}
	for _, tt := range []struct {
		name     string
		programs func() []Program
		want     string
	}{
		{"a lock held across a request", func() []Program { view := locked(); return server(view, view)() },
			`^view-2 has asked for nothing for \S+; it is in sync\.\(\*Mutex\)\.Lock at watchdog_test\.go:\d+; the other tasks go on only when it asks for something or ends: hold no lock`},
		{"a lock shared by processes", func() []Program {
			view := locked()
			a, b := server(view)()[0], server(view)()[0]
			a.Name, b.Name, b.Tasks = "a", "b", []TaskSpec{{Name: "view-9"}}
			return []Program{a, b}
		}, `^view-9 has asked for nothing for \S+; it is in sync\.\(\*Mutex\)\.Lock at watchdog_test\.go:\d+; `},
		{"a channel", func() []Program {
			c := make(chan bool)
			return server(func(p *Process) { ask(p); <-c }, func(p *Process) { ask(p); ask(p); close(c) })()
		}, `^view-1 has asked for nothing for \S+; it is in chan receive at watchdog_test\.go:\d+; `},
		{"a flight that another task has taken off with", func() []Program {
			var landed sync.WaitGroup
			landed.Add(1)
			return server(func(p *Process) { ask(p); landed.Done() }, func(p *Process) { landed.Wait() })()
		}, `^view-2 has asked for nothing for \S+; it is in sync\.\(\*WaitGroup\)\.Wait at watchdog_test\.go:\d+; `},
		{"a pool", func() []Program {
			c := &pool{make(chan bool, 1)}
			c.free <- true
			view := func(p *Process) { c.get(); ask(p); c.free <- true }
			return server(view, view)()
		}, `^view-2 .* it is in chan receive at watchdog_test\.go:\d+; `},
		{"a pause of real time", server(func(*Process) { time.Sleep(time.Second) }),
			`^view-1 has asked for nothing for \S+; it is in time\.Sleep at watchdog_test\.go:\d+; .*: sleep by sim\.Clock$`},
		{"a loop", server(loop),
			`^view-1 has asked for nothing for \S+; it is (running|in \S+) at watchdog_test\.go:\d+; let it ask for something`},
		{"a loop when it is abandoned", server(loop, func(*Process) { panic("no luck") }),
			`^view-1 .* its run is over: return when a client fails, or when the context is done$`},
		{"a constructor", func() []Program {
			return []Program{{Name: "server", New: func(*Process) []Task { select {} }}}
		}, `^server has asked for nothing for \S+; it is in select \(no cases\) at watchdog_test\.go:\d+; `},
		{"what is registered", func() []Program {
			return []Program{{Name: "server", New: func(p *Process) []Task {
				p.AtEnd(func(bool) { select {} })
				return []Task{func(context.Context) (string, error) { return "", nil }}
			}}}
		}, `^server has asked for nothing for \S+; it is in select \(no cases\) at watchdog_test\.go:\d+; `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &System{Stores: []Store{&counter{}}, Programs: tt.programs(), Patience: 200 * time.Millisecond}
			err := s.Guard(context.Background(), func() error { return finish(s) })
			var hang *HangError
			if !errors.As(err, &hang) || !regexp.MustCompile(tt.want).MatchString(err.Error()) {
				t.Fatalf("error %v, want %s", err, tt.want)
			}
			for _, again := range []error{finish(s), finish(s.With(Property{})), s.Guard(context.Background(), func() error { return nil })} {
				if !errors.Is(again, hang) || !strings.HasPrefix(again.Error(), "a system in which a task hangs cannot be used again: ") {
					t.Errorf("again: %v", again)
				}
			}
		})
	}
}

// A task that hangs after a client was called from outside it may wait for what came of
// that, so the error is both, that call first.
func TestHangAfterACallFromOutside(t *testing.T) {
	s := &System{Stores: []Store{&counter{}}, Patience: 200 * time.Millisecond, Programs: []Program{{Name: "a", New: func(p *Process) []Task {
		return []Task{func(context.Context) (string, error) {
			called := make(chan error)
			go func() { _, err := p.Call(Request{Store: "counter", Body: "x"}); called <- err }()
			<-called
			select {}
		}}
	}}}}
	err := s.Guard(context.Background(), func() error { return finish(s) })
	var hang *HangError
	if !errors.Is(err, ErrOutside) || !errors.As(err, &hang) || !strings.HasPrefix(err.Error(), "a: "+ErrOutside.Error()) {
		t.Errorf("error %v", err)
	}
}

// A guarded run whose context is canceled while a task hangs comes back, long before its
// patience is at an end, and says where the task is. What comes back later touches
// nothing.
func TestInterruptedHang(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	open, back := make(chan bool), make(chan bool)
	store := &counter{}
	s := &System{Stores: []Store{store}, Programs: []Program{{Name: "a", New: func(p *Process) []Task {
		return []Task{func(context.Context) (string, error) {
			cancel()
			<-open
			close(back)
			return "", request(p)
		}}
	}}}}
	ends := 0
	err := s.Guard(ctx, func() error { defer func() { ends++ }(); return finish(s) })
	if !errors.Is(err, context.Canceled) || !regexp.MustCompile(`^interrupted while a was in chan receive at watchdog_test\.go:\d+$`).MatchString(err.Error()) {
		t.Errorf("error %v", err)
	}
	close(open)
	<-back
	time.Sleep(10 * time.Millisecond) // nothing can be waited for that is not to happen
	if store.n != 0 || ends != 0 {
		t.Errorf("the run goes on: %d requests, %d ends", store.n, ends)
	}
}

// Work that ends is as it would be without a guard: its error, its panic, its end by
// testing.T.FailNow, and a context that is canceled but hurts nobody.
func TestGuard(t *testing.T) {
	s := system(func(call func(string) string) (string, error) { return call("x"), nil })
	failed := errors.New("failed")
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{context.Background(), canceled} {
		if err := s.Guard(ctx, func() error { return errors.Join(finish(s), failed) }); !errors.Is(err, failed) {
			t.Errorf("error %v", err)
		}
		if err := s.Guard(ctx, func() error {
			return s.Guard(ctx, func() error { return finish(s) })
		}); err != nil {
			t.Errorf("a guard in a guard: %v", err)
		}
	}
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, failed) || !strings.Contains(err.Error(), "TestGuard") {
				t.Errorf("the panic is %v", err)
			}
		}()
		_ = s.Guard(context.Background(), func() error { panic(failed) })
	}()
	exits, returned := make(chan bool), false
	go func() {
		defer close(exits)
		_ = s.Guard(context.Background(), func() error { runtime.Goexit(); return nil })
		returned = true
	}()
	if <-exits; returned {
		t.Error("Guard returns although its work has ended its goroutine")
	}
	if err := finish(s); err != nil {
		t.Error(err)
	}
}

// The place is the innermost line of the user, whatever is a library above it.
func TestPlace(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"sync.Mutex.Lock, 2 minutes]:\n" +
			"internal/sync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\truntime/sema.go:95 +0x25\n" +
			"internal/sync.(*Mutex).lockSlow(0x1)\n\tinternal/sync/mutex.go:149 +0x15d\n" +
			"sync.(*Mutex).Lock(...)\n\tsync/mutex.go:46\n" +
			"shop.(*Service).View(0x1, {0x2, 0x3})\n\tshop/service.go:158 +0x33\n" +
			"created by iter.Pull[...] in goroutine 6\n\titer/iter.go:285 +0x11", "in sync.(*Mutex).Lock at service.go:158"},
		{"select]:\n" +
			"database/sql.(*DB).conn(0x1)\n\t/go/src/database/sql/sql.go:1369 +0x5d8\n" +
			"database/sql.(*DB).QueryRowContext(...)\n\t/go/src/database/sql/sql.go:1800\n" +
			"github.com/jmoiron/sqlx.(*DB).Get(0x1)\n\t/go/pkg/mod/github.com/jmoiron/sqlx@v1.4.0/sqlx.go:1 +0x1\n" +
			"main.main.func1()\n\t/home/me/shop/main.go:7 +0x33", "in github.com/jmoiron/sqlx.(*DB).Get at main.go:7"},
		{"running]:\nquiesce/model.lock.Read({0x1})\n\t/src/quiesce/model/lock.go:20 +0x1", "running at lock.go:20"},
		{"chan receive]:\nquiesce/sim/redis.(*conn).ask(0x1)\n\t/src/quiesce/sim/redis/state.go:20 +0x1", "in chan receive at state.go:20"},
	} {
		if got := parseGoroutine(tt.text).place(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if got := lookAt(-1).place(); got != "nowhere to be seen" {
		t.Error(got)
	}
}
