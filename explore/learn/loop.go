package learn

import (
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
)

// A task that tries again until it works takes steps for ever while it cannot. That is
// seen by what it asks and is told, which comes again and again.

const (
	// MostRepeats is how often in a row a task may ask the same and be told the same.
	// It is more than a task gives up after: no strategy tries more than a few times,
	// and after 50 failures in a row the run ends with an error.
	MostRepeats = 100

	// LongestLoop is how many different requests come again and again at most.
	LongestLoop = 8

	// mostAsked is how much of what a task has asked is looked at.
	mostAsked = MostRepeats * LongestLoop

	// suspicious is how often the same comes before it is looked whether it ever ends.
	suspicious = 8
)

// A LoopError says that a task asks the same for ever. It makes a search incomplete.
type LoopError struct {
	task  string
	steps []string // of the loop
}

func (e *LoopError) Error() string {
	return fmt.Sprintf("%s has asked %s %d times in a row, a loop without an end: have it give up after a few times, or wait as with sqlite.Await and redis.Await",
		e.task, strings.Join(e.steps, ", then "), MostRepeats)
}

// repeated returns how many requests at the end of what a task has asked come again and
// again, that often; 0 if none do. asked has them in their order, with the replies.
func repeated(asked []sim.Step, often int) int {
	for n := 1; n <= LongestLoop && n*often <= len(asked); n++ {
		i := len(asked) - 1
		for i >= n && sameAsked(asked[i], asked[i-n]) {
			i--
		}
		if len(asked)-1-i >= n*(often-1) {
			return n
		}
	}
	return 0
}

// sameAsked says whether a task has asked the same twice and was told the same. How
// long it sleeps in between does not matter.
func sameAsked(a, b sim.Step) bool {
	if a.Request.Store == sim.ClockName && b.Request.Store == sim.ClockName {
		return true
	}
	return a.Request == b.Request && a.Reply == b.Reply
}

// LoopOf returns the error of a task that has asked the same too often, or nil.
func LoopOf(sys *sim.System, task string, asked []sim.Step) error {
	n := repeated(asked, MostRepeats)
	if n == 0 {
		return nil
	}
	e := &LoopError{task: task}
	for _, s := range asked[len(asked)-n:] {
		if s.Request.Store == sim.ClockName && n > 1 {
			continue // the pause before it tries again
		}
		request, reply := sys.Describe(s.Request, s.Reply)
		if reply != "" {
			request += " → " + reply
		}
		e.steps = append(e.steps, request)
	}
	return e
}

// Asked returns what a task has Asked of the stores at last in an execution.
func Asked(trace []sim.Step, task int) (all []sim.Step) {
	for i := len(trace) - 1; i >= 0 && len(all) < mostAsked; i-- {
		if s := trace[i]; s.Task == task && !s.Request.Local() {
			all = append(all, s)
		}
	}
	slices.Reverse(all)
	return all
}

// asked returns what a task has asked of the stores at last in a history.
func (t *Process) asked(h uint32, task int) (all []sim.Step) {
	for h != 0 && t.histories[h].last.task != crashed && len(all) < mostAsked {
		d := t.histories[h].last
		h = d.before
		if w := t.histories[h].wants[task]; d.task == task && w.Store >= 0 {
			all = append(all, sim.Step{Request: t.stores[w.Store].Requests.All[w.Request], Reply: t.reply(d)})
		}
	}
	slices.Reverse(all)
	return all
}

// loops returns an error if a task has asked the same too often in a history, and
// whether that may become so.
func (t *Process) loops(h uint32, task int) (suspect bool, err error) {
	if t.histories[h].steps[task] < suspicious {
		return false, nil
	}
	all := t.asked(h, task)
	return repeated(all, suspicious) > 0, LoopOf(t.sys, t.Tasks[task].Name, all)
}
