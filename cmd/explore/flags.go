package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"quiesce/model"
	"quiesce/sim"
)

// mostTasks is how many tasks the product engine takes. Tasks take the keys in
// turn, so no more keys would be touched.
const mostTasks = 40

// options are what the arguments ask for.
type options struct {
	help        string // the text to print instead of anything else
	list        bool
	strategy    model.Strategy
	property    model.Property
	workload    model.Workload
	compared    []model.Strategy // one after the other; nil if nothing is compared
	properties  []string         // of a comparison
	single      []options        // of a comparison: for each strategy
	grow        bool             // from the smallest workload on
	maxTasks    int
	replay      bool
	schedule    string
	engine      string
	symmetry    bool
	audit       int
	limit       int
	limitStates int
	limitMemory int64
	format      string
	width       int
	values      bool
	metrics     bool
	threshold   bool          // look for the smallest delay for which the property holds
	unit        time.Duration // of which that delay is a multiple; 0 is that of the strategy
	explain     bool
	recorded    string // the trace file to run again; "" is none
	claim       string // the file with the claim to judge; "" is none
	output      string // the file to write; "" is stdout
}

// parse reads the arguments. Its errors are one line that says what is allowed.
func parse(args []string) (options, error) {
	var o options
	var strategy, property, cache, memory, faults, threshold string
	f := flag.NewFlagSet("explore", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&o.list, "list", false, "print the strategies and properties and exit")
	f.StringVar(&strategy, "strategy", "", "the `name` of the strategy to explore (see -list), or names with commas between them, or all that keep a cache: a comparison,\nwhere -readers and -writers are those of strategies with a cache and -workers those of the others")
	f.StringVar(&property, "property", "", "the `name` of the property to check (see -list; default that of the strategy), or names with commas between them: a comparison")
	f.IntVar(&o.workload.Readers, "readers", 1, "the `number` of readers; without -readers and -writers the workload grows\nfrom 1 reader and 1 writer to -max-tasks")
	f.IntVar(&o.workload.Writers, "writers", 1, "the `number` of writers")
	f.IntVar(&o.workload.Workers, "workers", 1, "the `number` of workers of a strategy without a cache; without it the workload grows\nfrom 1 worker to -max-tasks")
	f.IntVar(&o.maxTasks, "max-tasks", 4, "the largest `number` of tasks to grow to; of a comparison 3 by default")
	f.IntVar(&o.workload.Servers, "servers", 0, "the `number` of servers, which the tasks take in turn; 0 means one for each task")
	f.IntVar(&o.workload.Keys, "keys", 1, "the `number` of products; tasks take them in turn")
	f.StringVar(&faults, "faults", "", "`what` may go wrong, and how often, such as expire=1,lost-reply=1; all=1 means any one fault")
	f.DurationVar(&o.workload.MaxWait, "max-wait", 0, "the longest `time` that a request waits for other tasks, on top of -max-stall, such as the lag of a relay;\nwithout it they wait without a bound (with -max-stall)")
	f.DurationVar(&o.workload.MaxStall, "max-stall", 0, "the longest `time` from asking for a request to its reply, such as 1s; without it the workload is untimed: nothing has a speed")
	f.DurationVar(&o.workload.Delay, "delay", 0, "the `time` for which a strategy pauses, instead of its own")
	f.DurationVar(&o.workload.TTL, "ttl", 0, "the `time` to live of products in Redis, instead of the strategy's own, such as 30s; 0 means that they never expire.\nThe lease of a lock or token, a mark and a tombstone keep their own")
	f.StringVar(&threshold, "threshold", "", "`what` to find the smallest value of for which the property holds: delay (with -max-stall)")
	f.DurationVar(&o.unit, "unit", 0, "the `time` of which the delay that -threshold finds is a multiple; by default 1s, or what divides all other durations\nif that is less or one of them is longer than 1m")
	f.StringVar(&cache, "cache", "cold", "`what` the caches hold when it begins: cold (nothing) or warm (every product)")
	f.BoolVar(&o.values, "values", false, "print what is left at quiescence, and in how many interleavings")
	f.BoolVar(&o.metrics, "metrics", false, "print hits, misses, loads, round trips and the longest stale window of the last workload (product engine)")
	f.BoolVar(&o.explain, "explain", false, "find the root cause of a violation and the passing interleaving next to it (product engine)")
	f.StringVar(&o.schedule, "schedule", "", "replay only the schedule with this `token`")
	f.StringVar(&o.recorded, "replay", "", "run the counterexample in this `file` again, the JSON of an earlier run; - is stdin")
	f.StringVar(&o.claim, "claim", "", "say whether any interleaving of the workload is as this `file` claims, - is stdin: one step a line, such as\nreader-1 SELECT ... → {9900}")
	f.StringVar(&o.engine, "engine", "product", "the `name` of the engine: product (learned machines) or direct (every interleaving run for real)")
	f.BoolVar(&o.symmetry, "symmetry", true, "search one of interchangeable tasks for all of them (product engine)")
	f.IntVar(&o.audit, "audit", 100, "the `number` of random schedules of a workload that holds that are run for real and compared; 0 leaves out the replays of what was learned as well (product engine)")
	f.IntVar(&o.limit, "limit", 0, "stop after `N` interleavings of a workload, with the verdict incomplete; 0 means no limit (implies -engine direct)")
	f.IntVar(&o.limitStates, "limit-states", 0, "stop after `N` states of a workload, with the verdict incomplete; 0 means no limit, which is the default except\nof a comparison: 2000000 (product engine)")
	f.StringVar(&memory, "limit-memory", "0", "stop when states and transitions of a workload take about that many `bytes`, such as 512MiB or 2GB, with the verdict incomplete;\n0 means no limit (product engine)")
	f.StringVar(&o.format, "format", "", "the `name` of the format: text, json, markdown, html, or dot, the graph of states for Graphviz (product engine);\nby default what the ending of the file of -o says, such as .html or .md, and else text")
	f.StringVar(&o.output, "o", "", "write the report to this `file`, which is replaced at once when it is complete, and only the verdict to stdout; - is stdout")
	f.IntVar(&o.width, "width", 0, "the `columns` that the text report may fill; 0 means those of the terminal, or 100 if stdout is none")
	f.VisitAll(func(fl *flag.Flag) { fl.Value = &once{Value: fl.Value} })
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			o.help = usage(f)
			return o, nil
		}
		return o, flagError(f, err)
	}
	if f.NArg() > 0 {
		return o, argumentError(f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	if err := o.checkNumbers(); err != nil {
		return o, err
	}
	if o.list {
		return o, onlyWith("list", given, "width")
	}
	if given["ttl"] {
		var err error
		if o.workload.TTL, err = productTTL(o.workload.TTL); err != nil {
			return o, err
		}
	}
	for _, name := range []string{"o", "replay", "claim"} {
		if given[name] && f.Lookup(name).Value.String() == "" {
			return o, fmt.Errorf("-%s must be followed by the name of a file", name)
		}
	}
	for _, name := range []string{"property", "faults"} {
		if given[name] && f.Lookup(name).Value.String() == "" {
			return o, fmt.Errorf("-%s is empty; leave it out for the default", name)
		}
	}
	if o.recorded != "" {
		if err := onlyWith("replay", given, "width", "o", "format"); err != nil {
			return o, err
		}
	}
	if o.claim != "" {
		if err := onlyWith("claim", given, "strategy", "property", "readers", "writers", "workers", "servers", "keys", "cache", "width", "o", "format"); err != nil {
			return o, err
		}
	}
	if err := o.setFormat(given); err != nil || o.recorded != "" {
		return o, err
	}
	for _, name := range []struct {
		flag, value string
		allowed     []string
	}{{"cache", cache, []string{"cold", "warm"}}, {"engine", o.engine, []string{"product", "direct"}}} {
		if !slices.Contains(name.allowed, name.value) {
			return o, fmt.Errorf("unknown %s %q; %s", name.flag, name.value, model.Suggest(name.value, name.allowed, ""))
		}
	}
	o.workload.Warm = cache == "warm"
	if err := o.setSearch(given); err != nil {
		return o, err
	}
	var err error
	if o.limitMemory, err = parseBytes(memory); err != nil {
		return o, err
	}
	if strategy == "" {
		return o, errors.New("-strategy is missing; -list prints the strategies")
	}
	if strings.EqualFold(strategy, "all") && strategy != "all" {
		return o, fmt.Errorf("unknown strategy %q; it is written all", strategy)
	}
	if strategy == "all" || strings.Contains(strategy+property, ",") {
		return o, o.setComparison(strategy, property, given, faults)
	}
	if o.strategy, err = model.LookupStrategy(strategy); err != nil {
		return o, err
	}
	if o.property, err = model.LookupProperty(property, o.strategy); err != nil {
		return o, err
	}
	if err := o.setTasks(given); err != nil {
		return o, err
	}
	return o, o.setTime(given, faults, threshold)
}

// onlyWith refuses flags that the flag called name would not look at.
func onlyWith(name string, given map[string]bool, with ...string) error {
	for _, other := range slices.Sorted(maps.Keys(given)) {
		if other != name && !slices.Contains(with, other) {
			return fmt.Errorf("-%s does not go with -%s; only %s", other, name, "-"+strings.Join(with, ", -"))
		}
	}
	return nil
}

// setTasks refuses tasks that the strategy does not have.
func (o *options) setTasks(given map[string]bool) error {
	has, none := "readers and writers", []string{"workers"}
	if o.strategy.Race != nil {
		has, none = "workers and no cache", []string{"readers", "writers", "keys", "cache", "metrics"}
		o.workload.Readers, o.workload.Writers, o.workload.Keys, o.workload.Warm = 0, 0, 0, false
	} else {
		o.workload.Workers = 0
	}
	for _, name := range none {
		if given[name] {
			return fmt.Errorf("-%s does not go with %s, which has %s", name, o.strategy.Name, has)
		}
	}
	return nil
}

// setTime reads the flags about faults and time.
func (o *options) setTime(given map[string]bool, faults, threshold string) (err error) {
	if o.workload.Faults, err = parseFaults(faults); err != nil {
		return fmt.Errorf("-faults: %w", err)
	}
	if len(o.workload.Faults) == 0 {
		o.workload.Faults = nil
	}
	o.threshold = given["threshold"]
	if err := o.checkDurations(given); err != nil {
		return err
	}
	pauses := o.strategy.Delay > 0
	w := o.workload
	switch {
	case o.threshold && (threshold == "ttl" || threshold == "max-stall"):
		return fmt.Errorf("-threshold %s: delay is the only threshold; values of -%s can be tried one by one", threshold, threshold)
	case o.threshold && threshold != "delay":
		return fmt.Errorf("-threshold %q: delay is the only threshold", threshold)
	case w.MaxWait > 0 && w.MaxStall == 0:
		return errors.New("-max-wait goes with -max-stall: without it no time passes")
	case (given["ttl"] || w.TTL != 0) && o.strategy.TTL == 0:
		return fmt.Errorf("%s keeps no products in Redis, so no TTL can be chosen", o.strategy.Name)
	case (given["delay"] || o.threshold) && !pauses:
		return fmt.Errorf("%s does not pause, so no delay can be chosen", o.strategy.Name)
	case given["unit"] && !o.threshold:
		return errors.New("-unit is that of -threshold; it goes with nothing else")
	case o.threshold && o.format == "dot":
		return errors.New("-format dot draws the graph of one delay; it does not go with -threshold")
	case o.threshold && (w.MaxStall == 0 || given["delay"] || o.replay):
		return errors.New("-threshold delay goes with -max-stall, and with neither -delay nor -schedule")
	case w.MaxStall > 0 && o.strategy.Race != nil:
		return fmt.Errorf("-max-stall does not go with %s, which knows no time", o.strategy.Name)
	case w.Faults[sim.Expire] > 0 && w.TTL == model.NoExpiry && !o.strategy.Expires(w):
		return fmt.Errorf("-faults expire does not go with -ttl 0: nothing else that %s keeps in Redis has a TTL", o.strategy.Name)
	case w.Faults[sim.Expire] > 0 && w.MaxStall > 0:
		return errors.New("-faults expire does not go with -max-stall, where keys expire when their time has come")
	}
	return nil
}

// checkDurations refuses durations that are none.
func (o *options) checkDurations(given map[string]bool) error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"max-stall", o.workload.MaxStall}, {"max-wait", o.workload.MaxWait}, {"delay", o.workload.Delay}, {"unit", o.unit}} {
		if given[d.flag] && d.value <= 0 {
			return fmt.Errorf("-%s %s: must be more than 0", d.flag, d.value)
		}
	}
	return nil
}

