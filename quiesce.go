package quiesce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"pgregory.net/rapid"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/sim"
	"quiesce/sim/overlay"
)

// A T is a test: a *testing.T, a *testing.B, or a *rapid.T for worlds that are drawn.
type T interface {
	rapid.TB
	Context() context.Context
}

// Test explores a world and fails the test unless every property of it holds in every
// interleaving. build puts the world together; it is called once.
func Test(t T, build func(*World)) {
	t.Helper()
	once(t)
	if _, err := overlay.Active(); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, build)
	defer w.close()
	if *schedule != "" {
		w.replay(*schedule)
		return
	}
	ctx, cancel := deadline(t)
	defer cancel()
	answers := w.retry()
	var left []*Property
	for _, p := range w.properties {
		if answers[p] == nil {
			left = append(left, p)
		}
	}
	if len(left) > 0 {
		searches, err := w.search(ctx, left)
		if err != nil {
			t.Fatal(w.failed(err))
		}
		for i, s := range searches {
			answers[left[i]] = s
			w.keep(left[i], s)
		}
	}
	w.conclude(answers)
}

// tested are the tests that have called Test and go on.
var tested sync.Map

// once ends a test that calls Test again: what is kept of a world, and the line that replays
// it, go by the name of the test.
func once(t T) {
	t.Helper()
	c, ok := t.(interface{ Cleanup(func()) })
	if _, drawn := t.(*rapid.T); drawn || !ok {
		return
	}
	if _, again := tested.LoadOrStore(t, true); again {
		t.Fatal("a test calls quiesce.Test once; give each world a test of its own by t.Run")
	}
	c.Cleanup(func() { tested.Delete(t) })
}

// newWorld puts a world together and finds out what its tasks are.
func newWorld(t T, build func(*World)) *World {
	t.Helper()
	w := &World{t: t}
	is, err := overlay.Active()
	if err != nil {
		t.Fatal(err)
	}
	w.labelled.Store(is) // servers with the same code do not draw the same at random then
	build(w)
	w.built = true
	if err := w.begin(); err != nil {
		w.close()
		t.Fatal(err)
	}
	return w
}

