package redisclient_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// TestLateCommand has a reader that answers its caller and fills the cache later, in
// every way in which a service does that: no exploration gives a verdict.
func TestLateCommand(t *testing.T) {
	for name, later := range map[string]func(fill func()){
		"at once":        func(fill func()) { go fill() },
		"after 100 µs":   func(fill func()) { go func() { time.Sleep(100 * time.Microsecond); fill() }() },
		"after 10 ms":    func(fill func()) { go func() { time.Sleep(10 * time.Millisecond); fill() }() },
		"by AfterFunc":   func(fill func()) { time.AfterFunc(300*time.Millisecond, fill) },
		"by two of them": func(fill func()) { go func() { go fill() }() },
	} {
		for _, bad := range []string{"", "new"} { // never violated, and always
			for range 20 {
				s, err := redis.NewStore("cache", redis.Options{})
				if err != nil {
					t.Fatal(err)
				}
				read := func(ctx context.Context, c *goredis.Client) (string, error) {
					if err := c.Get(ctx, "k").Err(); err != goredis.Nil {
						return "", err
					}
					later(func() { c.Set(context.WithoutCancel(ctx), "k", "old", 0) })
					return "", nil
				}
				write := func(ctx context.Context, c *goredis.Client) (string, error) {
					return "", c.Set(ctx, "k", "new", 0).Err()
				}
				sys := &sim.System{
					Stores:   []sim.Store{s},
					Programs: []sim.Program{program(s, "reader", "", false, read), program(s, "writer", "", false, write)},
					Property: sim.Property{Name: "never", Violation: func(v sim.View) string {
						k, _ := v.Contents[0].Lookup("k")
						if k == bad {
							return "it is " + k
						}
						return ""
					}},
				}
				r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
				if !errors.Is(err, sim.ErrOutside) {
					t.Fatalf("%s: %+v, error %v, want %v", name, r, err, sim.ErrOutside)
				}
				if !strings.Contains(err.Error(), "TestLateCommand") {
					t.Fatalf("%s: the error does not say where: %v", name, err)
				}
				s.Close()
			}
		}
	}
}

// TestWorkerOutside has a worker that was there before the exploration, and so in no
// bubble. Its calls are refused before they touch a channel of a bubble, for which Go would end
// the program, and are seen if they come before the verdict.
func TestWorkerOutside(t *testing.T) {
	s, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	jobs, done := make(chan func()), make(chan bool)
	go func() {
		defer close(done)
		for job := range jobs {
			job()
		}
	}()
	task := func(ctx context.Context, c *goredis.Client) (string, error) {
		jobs <- func() {
			for range 2 { // without a connection, and with one
				if err := c.Set(ctx, "k", "1", 0).Err(); err != sim.ErrOutside {
					t.Errorf("the worker got %v", err)
				}
				if _, err := c.Pipelined(ctx, func(p goredis.Pipeliner) error { return p.Get(ctx, "k").Err() }); err != sim.ErrOutside {
					t.Errorf("the pipeline of the worker got %v", err)
				}
			}
		}
		return "", c.Get(ctx, "k").Err()
	}
	sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{program(s, "task", "", false, task)}, Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }}}
	_, err = explore.Product(context.Background(), sys, explore.ProductOptions{})
	close(jobs)
	<-done
	if !errors.Is(err, sim.ErrOutside) {
		t.Errorf("error %v, want %v", err, sim.ErrOutside)
	}
}

// TestIsolation starts processes in a bubble's stead: their clients are none of those
// before, none of those after, and open until the end.
func TestIsolation(t *testing.T) {
	s, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var used []*goredis.Client
	sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{program(s, "task", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
		used = append(used, c)
		return "", c.Set(ctx, "k", "1", 0).Err()
	})}}
	run := func() (conns uint32) {
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		if err := e.Step(0); err != nil {
			t.Fatal(err)
		}
		return used[len(used)-1].PoolStats().TotalConns
	}
	misses := func() uint32 { return used[len(used)-1].PoolStats().Misses }
	run()
	run()
	if n := misses(); n != 1 {
		t.Errorf("%d connections were made for two processes, want 1", n)
	}
	isolation := sys.Isolate()
	run()
	run()
	if n, hits := misses(), used[3].PoolStats().Hits; n != 1 || hits != 1 {
		t.Errorf("%d connections were made in the isolation and used %d times, want 1 and 1", n, hits)
	}
	inside := used[3]
	isolation.End()
	if n := inside.PoolStats().TotalConns; n != 0 {
		t.Errorf("%d connections are open after the end of the isolation", n)
	}
	run()
	if n, hits := misses(), used[4].PoolStats().Hits; n != 1 || hits != 2 {
		t.Errorf("%d connections and %d hits after the isolation, want those of before", n, hits)
	}
}

// program is a process of one task.
func program(s *redis.Store, name, class string, background bool, task func(context.Context, *goredis.Client) (string, error)) sim.Program {
	return sim.Program{Name: name, Class: class, Tasks: []sim.TaskSpec{{Name: name, Background: background}}, New: func(p *sim.Process) []sim.Task {
		c := s.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) { return task(ctx, c) }}
	}}
}
