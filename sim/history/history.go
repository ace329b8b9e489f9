package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"quiesce/sim"
)

// A History says what is known of the operations of a system, beside what its logs hold.
// Its methods are properties. The zero value is always right: it knows nothing more.
type History struct {
	// Initial is the value of each key before anything was written. Of a key that is not
	// in it, a value that no operation has begun to write yet counts as the initial one.
	Initial map[string]string

	// Source says which values there were, in their order; nil means that nobody knows
	// more than what the operations say.
	Source *Source

	// Tasks are tasks that are one operation each, by name, and need no log: it begins
	// with the first step of the task, and ends with the task. One that takes no step is not
	// judged, and neither is one that ends in a step of another task, as in a process of
	// goroutines: those have to be in a log.
	Tasks map[string]Op

	// Returned says what such an operation has returned, of whom the result of the task is
	// known, and is not [sim.Failed]. nil means that it is the result, and no failure.
	Returned func(op Op, result string) (value string, failed bool)
}

// A Source is where the values are, such as a table of the database: a value is older
// than another if it was there before it. A write has happened when its value is there.
type Source struct {
	// Keys are those that are judged. All have to be in History.Initial.
	Keys []string

	// Value returns the value of a key that the source holds in a view.
	Value func(v sim.View, key string) string

	// Again says that a step has written the value of a key that was there already. nil
	// means that no step does.
	Again func(e sim.Event, key string) bool
}

// A judge is what a property remembers. It is told, in their order, of what happens, and
// is stored as JSON after every step, so all that it knows is in exported fields.
type judge interface {
	// begin is told of an operation that begins.
	begin(task string, op Op)

	// source is told of a value that the source has now. It was written by the operation
	// of a task, or of nobody if that is "".
	source(task, key, value string)

	// pass is told of each step of a task, and of each tick.
	pass(tick bool)

	// end is told of an operation that returns.
	end(task string, op Op)

	// finding returns how the property is violated, "" if it is not, and whether it has had
	// something to judge.
	finding() (broken string, judged bool)
}

// A state is that of a monitor.
type state struct {
	Broken string            `json:",omitempty"`
	Judged bool              `json:",omitempty"`
	Began  bool              `json:",omitempty"` // something has happened
	Seen   map[string]int    `json:",omitempty"` // by task: 0 it waits for its first step; 2n-1 its n-th operation goes on; 2n it has ended
	Now    map[string]string `json:",omitempty"` // by key: what the source holds
	Of     judge             `json:",omitempty"`
}

// property returns the property of a judge, which make returns in the beginning.
func (h History) property(name string, make func(History) judge) sim.Property {
	initial := map[string]string{}
	for key, value := range h.Initial {
		initial[safe(key)] = safe(value)
	}
	h.Initial = initial
	read := func(text string) *state {
		s := &state{Of: make(h)}
		if err := json.Unmarshal([]byte(text), s); err != nil {
			panic(err) // we wrote it
		}
		return s
	}
	start := &state{Of: make(h)}
	if h.Source != nil {
		start.Now = map[string]string{}
		for _, key := range h.Source.Keys {
			value, ok := h.Initial[safe(key)]
			if !ok {
				panic(fmt.Sprintf("history: the source has the key %s; say in History.Initial what its value is at first", key))
			}
			start.Now[safe(key)] = value
		}
	}
	return sim.Property{
		Name: name,
		Monitor: &sim.Monitor{Start: start.String(), After: func(text string, e sim.Event) string {
			s := read(text)
			if s.Broken != "" {
				return text
			}
			h.watch(s, e)
			return s.String()
		}},
		Premise: func(v sim.View) bool {
			s := read(v.Monitor)
			return s.Judged || s.Broken != ""
		},
		Violation: func(v sim.View) string { return read(v.Monitor).Broken },
	}
}

