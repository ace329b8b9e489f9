package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

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
	exitIncomplete = 3
)

// run is the whole command. What it writes to stdout is a function of args
// alone, unless ctx is canceled or stdout is a terminal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	verdict, err := execute(ctx, args, out, newScreen(stdout), stderr)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(stderr, "explore:", err)
		return exitError
	}
	switch verdict {
	case explore.Violated:
		return exitViolated
	case explore.Incomplete:
		return exitIncomplete
	}
	return exitHolds
}

func execute(ctx context.Context, args []string, stdout io.Writer, screen screen, stderr io.Writer) (explore.Verdict, error) {
	o, err := parse(args)
	if err != nil {
		return "", err
	}
	if o.help != "" {
		_, err := io.WriteString(stdout, o.help)
		return explore.Holds, err
	}
	if o.list {
		return explore.Holds, list(stdout)
	}
	world, err := model.NewWorld(o.strategy, o.workload.Keys)
	if err != nil {
		return "", err
	}
	defer world.Close()
	progress := newProgress(stderr)
	r, err := o.explore(ctx, world, progress)
	progress.stop()
	if err != nil {
		return "", err
	}
	switch o.format {
	case "json":
		err = r.JSON(stdout)
	case "markdown":
		err = r.Markdown(stdout)
	case "html":
		err = r.HTML(stdout)
	default:
		err = r.Text(stdout, screen.options(o.width))
	}
	return r.Verdict(), err
}

// explore does what the options ask for and reports it.
func (o options) explore(ctx context.Context, world *model.World, progress *progress) (*report.Report, error) {
	r := &report.Report{Strategy: o.strategy.Name, Property: o.property.Name, Meaning: o.property.Summary, Brief: model.Brief, Grown: o.grow}
	workloads := []model.Workload{o.workload}
	if o.grow {
		workloads = o.workload.Smallest(o.maxTasks)
	}
	systems := func(yield func(*sim.System, error) bool) {
		for _, w := range workloads {
			sys, err := world.System(w, o.property)
			if err == nil {
				r.Begin(words(w), sys, func(token string) string { return o.replayCommand(w, token) })
			}
			if !yield(sys, err) {
				return
			}
		}
	}
	if o.replay {
		sys, err := world.System(o.workload, o.property)
		if err != nil {
			return nil, err
		}
		r.Begin(words(o.workload), sys, func(token string) string { return o.replayCommand(o.workload, token) })
		r.Replay, err = replay(sys, o.schedule)
		return r, err
	}
	var values func(sim.View) string
	if o.values {
		e := model.Values(o.strategy, o.workload)
		r.Expression, values = e.Name, e.Of
	}
	var err error
	r.Results, err = explore.Smallest(systems, func(sys *sim.System) (*explore.Result, error) {
		progress.begin()
		if o.engine == "direct" {
			return explore.Direct(ctx, sys, explore.DirectOptions{Limit: o.limit, Values: values, Progress: progress.direct})
		}
		return explore.Product(ctx, sys, explore.ProductOptions{
			NoSymmetry:  !o.symmetry,
			Audit:       o.audit,
			LimitStates: o.limitStates,
			LimitMemory: o.limitMemory,
			Values:      values,
			Progress:    progress.product,
		})
	})
	return r, err
}

func words(w model.Workload) report.Workload {
	return report.Workload{Readers: w.Readers, Writers: w.Writers, Keys: w.Keys, Cache: w.Cache(), Servers: w.Servers, Workers: w.Workers, Words: w.String()}
}

func replay(sys *sim.System, token string) (*explore.Trace, error) {
	schedule, err := explore.ParseSchedule(sys, token)
	if err != nil {
		return nil, err
	}
	return explore.Replay(sys, schedule)
}

func list(w io.Writer) error {
	var b strings.Builder
	for _, group := range []struct {
		title      string
		strategies []model.Strategy
	}{{"strategies that keep a cache", model.Caches()}, {"strategies by which workers share a row", model.Races()}} {
		fmt.Fprintf(&b, "%s:\n", group.title)
		for _, s := range group.strategies {
			fmt.Fprintf(&b, "  %-20s %s\n  %-20s claimed: %s\n", s.Name, s.Summary, "", s.Claim)
		}
	}
	b.WriteString("properties:\n")
	for _, p := range model.Properties() {
		fmt.Fprintf(&b, "  %-20s %s\n", p.Name, p.Summary)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
