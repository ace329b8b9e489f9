package explore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quiesce/explore/learn"
	"quiesce/sim"
)

var errLocked = errors.New("database is locked")

// book is a task that cannot work once the register is taken.
func book(p *sim.Process) sim.Task {
	return func(context.Context) (string, error) {
		r, err := p.Call(sim.Request{Store: "register", Body: "get"})
		if err == nil && r.Body == "taken" {
			err = errLocked
		}
		if err == nil {
			_, err = p.Call(sim.Request{Store: "register", Body: "put taken"})
		}
		return "", err
	}
}

func bookings(class string) *sim.System {
	sys := &sim.System{Stores: []sim.Store{&register{}}, Property: anything}
	for _, name := range []string{"book-1", "book-2"} {
		sys.Programs = append(sys.Programs, sim.Program{Name: name, Class: class, New: func(p *sim.Process) []sim.Task { return []sim.Task{book(p)} }})
	}
	return sys
}

// engineErrors returns the errors in which both engines end.
func engineErrors(t *testing.T, sys *sim.System) map[string]error {
	t.Helper()
	all := map[string]error{}
	_, all["product"] = Product(context.Background(), sys, ProductOptions{Audit: 10})
	_, all["direct"] = Direct(context.Background(), sys, DirectOptions{})
	return all
}

// checkError compares an error with its text, and with that of a replay of its token.
func checkError(t *testing.T, name string, sys *sim.System, err error, want string) {
	t.Helper()
	var e *ExecutionError
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want one of an execution", name, err)
		return
	}
	if err.Error() != want {
		t.Errorf("%s: error\n%v\nwant\n%s", name, err, want)
	}
	s, err := ParseSchedule(sys, e.Token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(sys, s); err == nil || err.Error() != want {
		t.Errorf("%s: a replay of %s ends in\n%v\nwant\n%s", name, e.Token, err, want)
	}
}

func TestErrorOfATask(t *testing.T) {
	for _, class := range []string{"", "book"} {
		sys := bookings(class)
		for engine, err := range engineErrors(t, sys) {
			var task *sim.TaskError
			if !errors.Is(err, errLocked) || !errors.As(err, &task) || task.Task != "book-2" {
				t.Errorf("%s: the error %v does not wrap that of book-2", engine, err)
			}
			checkError(t, engine, sys, err, `book-2: database is locked (if the protocol expects this error, declare it in Program.Outcomes)
  1. book-1: get -> 
  2. book-1: put taken -> taken
  3. book-2: get -> taken
schedule  book-1:2,book-2:1`)
		}
	}
}

// An error that the protocol expects is a result, which the property sees.
func TestOutcomes(t *testing.T) {
	sys := bookings("")
	for i := range sys.Programs {
		sys.Programs[i].Outcomes = []error{errLocked}
	}
	sys.Property = sim.Property{Name: "nobody is turned away", Violation: func(v sim.View) string {
		return strings.Join(v.Results, "")
	}}
	// Of the 6 orders of 2 and 2 steps the 4 in which both look before one books are fine.
	// After the first has booked the other has only one step left.
	for engine, r := range bothEngines(t, sys) {
		if r.Verdict != Violated || r.Interleavings.Int64() != 4+2 || r.Violating.Int64() != 2 || r.Counterexample.Violation != "database is locked" || r.Counterexample.Token != "book-1:2,book-2:1" {
			t.Errorf("%s: %s, %s of %s, %+v", engine, r.Verdict, r.Violating, r.Interleavings, r.Counterexample)
		}
	}
}

// Where replies arrive in steps of their own the error is one of an arrival.
func TestErrorOfASharedProcess(t *testing.T) {
	sys := bookings("")
	sys.Programs = []sim.Program{{Name: "server", Tasks: []sim.TaskSpec{{Name: "book-1"}, {Name: "book-2"}}, New: func(p *sim.Process) []sim.Task {
		return []sim.Task{book(p), book(p)}
	}}}
	for engine, err := range engineErrors(t, sys) {
		var e *ExecutionError
		if !errors.As(err, &e) || !errors.Is(err, errLocked) || !strings.HasSuffix(e.Steps[len(e.Steps)-1], ": arrive -> ") {
			t.Errorf("%s: %v", engine, err)
			continue
		}
		checkError(t, engine, sys, err, err.Error())
	}
}

// A request that a store refuses was not executed, so it has no reply.
func TestErrorOfAStore(t *testing.T) {
	sys := &sim.System{Stores: []sim.Store{refusing{&register{}}}, Property: anything, Programs: tasks(anything, map[string]func(func(string) string) string{
		"a": puts("1"), "b": func(do func(string) string) string {
			if do("get") == "1" {
				do("refuse")
			}
			return ""
		},
	}).Programs}
	for engine, err := range engineErrors(t, sys) {
		checkError(t, engine, sys, err, `b: register: refused
  1. a: put 1 -> 1
  2. b: get -> 1
  3. b: refuse
schedule  a:1,b:2`)
	}
}

// What the environment does has an error as well, and no request.
func TestErrorOfTheEnvironment(t *testing.T) {
	sys := frailSystem(sim.Faults{sim.Crash: 1})
	sys.Stores[0], sys.Property = leaving{sys.Stores[0].(sim.Fallible)}, anything
	for engine, err := range engineErrors(t, sys) {
		var e *ExecutionError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "cannot leave\n") || !strings.Contains(e.Token, "crash") {
			t.Errorf("%s: %v", engine, err)
			continue
		}
		checkError(t, engine, sys, err, err.Error())
	}
}

