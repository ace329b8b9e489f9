package history

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// Agree is violated by a task whose operation called second returns another value of a
// key than the one before it that is called first, although no write of the key went on
// from the begin of the first to the return of the second, and no [Source] changed. It
// has nothing to judge where that never is so after a write. For example, a price in a
// cart that comes from a stale cache is not the one which is charged:
//
//	history.History{}.Agree("cart", "checkout")
func (h History) Agree(first, second string) sim.Property {
	return h.property(first+"-agrees-with-"+second, func(History) judge { return &agreement{first: first, second: second} })
}

// An agreement is what Agree remembers.
type agreement struct {
	Writes  map[string][]string         `json:",omitempty"` // by key: the tasks whose writes go on, sorted
	Written map[string]bool             `json:",omitempty"` // by key
	Quiet   map[string]map[string]first `json:",omitempty"` // by key and task: since then nothing was written
	Broken  string                      `json:",omitempty"`
	Judged  bool                        `json:",omitempty"`

	first, second string
}

// A first is an operation whose value the next one has to have.
type first struct {
	Value string `json:",omitempty"`
	Ended bool   `json:",omitempty"`
}

func (a *agreement) begin(task string, op Op) {
	switch {
	case op.writes():
		a.source(task, op.Key, "")
		a.write(op.Key, append(slices.Clone(a.Writes[op.Key]), task))
	case op.Name == a.first && len(a.Writes[op.Key]) == 0:
		a.keep(task, op.Key, first{})
	case op.Name == a.first:
		a.drop(task, op.Key)
	}
}

func (a *agreement) source(_, key, _ string) {
	if a.Written == nil {
		a.Written = map[string]bool{}
	}
	a.Written[key] = true
	delete(a.Quiet, key)
}

func (a *agreement) pass(bool) {}

func (a *agreement) end(task string, op Op) {
	f, quiet := a.Quiet[op.Key][task]
	switch {
	case op.writes() && op.Failed:
		a.write(op.Key, append(without(a.Writes[op.Key], task), orphan))
	case op.writes():
		a.write(op.Key, without(a.Writes[op.Key], task))
	case !quiet:
	case op.Failed && (op.Name == a.first || op.Name == a.second):
		a.drop(task, op.Key)
	case op.Name == a.first:
		a.keep(task, op.Key, first{op.Value, true})
	case op.Name == a.second && f.Ended:
		a.drop(task, op.Key)
		a.Judged = a.Judged || a.Written[op.Key]
		if op.Value != f.Value {
			a.Broken = fmt.Sprintf("%s returned %q of %s and then %s %q, and nothing was written meanwhile", a.first, f.Value, op.Key, a.second, op.Value)
		}
	}
}

func (a *agreement) finding() (broken string, judged bool) { return a.Broken, a.Judged }

// write sets the tasks whose writes of a key go on.
func (a *agreement) write(key string, tasks []string) {
	if a.Writes == nil {
		a.Writes = map[string][]string{}
	}
	slices.Sort(tasks)
	if a.Writes[key] = tasks; len(tasks) == 0 {
		delete(a.Writes, key)
	}
}

// drop says that something was written, or may have been, since a task began its first.
func (a *agreement) drop(task, key string) {
	delete(a.Quiet[key], task)
	if len(a.Quiet[key]) == 0 {
		delete(a.Quiet, key)
	}
}

func (a *agreement) keep(task, key string, f first) {
	if a.Quiet == nil {
		a.Quiet = map[string]map[string]first{}
	}
	if a.Quiet[key] == nil {
		a.Quiet[key] = map[string]first{}
	}
	a.Quiet[key][task] = f
}
