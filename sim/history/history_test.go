package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quiesce/sim"
	"quiesce/sim/history"
)

const key = "k"

// A span is an operation of a drawn history. Begin and end are the numbers of events; end
// is 0 of one that does not return. At is when a source has what it writes.
type span struct {
	history.Op
	task       string
	begin, end int
	at         int
}

// ended says whether it has returned without an error, before the event.
func (s span) ended(before int) bool { return !s.Failed && s.end > 0 && s.end < before }

// A teller tells a history to the monitor of a property, by what an engine would show of
// a process with a log: the view and the step.
type teller struct {
	prop    sim.Property
	state   string
	entries map[string]string
	source  string
}

func (h *teller) tell(task string, req sim.Request) {
	v := sim.View{Contents: []sim.Content{{{Name: key, Value: h.source}}}, Memories: []sim.Content{nil, {}}}
	for task, e := range h.entries {
		v.Memories[1] = append(v.Memories[1], sim.Item{Name: "history/" + task, Value: e})
	}
	h.state = h.prop.Monitor.After(h.state, sim.Event{Step: sim.Step{Request: req}, Name: task, View: v})
}

func (h *teller) violation() string { return h.prop.Violation(sim.View{Monitor: h.state}) }

func (h *teller) entry(n int, s span, ended bool) {
	text := fmt.Sprint(n, " ", s.Name, " ", s.Key)
	switch {
	case s.Kind == history.Write:
		text += " := " + s.Value
	case ended && !s.Failed:
		h.entries[s.task] = text + " = " + s.Value
		return
	}
	switch {
	case !ended:
		text += " …"
	case s.Failed:
		text += " failed"
	default:
		text += " done"
	}
	h.entries[s.task] = text
}

// draw draws a history of three tasks, with up to n operations, and tells it to all. A
// read returns a value that somebody has begun to write, or the initial one. If unique is
// false two writes may write the same. If sourced, a write happens at one moment.
func draw(random *rand.Rand, n int, unique, sourced bool, tellers ...*teller) (all []span) {
	for _, h := range tellers {
		h.state, h.entries, h.source = h.prop.Monitor.Start, map[string]string{}, "first"
	}
	source := "first"
	now := 0
	open := map[string]int{} // by task, the index in all
	count := map[string]int{}
	step := func(task string, req sim.Request, change func(*teller)) {
		now++
		for _, h := range tellers {
			change(h)
			h.source = source
			h.tell(task, req)
		}
	}
	for ended := 0; ended < n; {
		task := fmt.Sprintf("t%d", random.IntN(3))
		i, goesOn := open[task]
		switch {
		case !goesOn && len(all) < n:
			s := span{Op: history.Op{Name: []string{"cart", "checkout"}[random.IntN(2)], Key: key}, task: task, begin: now + 1}
			if random.IntN(2) == 0 {
				s.Kind, s.Value = history.Write, fmt.Sprint("v", len(all))
				if !unique {
					s.Value = fmt.Sprint("v", random.IntN(2))
				}
			}
			count[task]++
			open[task] = len(all)
			all = append(all, s)
			step(task, sim.Yield, func(h *teller) { h.entry(count[task], s, false) })
		case !goesOn:
			if len(open) == 0 {
				return all
			}
		case sourced && all[i].Kind == history.Write && all[i].at == 0:
			source = all[i].Value
			all[i].at = now + 1
			step(task, sim.Request{Store: "s"}, func(*teller) {})
		case random.IntN(8) == 0 && len(all) == n: // it never returns
			delete(open, task)
			count[task] += 100
			ended++
		case count[task] < 100:
			s := &all[i]
			if s.Kind == history.Read {
				values := []string{"first"}
				for _, w := range all {
					if w.Kind == history.Write && (!sourced || w.at > 0) {
						values = append(values, w.Value)
					}
				}
				s.Value = values[random.IntN(len(values))]
			}
			s.Failed = random.IntN(8) == 0
			s.end = now + 1
			delete(open, task)
			ended++
			step(task, sim.Request{Store: "s"}, func(h *teller) { h.entry(count[task], *s, true) })
		}
	}
	return all
}

// orders calls f with every order of the writes, from older to younger, in which a write
// that returned before another one began comes before it, until f returns true. The
// initial value is -1 and comes first.
func orders(all []span, f func(place map[int]int) bool) bool {
	var writes []int
	for i, s := range all {
		if s.Kind == history.Write {
			writes = append(writes, i)
		}
	}
	place := map[int]int{-1: 0}
	var put func() bool
	put = func() bool {
		if len(place) == len(writes)+1 {
			return f(place)
		}
		for _, w := range writes {
			if _, ok := place[w]; ok || slices.ContainsFunc(writes, func(x int) bool {
				_, placed := place[x]
				return !placed && x != w && all[x].ended(all[w].begin)
			}) {
				continue
			}
			place[w] = len(place)
			if put() {
				return true
			}
			delete(place, w)
		}
		return false
	}
	return put()
}

