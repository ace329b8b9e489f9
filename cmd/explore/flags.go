package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"quiesce/model"
)

// options are what the arguments ask for.
type options struct {
	help        string          // the text to print instead of anything else
	given       map[string]bool // which flags are
	list        bool
	strategy    model.Strategy
	property    model.Property
	workload    model.Workload
	comparison  bool
	compared    []model.Strategy // of a comparison, one after the other
	properties  []string         // the same
	single      []options        // the same: for each strategy
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

	text struct{ strategy, property, memory, threshold string } // of flags whose meaning is looked up
}

// flagSet returns the flags, which set the options.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("explore", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	for _, k := range model.Knobs() {
		f.Var(k.Value(&o.workload), k.Name, k.Usage)
		knob := f.Lookup(k.Name)
		if knob.DefValue = k.Default; k.Default != "" {
			knob.Value.Set(k.Default)
		}
	}
	f.Lookup("cache").DefValue = `"cold"` // as package flag shows a word
	f.BoolVar(&o.list, "list", false, "print the strategies and properties and exit")
	f.StringVar(&o.text.strategy, "strategy", "", "the `name` of the strategy to explore (see -list), or names with commas between them, or all that keep a cache: a comparison,\nwhere -readers and -writers are those of strategies with a cache and -workers those of the others")
	f.StringVar(&o.text.property, "property", "", "the `name` of the property to check (see -list; default that of the strategy), or names with commas between them: a comparison")
	f.IntVar(&o.maxTasks, "max-tasks", 4, "the largest `number` of tasks to grow to; of a comparison 3 by default")
	f.StringVar(&o.text.threshold, "threshold", "", "`what` to find the smallest value of for which the property holds: delay (with -max-stall)")
	f.DurationVar(&o.unit, "unit", 0, "the `time` of which the delay that -threshold finds is a multiple; by default 1s, or what divides all other durations\nif that is less or one of them is longer than 1m")
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
	f.StringVar(&o.text.memory, "limit-memory", "0", "stop when states and transitions of a workload take about that many `bytes`, such as 512MiB or 2GB, with the verdict incomplete;\n0 means no limit (product engine)")
	f.StringVar(&o.format, "format", "", "the `name` of the format: text, json, markdown, html, or dot, the graph of states for Graphviz (product engine);\nby default what the ending of the file of -o says, such as .html or .md, and else text")
	f.StringVar(&o.output, "o", "", "write the report to this `file`, which is replaced at once when it is complete, and only the verdict to stdout; - is stdout")
	f.IntVar(&o.width, "width", 0, "the `columns` that the text report may fill; 0 means those of the terminal, or 100 if stdout is none")
	f.VisitAll(func(fl *flag.Flag) { fl.Value = &once{Value: fl.Value, empty: empty[fl.Name]} })
	return f
}

// empty is what is said of flags whose value is "".
var empty = map[string]string{
	"o":        "-o must be followed by the name of a file",
	"replay":   "-replay must be followed by the name of a file",
	"claim":    "-claim must be followed by the name of a file",
	"property": "-property is empty; leave it out for the default",
}

// parse reads the arguments. Its errors are one line that says what is allowed.
func parse(args []string) (options, error) {
	var o options
	f := o.flagSet()
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
	o.given = map[string]bool{}
	f.Visit(func(fl *flag.Flag) { o.given[fl.Name] = true })
	err := o.set()
	return o, err
}

// set sets what follows from the flags, and refuses those that would not be looked at.
func (o *options) set() (err error) {
	o.replay, o.threshold = o.given["schedule"], o.given["threshold"]
	o.grow = !o.given["readers"] && !o.given["writers"] && !o.given["workers"] && !o.replay && o.claim == ""
	o.comparison = o.text.strategy == "all" || strings.Contains(o.text.strategy+o.text.property, ",")
	if o.given["limit"] && !o.given["engine"] {
		o.engine = "direct"
	}
	if err := o.checkNumbers(); err != nil {
		return err
	}
	if !o.list {
		if err := o.setFormat(); err != nil {
			return err
		}
	}
	if engines := []string{"product", "direct"}; !slices.Contains(engines, o.engine) {
		return fmt.Errorf("unknown engine %q; %s", o.engine, model.Suggest(o.engine, engines, ""))
	}
	if err := o.refused(o.ofQuestion()); err != nil || o.list || o.recorded != "" {
		return err
	}
	if o.limitMemory, err = parseBytes(o.text.memory); err != nil {
		return err
	}
	return o.setStrategy()
}