// parseFaults is [sim.ParseFaults], with the nearest kind for one that is unknown.
func parseFaults(s string) (sim.Faults, error) {
	faults, err := sim.ParseFaults(s)
	if unknown := (*sim.UnknownFaultError)(nil); errors.As(err, &unknown) {
		names := []string{string(sim.AnyFault)}
		for _, kind := range sim.FaultKinds {
			names = append(names, string(kind))
		}
		return nil, fmt.Errorf("unknown fault %q; %s", unknown.Name, model.Suggest(unknown.Name, names, ""))
	}
	return faults, err
}

// productTTL returns the TTL of a workload that is given as d. Redis knows no part of
// a millisecond.
func productTTL(d time.Duration) (time.Duration, error) {
	switch {
	case d < 0 || d%time.Millisecond != 0:
		return 0, fmt.Errorf("-ttl %s: must be whole milliseconds, or 0 for products that never expire", d)
	case d == 0:
		return model.NoExpiry, nil
	}
	return d, nil
}

// checkNumbers refuses numbers out of range.
func (o *options) checkNumbers() error {
	for _, n := range []struct {
		flag               string
		value, least, most int
	}{
		{"readers", o.workload.Readers, 0, mostTasks}, {"writers", o.workload.Writers, 0, mostTasks},
		{"keys", o.workload.Keys, 1, mostTasks}, {"workers", o.workload.Workers, 1, mostTasks}, {"servers", o.workload.Servers, 0, mostTasks}, {"max-tasks", o.maxTasks, 2, mostTasks},
		{"audit", o.audit, 0, math.MaxInt}, {"limit", o.limit, 0, math.MaxInt}, {"limit-states", o.limitStates, 0, math.MaxInt},
		{"width", cmp.Or(o.width, 40), 40, math.MaxInt},
	} {
		switch {
		case n.value >= n.least && n.value <= n.most:
		case n.most == math.MaxInt:
			return fmt.Errorf("-%s %d: must be at least %d", n.flag, n.value, n.least)
		default:
			return fmt.Errorf("-%s %d: must be from %d to %d", n.flag, n.value, n.least, n.most)
		}
	}
	if w := o.workload; w.Readers+w.Writers > mostTasks {
		return fmt.Errorf("-readers %d -writers %d: must be at most %d together", w.Readers, w.Writers, mostTasks)
	}
	return nil
}

