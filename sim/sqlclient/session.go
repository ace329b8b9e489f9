package sqlclient

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"quiesce/sim"
)

// sessions are the open transactions of all processes, as far as their clients
// know.
type sessions struct {
	mu  sync.Mutex
	all map[sim.Host]*session
}

// A session are the open transactions of one process. A transaction takes the
// lowest number that is free and gives it back when it ends, so that its name
// depends on nothing but what its process has done.
type session struct {
	host sim.Host
	mu   sync.Mutex
	open []*tx // by number; nil is free
}

// of returns the session of a process, which all its databases share.
func (all *sessions) of(h sim.Host) *session {
	all.mu.Lock()
	defer all.mu.Unlock()
	if s := all.all[h]; s != nil {
		return s
	}
	s := &session{host: h}
	if all.all == nil {
		all.all = make(map[sim.Host]*session)
	}
	all.all[h] = s
	h.AtReturn(s.check)
	h.Keep(s.kept)
	h.AtEnd(func(bool) {
		all.mu.Lock()
		defer all.mu.Unlock()
		delete(all.all, h)
	})
	return s
}

// processes returns how many processes have a session.
func (all *sessions) processes() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return len(all.all)
}

var errOpen = errors.New("ended with its transaction open; call Commit or Rollback")

// check returns an error if a task has left a transaction open.
func (s *session) check(task string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.open {
		if t != nil && t.task == task {
			return errOpen
		}
	}
	return nil
}

// A tx is an open transaction of a client.
type tx struct {
	c      *conn
	name   string // the Conn of its requests
	number int
	task   string // that has begun it
}

// begin names a transaction that is about to begin; nil if there is no session.
func (s *session) begin(c *conn) *tx {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.Index(s.open, nil)
	if n < 0 {
		n = len(s.open)
		s.open = append(s.open, nil)
	}
	t := &tx{c, s.host.Name() + "#" + strconv.Itoa(n), n, s.host.Running()}
	s.open[n] = t
	return t
}

func (s *session) end(t *tx) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[t.number] = nil
}

// Commit makes the step COMMIT.
func (t *tx) Commit() error { return t.end(Commit) }

// Rollback makes the step ROLLBACK.
func (t *tx) Rollback() error { return t.end(Rollback) }

func (t *tx) end(kind byte) error {
	if h := t.c.d.host(); h.Abandoned() && h.Running() != t.task {
		return sim.ErrAbandoned // database/sql rolls back by itself when the context is done
	}
	err := t.c.bound(context.Background(), Call{Kind: kind})
	t.c.forgetTx()
	return err
}
