package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"quiesce/explore"
)

const (
	quiet    = time.Second            // how long a run is before progress is shown
	interval = 200 * time.Millisecond // between two lines
)

// progress shows how far a search has come, in one line that is written anew and
// erased in the end.
type progress struct {
	w      io.Writer // nil if silent
	now    func() time.Time
	begun  time.Time // the run
	search time.Time // when the search of this workload began
	shown  time.Time // when the line was last written; zero if it is not there
}

// newProgress returns a progress that is silent unless stderr is a terminal.
func newProgress(stderr io.Writer) *progress {
	p := &progress{now: time.Now, begun: time.Now()}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

// begin is called when the search of a workload begins.
func (p *progress) begin() { p.search = p.now() }

func (p *progress) product(now explore.Progress) {
	p.show(func(seconds float64) string {
		return fmt.Sprintf("%s states, %s transitions/s, frontier %s, depth %d", humanize.Comma(int64(now.States)),
			rate(now.Transitions, seconds), humanize.Comma(int64(now.Frontier)), now.Depth)
	})
}

func (p *progress) direct(interleavings int) {
	p.show(func(seconds float64) string {
		return fmt.Sprintf("%s interleavings, %s/s", humanize.Comma(int64(interleavings)), rate(interleavings, seconds))
	})
}

func rate(n int, seconds float64) string {
	return humanize.Comma(int64(float64(n) / max(seconds, 1e-3)))
}

// clear begins a line and erases what is in it.
const clear = "\r\x1b[K"

func (p *progress) show(text func(seconds float64) string) {
	if p.w == nil {
		return
	}
	now := p.now()
	if now.Sub(p.begun) < quiet || now.Sub(p.shown) < interval {
		return
	}
	p.shown = now
	fmt.Fprint(p.w, clear, text(now.Sub(p.search).Seconds()))
}

// stop erases the line.
func (p *progress) stop() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.w, clear)
	}
}