// choices calls f with every way to say which write each read has read, until f returns
// true.
func choices(all []span, f func(of map[int]int) bool) bool {
	of := map[int]int{}
	var choose func(i int) bool
	choose = func(i int) bool {
		if i == len(all) {
			return f(of)
		}
		r := all[i]
		if r.Kind != history.Read || r.Failed || r.end == 0 {
			return choose(i + 1)
		}
		for w := -1; w < len(all); w++ {
			if w < 0 && r.Value == "first" || w >= 0 && all[w].Kind == history.Write && all[w].Value == r.Value && all[w].begin < r.end {
				of[i] = w
				if choose(i + 1) {
					return true
				}
			}
		}
		return false
	}
	return choose(0)
}

// The sentences of the properties, each of one order of the writes, and of one way to say
// which write each read has read.
var sentences = map[string]func(all []span, place, of map[int]int) bool{
	"read-your-writes": func(all []span, place, of map[int]int) bool {
		for r, of := range of {
			for w, s := range all {
				if s.Kind == history.Write && s.task == all[r].task && s.ended(all[r].begin) && place[of] < place[w] {
					return false
				}
			}
		}
		return true
	},
	"monotonic-reads": func(all []span, place, of map[int]int) bool {
		for r, w := range of {
			for q, v := range of {
				if all[q].task == all[r].task && all[q].end < all[r].begin && place[w] < place[v] {
					return false
				}
			}
		}
		return true
	},
	"no-stale-read": noStale(0),
}

func noStale(steps int) func(all []span, place, of map[int]int) bool {
	return func(all []span, place, of map[int]int) bool {
		for r, of := range of {
			for w, s := range all {
				if s.Kind == history.Write && s.ended(all[r].begin) && all[r].begin-s.end-1 >= steps && place[of] < place[w] {
					return false
				}
			}
		}
		return true
	}
}

// holds says whether some order and some choice keep the sentence, for every task by itself,
// or if alone for every read by itself.
func holds(all []span, alone bool, sentence func(all []span, place, of map[int]int) bool) bool {
	for i, s := range all {
		if s.Kind != history.Read {
			continue
		}
		own := slices.Clone(all)
		for j := range own {
			if own[j].Kind == history.Read && (own[j].task != s.task || alone && i != j) {
				own[j].Failed = true
			}
		}
		if !orders(own, func(place map[int]int) bool {
			return choices(own, func(of map[int]int) bool { return sentence(own, place, of) })
		}) {
			return false
		}
	}
	return true
}

// linearizable tries all orders of the operations, without those writes that have not
// returned and are not needed.
func linearizable(all []span) bool {
	var try func(done map[int]bool, value string) bool
	try = func(done map[int]bool, value string) bool {
		rest := 0
		for i, s := range all {
			if !done[i] && s.ended(1<<30) {
				rest++
			}
			if done[i] || s.Kind == history.Read && (!s.ended(1<<30) || s.Value != value) {
				continue
			}
			if slices.ContainsFunc(all, func(p span) bool { return p.ended(s.begin) && !done[slices.Index(all, p)] }) {
				continue
			}
			next := value
			if s.Kind == history.Write {
				next = s.Value
			}
			done[i] = true
			ok := try(done, next)
			delete(done, i)
			if ok {
				return true
			}
		}
		return rest == 0
	}
	return try(map[int]bool{}, "first")
}

func properties(h history.History) []sim.Property {
	return []sim.Property{h.ReadYourWrites(), h.MonotonicReads(), h.NoStaleRead(history.Bound{}), h.Linearizable()}
}

