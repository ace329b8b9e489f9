package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"quiesce/model"
)

// options are what the arguments ask for.
type options struct {
	help     string // the text to print instead of anything else
	list     bool
	strategy model.Strategy
	property model.Property
	workload model.Workload
	replay   bool
	schedule string
	limit    int
	format   string
	width    int
}

// parse reads the arguments. Its errors are one line that says what is allowed.
func parse(args []string) (options, error) {
	var o options
	var strategy, property, cache string
	f := flag.NewFlagSet("explore", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&o.list, "list", false, "print the strategies and properties and exit")
	f.StringVar(&strategy, "strategy", "", "the `name` of the strategy to explore (see -list)")
	f.StringVar(&property, "property", "coherent", "the `name` of the property to check (see -list)")
	f.IntVar(&o.workload.Readers, "readers", 1, "how many readers there are")
	f.IntVar(&o.workload.Writers, "writers", 1, "how many writers there are")
	f.IntVar(&o.workload.Keys, "keys", 1, "how many products there are; tasks take them in turn")
	f.StringVar(&cache, "cache", "cold", "what the cache holds when it begins: cold (nothing) or warm (every product)")
	f.StringVar(&o.schedule, "schedule", "", "replay only the schedule with this `token`")
	f.IntVar(&o.limit, "limit", 0, "stop after `N` interleavings, with the verdict incomplete; 0 means no limit")
	f.StringVar(&o.format, "format", "text", "text or json")
	f.IntVar(&o.width, "width", 100, "columns of the text report")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			o.help = usage(f)
			return o, nil
		}
		return o, flagError(f, err)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; everything is given by flags, see -help", f.Arg(0))
	}
	for _, n := range []struct {
		flag  string
		value int
		least int
	}{{"readers", o.workload.Readers, 0}, {"writers", o.workload.Writers, 0}, {"keys", o.workload.Keys, 1}, {"limit", o.limit, 0}, {"width", o.width, 40}} {
		if n.value < n.least {
			return o, fmt.Errorf("-%s %d: must be at least %d", n.flag, n.value, n.least)
		}
	}
	if err := oneOf("format", o.format, "text", "json"); err != nil {
		return o, err
	}
	if err := oneOf("cache", cache, "cold", "warm"); err != nil {
		return o, err
	}
	o.workload.Warm = cache == "warm"
	f.Visit(func(fl *flag.Flag) { o.replay = o.replay || fl.Name == "schedule" })
	var err error
	if o.property, err = model.LookupProperty(property); err != nil {
		return o, err
	}
	if o.list {
		return o, nil
	}
	if strategy == "" {
		return o, errors.New("-strategy is missing; -list prints the strategies")
	}
	o.strategy, err = model.LookupStrategy(strategy)
	return o, err
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("unknown %s %q; %s", name, value, model.Suggest(value, allowed))
}

// flagError rewords the errors of package flag, which end in a full usage.
func flagError(f *flag.FlagSet, err error) error {
	name, undefined := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !undefined {
		return err
	}
	var names []string
	f.VisitAll(func(fl *flag.Flag) { names = append(names, "-"+fl.Name) })
	return fmt.Errorf("unknown flag -%s; %s", name, model.Suggest("-"+name, names))
}

func usage(f *flag.FlagSet) string {
	var b strings.Builder
	b.WriteString("usage: explore -strategy name [flags]\n\nexit status: 0 holds, 1 violated, 2 usage or environment error, 3 incomplete\n\n")
	f.SetOutput(&b)
	f.PrintDefaults()
	return b.String()
}

// replayCommand returns the command line that replays a schedule.
func (o options) replayCommand(token string) string {
	return fmt.Sprintf("go run ./cmd/explore -strategy %s -property %s -readers %d -writers %d -keys %d -cache %s -schedule %s",
		o.strategy.Name, o.property.Name, o.workload.Readers, o.workload.Writers, o.workload.Keys, o.workload.Cache(), token)
}
