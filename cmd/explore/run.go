package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
	"quiesce/sim"
)

// Exit codes.
const (
	exitHolds      = 0
	exitViolated   = 1
	exitError      = 2
	exitIncomplete = 3 // or vacuous
)

// run is the whole command. What it writes to stdout is a function of args
// alone, unless ctx is canceled or stdout is a terminal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	status, err := execute(ctx, args, out, newScreen(stdout), stderr)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(stderr, "explore:", err)
		return exitError
	}
	return status
}

// execute does what args ask for and returns the exit status.
func execute(ctx context.Context, args []string, stdout io.Writer, on screen, stderr io.Writer) (int, error) {
	if len(args) > 0 && args[0] == "overlay" {
		return exitHolds, writeOverlay(args[1:], stdout)
	}
	o, err := parse(args)
	if err != nil {
		return 0, err
	}
	if o.help != "" {
		_, err := io.WriteString(stdout, o.help)
		return exitHolds, err
	}
	if o.list {
		return exitHolds, list(stdout, on.options(o.width).Width)
	}
	if o.compared != nil {
		return o.executeComparison(ctx, stdout, on, stderr)
	}
	var in input
	if o.recorded != "" {
		if in.recorded, err = o.open(); err != nil {
			return 0, fileError("-replay", o.recorded, err)
		}
	}
	if o.claim != "" {
		if in.claim, in.lines, err = openClaim(o.claim); err != nil {
			return 0, fileError("-claim", o.claim, err)
		}
	}
	world, err := model.NewWorld(o.strategy, o.workload.Keys)
	if err != nil {
		return 0, err
	}
	defer world.Close()
	out, err := create(o.output)
	if err != nil {
		return 0, err
	}
	defer out.abandon()
	progress := newProgress(stderr)
	var a report.Answer
	if o.threshold {
		a, err = o.findThreshold(ctx, world, progress)
	} else {
		a, err = o.explore(ctx, world, in, progress)
	}
	progress.stop()
	if err != nil {
		return 0, err
	}
	status, word := outcome(a)
	return status, deliver(stdout, on, out, func(w io.Writer, on screen) error { return o.write(w, on, report.Report{Answer: a}) }, word+": "+o.property.Name)
}

// executeComparison is execute of a comparison.
func (o options) executeComparison(ctx context.Context, stdout io.Writer, on screen, stderr io.Writer) (int, error) {
	out, err := create(o.output)
	if err != nil {
		return 0, err
	}
	defer out.abandon()
	progress := newProgress(stderr)
	c, err := o.compare(ctx, progress)
	progress.stop()
	if err != nil {
		return 0, err
	}
	write := func(w io.Writer, on screen) error { return o.write(w, on, c) }
	return exitStatus(c.Verdict()), deliver(stdout, on, out, write, c.Sentence())
}

