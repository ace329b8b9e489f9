package sim

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// counter is a store that adds one to every request.
type counter struct {
	n       int
	blocked bool
}

func (c *counter) Name() string { return "counter" }
func (c *counter) Reset() error { c.n = 0; return nil }
func (c *counter) Content() (Content, error) {
	return Content{{Name: "n", Value: strings.Repeat("i", c.n)}}, nil
}
func (c *counter) Describe(r Request, p Reply) (string, string) { return r.Body, p.Body }
func (c *counter) Execute(r Request) (Reply, error) {
	if c.blocked {
		return Reply{}, ErrBlocked
	}
	c.n++
	return Reply{Body: r.Body + strings.Repeat("i", c.n)}, nil
}

// system has one task for every function; call asks the counter.
func system(tasks ...func(call func(string) string) (string, error)) *System {
	s := &System{Stores: []Store{&counter{}}}
	for i, task := range tasks {
		s.Programs = append(s.Programs, Program{Name: string(rune('a' + i)), New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) {
				return task(func(body string) string {
					r, err := p.Call(Request{Store: "counter", Body: body})
					if err != nil {
						return err.Error()
					}
					return r.Body
				})
			}}
		}})
	}
	return s
}

func TestExecution(t *testing.T) {
	s := system(
		func(call func(string) string) (string, error) { return call("x") + call("y"), nil },
		func(call func(string) string) (string, error) { return call("z"), nil },
	)
	e, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	for _, task := range []int{0, 1, 0} {
		if err := e.Step(task); err != nil {
			t.Fatal(err)
		}
	}
	v, err := e.View()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(v.Results, " "); got != "xiyiii zii" {
		t.Errorf("results %q", got)
	}
	if n, _ := v.Contents[0].Lookup("n"); n != "iii" {
		t.Errorf("content %q", n)
	}
	if _, ok := e.Pending(0); ok {
		t.Error("task 0 waits although it has finished")
	}
}

func TestBlocked(t *testing.T) {
	s := system(func(call func(string) string) (string, error) { return call("x"), nil })
	e, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	c := s.Stores[0].(*counter)
	c.blocked = true
	if err := e.Step(0); !errors.Is(err, ErrBlocked) {
		t.Fatalf("Step = %v, want ErrBlocked", err)
	}
	if len(e.Trace()) != 0 {
		t.Errorf("a blocked step is in the trace: %v", e.Trace())
	}
	c.blocked = false
	if err := e.Step(0); err != nil {
		t.Fatal(err)
	}
}

func TestTaskErrors(t *testing.T) {
	failed := errors.New("no such row")
	for _, tt := range []struct {
		name string
		task func(call func(string) string) (string, error)
		want string
	}{
		{"panic", func(call func(string) string) (string, error) { call("x"); panic("no luck") }, "a: panic: no luck\n"},
		{"error", func(call func(string) string) (string, error) { call("x"); return "", failed }, "a: no such row (if the protocol expects this error, declare it in Program.Outcomes)"},
		{"goroutine", func(call func(string) string) (string, error) {
			done := make(chan string)
			go func() { done <- call("x") }()
			return <-done + call("y"), nil
		}, "a: " + ErrOutside.Error() + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := system(tt.task).Start()
			for err == nil {
				if _, ok := e.Pending(0); !ok {
					t.Fatal("the task finished without an error")
				}
				err = e.Step(0)
			}
			if e != nil {
				e.Stop()
			}
			var te *TaskError
			if !errors.As(err, &te) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want a TaskError with %q", err, tt.want)
			}
			if (te.Stack == "") != (tt.name == "error") {
				t.Errorf("stack %q", te.Stack)
			}
		})
	}
}

func TestConstructor(t *testing.T) {
	for name, build := range map[string]func(p *Process) []Task{
		"panics": func(*Process) []Task { panic("no configuration") },
		"makes requests": func(p *Process) []Task {
			p.Call(Request{Store: "counter"})
			return []Task{func(context.Context) (string, error) { return "", nil }}
		},
	} {
		s := &System{Stores: []Store{&counter{}}, Programs: []Program{{Name: "a", New: build}}}
		if _, err := s.Start(); err == nil {
			t.Errorf("a constructor that %s starts", name)
		}
	}
}

