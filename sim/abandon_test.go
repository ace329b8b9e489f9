package sim

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// one starts a process by itself whose tasks are those; the last argument is nil unless
// something is to be done in the constructor.
func one(t *testing.T, tasks ...func(p *Process, ctx context.Context) error) *coroutines {
	t.Helper()
	prog := Program{Name: "p", New: func(p *Process) []Task {
		var all []Task
		for _, task := range tasks {
			all = append(all, func(ctx context.Context) (string, error) { return "", task(p, ctx) })
		}
		return all
	}}
	for i := range tasks {
		prog.Tasks = append(prog.Tasks, TaskSpec{Name: string(rune('a' + i))})
	}
	p, err := (&System{Programs: []Program{prog}}).start(0, nil)
	for i := range tasks {
		if _, ok := p.Pending().At(Place{Task: i}); err == nil && ok && len(tasks) > 1 {
			err = p.Deliver(Place{Task: i}, Reply{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return p.(*coroutines)
}

// ask asks for anything.
func request(p *Process) error {
	_, err := p.Call(Request{Store: "s"})
	return err
}

// An abandoned task goes on by its own paths: every request fails from then on, and
// nothing that it has deferred sees a panic.
func TestAbandoned(t *testing.T) {
	var got []error
	var recovered any
	ended := false
	p := one(t, func(p *Process, ctx context.Context) error {
		defer func() { recovered = recover() }()
		for range 3 {
			got = append(got, request(p))
		}
		Clock{}.For(p).Sleep(time.Hour)
		p.Yield()
		p.Hold(errors.New("held"))
		got = append(got, request(p), p.Supervise(func() error { return request(p) }), ctx.Err())
		ended = true
		return errors.New("nobody is told")
	})
	p.Stop()
	if !ended || recovered != nil {
		t.Fatalf("ended: %v, a deferred recover sees %v", ended, recovered)
	}
	for i, err := range got {
		want := ErrAbandoned
		if i == len(got)-1 {
			want = context.Canceled
		}
		if !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
	if result, _ := p.Result(0); result != "" || p.tasks[0].err != nil {
		t.Errorf("result %q, error %v of an abandoned task", result, p.tasks[0].err)
	}
}

// What an abandoned task panics with is its own affair, and ends nothing.
func TestAbandonedPanics(t *testing.T) {
	p := one(t, func(p *Process, ctx context.Context) error {
		if err := request(p); err != nil {
			panic(err)
		}
		return nil
	})
	p.Stop()
	if p.watch.left.Load() != 0 {
		t.Error("a task that panics is left")
	}
}

// The context of a task is canceled when it is abandoned and not before, with and
// without a constructor that has asked for one, and for contexts made of it.
func TestContextOfATask(t *testing.T) {
	for _, asked := range []bool{false, true} {
		var ctx, child context.Context
		s := &System{Programs: []Program{{Name: "p", New: func(p *Process) []Task {
			if asked {
				p.Context()
			}
			return []Task{func(own context.Context) (string, error) {
				ctx = own
				var cancel context.CancelFunc
				child, cancel = context.WithCancel(own)
				t.Cleanup(cancel)
				return "", request(p)
			}}
		}}}}
		before := runtime.NumGoroutine()
		p, err := s.Process(0)
		if err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine() - before; n > 1 {
			t.Errorf("asked %v: a context costs %d goroutines", asked, n-1)
		}
		if ctx.Err() != nil || child.Err() != nil || asked != (ctx.Done() != nil) {
			t.Errorf("asked %v: before: %v, %v", asked, ctx.Err(), child.Err())
		}
		p.Stop()
		<-ctx.Done()
		if ctx.Err() != context.Canceled || asked != (child.Err() != nil) {
			t.Errorf("asked %v: after: %v, %v", asked, ctx.Err(), child.Err())
		}
		late, cancel := context.WithCancel(ctx)
		defer cancel()
		if late.Err() != context.Canceled {
			t.Errorf("asked %v: a context made later: %v", asked, late.Err())
		}
	}
}

// A task that asks for ever, or looks at its context for ever, is left where it is, and
// what it has deferred does not run. Too many of them end the run.
func TestAskingForEver(t *testing.T) {
	defer func(most int64) { mostLeft = most }(mostLeft)
	mostLeft = 10
	for name, loop := range map[string]func(p *Process, ctx context.Context){
		"asks":   func(p *Process, _ context.Context) { _ = request(p) },
		"sleeps": func(p *Process, _ context.Context) { Clock{}.For(p).Sleep(time.Second) },
		"yields": func(p *Process, _ context.Context) { p.Yield() },
		"answered by its context": func(p *Process, ctx context.Context) {
			if ctx.Err() == nil {
				_ = request(p)
			}
		},
	} {
		deferred := false
		s := &System{Programs: []Program{{Name: "p", New: func(p *Process) []Task {
			return []Task{func(ctx context.Context) (string, error) {
				defer func() { deferred = true }()
				for {
					loop(p, ctx)
				}
			}}
		}}}}
		ends := 0
		var err error
		for n := 0; err == nil; n++ {
			var p Machine
			if p, err = s.Process(0); err == nil {
				p.(*coroutines).AtEnd(func(bool) { ends++ })
				p.Stop()
			} else if n != int(mostLeft)+1 || ends != n {
				t.Errorf("%s: %d processes could be started, and %d have ended", name, n, ends)
			}
		}
		if deferred {
			t.Errorf("%s: a deferred call was made", name)
		}
		if !strings.Contains(err.Error(), "p and others, more than 10 in all, go on for ever") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two tasks, of which the first is to take a lock when it is abandoned that the second
// holds until it is. Both end, whoever is first.
func TestAbandonedAndBlocked(t *testing.T) {
	for _, first := range []int{0, 1} {
		var mu sync.Mutex
		var order []string
		waits := func(p *Process, _ context.Context) error {
			err := request(p)
			mu.Lock()
			defer mu.Unlock()
			order = append(order, "waits")
			return err
		}
		holds := func(p *Process, _ context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			err := request(p)
			order = append(order, "holds")
			return err
		}
		tasks := []func(*Process, context.Context) error{waits, holds}
		if first == 1 {
			tasks = []func(*Process, context.Context) error{holds, waits}
		}
		p := one(t, tasks...)
		clean := true
		p.AtEnd(func(c bool) { clean = c })
		p.Stop()
		if got := strings.Join(order, " "); got != "holds waits" || clean {
			t.Errorf("order %q, clean %v", got, clean)
		}
		if n := p.watch.left.Load(); n != 0 {
			t.Errorf("%d tasks are left", n)
		}
	}
}

// A task that stays blocked is left alone, its process has not ended, and no error comes
// of it; if it ends later, that is the end of it.
func TestBlockedForEver(t *testing.T) {
	open := make(chan bool)
	p := one(t, func(p *Process, _ context.Context) error {
		err := request(p)
		<-open
		return err
	})
	p.AtEnd(func(bool) { t.Error("the process has ended") })
	p.Stop()
	if n := p.watch.left.Load(); n != 1 {
		t.Fatalf("%d tasks are left", n)
	}
	close(open)
	for range 1000 {
		if p.watch.left.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the task that has ended is still left")
}
