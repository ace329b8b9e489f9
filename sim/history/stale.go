package history

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// A Bound is for how long after a write has returned a read may still begin that returns
// an older value. One of the two is set, or none: the zero value allows nothing.
type Bound struct {
	// Steps allows it up to when that many steps of tasks have been taken in between.
	Steps int

	// Ticks allows it up to when that many ticks have passed: see [sim.Timing]. With 1 the
	// read begins at a later time than that at which the write has returned.
	Ticks int
}

// NoStaleRead is violated by a read that returns a value which is older than a write that
// had returned before the read began, by at least the bound. It has nothing to judge where
// no read begins so late. For example, a read that joins one which is under way, and gets
// what that has read before the write, violates it, although the cache holds the new
// value in the end.
//
//	history.History{}.NoStaleRead(history.Bound{})
func (h History) NoStaleRead(b Bound) sim.Property {
	if b.Steps < 0 || b.Ticks < 0 || b.Steps > 0 && b.Ticks > 0 {
		panic(fmt.Sprintf("history: the bound %+v; set Steps or Ticks to a positive number, or none", b))
	}
	return h.property("no-stale-read", func(h History) judge {
		s := &staleness{bound: b}
		s.versions = versions{initial: h.Initial, sourced: h.Source != nil, renewed: s.renewed}
		return s
	})
}

// A staleness is what NoStaleRead remembers.
type staleness struct {
	versions
	Reads  map[string]reading `json:",omitempty"` // those that go on, by task
	Broken string             `json:",omitempty"`
	Judged bool               `json:",omitempty"`

	bound Bound
}

// A reading is a read that goes on, and what is too old for it.
type reading struct {
	Key string
	Old []string
}

func (s *staleness) renewed(key, value string) {
	for task, r := range s.Reads {
		if r.Key == key {
			s.Reads[task] = reading{key, without(r.Old, value)}
		}
	}
}

func (s *staleness) begin(task string, op Op) {
	s.versions.begin(task, op)
	if op.Kind != Read {
		return
	}
	r := reading{Key: op.Key}
	for _, v := range s.of(op.Key) {
		if s.late(v) {
			r.Old = union(r.Old, v.Old)
		}
	}
	if len(r.Old) == 0 {
		return
	}
	s.Judged = true
	if s.Reads == nil {
		s.Reads = map[string]reading{}
	}
	s.Reads[task] = r
}

// late says whether a read that begins now has to know a version.
func (s *staleness) late(v version) bool { return v.Told && v.Age >= s.bound.Steps+s.bound.Ticks }

func (s *staleness) pass(tick bool) {
	if tick != (s.bound.Ticks > 0) {
		return
	}
	for key, all := range s.Of {
		all = slices.Clone(all)
		for i := range all {
			if all[i].Told {
				all[i].Age = min(all[i].Age+1, s.bound.Steps+s.bound.Ticks)
			}
		}
		s.set(key, all)
		s.forget(key)
	}
}

func (s *staleness) end(task string, op Op) {
	s.versions.end(task, op)
	r, ok := s.Reads[task]
	delete(s.Reads, task)
	if ok && op.Kind == Read && !op.Failed && slices.Contains(r.Old, s.known(op.Key, op.Value)) {
		s.Broken = fmt.Sprintf("%s returned %q of %s, which is older than a write that had returned before it began", op.Name, op.Value, op.Key)
	}
	s.forget(op.Key)
}

func (s *staleness) finding() (broken string, judged bool) { return s.Broken, s.Judged }

// forget drops what is known of a version that is older than one which every read has to
// know: that one knows it as well. Time counts on where it has not come to its end, since
// otherwise which ticks there are would depend on more than the property says.
func (s *staleness) forget(key string) {
	all := slices.Clone(s.of(key))
	for i, v := range all {
		if v.By == "" && (!v.Told || s.late(v)) && slices.ContainsFunc(all, func(w version) bool { return s.late(w) && slices.Contains(w.Old, v.Value) }) {
			all[i] = version{Value: v.Value}
		}
	}
	s.set(key, all)
}