// deliver writes to stdout; or to the file if there is one, and then only a line to
// stdout.
func deliver(stdout io.Writer, on screen, out *file, write func(io.Writer, screen) error, summary string) error {
	if out == nil {
		return write(stdout, on)
	}
	if err := write(out, screen{}); err != nil {
		return err
	}
	if err := out.finish(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(stdout, summary)
	return err
}

// exitStatus returns the exit status of a verdict.
func exitStatus(v explore.Verdict) int {
	switch v {
	case explore.Violated:
		return exitViolated
	case explore.Incomplete, explore.Vacuous:
		return exitIncomplete
	}
	return exitHolds
}

// input is what files say.
type input struct {
	recorded *explore.Trace // to run again; nil if none
	claim    explore.Claim  // to judge; nil if none
	lines    []string       // of the claim
}

// outcome returns the exit status and the word for an answer.
func outcome(a report.Answer) (status int, word string) {
	switch a := a.(type) {
	case *report.Claim:
		if a.Possible() {
			return exitHolds, "possible"
		}
		return exitViolated, "impossible"
	case *report.Reproduction:
		if a.Result.Outcome == explore.NoLongerViolates {
			return exitHolds, string(a.Result.Outcome)
		}
		return exitStatus(a.Verdict()), string(a.Result.Outcome)
	case *report.Search:
		if a.Threshold != nil && a.Threshold.Delay > 0 {
			return exitHolds, "threshold: delay " + a.Threshold.Delay.String()
		}
	}
	return exitStatus(a.Verdict()), string(a.Verdict())
}

// A formatter writes an answer, or a comparison.
type formatter interface {
	JSON(io.Writer) error
	Markdown(io.Writer) error
	HTML(io.Writer) error
	Text(io.Writer, report.TextOptions) error
}

// write writes it in the format that was asked for.
func (o options) write(w io.Writer, on screen, f formatter) error {
	switch o.format {
	case "json":
		return f.JSON(w)
	case "markdown":
		return f.Markdown(w)
	case "html":
		return f.HTML(w)
	case "dot":
		return f.(report.Report).Dot(w) // of a comparison it is refused
	}
	return f.Text(w, on.options(o.width))
}

// explore does what the options and files ask for and returns the answer.
func (o options) explore(ctx context.Context, world *model.World, in input, progress *progress) (report.Answer, error) {
	if !o.replay && in.recorded == nil && in.claim == nil {
		return o.searchOne(ctx, world, progress)
	}
	sys, err := world.System(o.workload, o.property)
	if err != nil {
		return nil, err
	}
	about := o.subject(o.property)
	about.Begin(o.workload, sys, o.replayCommand(o.property, o.workload))
	switch {
	case in.recorded != nil:
		r, err := explore.Reproduce(sys, in.recorded)
		return &report.Reproduction{Subject: about, Result: r}, err
	case in.claim != nil:
		r, err := explore.CheckClaim(ctx, sys, in.claim, claimStates)
		if unheard := (*explore.RequestError)(nil); errors.As(err, &unheard) {
			err = mistaken(unheard, in.lines[unheard.Step-1])
		}
		return &report.Claim{Subject: about, Lines: in.lines, Result: r}, err
	}
	t, err := replay(sys, o.schedule)
	return &report.Replay{Subject: about, Trace: t}, err
}

// subject returns what an answer about a property is about, yet without a workload.
func (o options) subject(p model.Property) report.Subject {
	return report.Subject{Strategy: o.strategy.Name, Property: p.Name, Meaning: p.Summary, Brief: model.Brief}
}

// searchOne is search of the property.
func (o options) searchOne(ctx context.Context, world *model.World, progress *progress) (*report.Search, error) {
	searches, _, err := o.search(ctx, world, []model.Property{o.property}, progress)
	if err != nil {
		return nil, err
	}
	return searches[0], nil
}

// search explores the workload, or all from the smallest on, for all properties at
// once. With an error nothing can be said about those that are left.
func (o options) search(ctx context.Context, world *model.World, properties []model.Property, progress *progress) (searches []*report.Search, left []int, err error) {
	workloads := []model.Workload{o.workload}
	if o.grow {
		workloads = o.workload.Smallest(o.maxTasks)
	}
	opts := explore.ProductOptions{
		NoSymmetry:  !o.symmetry,
		Audit:       o.audit,
		LimitStates: o.limitStates,
		LimitMemory: o.limitMemory,
		Explain:     o.explain || o.format == "markdown" || o.format == "html", // which have a place for it
		Graph:       o.format == "dot",
		Progress:    progress.product,
	}
	if o.audit == 0 {
		opts.Audit = explore.NoAudit
	}
	expression := ""
	if o.values {
		e := model.Values(o.strategy, o.workload)
		expression, opts.Values = e.Name, e.Of
	}
	var trips *report.RoundTrips
	if o.metrics {
		t, err := world.RoundTrips(o.workload)
		if err != nil {
			return nil, nil, err
		}
		trips = (*report.RoundTrips)(&t)
		opts.Stale = model.Stale(o.strategy, o.workload)
	}
	for _, p := range properties {
		searches = append(searches, &report.Search{Subject: o.subject(p), Grown: o.grow, Explained: o.explain, Expression: expression, RoundTrips: trips})
	}
	results, left, err := explore.Smallest(workloads, len(properties), func(w model.Workload, left []int) ([]*explore.Result, error) {
		var asked []model.Property
		for _, i := range left {
			asked = append(asked, properties[i])
		}
		sys, questions, err := world.Ask(w, asked...)
		if err != nil {
			return nil, err
		}
		for _, i := range left {
			searches[i].Begin(w, sys, o.replayCommand(properties[i], w))
		}
		progress.begin()
		if o.engine == "direct" {
			r, err := explore.Direct(ctx, sys.With(questions[0]), explore.DirectOptions{Limit: o.limit, Values: opts.Values, Progress: progress.direct})
			return []*explore.Result{r}, o.replayable(err, properties[left[0]], w)
		}
		if o.metrics {
			opts.Measures = nil
			for _, m := range model.Measures(w, sys) {
				opts.Measures = append(opts.Measures, explore.Measure(m))
			}
		}
		found, err := explore.ProductOfEach(ctx, sys, questions, opts)
		return found, o.replayable(err, properties[left[0]], w)
	})
	for i, s := range searches {
		s.Results = results[i]
	}
	return searches, left, err
}

// replayable adds to the error of an execution the command that ends in it again.
func (o options) replayable(err error, p model.Property, w model.Workload) error {
	var e *explore.ExecutionError
	if !errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%w\nreplay    %s", err, o.replayCommand(p, w)(e.Token))
}

func replay(sys *sim.System, token string) (*explore.Trace, error) {
	schedule, err := explore.ParseSchedule(sys, token)
	if err != nil {
		return nil, err
	}
	return explore.Replay(sys, schedule)
}
