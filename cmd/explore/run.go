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
// alone, unless ctx is canceled.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	verdict, err := execute(ctx, args, out)
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

func execute(ctx context.Context, args []string, stdout io.Writer) (explore.Verdict, error) {
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
	sys, err := world.System(o.workload, o.property)
	if err != nil {
		return "", err
	}
	r := newReport(o, sys)
	if o.replay {
		r.Replay, err = replay(sys, o.schedule)
	} else {
		r.Result, err = explore.Direct(ctx, sys, explore.DirectOptions{Limit: o.limit})
	}
	if err != nil {
		return "", err
	}
	if o.format == "json" {
		err = r.JSON(stdout)
	} else {
		err = r.Text(stdout, report.TextOptions{Width: o.width, Brief: model.Brief})
	}
	return r.Verdict(), err
}

func newReport(o options, sys *sim.System) *report.Report {
	r := &report.Report{
		Strategy: o.strategy.Name,
		Property: o.property.Name,
		Workload: report.Workload{
			Readers: o.workload.Readers,
			Writers: o.workload.Writers,
			Keys:    o.workload.Keys,
			Cache:   o.workload.Cache(),
			Words:   o.workload.String(),
		},
		ReplayCommand: o.replayCommand,
	}
	for _, p := range sys.Programs {
		r.Tasks = append(r.Tasks, p.Name)
	}
	for _, s := range sys.Stores {
		r.Stores = append(r.Stores, s.Name())
	}
	return r
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
	b.WriteString("strategies:\n")
	for _, s := range model.Strategies() {
		fmt.Fprintf(&b, "  %-14s %s\n  %-14s claimed: %s\n", s.Name, s.Summary, "", s.Claim)
	}
	b.WriteString("properties:\n")
	for _, p := range model.Properties() {
		fmt.Fprintf(&b, "  %-14s %s\n", p.Name, p.Summary)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
