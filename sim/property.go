package sim

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// A Property is what has to hold. If a function of it panics, the exploration ends with a
// [*PropertyError].
type Property struct {
	Name string

	// Always says that the property has to hold in every state. The zero value
	// means at quiescence only.
	Always bool

	// Labelled says that Violation tells interchangeable processes apart.
	Labelled bool

	// Monitor, if not nil, is a machine that watches the steps and whose state is
	// seen in the view: for a property of histories. It tells processes apart.
	Monitor *Monitor

	// Premise, if not nil, says whether the property has anything to judge in a view
	// at quiescence. Where it never has, that it holds means nothing: the verdict is
	// vacuous. Like Violation it is a function of the view. nil means that it has, if
	// some state holds what it looks up by [View.Value] and [View.Items].
	Premise func(View) bool

	// Violation returns the line that shows how the property is violated, and
	// "" if it holds. It is a function of the view alone. A replay asks it in every
	// state, to say since when the violation stands.
	Violation func(View) string
}

// A Monitor is a deterministic machine whose inputs are the steps of an execution.
// Its state is a part of the state of the system, so it should be small: the whole
// history would keep all interleavings apart. Where time passes and nothing else
// happens it must come to rest: it counts up to what the property asks for.
type Monitor struct {
	Start string
	After func(state string, e Event) string
}

// An Event is a step as a [Monitor] sees it.
type Event struct {
	Step
	Name     string // of the task; "" for the environment
	Finished bool   // its task has finished by it, as other tasks of a process of goroutines may have
	View     View   // after it, without the state of the monitor
}

// A View is what a property sees of a state.
type View struct {
	Contents []Content // of each store, in the order of System.Stores
	Results  []string  // of each task that has finished, in the order of System.Tasks
	Memories []Content // of each process, as it shows it, in the order of System.Programs
	Pending  []Request // of each task: what it has asked for and has not got yet; or the zero value
	Parked   []bool    // of each task: it waits for another task of its process; nil is none
	Monitor  string    // its state, if the property has one

	lookups *Lookups // nil if it was made by hand
}

// parked says whether a task waits for another task of its process.
func (v View) parked(task int) bool { return v.Parked != nil && v.Parked[task] }

// A PropertyError says that a function which looks at a view panicked: a part of a
// property, or an expression that is counted. Whether anything holds is unknown then.
type PropertyError struct {
	Of    string // the name of the property, or what else it is
	Value any    // of the panic
	Place string // of the panic, as file:line
	View  View   // that it was asked about

	seen string
}

// Error returns all that in one line.
func (e *PropertyError) Error() string {
	return fmt.Sprintf("%s panics at %s: %v; it was asked about %s", e.Of, e.Place, e.Value, e.seen)
}

// Blame is deferred by whoever asks a function about a view. If that panics, the panic
// goes on with a [*PropertyError], which the caller of the exploration gets as its error.
func (s *System) Blame(of string, v View) {
	switch value := recover().(type) {
	case nil:
	case *PropertyError: // which knows more
		panic(value)
	default:
		panic(&PropertyError{Of: of, Value: value, Place: panicPlace(), View: v, seen: s.describeView(v)})
	}
}

// panicPlace returns where the panic was that is being recovered from: in code of the
// user, unless there is none.
func panicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panics, place := false, ""
	for {
		f, more := frames.Next()
		if panics && !strings.HasPrefix(f.Function, "runtime.") {
			users := frame{f.Function, f.File, strconv.Itoa(f.Line)}.users()
			if users || place == "" {
				place = fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
			}
			if users {
				return place
			}
		}
		panics = panics || f.Function == "runtime.gopanic"
		if !more {
			return cmp.Or(place, "an unknown place")
		}
	}
}

// describeView returns a view in one line, without what is empty.
func (s *System) describeView(v View) string {
	var parts []string
	show := func(name string, c Content) {
		if c == nil {
			return
		}
		items := make([]string, len(c))
		for i, it := range c {
			items[i] = strings.TrimSpace(it.Name + " " + it.Value)
		}
		parts = append(parts, fmt.Sprintf("%s {%s}", name, strings.Join(items, ", ")))
	}
	for i, c := range v.Contents {
		show(s.Stores[i].Name(), c)
	}
	for i, c := range v.Memories {
		show("memory of "+s.Programs[i].Name, c)
	}
	parts = append(parts, fmt.Sprintf("results %q", v.Results))
	if v.Monitor != "" {
		parts = append(parts, fmt.Sprintf("monitor %q", v.Monitor))
	}
	return strings.Join(parts, ", ")
}
