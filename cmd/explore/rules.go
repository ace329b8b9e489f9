package main

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quiesce/model"
	"quiesce/sim"
)

// A rule refuses flags that would not be looked at. The first that applies is the error.
type rule struct {
	when bool

	// flags are those that do not go with it, with spaces between them; at least one of
	// them has to be given. "" means that none has to be.
	flags string

	// line is the error, in which {flag} is the first of the flags that is given.
	line string
}

// ofQuestion returns the rules about what is asked, whatever the strategy.
func (o *options) ofQuestion() []rule {
	dot, engine := o.format == "dot", "the "+o.engine+" engine"
	return []rule{
		o.onlyWith("list", "width"),
		o.onlyWith("replay", "width o format"),
		o.onlyWith("claim", "strategy property readers writers workers servers keys cache width o format"),
		{dot && (o.recorded != "" || o.claim != ""), "", "-format dot draws the graph of a search; it goes neither with -replay nor with -claim"},
		{!o.grow, "max-tasks", "-max-tasks is how far the workload grows by itself; it does not go with -readers, -writers, -workers or -schedule"},
		{o.replay, "symmetry audit limit limit-states limit-memory values metrics explain", "-{flag} is about a search; it does not go with -schedule"},
		{o.engine == "direct", "symmetry audit limit-states limit-memory metrics explain", "-{flag} does not go with " + engine},
		{o.engine == "product", "limit", "-{flag} does not go with " + engine},
		{dot && (o.replay || o.engine == "direct"), "", "-format dot draws the graph of the product engine; it goes neither with -engine direct nor with -limit or -schedule"},
		{dot, "values metrics explain", "-{flag} does not go with -format dot, which draws nothing but the graph"},
		{o.comparison, "claim engine explain limit metrics schedule threshold unit values", "-{flag} does not go with a comparison of strategies or properties"},
		{o.comparison && dot, "", "-format dot does not go with a comparison of strategies or properties"},
	}
}

// ofTasks returns the rules about the tasks that the strategy has.
func (o *options) ofTasks() []rule {
	race, line := o.strategy.Race != nil, "-{flag} does not go with "+o.strategy.Name+", which has "
	return []rule{
		{race, "readers writers keys cache shoppers editors creators metrics", line + "workers and no cache"},
		{!race, "workers", line + "readers and writers"},
	}
}

// ofTime returns the rules about the time and the faults of the workload, which may be from
// a file.
func (o *options) ofTime() []rule {
	w, s, threshold := o.workload, o.strategy, o.text.threshold
	chosen, expire := w.Delay > 0, w.Faults[sim.Expire] > 0
	return []rule{
		{threshold == "ttl" || threshold == "max-stall", "threshold", "-threshold " + threshold + ": delay is the only threshold; values of -" + threshold + " can be tried one by one"},
		{threshold != "delay", "threshold", "-threshold " + strconv.Quote(threshold) + ": delay is the only threshold"},
		{w.MaxWait > 0 && !w.Timed(), "", "-max-wait goes with -max-stall: without it no time passes"},
		{w.TTL != 0 && s.TTL == 0, "", s.Name + " keeps no products in Redis, so no TTL can be chosen"},
		{(chosen || o.threshold) && s.Delay == 0, "", s.Name + " does not pause, so no delay can be chosen"},
		{!o.threshold, "unit", "-unit is that of -threshold; it goes with nothing else"},
		{o.threshold && o.format == "dot", "", "-format dot draws the graph of one delay; it does not go with -threshold"},
		{o.threshold && (!w.Timed() || chosen || o.replay), "", "-threshold delay goes with -max-stall, and with neither -delay nor -schedule"},
		{w.Timed() && s.Race != nil, "", "-max-stall does not go with " + s.Name + ", which knows no time"},
		{expire && w.TTL == model.NoExpiry && !s.Expires(w), "", "-faults expire does not go with -ttl 0: nothing else that " + s.Name + " keeps in Redis has a TTL"},
		{expire && w.Timed(), "", "-faults expire does not go with -max-stall, where keys expire when their time has come"},
	}
}

// onlyWith returns the rule that the flag called name goes with those alone.
func (o *options) onlyWith(name, with string) rule {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(o.given)), func(flag string) bool { return slices.Contains(strings.Fields(name+" "+with), flag) })
	return rule{o.given[name] && len(others) > 0, strings.Join(others, " "),
		"-{flag} does not go with -" + name + "; only -" + strings.ReplaceAll(with, " ", ", -")}
}

// refused returns the error of the first rule that applies, or nil.
func (o *options) refused(rules []rule) error {
	for _, r := range rules {
		flags := strings.Fields(r.flags)
		i := slices.IndexFunc(flags, func(flag string) bool { return o.given[flag] })
		switch {
		case r.when && i >= 0:
			return errors.New(strings.ReplaceAll(r.line, "{flag}", flags[i]))
		case r.when && r.flags == "":
			return errors.New(r.line)
		}
	}
	return nil
}
