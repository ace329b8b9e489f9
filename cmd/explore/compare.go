package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
	"quiesce/sim"
)

// Defaults of a comparison, which has to end for every strategy.
const (
	comparedTasks  = 3
	comparedStates = 2_000_000 // of a workload
)

// setComparison reads what a comparison is of.
func (o *options) setComparison() error {
	strategies, properties := o.text.strategy, cmp.Or(o.text.property, "coherent")
	if strategies == "all" {
		o.compared = model.Caches()
	} else {
		for name := range strings.SplitSeq(strategies, ",") {
			switch name {
			case "":
				return errors.New("-strategy: a name is missing")
			case "all":
				return errors.New("-strategy: all is every strategy that keeps a cache, so it goes with no other name")
			}
			s, err := model.LookupStrategy(name)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(o.compared, func(other model.Strategy) bool { return other.Name == name }) {
				return fmt.Errorf("-strategy: %s is there twice", name)
			}
			o.compared = append(o.compared, s)
		}
	}
	for name := range strings.SplitSeq(properties, ",") {
		if slices.Contains(o.properties, name) {
			return fmt.Errorf("-property: %s is there twice", name)
		}
		if err := o.canBeAsked(name); err != nil {
			return err
		}
		o.properties = append(o.properties, name)
	}
	if !o.given["max-tasks"] {
		o.maxTasks = comparedTasks
	}
	if !o.given["limit-states"] {
		o.limitStates = comparedStates
	}
	if err := o.checkComparedTasks(); err != nil {
		return err
	}
	for _, s := range o.compared {
		one := *o
		one.strategy = s
		one.setTasks()
		if err := one.refused(one.ofTime()); err != nil {
			return err
		}
		o.single = append(o.single, one)
	}
	return nil
}

// checkComparedTasks refuses tasks that no strategy of the comparison has. Where the
// workload is given it is given for all of them: readers and writers, or workers.
func (o *options) checkComparedTasks() error {
	readers, workers := o.given["readers"] || o.given["writers"], o.given["workers"]
	ofCaches, ofRaces := !o.grow && !readers, !o.grow && !workers // what is missing
	var first, other error
	caches, races := false, false
	for _, s := range o.compared {
		race := s.Race != nil
		caches, races = caches || !race, races || race
		one := options{strategy: s, given: o.given}
		first = cmp.Or(first, one.refused(one.ofTasks()))
		switch {
		case other != nil:
		case race && ofRaces:
			other = fmt.Errorf("%s has workers and no cache; say how many, with -workers", s.Name)
		case !race && ofCaches:
			other = fmt.Errorf("%s has readers and writers; say how many, with -readers and -writers", s.Name)
		}
	}
	if caches && races { // so that each flag is one of some strategy
		return other
	}
	return first
}

// canBeAsked returns an error if the property cannot be asked of any strategy.
func (o *options) canBeAsked(property string) error {
	if property == "" { // which would be the default of each
		return errors.New("-property: a name is missing")
	}
	var first error
	for _, s := range o.compared {
		_, err := model.LookupProperty(property, s)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// compare explores every strategy with every property.
func (o options) compare(ctx context.Context, progress *progress) (*report.Comparison, error) {
	c := &report.Comparison{Properties: o.properties}
	if o.grow {
		c.MaxTasks = o.maxTasks
		common := o.workload
		common.Readers, common.Writers, common.Workers = 1, 1, 0
		_, c.Workloads, _ = strings.Cut(common.String(), "1 writer, ")
	} else {
		c.Workloads = o.inWords()
	}
	for _, one := range o.single {
		row, err := one.row(ctx, progress)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.strategy.Name, err)
		}
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

// inWords returns the workload of a comparison that does not grow, in words: that of
// the first strategy, and if others are of the other kind theirs too.
func (o options) inWords() string {
	var kinds []string
	for _, one := range o.single {
		if words := one.workload.String(); !slices.Contains(kinds, words) {
			kinds = append(kinds, words)
		}
	}
	return strings.Join(kinds, ", or ")
}

// smallest returns the first workload that is explored.
func (o options) smallest() model.Workload {
	if o.grow {
		return o.workload.Smallest(o.maxTasks)[0]
	}
	return o.workload
}

// row explores one strategy for every property. A workload whose code fails has no
// verdict; code that is not deterministic is an error, as without a comparison.
func (o options) row(ctx context.Context, progress *progress) (row report.Row, err error) {
	world, err := model.NewWorld(o.strategy, o.workload.Keys)
	if err != nil {
		return row, err
	}
	defer world.Close()
	row.Strategy, row.Cells = o.strategy.Name, make([]report.Cell, len(o.properties))
	var properties []model.Property
	var cells []*report.Cell // of these properties
	for i, name := range o.properties {
		if p, err := model.LookupProperty(name, o.strategy); err == nil { // it is one of this strategy
			properties, cells = append(properties, p), append(cells, &row.Cells[i])
		}
	}
	if _, _, err := world.Ask(o.smallest(), properties...); err != nil {
		return row, err
	}
	searches, left, err := o.search(ctx, world, properties, progress)
	unknown := reason(err)
	if err != nil && unknown == "" {
		return row, err
	}
	for i, cell := range cells {
		if unknown != "" && slices.Contains(left, i) {
			cell.Error = unknown
		} else {
			cell.Search = searches[i]
		}
	}
	if o.strategy.Race == nil {
		row.Costs, err = o.costs(ctx, world, progress)
	}
	return row, err
}

// reason returns why a search could not be made; "" if it was, or nobody can say.
func reason(err error) string {
	var nondeterminism *explore.NondeterminismError
	if err == nil || errors.As(err, &nondeterminism) {
		return ""
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// costs measures the workload that is given, or else the one with the most readers. The largest number of loads at
// once is the least for which db-load holds.
func (o options) costs(ctx context.Context, world *model.World, progress *progress) (*report.Costs, error) {
	trips, err := world.RoundTrips(o.workload)
	if err != nil {
		return nil, err
	}
	w := o.workload
	if o.grow {
		w.Readers, w.Writers = o.maxTasks-1, 1
	}
	c := &report.Costs{RoundTrips: report.RoundTrips(trips), Workload: w, Loads: -1}
	sys, _, err := world.Ask(w)
	if err != nil {
		return nil, err
	}
	var loads []sim.Property
	for n := range len(sys.Tasks()) + 1 { // more there cannot be
		p, err := model.LookupProperty(fmt.Sprintf("db-load=%d", n), o.strategy)
		if err != nil {
			return nil, err
		}
		_, asked, err := world.Ask(w, p)
		if err != nil {
			return nil, err
		}
		loads = append(loads, asked[0])
	}
	progress.begin()
	results, err := explore.ProductOfEach(ctx, sys, loads, explore.ProductOptions{NoSymmetry: !o.symmetry, LimitStates: o.limitStates, LimitMemory: o.limitMemory,
		Stale: model.Stale(o.strategy, w), Progress: progress.product})
	if c.Unknown = reason(err); err != nil && c.Unknown == "" {
		return nil, err
	}
	if err != nil {
		return c, nil
	}
	c.Stale = results[0].Stale
	if results[0].Verdict == explore.Incomplete {
		c.Unknown = results[0].Reason
	}
	switch c.Loads = slices.IndexFunc(results, func(r *explore.Result) bool { return r.Verdict == explore.Holds || r.Verdict == explore.Vacuous }); {
	case c.Unknown != "":
		c.Loads = -1
	case c.Loads < 0:
		c.Unknown = "there is a deadlock"
	}
	return c, nil
}
