package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
)

// A run that is over within a second shows nothing; after that there is a line,
// and none in the end.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := begun
	p := &progress{w: &out, now: func() time.Time { return now }, begun: begun}
	p.begin()
	p.product(explore.Progress{States: 1})
	now = begun.Add(500 * time.Millisecond)
	p.begin() // the next workload
	p.product(explore.Progress{States: 1024, Transitions: 4000, Frontier: 30, Depth: 2})
	if out.Len() > 0 {
		t.Errorf("%q within a second", out.String())
	}
	now = begun.Add(1500 * time.Millisecond)
	p.product(explore.Progress{States: 1234567, Transitions: 5000000, Frontier: 3000, Depth: 7})
	if want := "1,234,567 states, 5,000,000 transitions/s, frontier 3,000, depth 7"; !strings.Contains(out.String(), want) {
		t.Errorf("%q, want %q in it", out.String(), want)
	}
	out.Reset()
	p.stop()
	if strings.Trim(out.String(), "\r ") != "" || out.Len() == 0 {
		t.Errorf("the line is not erased but %q", out.String())
	}
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
