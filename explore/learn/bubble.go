package learn

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quiesce/sim"
)

// The runs of the audit happen in bubbles of package testing/synctest, since only the
// runtime of Go knows which goroutines and timers a process has left behind. That is
// why package testing is imported here, and nowhere else; it registers no flags
// outside of tests.

// horizon is how long time goes on in a bubble after the processes in it have ended. A
// timer that is to fire later is not seen.
const horizon = time.Hour

// A LeftoverError says that a process has ended and left goroutines behind. What they
// do is part of no step, so no order of it was explored.
type LeftoverError struct {
	Process string // "" if it is not known
	State   string // of the first of them: "chan receive"
	Started string // by what, and where: "shop.(*Shop).view at shop.go:98"
	Others  int    // that were left as well
}

func (e *LeftoverError) Error() string {
	process, others := e.Process, ""
	if process == "" {
		process = "a process"
	}
	if e.Others > 0 {
		others = fmt.Sprintf(" (and %d more)", e.Others)
	}
	return fmt.Sprintf("%s has ended and left a goroutine behind that is in %s, started by %s%s: a task has to wait for what it starts", process, e.State, e.Started, others)
}

// Bubble runs f in a Bubble, with processes of the system that are isolated. f ends
// all that it starts. Afterwards time passes, and Bubble returns the error of f, or
// that of what calls a client then, or a [*LeftoverError] if goroutines are left.
// process is the name of the process that f runs; "" stands for several.
//
// The clock of a Bubble begins in the year 2000.
//
// Processes of goroutines have bubbles of their own, so for them it just calls f.
func Bubble(sys *sim.System, process string, f func() error) (err error) {
	if hasGoroutines(sys, process) {
		return cmp.Or(f(), sys.Stray())
	}
	name := ""
	var broken any
	begun, over := false, false
	exits := false // f has ended its goroutine, as by testing.T.FailNow
	defer func() {
		v := recover()
		switch {
		case broken != nil:
			panic(broken)
		case begun && !over: // everything in the bubble waits for something else there
			err = cmp.Or(sys.GiveUp(), fmt.Errorf("nothing goes on: %v", v))
		case exits:
			runtime.Goexit()
		case v == nil || err != nil:
		case name == "":
			err = fmt.Errorf("the runs of an audit are in bubbles of testing/synctest, and this is one already (%v): explore outside of it, or set NoAudit", v)
		default:
			err = leftover(name, process)
		}
	}()
	synctest.Test(new(testing.T), func(*testing.T) {
		name = bubbleName()
		defer sys.Isolate().End()
		ended := make(chan bool)
		go func() { // since the goroutine of a test must not just end
			defer close(ended)
			defer func() { broken, over = recover(), true }()
			begun, exits = true, true
			err = f()
			exits = false
		}()
		if <-ended; broken != nil || exits {
			return
		}
		synctest.Wait()
		for pause := time.Second; err == nil && pause <= horizon; pause *= 60 {
			if err = sys.Stray(); err == nil {
				time.Sleep(pause) // of the bubble
				synctest.Wait()
			}
		}
		if err == nil {
			err = sys.Stray()
		}
	})
	return err
}

// Elapse lets the clock of the bubble go on by the time that passes in a move. So whoever
// measures by time.Now what TTLs and sleeps are measured by in ticks does something else
// than outside of a bubble, where no time passes.
func Elapse(sys *sim.System, m sim.Move) {
	if m.Fault.Kind == sim.Tick && !hasGoroutines(sys, "") {
		time.Sleep(sys.Timing.Tick)
	}
}

// hasGoroutines says whether a process is one of goroutines; "" stands for any.
func hasGoroutines(sys *sim.System, process string) bool {
	return slices.ContainsFunc(sys.Programs, func(p sim.Program) bool {
		return p.Goroutines && (process == "" || p.Name == process)
	})
}

// bubbleName returns how the runtime calls the bubble of the running goroutine.
func bubbleName() string {
	var b [64]byte
	header := string(b[:runtime.Stack(b[:], false)])
	_, header, _ = strings.Cut(header, "synctest ")
	header, _, _ = strings.Cut(header, "]")
	return header
}

var (
	goroutineState = regexp.MustCompile(`^goroutine \d+ \[([^],(]*)`)
	goroutineStart = regexp.MustCompile(`(?m)^created by (.*?)(?: in goroutine \d+)?\n\s+(?:.*/)?([^/\n]+:\d+)`)
)

// coroutineFrame is in the stack of every task.
var coroutineFrame = "\n" + reflect.TypeFor[sim.System]().PkgPath() + ".(*coroutine).start.func1("

// leftover returns the error of the goroutines that are left in a bubble, nil if none is
// that could go on by itself.
func leftover(bubble, process string) error {
	b := make([]byte, 1<<16)
	n := runtime.Stack(b, true)
	for n == len(b) && n < 1<<26 {
		b = make([]byte, 4*n)
		n = runtime.Stack(b, true)
	}
	e := &LeftoverError{Process: process, Others: -1}
	for block := range strings.SplitSeq(string(b[:n]), "\n\n") {
		header, _, _ := strings.Cut(block, "\n")
		switch {
		case !strings.Contains(header, "synctest "+bubble+"]"):
			continue
		case strings.Contains(header, "[coroutine"), strings.Contains(block, coroutineFrame):
			continue // a coroutine that nobody resumes does nothing, and a task was left alone: its clients fail
		}
		if e.Others++; e.Others > 0 {
			continue
		}
		e.Started = "something unknown"
		if m := goroutineState.FindStringSubmatch(header); m != nil {
			e.State = strings.TrimSpace(m[1])
		}
		if m := goroutineStart.FindStringSubmatch(block); m != nil {
			e.Started = m[1] + " at " + m[2]
		}
	}
	if e.Others < 0 {
		return nil
	}
	return e
}
