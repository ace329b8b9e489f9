package explore

import (
	"container/heap"
	"errors"
	"slices"

	"quiesce/sim"
)

// mostCandidates is how many violating schedules are tried until there are times
// that fit one.
const mostCandidates = 1000

// possible returns the trace of the first violating schedule, in the order in which
// minimal is meant, for which there are times. If there are none for the first
// candidates it returns an [*ImpossibleError].
//
// It goes best first over the prefixes of schedules. What is left to pay is known
// exactly, so complete schedules come out in their order.
func (g *graph) possible(order []uint32, violates []badness) (*Trace, error) {
	t, err := confirm(g.sys, g.minimal(order, violates))
	var impossible *ImpossibleError
	if !errors.As(err, &impossible) {
		return t, err
	}
	best, afterwards := g.violent(order, violates)
	open := prefixes{{walk: g.walk(), total: best.of(0)[0]}}
	for tried := 0; len(open) > 0 && tried < mostCandidates; {
		p := heap.Pop(&open).(*prefix)
		if p.complete {
			tried++
			t, err = confirm(g.sys, p.walk.schedule)
			if !errors.As(err, &impossible) {
				return t, err
			}
			continue
		}
		on := best
		if p.bad = p.bad || violates[p.walk.state] == bad; p.bad {
			on = afterwards
		}
		if g.ends(p.walk.state) && (p.bad || violates[p.walk.state] == badEnd) {
			heap.Push(&open, &prefix{walk: p.walk, total: p.spent, complete: true})
		}
		for _, pace := range p.walk.paces() {
			least := g.along(on, pace.edge, pace.Fault)
			spent := p.spent + aStep
			if pace.Strikes() {
				spent += aFault
			}
			if n := len(p.walk.schedule); n > 0 && p.walk.schedule[n-1].Task != pace.Task {
				least, spent = least+aSwitch, spent+aSwitch
			}
			if least >= hopeless {
				continue
			}
			w := p.walk.clone()
			w.take(pace)
			heap.Push(&open, &prefix{walk: w, spent: spent, total: p.spent + least, bad: p.bad})
		}
	}
	return nil, impossible
}

// A prefix is the beginning of a schedule.
type prefix struct {
	walk     *walk
	spent    cost
	total    cost // of the cheapest violating schedule that begins like this
	bad      bool // the property has been violated
	complete bool
}

// prefixes is a heap.
type prefixes []*prefix

func (p prefixes) Len() int { return len(p) }
func (p prefixes) Less(i, j int) bool {
	if p[i].total != p[j].total {
		return p[i].total < p[j].total
	}
	return slices.CompareFunc(p[i].walk.schedule, p[j].walk.schedule, sim.Move.Compare) < 0
}
func (p prefixes) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *prefixes) Push(x any)   { *p = append(*p, x.(*prefix)) }
func (p *prefixes) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