// String returns the state in one form: JSON sorts the keys of a map. What comes after a
// violation does not matter.
func (s *state) String() string {
	if s.Of != nil {
		broken, judged := s.Of.finding()
		s.Broken, s.Judged = broken, s.Judged || judged
	}
	out := *s
	if s.Broken != "" {
		out = state{Broken: s.Broken}
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(b)
}

// watch tells the judge what a step has done: first which operations have begun, then
// what it has changed, and then which have returned.
func (h History) watch(s *state, e sim.Event) {
	logs := entries(e.View)
	maps.Copy(logs, h.single(s, e))
	for task, at := range logs {
		at.Key, at.Value = safe(at.Key), safe(at.Value)
		logs[task] = at
	}
	if s.Seen == nil {
		s.Seen = map[string]int{}
	}
	tasks := slices.Sorted(maps.Keys(logs))
	if !s.Began && e.Name == "" {
		tasks = nil // a tick before all steps changes nothing
	}
	var ends []string
	for _, task := range tasks {
		at, seen := logs[task], s.Seen[task]
		_, known := s.Seen[task]
		if !known && !s.Began && !touches(e, task) { // it has done that before all steps
			if at.Ended || at.N > 1 {
				panic(fmt.Sprintf("history: the operation %s of %s is over before the first step of the task, so it may be at any time; leave Log.First false", at.Name, task))
			}
			s.Seen[task] = 0
			continue
		}
		switch to := at.progress(); {
		case known && seen == 0 && to == 1 && !touches(e, task):
			continue
		case to == seen && known:
			continue
		case to < seen || to > seen+2 || to > seen+1 && seen%2 == 1:
			panic(fmt.Sprintf("history: %s is at its operation %d and was at %d; a task in the background, which starts again after a crash, records none", task, at.N, (seen+1)/2))
		}
		if seen%2 == 0 {
			h.mustBegin(s, e, task, at)
			s.Of.begin(task, at.Op.begun())
			s.Seen[task] = seen + 1
		}
		if at.Ended {
			ends = append(ends, task)
		}
	}
	s.Began = s.Began || e.Name != ""
	h.look(s, e, logs)
	if tick := e.Fault.Kind == sim.Tick; tick || e.Name != "" {
		s.Of.pass(tick)
	}
	for _, task := range ends {
		s.Of.end(task, logs[task].Op)
		s.Seen[task]++
	}
}

// safe returns a text that JSON does not change, and no other text is the same. That of most
// is the text itself.
func safe(text string) string {
	if utf8.ValidString(text) && !strings.HasPrefix(text, "\x00") {
		return text
	}
	return "\x00" + strconv.Quote(text)
}

// progress returns where a task is: see state.
func (e entry) progress() int {
	if e.Ended {
		return 2 * e.N
	}
	return 2*e.N - 1
}

// begun returns the operation as it is known when it begins.
func (o Op) begun() Op {
	o.Failed = false
	if o.Kind != Write {
		o.Value = ""
	}
	return o
}

// touches says whether a step is one of a task, or of what has come out of it.
func touches(e sim.Event, task string) bool {
	return e.Name == task || strings.HasPrefix(e.Name, task+"/")
}

// single returns the entries of the tasks that are one operation each and have begun.
func (h History) single(s *state, e sim.Event) map[string]entry {
	all := map[string]entry{}
	for task, op := range h.Tasks {
		_, seen := s.Seen[task]
		if !seen && !touches(e, task) {
			continue
		}
		at := entry{N: 1, Op: op, Ended: s.Seen[task] == 2}
		if e.Name == task && e.Finished {
			at.Ended = h.returned(&at.Op, e.View.Results[e.Task])
		}
		all[task] = at
	}
	return all
}

// returned sets what an operation has returned that is a task. It returns false if it has
// not, since its process has crashed.
func (h History) returned(op *Op, result string) bool {
	switch {
	case result == sim.Crashed:
		return false
	case result == sim.Failed:
		op.Failed = true
	case h.Returned != nil:
		value, failed := h.Returned(*op, result)
		if op.Failed = failed; op.Kind == Read {
			op.Value = value
		}
	case op.Kind == Read:
		op.Value = result
	}
	return true
}

// mustBegin panics if an operation of a log that is First begins where its caller may
// have been slow.
func (h History) mustBegin(s *state, e sim.Event, task string, at entry) {
	_, single := h.Tasks[task]
	_, before := s.Seen[task]
	if single || before || !s.Began || e.Request == sim.Yield || e.Request == sim.Start {
		return
	}
	panic(fmt.Sprintf("history: the first operation of %s, %s, is not the first thing that it does; leave Log.First false", task, at.Name))
}

// look tells the judge what the source has now, if it has changed.
func (h History) look(s *state, e sim.Event, logs map[string]entry) {
	if h.Source == nil {
		return
	}
	for _, name := range h.Source.Keys {
		key, value := safe(name), safe(h.Source.Value(e.View, name))
		if value == s.Now[key] && (h.Source.Again == nil || !h.Source.Again(e, name)) {
			continue
		}
		s.Now[key] = value
		writer := ""
		for _, task := range slices.Sorted(maps.Keys(logs)) {
			if touches(e, task) && s.Seen[task]%2 == 1 && logs[task].writes() && logs[task].Key == key {
				writer = task
			}
		}
		s.Of.source(writer, key, value)
	}
}