// TestLateCall has a goroutine that uses a client only after its execution has
// ended, which the execution itself can no longer report.
func TestLateCall(t *testing.T) {
	release, done := make(chan bool), make(chan bool)
	s := system(func(call func(string) string) (string, error) {
		go func() { <-release; call("late"); close(done) }()
		return "", nil
	})
	e, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	e.Stop()
	if err := s.Stray(); err != nil {
		t.Fatalf("stray before the call: %v", err)
	}
	close(release)
	<-done
	if err := s.Stray(); !errors.Is(err, ErrOutside) {
		t.Errorf("Stray = %v, want ErrOutside", err)
	}
}

// TestStop abandons a task after every number of steps. It must end, deferred
// requests included, and leave no goroutine behind.
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	for steps := range 4 {
		ended, clean := false, true
		s := system(func(call func(string) string) (string, error) {
			defer func() { ended = true }()
			defer call("release the lock")
			call("x")
			call("y")
			return "", nil
		})
		inner := s.Programs[0].New
		s.Programs[0].New = func(p *Process) []Task {
			p.AtEnd(func(c bool) { clean = c })
			return inner(p)
		}
		e, err := s.Start()
		if err != nil {
			t.Fatal(err)
		}
		for range steps {
			if err := e.Step(0); err != nil {
				t.Fatal(err)
			}
		}
		e.Stop()
		e.Stop()
		if !ended {
			t.Errorf("%d steps: the task is still there", steps)
		}
		if clean != (steps == 3) {
			t.Errorf("%d steps: clean = %v", steps, clean)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestHold has a client that holds its task. Whatever the task does before the
// release but local work ends the run, also if the task ignores errors or panics.
func TestHold(t *testing.T) {
	unread := errors.New("read the reply first")
	for _, tt := range []struct {
		name string
		task func(hold func() func(), call func(string) string) (string, error)
		want string
	}{
		{"released", func(hold func() func(), call func(string) string) (string, error) {
			hold()()
			return call("x"), nil
		}, ""},
		{"asks", func(hold func() func(), call func(string) string) (string, error) {
			defer call("deferred")
			hold()
			for {
				call("x")
			}
		}, "a: read the reply first"},
		{"asks and recovers", func(hold func() func(), call func(string) string) (string, error) {
			release := hold()
			func() {
				defer func() { recover() }()
				call("x")
			}()
			release()
			return "", nil
		}, "a: read the reply first"},
		{"holds twice", func(hold func() func(), call func(string) string) (string, error) {
			hold()
			hold()
			return "", nil
		}, "a: read the reply first"},
		{"returns", func(hold func() func(), call func(string) string) (string, error) {
			hold()
			return "", nil
		}, "a: read the reply first"},
		{"fails", func(hold func() func(), call func(string) string) (string, error) {
			hold()
			return "", errors.New("no such row")
		}, "a: no such row (if the protocol expects this error, declare it in Program.Outcomes)"},
		{"outside", func(hold func() func(), call func(string) string) (string, error) {
			done := make(chan bool)
			go func() { hold()(); close(done) }()
			<-done
			release := hold()
			done = make(chan bool)
			go func() { release(); close(done) }()
			<-done
			return "", nil
		}, "a: read the reply first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := system(func(call func(string) string) (string, error) { return "", nil })
			s.Programs[0].New = func(p *Process) []Task {
				hold := func() func() { return p.Hold(unread) }
				call := func(body string) string {
					r, _ := p.Call(Request{Store: "counter", Body: body})
					return r.Body
				}
				return []Task{func(context.Context) (string, error) {
					call("first")
					return tt.task(hold, call)
				}}
			}
			e, err := s.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer e.Stop()
			for err == nil {
				if _, ok := e.Pending(0); !ok {
					break
				}
				err = e.Step(0)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestServer runs two tasks of one process. Each starts, asks, and is answered in
// steps of its own, and both see the memory of the process as it is then.
func TestServer(t *testing.T) {
	before := runtime.NumGoroutine()
	memory := ""
	s := &System{Stores: []Store{&counter{}}, Programs: []Program{{
		Name:  "server",
		Tasks: []TaskSpec{{Name: "a"}, {Name: "b", Background: true}},
		New: func(p *Process) []Task {
			memory = ""
			task := func(name string) Task {
				return func(context.Context) (string, error) {
					memory += name
					r, err := p.Call(Request{Store: "counter", Body: name})
					memory += r.Body
					return memory, err
				}
			}
			return []Task{task("a"), task("b")}
		},
	}}}
	schedule := []int{1, 0, 0, 1, 1, 0} // b starts, a starts, a asks, b asks, b's reply arrives, a's does
	want := []string{"b", "ba", "ba", "ba", "babii", "babiiai"}
	steps := []Request{Start, Start, {Store: "counter", Body: "a"}, {Store: "counter", Body: "b"}, Arrive, Arrive}
	for n := range len(schedule) + 1 { // and is stopped after every number of steps
		e, err := s.Start()
		if err != nil {
			t.Fatal(err)
		}
		for i, task := range schedule[:n] {
			if req, ok := e.Pending(task); !ok || req != steps[i] {
				t.Fatalf("step %d is %v, want %v", i+1, req, steps[i])
			}
			if err := e.Step(task); err != nil {
				t.Fatal(err)
			}
			if memory != want[i] {
				t.Fatalf("after step %d the memory is %q, want %q", i+1, memory, want[i])
			}
		}
		e.Stop()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}

	s.Programs[0].Tasks = s.Programs[0].Tasks[:1]
	if _, err := s.Start(); err == nil || err.Error() != "sim: server has 1 tasks, but its New returns 2" {
		t.Errorf("error %v", err)
	}
}

func TestContentKey(t *testing.T) {
	contents := []Content{
		nil,
		{{}},
		{{}, {}},
		{{Name: "a", Value: "b"}},
		{{Name: "a", Note: "b"}},
		{{Name: "ab"}},
		{{Value: "1:a1:b0:"}},
		{{Name: "1:a", Value: "1:b0:"}},
		{{Name: "a"}, {Name: "b"}},
		{{Name: "b"}, {Name: "a"}},
	}
	seen := map[string]int{}
	for i, c := range contents {
		if j, ok := seen[c.Key()]; ok {
			t.Errorf("contents %d and %d have the same key", i, j)
		}
		seen[c.Key()] = i
	}
}

func BenchmarkStep(b *testing.B) {
	s := system(func(call func(string) string) (string, error) {
		for {
			call("x")
		}
	})
	e, err := s.Start()
	if err != nil {
		b.Fatal(err)
	}
	defer e.Stop()
	for b.Loop() {
		e.trace = e.trace[:0]
		s.Stores[0].(*counter).n = 0
		if err := e.Step(0); err != nil {
			b.Fatal(err)
		}
	}
}

// A task that boots has done so before anything else, and none of it is in the trace.
func TestBoot(t *testing.T) {
	s := &booth{}
	sys := &System{Stores: []Store{s}, Programs: []Program{
		{Name: "a", New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) { return "", ask(p, "serve") }}
		}},
		{Name: "b", Tasks: []TaskSpec{{Name: "b", Background: true, Boot: true}}, New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) {
				for _, what := range []string{"subscribe", "wait", "never"} {
					if err := ask(p, what); err != nil {
						return "", err
					}
				}
				return "", nil
			}}
		}},
	}}
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	if got := strings.Join(s.asked, " "); got != "subscribe wait" || len(e.Trace()) > 0 {
		t.Errorf("booted with %q, trace %v", got, e.Trace())
	}

	sys.Programs[1].New = func(p *Process) []Task {
		return []Task{func(context.Context) (string, error) {
			for {
				if err := ask(p, "again"); err != nil {
					return "", err
				}
			}
		}}
	}
	if _, err := sys.Start(); err == nil || !strings.Contains(err.Error(), "still boots") {
		t.Errorf("a task that never blocks: %v", err)
	}
}

