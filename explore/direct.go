package explore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// DirectOptions bound a direct search. The zero value means all interleavings.
type DirectOptions struct {
	// Limit is the largest number of interleavings to run; 0 means no limit.
	Limit int

	// Quiescent, if not nil, is called with the last state of every
	// interleaving that does not end in a deadlock, without that of a monitor.
	Quiescent func(sim.View)

	// Values, if not nil, is an expression whose values at quiescence are counted.
	Values func(sim.View) string

	// Progress, if not nil, is called now and then with the number of
	// interleavings so far.
	Progress func(interleavings int)
}

// Direct runs every interleaving of the system for real, each from a fresh
// world: depth first, in the order of the tasks, nothing learned and nothing
// merged. It is slow and obvious, the reference for every faster engine.
//
// It is a witness for deterministic systems only. What each process did in the first
// run is run again at the end, and the steps that an interleaving shares with the one
// before are compared; what happens after those is believed. A task that iterates
// over a map in its last steps, for example, passes here more often than in [Product],
// which replays what it has learned.
//
// A canceled context ends the search with the verdict [Incomplete], and so does an
// execution without an end. An error means that the system could not be run, or is
// not deterministic; if an execution ended in it, it is an [*ExecutionError]. A task
// that hangs is a [*sim.HangError].
func Direct(ctx context.Context, sys *sim.System, opts DirectOptions) (*Result, error) {
	results, err := guardedSearch(ctx, sys, "direct", 1, func() ([]*Result, error) {
		r, err := searchDirectly(ctx, sys, opts)
		return []*Result{r}, err
	})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

func searchDirectly(ctx context.Context, sys *sim.System, opts DirectOptions) (r *Result, err error) {
	first, err := learn.FirstCourses(sys)
	if err != nil {
		return nil, err
	}
	d := newDirect(sys)
	defer func() { err = d.blamed(err) }()
	defer rescue(&err)
	r = &Result{Engine: "direct"}
	premised, valued, quiescent := d.asking(opts)
	var best Schedule
	interleavings, violating, premise := 0, 0, 0
	values := map[string]*big.Int{}
	for {
		if ctx.Err() != nil {
			r.Reason = "interrupted"
			break
		}
		view, violation, ok, err := d.next()
		if loop := (*learn.LoopError)(nil); err == errEndless || errors.As(err, &loop) {
			r.Reason = err.Error()
			break
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if opts.Limit > 0 && interleavings == opts.Limit {
			r.Reason = fmt.Sprintf("the limit of %d interleavings was reached", opts.Limit)
			break
		}
		interleavings++
		if violation != "" {
			violating++
			if s := d.schedule(); best == nil || s.compare(best) < 0 {
				best = s
			}
		}
		plain := view // what it shows does not depend on the property
		plain.Monitor = ""
		if opts.Quiescent != nil && !d.deadlock {
			quiescent(plain)
		}
		if opts.Values != nil && !d.deadlock {
			v := valued(plain)
			if values[v] == nil {
				values[v] = new(big.Int)
			}
			values[v].Add(values[v], big.NewInt(1))
		}
		if sys.Property.Premise != nil && !d.deadlock && premised(view) {
			premise++
		}
		if opts.Progress != nil && interleavings%1024 == 0 {
			opts.Progress(interleavings)
		}
	}
	again := learn.Check{Sys: sys, Courses: first, Class: func(program int) []int { return []int{program} }}
	for i := range first {
		first[i].Times = learn.TimesAgain
	}
	if err := again.Run(ctx, 0); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := sys.Stray(); err != nil {
		return nil, err
	}
	r.Interleavings = big.NewInt(int64(interleavings))
	r.Violating = big.NewInt(int64(violating))
	if sys.Property.Premise != nil {
		r.Premise = big.NewInt(int64(premise))
	}
	if opts.Values != nil {
		r.Values = valueCounts(values)
	}
	r.decide()
	if r.Verdict == Holds {
		return r, d.doubt(ctx, r)
	}
	if best == nil {
		return r, nil
	}
	r.Counterexample, err = confirm(sys, best)
	return r, err
}

// doubt is that of the account, which here may be interrupted.
func (d *direct) doubt(ctx context.Context, r *Result) error {
	return d.account.doubt(r, func() (string, error) {
		reason, ok, err := d.unheld(ctx)
		if !ok {
			r.Reason, r.Caveats = "interrupted", nil
			r.decide()
		}
		return reason, err
	})
}

// asking returns what is asked at quiescence: the premise of the property, the
// expression, and what is told.
func (d *direct) asking(opts DirectOptions) (premise func(sim.View) bool, value func(sim.View) string, quiescent func(sim.View)) {
	tell := asking(d.sys, "Quiescent", func(v sim.View) struct{} { opts.Quiescent(v); return struct{}{} })
	return asking(d.sys, "the premise of "+d.sys.Property.Name, d.sys.Property.Premise),
		asking(d.sys, "the expression", opts.Values),
		func(v sim.View) { tell(v) }
}

// blamed returns the error of a property that panicked, with the choices of the
// interleaving. Any other error it returns as it is.
func (d *direct) blamed(err error) error {
	var panicked *sim.PropertyError
	var known *ExecutionError
	if !errors.As(err, &panicked) || errors.As(err, &known) {
		return err
	}
	var steps []sim.Step
	for _, c := range d.choices {
		if c.step != (sim.Step{}) {
			steps = append(steps, c.step)
		}
	}
	s := moves(steps)
	return &ExecutionError{s, s.Format(d.sys), transcript(d.sys, steps), err}
}

// confirm runs the schedule of a counterexample once more before anybody sees it.
func confirm(sys *sim.System, schedule Schedule) (*Trace, error) {
	t, err := Replay(sys, schedule)
	if err != nil {
		return nil, fmt.Errorf("the counterexample does not replay: %w", err)
	}
	if t.Violation == "" {
		return nil, fmt.Errorf("the counterexample %s does not violate %s when it is run again: the system is not deterministic", t.Token, sys.Property.Name)
	}
	return t, nil
}

// direct enumerates schedules like an odometer: the choices of the last
// interleaving are kept, and the deepest one that has an alternative moves on.
type direct struct {
	sys      *sim.System
	tasks    []sim.TaskRef
	judge    judge
	lookups  *sim.Lookups
	account  *account
	look     func(sim.View) // is called in every state; nil if nobody looks
	choices  []choice
	started  bool
	deadlock bool // the last interleaving ended in one
}

// A choice is what was done in a state, one of its alternatives. Those are, in
// this order, the moves without a fault; to end here, if none of them is enabled;
// and the faults, which need not happen.
type choice struct {
	step        sim.Step // unless the choice was to end
	alternative int
	ends        bool // no move without a fault is enabled
	later       bool // there are alternatives after it
}

func newDirect(sys *sim.System) *direct {
	tasks := sys.Tasks()
	return &direct{sys: sys, tasks: tasks, judge: newJudge(sys), lookups: sys.Lookups(), account: newAccount(sys, tasks)}
}

func (d *direct) schedule() Schedule {
	s := make(Schedule, 0, len(d.choices))
	for _, c := range d.choices {
		if c.step != (sim.Step{}) {
			s = append(s, c.step.Move)
		}
	}
	return s
}

// next runs the next interleaving. It returns false if there is none.
func (d *direct) next() (sim.View, string, bool, error) {
	for d.advance() {
		view, violation, ok, err := d.run()
		if ok || err != nil {
			return view, violation, ok, err
		}
	}
	return sim.View{}, "", false, nil
}

// advance drops the choices after which nothing is left to try. The last of
// those that stay is the one to move on. The first interleaving has none.
func (d *direct) advance() bool {
	if !d.started {
		d.started = true
		return true
	}
	for len(d.choices) > 0 && !d.choices[len(d.choices)-1].later {
		d.choices = d.choices[:len(d.choices)-1]
	}
	return len(d.choices) > 0
}

// run takes the choices that are kept, an alternative to the last of them, and
// from there on always the first enabled one. It returns false if there is no
// such alternative because all that come later are blocked.
func (d *direct) run() (view sim.View, violation string, ok bool, err error) {
	r := &directRun{direct: d, kept: max(0, len(d.choices)-1), watch: watcher{judge: d.judge}}
	err = d.sys.Run(func(e *sim.Execution) iter.Seq2[sim.Move, error] {
		return func(yield func(sim.Move, error) bool) {
			if err := r.next(e, func(m sim.Move) (made bool) { return !yield(m, nil) }); err != nil {
				yield(sim.Move{}, err)
			}
		}
	})
	return r.view, r.violation, r.complete, ended(d.sys, err)
}

// A directRun is one interleaving.
type directRun struct {
	*direct
	kept      int // of the choices, which are taken once more
	watch     watcher
	taking    choice // that has been offered
	complete  bool   // it has come to its end
	view      sim.View
	violation string
}

// next offers the moves of which the first is to be made that is not blocked.
func (r *directRun) next(e *sim.Execution, offer func(sim.Move) (made bool)) error {
	n := len(e.Trace())
	switch {
	case n == 0:
		e.Record(r.lookups)
	case n > r.kept:
		if err := r.took(e.Trace()); err != nil {
			return err
		}
	case e.Trace()[n-1] != r.choices[n-1].step:
		return r.differs(e, n-1)
	}
	if err := r.see(e); err != nil {
		return err
	}
	if n < r.kept {
		return r.repeat(e, n, offer)
	}
	from := choice{ends: true} // what the next choice begins with
	if n < len(r.choices) {
		from = r.choices[n]
		// The step that gives way to another is not taken, but still wanted.
		if last := from.step; last != (sim.Step{}) && last.Task != sim.Environment {
			if req, _ := e.Pending(last.Task); req != last.Request {
				return r.differs(e, n)
			}
		}
		from.alternative++
		r.choices = r.choices[:n]
	}
	return r.extend(e, from, offer)
}

// see looks at the state, if anybody wants to know it.
func (r *directRun) see(e *sim.Execution) error {
	if !r.sys.Property.Always && r.look == nil && (r.account.expires || !r.account.news) {
		return nil
	}
	r.account.news = false
	v, err := e.View()
	if err != nil {
		return err
	}
	r.watch.see(v)
	for _, c := range v.Contents {
		r.account.see(c)
	}
	if r.look != nil {
		r.look(v)
	}
	return nil
}

// repeat takes the i-th choice once more. What it sees is compared with the time before.
func (r *directRun) repeat(e *sim.Execution, i int, offer func(sim.Move) (made bool)) error {
	m := r.choices[i].step.Move
	ok := m.Task == sim.Environment
	if !ok {
		_, ok = e.Pending(m.Task)
	}
	if ok && offer(m) {
		return nil
	}
	return r.differs(e, i)
}

// took records the choice whose step has just been taken.
func (r *directRun) took(trace []sim.Step) error {
	c := r.taking
	c.step = trace[len(trace)-1]
	r.account.took(c.step)
	r.choices = append(r.choices, c)
	if len(r.choices) > maxSteps {
		return errEndless
	}
	if task := c.step.Task; task != sim.Environment && len(r.choices) >= learn.MostRepeats {
		return learn.LoopOf(r.sys, r.tasks[task].Name, learn.Asked(trace, task))
	}
	return nil
}

// extend offers the alternatives, beginning with that of a choice, up to the first that
// is enabled. To end here is one of them.
func (r *directRun) extend(e *sim.Execution, from choice, offer func(sim.Move) (made bool)) error {
	moves, certain, err := e.Moves()
	if err != nil {
		return err
	}
	down := slices.Contains(moves, sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.Recovery}})
	for c := from; c.alternative <= len(moves); c.alternative++ {
		if c.alternative == certain {
			stuck, err := e.Stuck()
			if err != nil {
				return err
			}
			r.account.stuck = r.account.stuck || c.ends && stuck
			if c.ends && !stuck {
				c.step, c.later = sim.Step{}, len(moves) > certain
				r.choices = append(r.choices, c)
				return r.end(e)
			}
			continue
		}
		i := c.alternative
		if i > certain {
			i--
		}
		var req sim.Request
		if moves[i].Fault.Kind == "" { // a fault can be blocked by what would come of it
			req, _ = e.Pending(moves[i].Task)
		}
		r.taking = c
		r.taking.later, r.taking.ends = i < len(moves)-1, c.ends && c.alternative > certain
		if offer(moves[i]) {
			return nil
		}
		if !req.Local() {
			r.account.waited(req, down)
		}
	}
	return nil
}

// end judges the interleaving.
func (r *directRun) end(e *sim.Execution) error {
	r.account.ended(e.Trace())
	waiting, err := unfinished(r.sys, e)
	if err != nil {
		return err
	}
	r.deadlock = len(waiting) > 0
	if r.view, err = e.View(); err != nil {
		return err
	}
	r.violation, r.complete = r.watch.end(r.view, waiting), true
	return nil
}

// differs returns the error of an execution that cannot repeat the i-th choice.
func (d *direct) differs(e *sim.Execution, i int) error {
	before := make([]sim.Step, i+1)
	for j := range before {
		before[j] = d.choices[j].step
	}
	err := &NondeterminismError{Machine: "the system", Before: transcript(d.sys, before), Now: transcript(d.sys, e.Trace())}
	if task := before[i].Task; len(e.Trace()) <= i && task != sim.Environment {
		now := "has finished"
		if req, ok := e.Pending(task); ok {
			now, _ = d.sys.Describe(req, sim.Reply{})
		}
		err.Now = append(err.Now, d.tasks[task].Name+": "+now)
	}
	return err
}
