package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// ProductOptions bound a product search. The zero value means all states, with
// symmetry, states by memory, and an audit.
type ProductOptions struct {
	// NoSymmetry searches all permutations of interchangeable tasks.
	NoSymmetry bool

	// NoMerge tells states of a process with several tasks apart by its history, also
	// where it shows all memory that they share: see [sim.Process.ShowsAll].
	NoMerge bool

	// Audit is the number of random complete schedules that are run for real
	// after a search that found nothing; 0 stands for 100. Whatever it is, and whatever
	// was found, what was learned of a process is replayed (a sample, if it ends in more than a thousand ways) before a verdict is
	// given. NoAudit leaves out both.
	Audit int

	// LimitStates and LimitMemory end the search with the verdict Incomplete as
	// soon as more states are known, or they and their edges occupy more bytes
	// (which is looked at now and then); 0 means no limit.
	LimitStates int
	LimitMemory int64

	// Quiescent, if not nil, is called with every quiescent state. One state
	// stands for all permutations of interchangeable tasks, and for all states of a
	// monitor, which it does not have.
	Quiescent func(sim.View)

	// Values, if not nil, is an expression whose values at quiescence are counted.
	// It is a function of the view that does not tell interchangeable processes
	// apart.
	Values func(sim.View) string

	// Measures are counted along all interleavings, if the search was complete.
	Measures []Measure

	// Stale, if not nil, says whether something is stale in a view. The longest
	// stretch of an interleaving in which it is so is looked for.
	Stale func(sim.View) bool

	// Explain asks for [Result.Cause] and [Result.Closest] of a violation.
	Explain bool

	// Graph asks for [Result.Graph], which keeps all states and steps in memory.
	Graph bool

	// Progress, if not nil, is called now and then.
	Progress func(Progress)
}

// NoAudit, as [ProductOptions.Audit], means that nothing which was learned is run again
// but a counterexample. A system that is not deterministic may then pass.
const NoAudit = -1

// schedules returns how many random schedules the audit has.
func (o ProductOptions) schedules() int {
	if o.Audit == 0 {
		return 100
	}
	return max(0, o.Audit)
}

// Progress says how far a product search has come.
type Progress struct {
	States      int
	Transitions int
	Frontier    int // states that are known but not expanded
	Depth       int // steps from the initial state
}

// Statistics say what a product search has done.
type Statistics struct {
	States        int
	Transitions   int
	StoreExecuted int // requests really executed by a store, to learn or to restore
	TaskRuns      int // coroutines really run
	StateBytes    int64
	EdgeBytes     int64
}