func ask(p *Process, what string) error {
	_, err := p.Call(Request{Store: "booth", Body: what})
	return err
}

// A task that never gives up would run for ever while a store is down.
func TestTriesForEver(t *testing.T) {
	for most, want := range map[int]bool{mostFailures: false, mostFailures + 1: true} {
		sys := &System{Stores: []Store{&booth{}}, Programs: []Program{{Name: "a", New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) {
				for range most {
					ask(p, "")
				}
				return "", ask(p, "")
			}}
		}}}}
		p, err := sys.Process(0)
		for range most {
			if err == nil {
				err = p.Deliver(Place{}, Reply{Fault: Outage})
			}
		}
		if errors.Is(err, errNoEnd) != want || (err != nil) != want {
			t.Errorf("after %d failures: %v", most, err)
		}
		if err == nil {
			if err := p.Deliver(Place{}, Reply{}); err != nil {
				t.Error(err)
			}
		}
		p.Stop()
	}
}

// Supervised work is done again if a fault has struck it, and only then. The work asks
// for a and b, for A and B where it persists.
func TestSupervise(t *testing.T) {
	replies := map[string]Reply{"ok": {}, "lost": {Fault: LostReply}, "down": {Fault: Outage}, "wrong": {Body: "wrong"}}
	for _, tt := range []struct{ replies, asked, err string }{
		{"ok ok", "ab", ""},
		{"lost ok ok", "aab", ""},
		{"ok lost ok ok", "abab", ""},
		{"down ok ok", "aAb", ""},
		{"ok down ok ok", "abAb", ""},
		{"down ok down ok ok", "aAbAb", ""},
		{"down lost ok ok", "aAab", ""}, // a request that is lost was not refused
		{"wrong", "a", "relay: wrong"},
		{"lost ok wrong", "aab", "relay: wrong"}, // a fault excuses nothing that comes later
	} {
		asked := ""
		p, err := (&System{Programs: []Program{{Name: "relay", New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) {
				return "", p.Supervise(func() error {
					for _, what := range []string{"a", "b"} {
						if p.Persists("s") {
							what = strings.ToUpper(what)
						}
						asked += what
						reply, err := p.Call(Request{Store: "s", Body: what})
						if err != nil || reply != (Reply{}) {
							return errors.Join(err, errors.New(reply.Body))
						}
					}
					return nil
				})
			}}
		}}}}).start(0, nil)
		for _, r := range strings.Fields(tt.replies) {
			if err == nil {
				err = p.Deliver(Place{}, replies[r])
			}
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if _, waits := p.Pending().At(Place{}); waits || asked != tt.asked || got != tt.err {
			t.Errorf("%s: asked %s, error %q, want %s, %q", tt.replies, asked, got, tt.asked, tt.err)
		}
		p.Stop()
	}
}

