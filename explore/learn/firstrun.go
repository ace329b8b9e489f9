package learn

import (
	"errors"
	"slices"

	"quiesce/sim"
)

// maxFirst is how many words each task is told in a first run. One that polls would be
// told words for ever.
const maxFirst = 100

// A firstRun is the execution before all others: what processes share by mistake is as
// it was only there. What each process does in it has to be what it does afterwards.
//
// Something that one process sets and another looks at is seen if it is looked at first.
// So those whose requests change nothing go ahead: they read, and who reads is more
// often the one that looks. Among equals the last goes first, since the search that
// follows begins with the first.
type firstRun struct {
	sys     *sim.System
	tasks   []sim.TaskRef
	procs   []sim.Machine // by program; nil if it has failed
	courses []Course      // by program
	replies []*sim.Reply  // by task: to a request that has changed something, yet to be delivered
	left    []int         // by task: how many words it may still be told
	ended   error         // the run, which is not what a process went through
}

// FirstCourses runs a system for the first time, and returns what its processes went
// through. Errors end only what they are an error of: the search will meet them. Only a
// [*sim.PlaceError] and a [*sim.HangError], after which nothing can be run, are returned.
func FirstCourses(sys *sim.System) ([]Course, error) {
	r := &firstRun{sys: sys, tasks: sys.Tasks()}
	n := len(sys.Programs)
	r.procs, r.courses = make([]sim.Machine, n), make([]Course, n)
	r.replies, r.left = make([]*sim.Reply, len(r.tasks)), make([]int, len(r.tasks))
	for i := range sys.Stores {
		if sys.Reset(i) != nil {
			return nil, nil
		}
	}
	for i := n - 1; i >= 0; i-- {
		p, err := sys.Process(i)
		if p != nil {
			defer p.Stop()
		}
		r.note(err)
		if err == nil {
			r.procs[i] = p
			r.courses[i] = Course{program: i, Times: 1, moments: []moment{momentOf(p, tasksOf(sys, i))}}
		}
	}
	for i := range r.left {
		r.left[i] = maxFirst
	}
	for i, t := range r.tasks {
		for t.Boot && r.step(i) {
		}
	}
	for goesOn := true; goesOn; {
		goesOn = false
		for i := len(r.tasks) - 1; i >= 0; i-- {
			goesOn = r.arrive(i) || goesOn
			for r.replies[i] == nil && r.step(i) {
				goesOn = true
			}
		}
	}
	return slices.DeleteFunc(r.courses, func(c Course) bool { return c.moments == nil }), r.ended
}

// note keeps an error that is returned.
func (r *firstRun) note(err error) {
	if r.ended == nil && (errors.As(err, new(*sim.PlaceError)) || errors.As(err, new(*sim.HangError))) {
		r.ended = err
	}
}

// step executes the request of a task, and delivers the reply if it has changed
// nothing, or if the task boots. It returns false if that is not possible.
func (r *firstRun) step(task int) bool {
	ref := &r.tasks[task]
	p := r.procs[ref.Program]
	if p == nil || r.left[task] == 0 {
		return false
	}
	req, ok := p.Pending().At(ref.Place)
	if !ok {
		return false
	}
	var reply sim.Reply
	changed := false
	if !req.Local() {
		var err error
		if reply, changed, err = r.execute(req); err != nil {
			return false
		}
	}
	r.left[task]--
	r.replies[task] = &reply
	if !changed || ref.Boot {
		r.arrive(task)
	}
	return true
}

// execute executes a request, and says whether it has changed the content of its store.
func (r *firstRun) execute(req sim.Request) (reply sim.Reply, changed bool, err error) {
	store := r.sys.Stores[r.sys.Store(req.Store)]
	before, err := store.Content()
	if err != nil {
		return sim.Reply{}, false, err
	}
	key := before.Key()
	if reply, err = store.Execute(req); err != nil {
		return sim.Reply{}, false, err
	}
	after, err := store.Content()
	return reply, after.Key() != key, err
}

// arrive delivers a reply that has yet to be. It returns false if there is none.
func (r *firstRun) arrive(task int) bool {
	if r.replies[task] == nil {
		return false
	}
	ref := &r.tasks[task]
	p, c := r.procs[ref.Program], &r.courses[ref.Program]
	reply := *r.replies[task]
	r.replies[task] = nil
	if p == nil {
		return true
	}
	if err := p.Deliver(ref.Place, reply); err != nil {
		r.note(err)
		r.procs[ref.Program] = nil
		return true
	}
	for i, t := range r.tasks { // of goroutines some may have given up what they waited for
		if t.Program == ref.Program && i != task && r.sys.Programs[t.Program].Goroutines && p.Pending().Fresh(t.Place) {
			r.replies[i] = nil
		}
	}
	c.told = append(c.told, word{task: ref.Index, reply: reply})
	c.moments = append(c.moments, momentOf(p, tasksOf(r.sys, ref.Program)))
	return true
}