// TestDrawnHistories tells drawn histories to the properties step by step, and judges each
// history as a whole by all orders of its writes, or of its operations. With values that
// are written twice a property may hold where the orders say that it does not, but for
// linearizable: of two writes of a value, it counts as the younger.
func TestDrawnHistories(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, unique := range []bool{true, false} {
			var h history.History
			if known {
				h.Initial = map[string]string{key: "first"}
			}
			var tellers []*teller
			for _, p := range properties(h) {
				tellers = append(tellers, &teller{prop: p})
			}
			bound := &teller{prop: h.NoStaleRead(history.Bound{Steps: 3})}
			tellers = append(tellers, bound)
			violated, bad := map[string]int{}, 0
			for seed := range uint64(400) {
				all := draw(rand.New(rand.NewPCG(seed, 1)), 5+int(seed%2), unique, false, tellers...)
				for _, c := range tellers {
					var want bool
					switch {
					case c == bound:
						want = !holds(all, true, noStale(3))
					case c.prop.Name == "linearizable":
						want = !linearizable(all)
					default:
						want = !holds(all, c.prop.Name == "no-stale-read", sentences[c.prop.Name])
					}
					got := c.violation()
					if (got != "") != want && (unique || got != "" || c.prop.Name == "linearizable") {
						t.Errorf("known %t, unique %t, seed %d, %s: %q, want %t of\n%s", known, unique, seed, c.prop.Name, got, want, text(all))
						if bad++; bad > 5 {
							t.FailNow()
						}
					}
					if want {
						violated[c.prop.Name]++
					}
					if got != "" && !c.prop.Premise(sim.View{Monitor: c.state}) {
						t.Errorf("seed %d: %s is violated and has nothing to judge", seed, c.prop.Name)
					}
				}
			}
			for _, c := range tellers {
				if n := violated[c.prop.Name]; n < 10 || n > 700 {
					t.Errorf("unique %t: %d histories violate %s", unique, n, c.prop.Name)
				}
			}
		}
	}
}

// TestDrawnSources is TestDrawnHistories with a source: there is one order, in which
// writes that have not happened are the youngest.
func TestDrawnSources(t *testing.T) {
	h := history.History{Initial: map[string]string{key: "first"}, Source: &history.Source{
		Keys:  []string{key},
		Value: func(v sim.View, key string) string { value, _ := v.Contents[0].Lookup(key); return value },
	}}
	var tellers []*teller
	for _, p := range properties(h)[:3] {
		tellers = append(tellers, &teller{prop: p})
	}
	violated := map[string]int{}
	for seed := range uint64(1500) {
		all := draw(rand.New(rand.NewPCG(seed, 2)), 6, true, true, tellers...)
		place := map[int]int{-1: 0}
		for i, s := range all {
			if s.Kind == history.Write {
				if place[i] = s.at; s.at == 0 {
					place[i] = 1 << 30
				}
			}
		}
		for _, c := range tellers {
			want := !choices(all, func(of map[int]int) bool { return sentences[c.prop.Name](all, place, of) })
			if got := c.violation(); (got != "") != want {
				t.Fatalf("seed %d, %s: %q, want %t of\n%s", seed, c.prop.Name, got, want, text(all))
			}
			if want {
				violated[c.prop.Name]++
			}
		}
	}
	for _, c := range tellers {
		if n := violated[c.prop.Name]; n < 100 {
			t.Errorf("%d histories violate %s", n, c.prop.Name)
		}
	}
}

// agrees judges a whole history by the sentence of Agree: no checkout returns another value
// than the cart before it, unless a write goes on meanwhile.
func agrees(all []span) (ok, judged bool) {
	ok = true
	for i, c := range all {
		if c.Name != "checkout" || c.Kind != history.Read || !c.ended(1<<30) {
			continue
		}
		last := span{}
		for _, s := range all[:i] { // in the order of their begins
			if s.task == c.task && s.Kind == history.Read {
				last = s
			}
		}
		if last.Name != "cart" || last.Failed {
			continue // none, or another checkout has been there
		}
		written := false
		quiet := !slices.ContainsFunc(all, func(w span) bool {
			written = written || w.Kind == history.Write && w.begin < c.end
			return w.Kind == history.Write && w.begin < c.end && !w.ended(last.begin)
		})
		judged = judged || quiet && written
		ok = ok && (!quiet || c.Value == last.Value)
	}
	return ok, judged
}

// TestDrawnAgreements tells drawn histories to Agree, whose tasks do not only what it is
// about, and judges each as a whole.
func TestDrawnAgreements(t *testing.T) {
	h := &teller{prop: history.History{}.Agree("cart", "checkout")}
	violated, vacuous := 0, 0
	for seed := range uint64(6000) {
		all := draw(rand.New(rand.NewPCG(seed, 3)), 7, true, false, h)
		ok, judged := agrees(all)
		if got := h.violation(); (got == "") != ok {
			t.Fatalf("seed %d: %q, want it to hold: %t\n%s", seed, got, ok, text(all))
		}
		if premise := h.prop.Premise(sim.View{Monitor: h.state}); ok && premise != judged {
			t.Fatalf("seed %d: the premise is %t\n%s", seed, premise, text(all))
		}
		if !ok {
			violated++
		}
		if !judged {
			vacuous++
		}
	}
	if violated < 50 || vacuous < 50 {
		t.Errorf("%d violate, %d have nothing to judge", violated, vacuous)
	}
}

func text(all []span) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%s %s %s %q from %d to %d, failed %t\n", s.task, s.Name, s.Kind, s.Value, s.begin, s.end, s.Failed)
	}
	return b.String()
}
