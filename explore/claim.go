package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"quiesce/explore/learn"
	"quiesce/sim"
)

// A Claim is a sequence of steps that somebody says has happened, in this order;
// others may have come between them.
type Claim []ClaimedStep

// A ClaimedStep is one step of a [Claim].
type ClaimedStep struct {
	Task string // its name, or "environment" for a fault that strikes no task and for a tick

	// Request and Reply say whether a step is meant, by the request and the reply
	// as the store describes them. In a process of several tasks the reply is that
	// of the request, not of its arrival.
	Request, Reply func(string) bool
}

// A ClaimResult says whether a claim can be true.
type ClaimResult struct {
	// Trace is an interleaving in which all claimed steps come in their order, and
	// Steps are the indices of those in it. Trace is nil if there is none.
	Trace *Trace
	Steps []int

	// Possible is the number of claimed steps that can come in their order. The
	// one after them is the first that cannot, if there is one left.
	Possible int

	// Instead are the replies that the task gets to the request of that step, once
	// the possible ones have come in their order; all of them, sorted. It is nil if
	// the task makes no such request then.
	Instead []string
}

// A RequestError says that no task ever makes the request of a claimed step, in any
// interleaving: the claim is mistaken, and not about this system.
type RequestError struct {
	Step int    // of the claim, from 1
	Task string // that is claimed to make it

	// Made are the requests that the task does make, as the stores describe them,
	// sorted.
	Made []string
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("step %d of the claim: no task ever makes such a request", e.Step)
}

// CheckClaim says whether an interleaving of the system realises a claim: a search
// of pairs of a state and the number of claimed steps that have come. A step that
// can be the next of the claim is taken for it: whatever can follow if a later one
// is taken can follow this one too. The interleaving that it returns has as few
// faults as can be, and then as few context switches. A claim with a task that is
// not in the system, a request that no task ever makes, which is a [*RequestError],
// and a system with more than limit states without symmetry are errors; 0 means no
// limit.
func CheckClaim(ctx context.Context, sys *sim.System, claim Claim, limit int) (*ClaimResult, error) {
	return guarded(ctx, sys, func() (*ClaimResult, error) { return checkClaim(ctx, sys, claim, limit) })
}

func checkClaim(ctx context.Context, sys *sim.System, claim Claim, limit int) (*ClaimResult, error) {
	tasks := taskNames(sys.Tasks())
	if len(sys.Faults) > 0 || sys.Timing != nil {
		tasks = append(tasks, environmentName)
	}
	for i, s := range claim {
		if !slices.Contains(tasks, s.Task) {
			return nil, fmt.Errorf("step %d of the claim: there is no task %q in this workload", i+1, s.Task)
		}
	}
	g, err := newGraph(sys, nil, false, true, allClasses(sys))
	if err != nil {
		return nil, err
	}
	err = g.search(ctx, limit, func() bool { return limit > 0 && g.set.n > limit || g.endless() })
	if err != nil {
		return nil, err
	}
	switch {
	case g.expanded == g.set.n:
	case ctx.Err() != nil:
		return nil, errors.New("interrupted before every interleaving was looked at")
	case g.endless():
		return nil, errEndless
	default:
		return nil, fmt.Errorf("the workload has more than %d states; make it smaller to judge a claim about it", limit)
	}
	// What is not so in every run is no answer, and no violation is run that would show it.
	if err := g.check(ctx, nil, true, 0, learn.TimesAgain); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	c := &claimSearch{g: g, claim: claim, seen: map[claimState]claimVisit{}, instead: make([]map[string]bool, len(claim)), meant: map[claimQuestion]bool{}}
	if err := c.search(); err != nil {
		return nil, err
	}
	if !c.found {
		if err := c.unheard(); err != nil {
			return nil, err
		}
	}
	return c.result()
}

// allClasses returns the classes of all programs: no table is shared then, so
// a store may tell any processes apart.
func allClasses(sys *sim.System) map[string]bool {
	all := map[string]bool{}
	for _, p := range sys.Programs {
		all[p.Class] = true
	}
	return all
}

// A claimSearch goes from the initial state on, by faults and then by context
// switches.
type claimSearch struct {
	g       *graph // without symmetry
	claim   Claim
	seen    map[claimState]claimVisit // how it was first come to
	end     claimState                // in which the claim has been realised, if found
	found   bool
	most    int               // claimed steps that have come
	instead []map[string]bool // by how many have come: replies to the request of the next
	meant   map[claimQuestion]bool
}

// A claimState is a state, the task of the step before, and how many claimed steps
// have come.
type claimState struct {
	state      uint32
	last, come int
}

// nobody is the task of the step before the first.
const nobody = -1

// A claimVisit is a way to a state: a move from the one before.
type claimVisit struct {
	at, before claimState
	move       sim.Move
}

