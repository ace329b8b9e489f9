package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	pretty "github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"quiesce/explore"
)

// progress shows on a terminal how far a search has come, once it has taken more
// than a second. It is silent anywhere else.
type progress struct {
	w       io.Writer // nil if silent
	begun   time.Time
	writer  pretty.Writer // nil until there is something to show
	tracker *pretty.Tracker
}

func newProgress(stderr io.Writer) *progress {
	p := &progress{}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

func (p *progress) product(now explore.Progress) {
	p.show(func(seconds float64) string {
		return fmt.Sprintf("%s states, %s transitions/s, frontier %s, depth %d", humanize.Comma(int64(now.States)),
			humanize.Comma(int64(float64(now.Transitions)/seconds)), humanize.Comma(int64(now.Frontier)), now.Depth)
	})
}

func (p *progress) direct(interleavings int) {
	p.show(func(seconds float64) string {
		return fmt.Sprintf("%s interleavings, %s/s", humanize.Comma(int64(interleavings)), humanize.Comma(int64(float64(interleavings)/seconds)))
	})
}

func (p *progress) show(text func(seconds float64) string) {
	if p.w == nil {
		return
	}
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	passed := time.Since(p.begun)
	if passed < time.Second {
		return
	}
	if p.writer == nil {
		p.tracker = &pretty.Tracker{}
		p.writer = pretty.NewWriter()
		p.writer.SetOutputWriter(p.w)
		p.writer.SetMessageLength(78)
		p.writer.SetTrackerPosition(pretty.PositionRight)
		p.writer.Style().Visibility.Value = false
		p.writer.Style().Visibility.Percentage = false
		p.writer.AppendTracker(p.tracker)
		go p.writer.Render()
	}
	p.tracker.UpdateMessage(text(passed.Seconds()))
}

// stop ends what is shown about one search.
func (p *progress) stop() {
	if p.writer != nil {
		p.tracker.MarkAsDone()
		p.writer.Stop()
		for p.writer.IsRenderInProgress() {
			time.Sleep(time.Millisecond)
		}
	}
	p.writer, p.begun = nil, time.Time{}
}
