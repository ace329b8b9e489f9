package history

import (
	"fmt"
	"slices"

	"quiesce/sim"
)

// ReadYourWrites is violated by a read that returns a value which is older than a write
// of the same task that had returned. It has nothing to judge where no task reads what it
// has written. For example, a session that sets a price and sees the old one in the cache
// violates it.
func (h History) ReadYourWrites() sim.Property {
	return h.property("read-your-writes", func(h History) judge { return newSession(h, true) })
}

// MonotonicReads is violated by a task that reads a value which is older than one that
// it has read before. It has nothing to judge where no task reads a key after what it has
// read was written, or reads it twice. For example, a session that sees the new price on
// one server and then the old one on another violates it.
func (h History) MonotonicReads() sim.Property {
	return h.property("monotonic-reads", func(h History) judge { return newSession(h, false) })
}

// A session is what ReadYourWrites and MonotonicReads remember: of each task what it must
// not read any more.
type session struct {
	versions
	Tasks  map[string]map[string]bar `json:",omitempty"` // by task and key
	Broken string                    `json:",omitempty"`
	Judged bool                      `json:",omitempty"`

	writes bool // it is about what a task has written, and not about what it has read
}

// A bar is what a task knows of a key.
type bar struct {
	Old  []string `json:",omitempty"` // what it must not read any more, sorted
	Last string   `json:",omitempty"` // what it has read at last
}

func newSession(h History, writes bool) *session {
	s := &session{writes: writes}
	s.versions = versions{initial: h.Initial, sourced: h.Source != nil, renewed: s.renewed}
	return s
}

func (s *session) renewed(key, value string) {
	for task := range s.Tasks {
		b := s.bar(task, key)
		s.keep(task, key, bar{without(b.Old, value), b.Last})
	}
}

func (s *session) pass(bool) {}

func (s *session) end(task string, op Op) {
	old := s.versions.end(task, op)
	b := s.bar(task, op.Key)
	switch {
	case op.Failed:
		return
	case op.writes() && s.writes:
		b.Old = union(b.Old, old)
	case op.Kind == Read:
		s.read(&b, op)
	}
	s.keep(task, op.Key, b)
}

// read judges what an operation has read.
func (s *session) read(b *bar, op Op) {
	value := s.known(op.Key, op.Value)
	s.Judged = s.Judged || len(b.Old) > 0
	if slices.Contains(b.Old, value) {
		what := "read"
		if s.writes {
			what = "written"
		}
		s.Broken = fmt.Sprintf("%s returned %q of %s, which is older than what the same task had %s before", op.Name, op.Value, op.Key, what)
	}
	if s.writes {
		return
	}
	b.Old = union(b.Old, s.older(op.Key, value))
	if b.Last != "" && b.Last != value && s.once(op.Key, b.Last) {
		b.Old = union(b.Old, []string{b.Last})
	}
	b.Last = value
}

func (s *session) bar(task, key string) bar { return s.Tasks[task][key] }

func (s *session) keep(task, key string, b bar) {
	if len(b.Old) == 0 && b.Last == "" {
		return
	}
	if s.Tasks == nil {
		s.Tasks = map[string]map[string]bar{}
	}
	if s.Tasks[task] == nil {
		s.Tasks[task] = map[string]bar{}
	}
	s.Tasks[task][key] = b
}

func (s *session) finding() (broken string, judged bool) { return s.Broken, s.Judged }
