package explore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
)

// A property that nothing violates may have had nothing to judge. Then it would hold
// of any code at all, so the verdict is Vacuous.

// doubt says in the result of a search that found no violation what it does not cover:
// its caveats; and why it says nothing, unless unheld, which looks for what the
// property has looked up in vain, and everything else find that it says something.
func (a *account) doubt(r *Result, unheld func() (string, error)) (err error) {
	if r.Interleavings.Sign() > 0 { // else nothing has been done
		r.Caveats = a.caveats()
	}
	reason := a.nothing(r)
	if reason == "" && r.Premise == nil {
		reason, err = unheld()
	}
	if reason != "" {
		r.Verdict, r.Reason = Vacuous, reason
	}
	return err
}

// nothing returns why there is nothing to judge, "" if there is something.
func (a *account) nothing(r *Result) string {
	const prefix = "the property has nothing to judge: "
	switch {
	case len(a.asks) == 0:
		return prefix + "there is no task"
	case r.Interleavings.Sign() == 0:
		return prefix + "in every execution a task sleeps for longer than a key may be there, or than others may wait; allow more faults of the kind expire, or longer waits"
	case !slices.Contains(a.asks, true):
		return prefix + "no task makes a request in any interleaving"
	case r.Premise != nil && r.Premise.Sign() == 0:
		return prefix + "its premise holds in no interleaving"
	}
	return ""
}

// names are those of all items that some state holds, by place.
type names map[string]map[string]bool

func (n names) add(place string, c sim.Content) {
	if n[place] == nil {
		n[place] = map[string]bool{}
	}
	for _, it := range c {
		n[place][it.Name] = true
	}
}

// addView adds what the places of a system hold in a view.
func (n names) addView(sys *sim.System, v sim.View) {
	for i, st := range sys.Stores {
		n.add(st.Name(), v.Contents[i])
	}
	for i, p := range sys.Programs {
		n.add(p.Name, v.Memories[i])
	}
}

// lacks returns what was looked up and is called as no item is, in one sentence that
// has what there is instead; "" if there is no such thing.
func (n names) lacks(l *sim.Lookups) string {
	for _, at := range l.Missed() {
		held := n[at.Place]
		found := false
		for name := range held {
			found = found || at.Finds(sim.Item{Name: name})
		}
		if found {
			continue
		}
		what := fmt.Sprintf("%q", at.Name)
		if at.Prefix {
			what = "what begins with " + what
		}
		return fmt.Sprintf("the property looked up %s in %s, which no state holds; %s has held %s", what, at.Place, at.Place, nearest(at.Name, held))
	}
	return ""
}

// nearest returns a few of the names: those that begin most like name.
func nearest(name string, held map[string]bool) string {
	const few = 3
	all := make([]string, 0, len(held))
	for other := range held {
		all = append(all, other)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(common(name, b)-common(name, a), strings.Compare(a, b))
	})
	switch n := len(all); {
	case n == 0:
		return "nothing"
	case n > few:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:few], ", "), n-few)
	}
	return strings.Join(all, ", ")
}

// common returns how many bytes two names have in common at their begin.
func common(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// unheld returns what names.lacks does, of all states that were searched.
func (g *graph) unheld() string {
	if len(g.lookups.Missed()) == 0 {
		return ""
	}
	held, values := names{}, make([]uint32, g.fields())
	for id := range g.set.n {
		g.layout.unpack(g.set.key(id), values)
		held.addView(g.sys, g.view(values))
		for i, s := range g.slots { // a state stands for all permutations
			code := g.codes[s.code]
			memory := code.Memory(values[i])
			for j := g.first(i); j <= s.last; j++ {
				held.add(g.sys.Programs[g.slots[j].program].Name, memory)
			}
		}
	}
	return held.lacks(g.lookups)
}

// unheld returns what names.lacks does. What a state holds between the begin and the
// end of an interleaving it sees only when it runs them all once more. It returns
// false if ctx is canceled meanwhile.
func (d *direct) unheld(ctx context.Context) (reason string, ok bool, err error) {
	held := names{}
	again := newDirect(d.sys)
	again.look = func(v sim.View) { held.addView(d.sys, v) }
	for more := len(d.lookups.Missed()) > 0; more && err == nil; {
		if ctx.Err() != nil {
			return "", false, nil
		}
		if _, _, more, err = again.next(); more {
			reason = held.lacks(d.lookups)
			more = reason != ""
		}
	}
	return reason, true, err
}
