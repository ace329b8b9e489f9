// Package report writes what an exploration found: for people as text, Markdown or
// HTML, for machines as JSON, which it also reads back, and for Graphviz as a graph.
// What it writes is a function of the answer alone; there are no times, rates or
// paths in it.
//
// A question has one of four answers, each a type and a file of its own: [Search],
// [Replay], [Reproduction] and [Claim]. A [Report] writes any of them, and each format is one
// file too. A [Comparison] has many searches as its cells.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"time"

	"quiesce/explore"
	"quiesce/sim"
)

// A Report writes an answer, in every format.
type Report struct{ Answer }

// An Answer is a [*Search], a [*Replay], a [*Reproduction] or a [*Claim].
type Answer interface {
	// Verdict returns the verdict on the property. What proves nothing about all
	// interleavings of the workload, such as one that keeps the property, is incomplete.
	Verdict() explore.Verdict

	subject() *Subject
	title() string         // of a document
	sentence() string      // the answer in one
	summary() []line       // what is said beside the trace
	explanation() []line   // what the text says besides, of why the property is violated
	why() why              // the same for other formats
	trace() *explore.Trace // the one to show, or nil
	role() string          // of that trace, such as counterexample
	fill(*jsonReport)      // puts in what a subject does not say
}

// A Workload is what the tasks of a system do, such as a model.Workload. Its JSON is an object
// that is not empty.
type Workload interface {
	String() string // in words, such as 1 reader, 1 writer
	Tasks() string  // in brief, such as 1R 1W
	Timed() bool    // whether time passes
	json.Marshaler
}

// A Subject is what an answer is about: a property of a strategy, and a workload.
type Subject struct {
	Strategy string
	Property string

	// Kind is what Strategy is the name of, such as test. "" means that it is a strategy.
	Kind string

	// Meaning says in one line what the property is; "" if nobody needs to know.
	Meaning string

	// Brief shortens a request, a reply or a value for people; nil leaves them as
	// they are.
	Brief func(string) string

	workload Workload // the last one, which decided the verdict
	tasks    []string // names
	faults   sim.Faults
	tick     time.Duration // 0 if the workload is untimed
	command  func(token string) string
}

// Begin says which workload is explored next, as which system. replayCommand
// returns the command line that replays a schedule of it.
func (about *Subject) Begin(w Workload, sys *sim.System, replayCommand func(token string) string) {
	about.workload, about.command = w, replayCommand
	about.tasks, about.faults, about.tick = nil, sys.Faults, 0
	if sys.Timing != nil {
		about.tick = sys.Timing.Tick
	}
	for _, p := range sys.Tasks() {
		about.tasks = append(about.tasks, p.Name)
	}
}

func (about *Subject) subject() *Subject { return about }

// named returns the line that says of what the answer is.
func (about *Subject) named() line { return line{cmp.Or(about.Kind, "strategy"), about.Strategy} }

// explanation is that of an answer which does not explain.
func (about *Subject) explanation() []line { return nil }

// why is that of an answer which does not explain.
func (about *Subject) why() why { return why{} }

// brief shortens text for people.
func (about *Subject) brief(text string) string {
	if about.Brief == nil {
		return text
	}
	return about.Brief(text)
}

// ofTrace returns the verdict that one trace allows; nil is none.
func ofTrace(t *explore.Trace) explore.Verdict {
	if t != nil && t.Violation != "" {
		return explore.Violated
	}
	return explore.Incomplete
}

// Sentence returns the answer in one sentence.
func (r Report) Sentence() string { return printable(r.sentence()) }

// Dot writes the graph of the states of the last workload in the language of Graphviz. It
// is an error if the answer has none, or if it has more than 2,000 states.
func (r Report) Dot(w io.Writer) error {
	if s, ok := r.Answer.(*Search); ok && s.result().Graph != nil {
		return s.dot(w)
	}
	return errors.New("there is no graph of states")
}
