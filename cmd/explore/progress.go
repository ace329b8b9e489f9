package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"quiesce/explore"
)

const (
	quiet    = time.Second            // how long a run is before progress is shown
	interval = 200 * time.Millisecond // between two lines
)

// progress shows how far a search has come, in one line that is erased in the end.
type progress struct {
	w      io.Writer // nil if silent
	now    func() time.Time
	begun  time.Time                // the run
	search time.Time                // when the search of this workload began
	bar    *progressbar.ProgressBar // nil until there is something to show
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

func (p *progress) show(text func(seconds float64) string) {
	if p.w == nil || p.now().Sub(p.begun) < quiet {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionThrottle(interval),
			progressbar.OptionSetSpinnerChangeInterval(0), // otherwise a goroutine turns it
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.bar.Describe(text(p.now().Sub(p.search).Seconds()))
	p.bar.Add(1)
}

// stop erases the line.
func (p *progress) stop() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