// setSearch says what is searched, if anything is, and refuses flags that would not
// be looked at.
func (o *options) setSearch(given map[string]bool) error {
	o.replay = given["schedule"]
	explicit := given["readers"] || given["writers"] || given["workers"]
	o.grow = !explicit && !o.replay && o.claim == ""
	if given["max-tasks"] && !o.grow {
		return errors.New("-max-tasks is how far the workload grows by itself; it does not go with -readers, -writers, -workers or -schedule")
	}
	if o.replay {
		for _, name := range []string{"symmetry", "audit", "limit", "limit-states", "limit-memory", "values", "metrics", "explain"} {
			if given[name] {
				return fmt.Errorf("-%s is about a search; it does not go with -schedule", name)
			}
		}
	}
	if err := o.setEngine(given); err != nil {
		return err
	}
	if o.format == "dot" && (o.replay || o.engine != "product") {
		return errors.New("-format dot draws the graph of the product engine; it goes neither with -engine direct nor with -limit or -schedule")
	}
	for _, name := range []string{"values", "metrics", "explain"} {
		if o.format == "dot" && given[name] {
			return fmt.Errorf("-%s does not go with -format dot, which draws nothing but the graph", name)
		}
	}
	return nil
}

// setEngine refuses flags that the engine would not look at.
func (o *options) setEngine(given map[string]bool) error {
	if given["limit"] && !given["engine"] {
		o.engine = "direct"
	}
	other := map[string][]string{
		"direct":  {"symmetry", "audit", "limit-states", "limit-memory", "metrics", "explain"},
		"product": {"limit"},
	}
	for _, name := range other[o.engine] {
		if given[name] {
			return fmt.Errorf("-%s does not go with the %s engine", name, o.engine)
		}
	}
	return nil
}