// A claimQuestion is whether a step is the next one of the claim.
type claimQuestion struct {
	sim.Step
	come int
}

// search looks at every state together with every number of claimed steps, until
// the whole claim has come and nothing more can happen.
func (c *claimSearch) search() error {
	todo := map[cost][]claimVisit{0: {{at: claimState{last: nobody}}}}
	for len(todo) > 0 {
		least := slices.Min(slices.Collect(maps.Keys(todo)))
		for i := 0; i < len(todo[least]); i++ {
			v := todo[least][i]
			if _, ok := c.seen[v.at]; ok {
				continue
			}
			c.seen[v.at] = v
			c.most = max(c.most, v.at.come)
			if c.g.ends(v.at.state) && v.at.come == len(c.claim) {
				c.end, c.found = v.at, true
				return nil
			}
			next, err := c.next(v.at)
			if err != nil {
				return err
			}
			for _, n := range next {
				sum := least
				if n.at.last != v.at.last {
					sum += aSwitch
				}
				if n.move.Strikes() {
					sum += aFault
				}
				todo[sum] = append(todo[sum], n)
			}
		}
		delete(todo, least)
	}
	return nil
}

// next returns the visits of the states after every step.
func (c *claimSearch) next(at claimState) (all []claimVisit, err error) {
	err = c.each(at.state, func(to uint32, m sim.Move, step sim.Step) {
		next := claimState{to, m.Task, at.come}
		if at.come < len(c.claim) && c.means(step, at.come) {
			next.come++
		}
		all = append(all, claimVisit{next, at, m})
	})
	return all, err
}

// each calls visit with every step that is possible in a state, and the state after it.
func (c *claimSearch) each(state uint32, visit func(to uint32, m sim.Move, step sim.Step)) error {
	g := c.g
	values := g.values(state)
	for e, m := range g.out(state) {
		_, s, _, err := g.do(values, m)
		if err != nil {
			return err
		}
		visit(e.to, m, s)
	}
	return nil
}

// unheard returns a [*RequestError] about the first claimed step of a task whose request
// no task makes in any state; nil if there is none. The environment makes no requests.
func (c *claimSearch) unheard() error {
	met := map[sim.Step]bool{}
	made := map[string]map[string]bool{} // requests by task
	heard := make([]bool, len(c.claim))
	for state := range c.g.set.n {
		err := c.each(uint32(state), func(_ uint32, _ sim.Move, step sim.Step) {
			if met[step] {
				return
			}
			met[step] = true
			task, request, _ := described(c.g.sys, step)
			if task == environmentName {
				return
			}
			if made[task] == nil {
				made[task] = map[string]bool{}
			}
			made[task][request] = true
			for i, claimed := range c.claim {
				heard[i] = heard[i] || claimed.Request(request)
			}
		})
		if err != nil {
			return err
		}
	}
	for i, claimed := range c.claim {
		if !heard[i] && claimed.Task != environmentName {
			return &RequestError{i + 1, claimed.Task, slices.Sorted(maps.Keys(made[claimed.Task]))}
		}
	}
	return nil
}

// means says whether a step is the next one of the claim.
func (c *claimSearch) means(step sim.Step, come int) bool {
	q := claimQuestion{step, come}
	answer, ok := c.meant[q]
	if ok {
		return answer
	}
	claimed := c.claim[come]
	if task, request, reply := described(c.g.sys, step); task == claimed.Task {
		if claimed.Request(request) {
			if answer = claimed.Reply(reply); !answer {
				if c.instead[come] == nil {
					c.instead[come] = map[string]bool{}
				}
				c.instead[come][reply] = true
			}
		}
	}
	c.meant[q] = answer
	return answer
}

// result runs the interleaving that was found for real, or says what is in the way.
func (c *claimSearch) result() (*ClaimResult, error) {
	r := &ClaimResult{Possible: c.most}
	if !c.found {
		if c.most < len(c.claim) {
			r.Instead = slices.Sorted(maps.Keys(c.instead[c.most]))
		}
		return r, nil
	}
	var schedule Schedule
	var steps []int // from the end, as the number of steps after them
	for at := c.end; at.last != nobody; at = c.seen[at].before {
		if c.seen[at].before.come < at.come {
			steps = append(steps, len(schedule))
		}
		schedule = append(schedule, c.seen[at].move)
	}
	slices.Reverse(schedule)
	slices.Reverse(steps)
	for _, after := range steps {
		r.Steps = append(r.Steps, len(schedule)-1-after)
	}
	var err error
	if r.Trace, err = Replay(c.g.sys, schedule); err != nil {
		return nil, fmt.Errorf("the interleaving that is as claimed does not replay: %w", err)
	}
	return r, c.g.sys.Stray()
}