// A booth blocks whoever waits.
type booth struct{ asked []string }

func (b *booth) Name() string              { return "booth" }
func (b *booth) Reset() error              { b.asked = nil; return nil }
func (b *booth) Content() (Content, error) { return nil, nil }
func (b *booth) Execute(r Request) (Reply, error) {
	b.asked = append(b.asked, r.Body)
	if r.Body == "wait" {
		return Reply{}, ErrBlocked
	}
	return Reply{}, nil
}
func (b *booth) Describe(r Request, reply Reply) (string, string) { return r.Body, reply.Body }

// What a process of coroutines waits for are its tasks, until they have finished.
func TestPlaces(t *testing.T) {
	prog := Program{Name: "server", Tasks: []TaskSpec{{Name: "a"}, {Name: "b"}}, New: func(p *Process) []Task {
		ask := func(context.Context) (string, error) {
			_, err := p.Call(Request{Store: "s", Body: "x"})
			return "done", err
		}
		return []Task{ask, func(context.Context) (string, error) { return "at once", nil }}
	}}
	m, err := (&System{Programs: []Program{prog}}).start(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	a, b := Place{Task: 0}, Place{Task: 1}
	for _, tt := range []struct {
		to   Place // what is pending there gets an empty reply
		want Pending
	}{
		{b, Pending{{Place: a, Request: Start}}},
		{a, Pending{{Place: a, Request: Request{Store: "s", Body: "x"}}}},
		{a, nil},
	} {
		if _, ok := m.Pending().At(tt.to); !ok {
			t.Fatalf("nothing is pending at %v", tt.to)
		}
		if _, finished := m.Result(tt.to.Task); finished {
			t.Fatalf("task %d has finished", tt.to.Task)
		}
		if err := m.Deliver(tt.to, Reply{}); err != nil {
			t.Fatal(err)
		}
		if got := m.Pending(); !slices.Equal(got, tt.want) {
			t.Errorf("after %v: %v is pending, want %v", tt.to, got, tt.want)
		}
	}
	for task, want := range []string{"done", "at once"} {
		if got, finished := m.Result(task); got != want || !finished {
			t.Errorf("task %d: %q, finished: %v", task, got, finished)
		}
	}
	for _, at := range []Place{a, {Task: 0, Path: "1"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a reply was delivered to %v", at)
				}
			}()
			_ = m.Deliver(at, Reply{})
		}()
	}
}