// parseBytes reads a size such as 512MiB.
func parseBytes(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	zero := !strings.ContainsAny(s, "123456789")
	if err != nil || n > math.MaxInt64 || n == 0 && !zero {
		return 0, fmt.Errorf("-limit-memory %q: must be a size such as 512MiB or 2GB", s)
	}
	return int64(n), nil
}

// once is a flag that may be given once: of two values, one would be ignored.
type once struct {
	flag.Value
	given bool
}

func (o *once) IsBoolFlag() bool {
	b, ok := o.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func (o *once) Set(s string) error {
	if o.given {
		return fmt.Errorf("given twice, with %q before", o.Value.String())
	}
	o.given = true
	if err := o.Value.Set(s); err != nil {
		if o.IsBoolFlag() {
			return errors.New("must be true or false")
		}
		if _, is := o.Value.(flag.Getter).Get().(time.Duration); is {
			return errors.New("must be a duration, such as 1s")
		}
		return errors.New("must be a whole number")
	}
	return nil
}

// flagError rewords the errors of package flag.
func flagError(f *flag.FlagSet, err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var names []string
		f.VisitAll(func(fl *flag.Flag) { names = append(names, "-"+fl.Name) })
		return fmt.Errorf("unknown flag %q; %s", "-"+name, model.Suggest("-"+name, names, "-help prints all flags"))
	}
	if name, ok := strings.CutPrefix(err.Error(), "bad flag syntax: "); ok {
		return fmt.Errorf("bad flag %q; it must be of the form -name value, see -help", name)
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: "); ok {
		return fmt.Errorf("%s must be followed by a value, see -help", name)
	}
	return err
}