// setStrategy looks up what is explored, and refuses flags that do not go with it.
func (o *options) setStrategy() (err error) {
	switch name := o.text.strategy; {
	case name == "":
		return errors.New("-strategy is missing; -list prints the strategies")
	case strings.EqualFold(name, "all") && name != "all":
		return fmt.Errorf("unknown strategy %q; it is written all", name)
	case o.comparison:
		return o.setComparison()
	}
	if o.strategy, err = model.LookupStrategy(o.text.strategy); err != nil {
		return err
	}
	if o.property, err = model.LookupProperty(o.text.property, o.strategy); err != nil {
		return err
	}
	if err := o.refused(o.ofTasks()); err != nil {
		return err
	}
	o.setTasks()
	return o.refused(o.ofTime())
}

// setTasks leaves out the tasks that the strategy does not have.
func (o *options) setTasks() {
	if o.strategy.Race == nil {
		o.workload.Workers = 0
		return
	}
	o.workload = o.workload.Race()
}

// checkNumbers refuses numbers out of range; knobs have refused theirs.
func (o *options) checkNumbers() error {
	for _, n := range []struct {
		flag               string
		value, least, most int
	}{
		{"max-tasks", o.maxTasks, 2, model.MostTasks},
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
	if o.given["unit"] && o.unit <= 0 {
		return fmt.Errorf("-unit %s: must be more than 0", o.unit)
	}
	return checkTasks(o.workload)
}

// checkTasks refuses more tasks than there may be.
func checkTasks(w model.Workload) error {
	if w.Readers+w.Writers > model.MostTasks {
		return fmt.Errorf("-readers %d -writers %d: must be at most %d together", w.Readers, w.Writers, model.MostTasks)
	}
	if n := w.Size() - w.Workers; n > model.MostTasks {
		return fmt.Errorf("%d tasks: sessions, creators, readers and writers must be at most %d together", n, model.MostTasks)
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
	given   bool
	empty   string // what to say of an empty value; "" if it may be
	refused error  // in full: package flag has nothing to add
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
	if s == "" && o.empty != "" {
		o.refused = errors.New(o.empty)
		return o.refused
	}
	err := o.Value.Set(s)
	if err == nil {
		return nil
	}
	if value := (*model.ValueError)(nil); errors.As(err, &value) {
		o.refused = err
	}
	switch v := o.Value.(type) {
	case interface{ IsBoolFlag() bool }:
		return errors.New("must be true or false")
	case flag.Getter: // of package flag, and so a duration or a number
		if _, is := v.Get().(time.Duration); is {
			return errors.New("must be a duration, such as 1s")
		}
		return errors.New("must be a whole number")
	}
	return err
}

// flagError rewords the errors of package flag.
func flagError(f *flag.FlagSet, err error) error {
	var refused error
	f.VisitAll(func(fl *flag.Flag) { refused = cmp.Or(refused, fl.Value.(*once).refused) })
	if refused != nil {
		return refused
	}
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
	if strings.EqualFold(arg, "overlay") {
		return fmt.Errorf("unexpected argument %q; the command is explore overlay dir", arg)
	}
	if arg == "true" || arg == "false" {
		return fmt.Errorf("unexpected argument %q; a flag that is true or false is given as -symmetry=%s", arg, arg)
	}
	return fmt.Errorf("unexpected argument %q; everything is given by flags, see -help", arg)
}

func usage(f *flag.FlagSet) string {
	var b strings.Builder
	b.WriteString("usage: explore -strategy name [flags]\n       explore overlay dir    writes the file for go test -overlay, see explore overlay -help\n\nexit status: 0 holds, 1 violated, 2 usage or environment error, 3 incomplete or vacuous\nof a comparison: 0 every cell holds, 1 any is violated, 2 usage or environment error, 3 any is incomplete or vacuous and none violated\nof -threshold: 0 found, 1 violated with every delay, 2 usage or environment error, 3 incomplete or vacuous\nof -replay:  0 no longer violates, 1 reproduced, 2 usage or environment error, 3 no longer possible\nof -claim:   0 possible, 1 impossible, 2 usage or environment error\n\n")
	f.VisitAll(func(fl *flag.Flag) { fl.Value = fl.Value.(*once).Value })
	f.SetOutput(&b)
	f.PrintDefaults()
	return b.String()
}

// replayCommand returns what makes the command line that replays a schedule of a workload
// and asks for the property.
func (o options) replayCommand(p model.Property, w model.Workload) func(token string) string {
	return func(token string) string {
		if token == "" || strings.ContainsAny(token, "!'") { // which mean something to a shell
			token = "'" + strings.ReplaceAll(token, "'", `'\''`) + "'"
		}
		return fmt.Sprintf("go run ./cmd/explore -strategy %s -property %s %s -schedule %s", o.strategy.Name, p.Name, strings.Join(w.Args(), " "), token)
	}
}