// leaving is a store that no process can leave.
type leaving struct{ sim.Fallible }

func (l leaving) Execute(r sim.Request) (sim.Reply, error) {
	if r.Body == "leave" {
		return sim.Reply{}, errors.New("cannot leave")
	}
	return l.Fallible.Execute(r)
}

type refusing struct{ *register }

func (r refusing) Execute(req sim.Request) (sim.Reply, error) {
	if req.Body == "refuse" {
		return sim.Reply{}, errors.New("refused")
	}
	return r.register.Execute(req)
}

// The stack of a panic comes last, and of many steps the first and the last are shown.
func TestLongError(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{"a": func(do func(string) string) string {
		for _, s := range strings.Split(strings.Repeat("x", 50), "") {
			do("put " + s)
		}
		panic("no luck")
	}})
	for engine, err := range engineErrors(t, sys) {
		text := err.Error()
		head, stack, _ := strings.Cut(text, "\nschedule  a:50\n")
		if !strings.HasPrefix(head, "a: panic: no luck\n  1. a: put x -> x\n") || !strings.Contains(head, "\n  and 10 steps more, up to\n  31. a: ") ||
			!strings.HasSuffix(head, "\n  50. a: put x -> x") || !strings.Contains(stack, "TestLongError") {
			t.Errorf("%s: %s", engine, text)
		}
	}
}

// What happens while a server boots is in no trace, but for that of its error.
func TestErrorOfTheBoot(t *testing.T) {
	sys := bookings("")
	for i := range sys.Programs {
		name := sys.Programs[i].Name
		sys.Programs[i].Tasks = []sim.TaskSpec{{Name: name, Background: true, Boot: true}}
	}
	want := `book-2: database is locked (if the protocol expects this error, declare it in Program.Outcomes)
  1. book-1: get -> 
  2. book-1: put taken -> taken
  3. book-2: get -> taken`
	for engine, err := range engineErrors(t, sys) {
		checkError(t, engine, sys, err, want)
	}
	sys.Programs[0].New = func(*sim.Process) []sim.Task {
		return []sim.Task{func(context.Context) (string, error) { return "", errLocked }}
	}
	for engine, err := range engineErrors(t, sys) {
		checkError(t, engine, sys, err, "book-1: database is locked (if the protocol expects this error, declare it in Program.Outcomes)")
	}
}

// An error that does not come again is no error of the system but one of its machines.
func TestErrorThatIsNotDeterministic(t *testing.T) {
	sys := bookings("")
	runs := 0
	sys.Programs[1].New = func(p *sim.Process) []sim.Task {
		return []sim.Task{func(ctx context.Context) (string, error) {
			_, err := book(p)(ctx)
			if errors.Is(err, errLocked) {
				if runs++; runs > 1 {
					err = nil
				}
			}
			return "", err
		}}
	}
	var e *NondeterminismError
	_, err := Product(context.Background(), sys, ProductOptions{})
	if !errors.As(err, &e) || !slices.Equal(e.Before, []string{"book-1: get -> ", "book-1: put taken -> taken", "database is locked"}) || e.Now[3] != "no error" {
		t.Errorf("error %v", err)
	}
}

// A deadline of real time is met or not as fast as the search is, which the error says.
func TestDeadlineThatIsNotMetAgain(t *testing.T) {
	sys := bookings("")
	runs := 0
	sys.Programs[1].New = func(p *sim.Process) []sim.Task {
		return []sim.Task{func(ctx context.Context) (string, error) {
			_, err := book(p)(ctx)
			if errors.Is(err, errLocked) {
				if err = nil; runs == 0 {
					err = fmt.Errorf("book: %w", context.DeadlineExceeded)
				}
				runs++
			}
			return "", err
		}}
	}
	var e *NondeterminismError
	if _, err := Product(context.Background(), sys, ProductOptions{}); !errors.As(err, &e) || e.Cause != learn.CauseDeadline {
		t.Errorf("error %v", err)
	}
}

// Whatever toy has a task that fails in some executions, with whatever faults, both
// engines end in an error if one does, and so does a replay of its token.
func TestErrorsOfToys(t *testing.T) {
	broken := errors.New("broken")
	found := 0
	for seed := range uint64(150) {
		toy := randomToy(rand.New(rand.NewPCG(seed, 0)))
		if !toy.enumerable() {
			continue
		}
		sys := toy.system()
		build := sys.Programs[0].New
		sys.Programs[0].New = func(p *sim.Process) []sim.Task {
			all := build(p)
			first := all[0]
			all[0] = func(ctx context.Context) (string, error) {
				r, err := first(ctx)
				if err == nil && r == "1" {
					err = broken
				}
				return r, err
			}
			return all
		}
		for i := range sys.Programs {
			sys.Programs[i].Class = "" // the first is none of them any more
		}
		ends := 0
		for engine, err := range engineErrors(t, sys) {
			if err == nil {
				continue
			}
			if ends++; !errors.Is(err, broken) {
				t.Fatalf("seed %d, %s: %v", seed, engine, err)
			}
			found++
			checkError(t, engine, sys, err, err.Error())
		}
		if ends == 1 {
			t.Errorf("seed %d: one engine ends in an error", seed)
		}
	}
	if found < 20 {
		t.Errorf("only %d errors", found)
	}
}