func argumentError(arg string) error {
	if arg == "true" || arg == "false" {
		return fmt.Errorf("unexpected argument %q; a flag that is true or false is given as -symmetry=%s", arg, arg)
	}
	return fmt.Errorf("unexpected argument %q; everything is given by flags, see -help", arg)
}

func usage(f *flag.FlagSet) string {
	var b strings.Builder
	b.WriteString("usage: explore -strategy name [flags]\n\nexit status: 0 holds, 1 violated, 2 usage or environment error, 3 incomplete or vacuous\nof a comparison: 0 every cell holds, 1 any is violated, 2 usage or environment error, 3 any is incomplete or vacuous and none violated\nof -threshold: 0 found, 1 violated with every delay, 2 usage or environment error, 3 incomplete or vacuous\nof -replay:  0 no longer violates, 1 reproduced, 2 usage or environment error, 3 no longer possible\nof -claim:   0 possible, 1 impossible, 2 usage or environment error\n\n")
	f.VisitAll(func(fl *flag.Flag) { fl.Value = fl.Value.(*once).Value })
	f.SetOutput(&b)
	f.PrintDefaults()
	return b.String()
}

// replayCommand returns the command line that replays a schedule of a workload and
// asks for the property.
func (o options) replayCommand(property string, w model.Workload, token string) string {
	if token == "" || strings.ContainsAny(token, "!'") { // which mean something to a shell
		token = "'" + strings.ReplaceAll(token, "'", `'\''`) + "'"
	}
	more := ""
	if w.Servers > 0 {
		more = fmt.Sprintf(" -servers %d", w.Servers)
	}
	if w.Faults.Total() > 0 {
		more += " -faults " + w.Faults.String()
	}
	if w.Delay > 0 {
		more += " -delay " + w.Delay.String()
	}
	if w.TTL != 0 {
		more += " -ttl " + max(0, w.TTL).String()
	}
	if w.MaxStall > 0 {
		more += " -max-stall " + w.MaxStall.String()
	}
	if w.MaxWait > 0 {
		more += " -max-wait " + w.MaxWait.String()
	}
	tasks := fmt.Sprintf("-readers %d -writers %d -keys %d -cache %s", w.Readers, w.Writers, w.Keys, w.Cache())
	if o.strategy.Race != nil {
		tasks = fmt.Sprintf("-workers %d", w.Workers)
	}
	return fmt.Sprintf("go run ./cmd/explore -strategy %s -property %s %s%s -schedule %s", o.strategy.Name, property, tasks, more, token)
}
