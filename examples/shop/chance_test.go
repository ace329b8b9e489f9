package shop

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

// differs wants the error of a task that does not do the same in every run.
func (w *world) differs(words []string, ops ...operation) {
	w.t.Helper()
	fails[*explore.NondeterminismError](w.check(anything, w.apart(ops...)...), append(words, "is not deterministic")...)
}

const (
	chance = "most likely cause: chance"
	clock  = "most likely cause: the wall clock, such as time.Now"
)

// TestMapOrder asks in the order of a map, in which two keys come either way. That no run
// passes unseen is a matter of the replays: one in a great many does not differ.
func TestMapOrder(t *testing.T) {
	for range 10 {
		w := newWorld(t, sqlite.InMemory)
		w.differs([]string{"WHERE id = 1", "WHERE id = 2", chance},
			try("prefetch", func(ctx context.Context, s *Shop) error { return s.Prefetch(ctx, 1, 2) }), discount)
	}
}

// TestTokens: a token has to be the same in every run, so the server is given one.
func TestTokens(t *testing.T) {
	guarded := func(newToken func() string) operation {
		return try("buyer", func(ctx context.Context, s *Shop) error {
			if newToken != nil {
				s.NewToken = newToken
			}
			return s.Locked(ctx, 1, 1, func() error { return nil })
		})
	}
	w := newWorld(t, sqlite.InMemory)
	w.differs([]string{"SET lock:product:1", chance}, guarded(uuid.NewString), discount)
	// Of five steps of the buyer, one a script that Redis does not have yet, and two others.
	w.check(coherent, w.apart(guarded(nil), view)...).verdict(explore.Holds)
}

// TestTimeNow is noticed whatever its granularity.
func TestTimeNow(t *testing.T) {
	for _, now := range []func() string{
		func() string { return time.Now().Format(time.RFC3339Nano) },
		func() string { return time.Now().Format(time.RFC3339) },
		func() string { return time.Now().Format(time.DateOnly) },
	} {
		w := newWorld(t, sqlite.InMemory)
		w.differs([]string{"SET seen", clock}, try("a", func(ctx context.Context, s *Shop) error {
			return s.Redis.Set(ctx, "seen", now(), 0).Err()
		}), discount)
	}
}

// TestLogicalExpiry: untimed, no time that a task reads moves between two of its requests,
// and time.Now shows nothing that differs. The value is fresh in each of the 6
// interleavings, and nothing says so but docs/pass.md: until time is virtual.
func TestLogicalExpiry(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	fresh := sim.Property{Name: "fresh", Violation: func(v sim.View) string {
		if v.Results[0] != "fresh" {
			return v.Results[0]
		}
		return ""
	}}
	w.check(fresh, w.apart(operation{"a", func(ctx context.Context, s *Shop) (string, error) {
		until := time.Now().Add(time.Minute)
		if err := s.Redis.Set(ctx, "x", 1, 0).Err(); err != nil {
			return "", err
		}
		if err := s.Redis.Get(ctx, "x").Err(); err != nil {
			return "", err
		}
		if time.Now().After(until) {
			return "expired", nil
		}
		return "fresh", nil
	}}, discount)...).holds(6)
}

// TestDeadline: the deadline of View is one of real time. While time passes a reply may
// come after it, which the search does not notice, and the audit does.
func TestDeadline(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	sys := w.system(anything, w.apart(view, discount)...)
	sys.Timing = &sim.Timing{Tick: 20 * time.Second, MaxStall: 20 * time.Second}
	f := check(t, sys, explore.ProductOptions{})
	fails[error](f, "context deadline exceeded", "a deadline of real time, such as context.WithTimeout")
	if !errors.Is(f.err, context.DeadlineExceeded) {
		t.Error(f.err)
	}
}
