package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"quiesce/explore"
)

// A run that is over within a second shows nothing; after that there is a line
// five times a second, and none in the end.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := begun
	p := &progress{w: &out, now: func() time.Time { return now }, begun: begun}
	at := func(ms int, want string) {
		t.Helper()
		if now = begun.Add(time.Duration(ms) * time.Millisecond); out.String() != want {
			t.Errorf("before %d ms: %q, want %q", ms, out.String(), want)
		}
		out.Reset()
	}
	at(0, "")
	p.begin()
	p.product(explore.Progress{States: 1})
	at(500, "")
	p.begin() // the next workload
	p.product(explore.Progress{States: 1024, Transitions: 4000, Frontier: 30, Depth: 2})
	at(1500, "")
	p.product(explore.Progress{States: 1234567, Transitions: 5000000, Frontier: 3000, Depth: 7})
	at(1699, "\r\x1b[K1,234,567 states, 5,000,000 transitions/s, frontier 3,000, depth 7")
	p.product(explore.Progress{States: 1300000})
	at(1700, "")
	p.direct(2400)
	at(1700, "\r\x1b[K2,400 interleavings, 2,000/s")
	p.stop()
	at(1700, "\r\x1b[K")
}

// No time has to pass for a rate.
func TestRateOfNothing(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		if got := rate(n, 0); len(got) > len("5,000,000") {
			t.Errorf("rate(%d, 0) = %s", n, got)
		}
	}
}

// Where nobody watches there is none: a buffer, a file, a pipe.
func TestProgressIsSilent(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := newProgress(f); p.w != nil {
		t.Error("a file is taken for a terminal")
	}
	p := newProgress(&bytes.Buffer{})
	if p.w != nil {
		t.Error("a buffer is taken for a terminal")
	}
	p.begun = time.Time{}
	p.direct(1)
	p.stop()
}