// Product explores all interleavings of the system as paths in the product of
// its learned machines: a process or a store does a distinct thing for real only
// once. Its verdict and its counts are those of [Direct].
//
// A canceled context ends the search with the verdict [Incomplete], and so does a task
// that asks the same for ever. An error means that the system could not be run, or is
// not deterministic; if an execution ended in it, it is an [*ExecutionError]. A task that
// hangs is a [*sim.HangError].
func Product(ctx context.Context, sys *sim.System, opts ProductOptions) (*Result, error) {
	results, err := guardedSearch(ctx, sys, "product", 1, func() ([]*Result, error) {
		return productOfAll(ctx, sys, []sim.Property{sys.Property}, opts)
	})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// ProductOfEach is [Product] for each of several properties, of which none need be that
// of the system, in one exploration. What it says of a property is what Product
// says of it, but for the statistics: its states are the states of all monitors,
// and interchangeable tasks are searched in one order only if no property tells
// them apart.
//
// In a timed system it takes one exploration more for each property with a monitor:
// time passes for as long as a monitor counts it, which is nothing that happens to
// the others.
func ProductOfEach(ctx context.Context, sys *sim.System, properties []sim.Property, opts ProductOptions) ([]*Result, error) {
	return guardedSearch(ctx, sys, "product", len(properties), func() ([]*Result, error) {
		return productOfEach(ctx, sys, properties, opts)
	})
}

func productOfEach(ctx context.Context, sys *sim.System, properties []sim.Property, opts ProductOptions) ([]*Result, error) {
	if sys.Timing == nil {
		return productOfAll(ctx, sys, properties, opts)
	}
	results := make([]*Result, len(properties))
	var together []sim.Property
	var places []int // in results
	for i, p := range properties {
		if p.Monitor == nil {
			together, places = append(together, p), append(places, i)
			continue
		}
		var err error
		if results[i], err = Product(ctx, sys.With(p), opts); err != nil {
			return nil, err
		}
	}
	if len(together) == 0 {
		return results, nil
	}
	found, err := productOfAll(ctx, sys, together, opts)
	for i, r := range found {
		results[places[i]] = r
	}
	return results, err
}

// productOfAll explores the system for all properties, which share every step.
func productOfAll(ctx context.Context, sys *sim.System, properties []sim.Property, opts ProductOptions) (r []*Result, err error) {
	defer rescue(&err)
	first, err := learn.FirstCourses(sys)
	if err != nil {
		return nil, err
	}
	apart := map[string]bool{}
	for {
		r, err = productOnce(ctx, sys, properties, first, apart, opts)
		var conn *connectionError
		if !errors.As(err, &conn) {
			return r, err
		}
		// A store tells the processes of a class apart, which only a request has
		// shown; from the start again, with each of them a class of its own.
		apart[conn.class] = true
	}
}

// productOnce explores the system, whose processes have gone through the first courses
// before; the processes of classes in apart are not
// interchangeable. It returns a *connectionError if those of another are not
// either.
func productOnce(ctx context.Context, sys *sim.System, properties []sim.Property, first []learn.Course, apart map[string]bool, opts ProductOptions) ([]*Result, error) {
	g, err := newGraph(sys, properties, !opts.NoSymmetry, !opts.NoMerge, apart)
	if err != nil {
		return nil, err
	}
	r := Result{Engine: "product"}
	err = g.search(ctx, opts.LimitStates, func() bool {
		r.Reason = g.limit(opts)
		if opts.Progress != nil {
			opts.Progress(Progress{g.set.n, g.steps, g.set.n - g.expanded, g.depth})
		}
		return r.Reason != ""
	})
	var loop *learn.LoopError
	if errors.As(err, &loop) {
		r.Reason, err = loop.Error(), nil
	}
	if err != nil {
		return nil, err
	}
	if r.Reason == "" && g.expanded < g.set.n {
		r.Reason = "interrupted"
	}
	learned := opts.Audit >= 0 && r.Reason == ""
	if err := g.check(ctx, first, learned, 0, learn.TimesAgain); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if r.Reason == "" && ctx.Err() != nil {
		r.Reason = "interrupted during the audit"
	}
	order := g.order()
	g.prune(order)
	if g.height > maxSteps {
		return nil, fmt.Errorf("an execution has %d steps, more than %d; does a task wait in a loop?", g.height, maxSteps)
	}
	if opts.Quiescent != nil {
		g.quiescent(opts.Quiescent)
	}
	if opts.Values != nil {
		if r.Values, err = g.tally(order, opts.Values); err != nil {
			return nil, err
		}
	}
	if r.Reason == "" {
		for _, m := range opts.Measures {
			total, err := g.total(order, m)
			if err != nil {
				return nil, err
			}
			r.Measured = append(r.Measured, total)
		}
		if opts.Stale != nil {
			w := g.window(order, opts.Stale)
			r.Stale = &w
		}
	}
	var results []*Result
	for _, p := range properties {
		one := r
		if err := g.about(p).conclude(ctx, &one, order, opts); err != nil {
			return nil, err
		}
		results = append(results, &one)
	}
	if learned && !slices.ContainsFunc(results, func(r *Result) bool { return r.Audited > 0 }) {
		if err := g.check(ctx, nil, learned, learn.TimesAgain, learn.MostAgain); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	return results, sys.Stray()
}

// conclude says in r, which has what does not depend on the property, what the
// searched graph says about the property.
func (g *graph) conclude(ctx context.Context, r *Result, order []uint32, opts ProductOptions) error {
	violates, err := g.evaluate()
	if err != nil {
		return err
	}
	c := g.count(order, violates)
	r.Interleavings, r.Violating, r.Probability = c.interleavings, c.violating, c.probability
	if r.Premise, err = g.premise(order); err != nil {
		return err
	}
	if opts.Graph {
		r.Graph = &Graph{g, violates}
	}
	r.decide()
	if r.Violating.Sign() > 0 {
		r.Counterexample, err = confirm(g.sys, g.minimal(order, violates))
		if err == nil && opts.Explain && r.Verdict == Violated {
			err = g.explain(ctx, r, order, violates)
		}
	} else if r.Verdict == Holds {
		if r.Audited, err = g.audit(ctx, opts.schedules()); r.Audited < opts.schedules() {
			r.Reason = "interrupted during the audit"
			r.decide()
		}
	}
	if err == nil && r.Verdict == Holds {
		err = g.account().doubt(r, func() (string, error) { return g.unheld(), nil })
	}
	if err == nil {
		err = g.sys.Stray()
	}
	r.Statistics = g.statistics()
	return err
}

// explain says of a violation why it happens and how it would not have happened.
func (g *graph) explain(ctx context.Context, r *Result, order []uint32, violates []badness) (err error) {
	if schedule := g.closest(order, violates, r.Counterexample.Schedule); schedule != nil {
		if r.Closest, err = confirmPassing(g.sys, schedule); err != nil {
			return err
		}
	}
	r.Cause, err = g.cause(ctx, r.Counterexample)
	return err
}

// limit returns which limit has been reached, "" if none.
func (g *graph) limit(opts ProductOptions) string {
	states, edges := g.bytes()
	switch {
	case opts.LimitStates > 0 && g.set.n > opts.LimitStates:
		return fmt.Sprintf("there are more than %d states", opts.LimitStates)
	case opts.LimitMemory > 0 && states+edges > opts.LimitMemory:
		return fmt.Sprintf("states and transitions take more than %d bytes", opts.LimitMemory)
	case g.endless():
		return errEndless.Error()
	case g.set.n >= maxStates-1<<20:
		return "there are more states than the engine can number"
	}
	return ""
}

func (g *graph) statistics() Statistics {
	s := Statistics{States: g.set.n, Transitions: g.steps}
	s.StateBytes, s.EdgeBytes = g.bytes()
	for _, t := range g.stores {
		s.StoreExecuted += t.Executed
	}
	for _, t := range g.codes {
		s.TaskRuns += t.Runs
	}
	return s
}

// A badness says which interleavings through a state violate the property.
type badness uint8

const (
	holds         badness = iota // none
	violatedAtEnd                // those that end there
	violated                     // all
)

// evaluate returns for every state whether the property is violated there: in
// the last states, which are all deadlocks besides, and in all states for a
// property that has to hold always.
func (g *graph) evaluate() (violates []badness, err error) {
	id := 0
	defer func() { err = g.blamed(uint32(id), err) }()
	defer rescue(&err)
	violates = make([]badness, g.set.n)
	known := map[string]bool{} // verdicts on the views that were seen
	for id = range g.set.n {
		ends := g.ends(uint32(id))
		if !ends && !g.sys.Property.Always {
			continue
		}
		values := g.values(uint32(id))
		deadlock := ends && g.waits(values)
		if deadlock {
			violates[id] = violatedAtEnd
		}
		if deadlock && !g.sys.Property.Always {
			continue
		}
		key := g.viewKey(values)
		so, ok := known[key]
		if !ok {
			v := g.view(values)
			so = violation(g.sys, v) != ""
			known[key] = so
			if err := g.indifferent("the property "+g.sys.Property.Name, v, func(v sim.View) string {
				return strconv.FormatBool(violation(g.sys, v) != "")
			}); err != nil {
				return nil, err
			}
		}
		switch {
		case so && g.sys.Property.Always:
			violates[id] = violated
		case so:
			violates[id] = violatedAtEnd
		}
	}
	return violates, nil
}

// quiescent calls f with the view of every quiescent state.
func (g *graph) quiescent(f func(sim.View)) {
	tell := asking(g.sys, "Quiescent", func(v sim.View) struct{} { f(v); return struct{}{} })
	for id := range g.set.n {
		if !g.ends(uint32(id)) {
			continue
		}
		if values := g.values(uint32(id)); !g.waits(values) {
			tell(g.view(values))
		}
	}
}

// indifferent returns an error if a function of a view tells two processes apart
// whose states the graph has merged: then what it says of merged states means
// nothing.
func (g *graph) indifferent(name string, v sim.View, of func(sim.View) string) error {
	value := of(v)
	for i, s := range g.slots {
		for j := i + 1; j <= s.last; j++ {
			other := v
			other.Results, other.Memories, other.Pending, other.Parked = slices.Clone(v.Results), slices.Clone(v.Memories), slices.Clone(v.Pending), slices.Clone(v.Parked)
			p, q := s.program, g.slots[j].program
			other.Memories[p], other.Memories[q] = v.Memories[q], v.Memories[p]
			for k, t := range g.tasks {
				to := k
				switch t.Program {
				case p:
					to += g.base(q) - g.base(p)
				case q:
					to += g.base(p) - g.base(q)
				}
				other.Results[to], other.Pending[to] = v.Results[k], v.Pending[k]
				if v.Parked != nil {
					other.Parked[to] = v.Parked[k]
				}
			}
			if of(other) != value {
				return fmt.Errorf("%s tells %s and %s apart, which are of the same class; set Labelled in the property, or turn symmetry off",
					name, g.sys.Programs[p].Name, g.sys.Programs[q].Name)
			}
		}
	}
	return nil
}

// base returns the first task of a program.
func (g *graph) base(program int) int { return g.slots[g.slotOf[program]].base }

// viewKey returns a string that is equal exactly for equal views.
func (g *graph) viewKey(values []uint32) string {
	var b []byte
	for _, v := range values[len(g.slots):] {
		b = fmt.Appendf(b, "%d,", v)
	}
	for i, s := range g.slots {
		table := g.codes[s.code]
		b = fmt.Appendf(b, "%q,", table.MemoryKey(values[i]))
		asks := table.Asks(values[i])
		for task, w := range table.Wants(values[i]) {
			b = fmt.Appendf(b, "%q,%d,%d,", w.Result, asks[task].Store, asks[task].Request)
		}
	}
	return string(b)
}