// begin makes the stores and starts every server once.
func (w *World) begin() error {
	switch {
	case len(w.servers) == 0:
		return errors.New("the world has no server; add one by w.Server, with a function that builds the service and calls p.Go")
	case len(w.properties) == 0:
		return errors.New("the world has no property; add one by w.AtQuiescence, w.Always or w.Coherent")
	}
	if err := w.open(); err != nil {
		return err
	}
	sys := &sim.System{Stores: w.stores(), Patience: w.Patience}
	err := sys.Guard(w.t.Context(), func() error {
		for _, s := range w.servers {
			if err := s.find(sys); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.check()
}

// deadline returns the context of a test, which ends early enough for a report.
func deadline(t T) (context.Context, context.CancelFunc) {
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return context.WithCancel(t.Context())
	}
	end, ok := d.Deadline()
	if !ok {
		return context.WithCancel(t.Context())
	}
	return context.WithDeadline(t.Context(), end.Add(-min(time.Until(end)/10, 10*time.Second)))
}

// search explores the workloads for some of the properties.
func (w *World) search(ctx context.Context, properties []*Property) ([]*report.Search, error) {
	labelled := w.labelled.Load()
	searches, err := w.searchOnce(ctx, properties)
	if !labelled && w.labelled.Load() {
		// Which server is which has turned out to matter.
		searches, err = w.searchOnce(ctx, properties)
	}
	return searches, err
}

func (w *World) searchOnce(ctx context.Context, properties []*Property) ([]*report.Search, error) {
	workloads := w.workloads()
	if testing.Short() {
		workloads = workloads[:1]
	}
	var searches []*report.Search
	for _, p := range properties {
		searches = append(searches, &report.Search{Subject: w.subject(p), Grown: len(workloads) > 1, Explained: true})
	}
	opts := explore.ProductOptions{LimitStates: w.Limits.States, LimitMemory: w.Limits.Memory, Explain: true}
	results, _, err := explore.Smallest(workloads, len(properties), func(l workload, left []int) ([]*explore.Result, error) {
		sys := l.system()
		view := w.view(l, sys)
		var asked []sim.Property
		for _, i := range left {
			asked = append(asked, properties[i].property(view))
			searches[i].Begin(l, sys, w.command)
		}
		found, err := explore.ProductOfEach(ctx, sys, asked, opts)
		for _, r := range found { // nil after an error
			if r != nil && r.Verdict == explore.Incomplete && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				r.Reason += " by the deadline of the test"
			}
		}
		return found, err
	})
	for i, s := range searches {
		s.Results = results[i]
	}
	return searches, err
}

// subject returns what an answer about a property is about.
func (w *World) subject(p *Property) report.Subject {
	return report.Subject{Kind: "test", Strategy: w.t.Name(), Property: p.name}
}

// failed returns an error of a search as a person reads it.
func (w *World) failed(err error) string {
	if m := (*mistake)(nil); errors.As(err, &m) {
		return m.Error()
	}
	var panicked *sim.PropertyError
	if errors.As(err, &panicked) {
		if m, ok := panicked.Value.(*mistake); ok {
			return fmt.Sprintf("%s: %s: %s", m.place, panicked.Of, m.text)
		}
	}
	// What package sim says of a program is said of a process here.
	text := strings.ReplaceAll(err.Error(), "declare it in Program.Outcomes", "declare it by p.Returns in the function of the server")
	if e := (*explore.ExecutionError)(nil); errors.As(err, &e) && e.Token != "" {
		line := "\nschedule  " + e.Token // before the stack of a panic
		text = strings.Replace(text, line, line+"\nreplay    "+w.command(e.Token), 1)
	}
	return text
}

// conclude says what came of each property, and fails the test unless all hold.
func (w *World) conclude(answers map[*Property]report.Answer) {
	w.t.Helper()
	var failures []string
	for _, p := range w.properties {
		r := report.Report{Answer: answers[p]}
		if err := w.writePage(p, r); err != nil {
			w.t.Error(err)
		}
		if s, ok := r.Answer.(*report.Search); ok && s.Verdict() == explore.Holds {
			w.t.Log(w.passed(p, s))
			continue
		}
		failures = append(failures, w.failure(r))
	}
	if len(failures) == 0 {
		return
	}
	if n := len(w.properties); n > 1 {
		failures = append([]string{fmt.Sprintf("%d of %d properties do not hold", len(failures), n)}, failures...)
	}
	w.t.Error(strings.Join(failures, "\n\n"))
}

// passed returns the numbers of a property that holds, and what that does not cover.
func (w *World) passed(p *Property, s *report.Search) string {
	n, states := new(big.Int), 0
	var caveats []string
	for _, r := range s.Results {
		if r.Verdict == explore.Holds {
			n.Add(n, r.Interleavings)
			states += r.Statistics.States
		}
	}
	all := w.workloads()
	which := all[0].String()
	if k := len(s.Results); k > 1 {
		which = fmt.Sprintf("%d workloads, up to %s", k, all[k-1])
	}
	if len(s.Results) < len(all) {
		which += fmt.Sprintf(" (-short: the smallest of %d workloads)", len(all))
	}
	line := fmt.Sprintf("%s holds in every interleaving of %s: %s, %s states", p.name, which, humanize.BigComma(n), humanize.Comma(int64(states)))
	for _, r := range s.Results {
		for _, c := range r.Caveats {
			if text := "\ncaveat: " + c; !strings.Contains(line+strings.Join(caveats, ""), text) {
				caveats = append(caveats, text)
			}
		}
	}
	return line + strings.Join(caveats, "")
}

// failure returns the report of a property that does not hold.
func (w *World) failure(r report.Report) string {
	var b strings.Builder
	b.WriteString(cmp.Or(r.Sentence(), string(r.Verdict())) + "\n\n")
	if err := r.Text(&b, report.TextOptions{Width: width(w.t.Name())}); err != nil {
		return err.Error()
	}
	return strings.TrimRight(b.String(), "\n")
}

// replay runs the one interleaving of a token.
func (w *World) replay(token string) {
	w.t.Helper()
	l := w.named(token)
	sys := l.system()
	view := w.view(l, sys)
	var failures []string
	for _, p := range w.properties {
		about := w.subject(p)
		about.Begin(l, sys, w.command)
		trace, err := replay(sys.With(p.property(view)), token)
		if err != nil {
			w.t.Fatal(w.failed(err))
		}
		text := w.failure(report.Report{Answer: &report.Replay{Subject: about, Trace: trace}})
		if trace.Violation != "" {
			failures = append(failures, text)
		} else {
			w.t.Log(text)
		}
	}
	if len(failures) > 0 {
		w.t.Fatal(strings.Join(failures, "\n\n"))
	}
	w.t.Skip("this schedule keeps every property; nothing is proved about the others")
}

func replay(sys *sim.System, token string) (*explore.Trace, error) {
	s, err := explore.ParseSchedule(sys, token)
	if err != nil {
		return nil, err
	}
	return explore.Replay(sys, s)
}
