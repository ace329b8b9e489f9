package explore

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"quiesce/sim"
)

// An answer is what every way to explore a system has to agree on.
type answer struct {
	interleavings, violating int64
	minimal                  Schedule
	final                    map[string]int64 // views at quiescence, and in how many interleavings
	probability              *big.Rat
	premise                  int64 // interleavings that end with the first store odd
	measured                 Measured
	stale                    Window
	lapsed                   int64 // interleavings in which something lapses
	stuck                    int64 // executions that cannot go on
	large                    bool  // there are more than are worth it, and the rest is not told
}

// A toyTally is what has come together along a path.
type toyTally struct {
	sum         int
	share       float64 // of all runs of a uniform scheduler
	steps, time int     // since the first store is odd
	longest     Window  // in which it was
	lapsed      int64   // 1 if something has
}

// odd is so of views in which the first store is in an odd state.
func odd(v sim.View) bool { return storeStates(v)[0].state%2 == 1 }

// toyMeasure counts the moves of the environment, and 2 for steps in odd states.
func toyMeasure(s sim.Step, before sim.View) (n int) {
	if s.Task == sim.Environment {
		n++
	}
	if odd(before) {
		n += 2
	}
	return n
}

// see is the monitor: a random automaton, which time alone brings to rest.
func (t *toy) see(state string, m sim.Move, finished bool) string {
	h := fnv.New32a()
	fmt.Fprint(h, t.salt, state, m, finished)
	next := strconv.Itoa(int(h.Sum32() % 3))
	if m == ticking {
		next = max(state, next)
	}
	return next
}

var ticking = sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.Tick}}

// A toyWorld is where the oracle is. It is copied for every step.
type toyWorld struct {
	stores   []toyHeld
	memories []int
	tasks    []toyPlace
	left     sim.Faults
	down     bool
	watch    string
	set      [][toyEntries]int // untimed, the step in which each entry was set; thisStep in the step itself
	times    []toyGap          // of the steps so far, of which 0 is the beginning
	steps    int
}

func (w toyWorld) clone() toyWorld {
	return toyWorld{slices.Clone(w.stores), slices.Clone(w.memories), slices.Clone(w.tasks), maps.Clone(w.left), w.down, w.watch, slices.Clone(w.set), slices.Clone(w.times), w.steps}
}

const thisStep = -1

// A toyGap says that one step comes at least so many seconds after another, in whatever
// order: a negative number says how much later it comes at most.
type toyGap struct{ from, to, least int }

// date says of the moment of the step from w to next what the move asks for, and returns
// false if there are no such moments: if the gaps have a cycle that takes time.
func (t *toy) date(w toyWorld, m sim.Move, next *toyWorld) bool {
	if t.stall > 0 {
		return true
	}
	next.steps = w.steps + 1
	now := next.steps
	next.times = append(slices.Clone(w.times), toyGap{now - 1, now, 0})
	for i, held := range w.stores {
		for j, left := range held.left {
			if left == 0 {
				continue
			}
			next.times = append(next.times, toyGap{now, w.set[i][j], -(left - 1)})
			if m.Fault == (sim.Fault{Kind: sim.Expire, Target: fmt.Sprintf("store%d-entry-%d", i, j)}) {
				next.times = append(next.times, toyGap{w.set[i][j], now, left - 1})
			}
		}
	}
	for i := range next.set {
		for j, step := range next.set[i] {
			if step == thisStep {
				next.set[i][j] = now
			}
		}
	}
	if m.Task != sim.Environment {
		p := w.tasks[m.Task]
		if p.started && p.arrives < 0 && m.Fault.Kind == "" && p.task.states[p.local].sleep > 0 {
			next.times = append(next.times, toyGap{p.asked, now, p.task.states[p.local].sleep})
		}
		next.tasks[m.Task].asked = now
	}
	for i := range next.tasks {
		if m.Fault.Kind == sim.Crash && fmt.Sprintf("process-%d", next.tasks[i].process) == m.Fault.Target {
			next.tasks[i].asked = now
		}
	}
	at := make([]int, now+1)
	for range at {
		settled := true
		for _, g := range next.times {
			if at[g.from]+g.least > at[g.to] {
				at[g.to], settled = at[g.from]+g.least, false
			}
		}
		if settled {
			return true
		}
	}
	return false
}

// spend takes one fault from what is left, and returns false if there is none.
func (w *toyWorld) spend(kind sim.FaultKind) bool {
	for _, k := range []sim.FaultKind{kind, sim.AnyFault} {
		if w.left[k] > 0 {
			w.left[k]--
			return true
		}
	}
	return false
}

// A toyPlace is where a task is.
type toyPlace struct {
	process int
	task    *toyTask
	alone   bool
	folded  bool // a reply arrives when the request is executed: it is alone and no time passes
	started bool
	local   int
	arrives int // the reply that is on its way; -1 is none, toyFailure that there is none
	dead    bool
	result  string
	asked   int  // untimed, the step since which it waits for what it waits for
	age     int  // ticks since it asked for what it waits for, while it was not blocked
	blocked int  // and while it was, if that is bounded
	acted   bool // it has done something
}

const toyFailure = 99

// enumerate is the oracle: it walks over all interleavings on copies of the
// world, recursively, with nothing merged.
func (t *toy) enumerate() *answer {
	a := &answer{final: map[string]int64{}}
	w := toyWorld{stores: make([]toyHeld, len(t.stores)), memories: make([]int, len(t.processes)), left: t.faults, set: make([][toyEntries]int, len(t.stores))}
	if t.watched {
		w.watch = "0"
	}
	for i, p := range t.processes {
		for j := range p.tasks {
			alone := len(p.tasks) == 1 && !t.clock(p)
			w.tasks = append(w.tasks, toyPlace{process: i, task: &p.tasks[j], alone: alone, folded: alone && t.stall == 0, started: alone, arrives: -1})
		}
	}
	for i := range w.tasks {
		w.finish(i)
	}
	for i := range w.tasks {
		for ok := w.tasks[i].task.boot; ok; {
			var next toyWorld
			if next, ok = t.step(w, i, ""); ok {
				w = next
			}
		}
	}
	w.set = make([][toyEntries]int, len(t.stores)) // whatever was set to boot
	a.measured = Measured{Name: "odd", Least: math.MaxInt, Most: -1}
	a.probability = t.walk(a, w, nil, false, toyTally{share: 1})
	if a.interleavings == 0 {
		a.measured = Measured{Name: "odd"}
	}
	return a
}

// enumerable says whether a toy has no more executions than are worth running.
func (t *toy) enumerable() bool { return !t.enumerate().large }

// done says whether a task has finished.
func (p *toyPlace) done() bool {
	return p.dead || p.started && p.arrives < 0 && p.local == len(p.task.states)
}

// finish records the result of a task that has just come to its end.
func (w *toyWorld) finish(i int) {
	if p := &w.tasks[i]; p.done() && !p.dead {
		p.result = p.task.result(w.memories[p.process])
	}
}

// arrive has a reply arrive at a task.
func (w *toyWorld) arrive(i, reply int) {
	p := &w.tasks[i]
	switch {
	case reply == toyFailure && p.task.frail:
		p.dead, p.result = true, sim.Failed
		return
	case reply == toyFailure:
		reply = 0
	}
	p.local, w.memories[p.process] = p.task.arrive(p.local, reply, w.memories[p.process])
}

// step returns the world after the next step of a task, whose request a fault may
// strike, and false if it is blocked or has finished.
func (t *toy) step(w toyWorld, i int, fault sim.FaultKind) (toyWorld, bool) {
	if fault == sim.Crash {
		return t.die(w, i)
	}
	w = w.clone()
	p := &w.tasks[i]
	local := !p.started || p.arrives >= 0
	if least, _ := t.between(p); p.age < least {
		return w, false
	}
	if fault != "" && (p.done() || local || !t.frail[fault] || !w.spend(fault)) {
		return w, false
	}
	switch {
	case p.done():
		return w, false
	case !p.started:
		p.started = true
		p.local = p.task.begin(w.memories[p.process])
	case p.arrives >= 0:
		reply := p.arrives
		p.arrives = -1
		w.arrive(i, reply)
	default:
		s := p.task.states[p.local]
		if s.yields {
			if fault != "" {
				return w, false
			}
			p.acted = true
			w.arrive(i, 0)
			break
		}
		reply := toyFailure
		if fault != "" && t.bare[s.store] {
			return w, false
		}
		if s.sleep > 0 {
			if reply = 0; fault != "" {
				return w, false
			}
		} else if w.down && s.store == t.down {
			if fault != "" || t.persists(s) {
				return w, false
			}
			fault = sim.Outage
		} else if fault == "" || fault == sim.LostReply {
			held := &w.stores[s.store]
			to := t.stores[s.store][held.state].inputs[s.input]
			if to.blocked {
				return w, false
			}
			if fault == "" {
				reply = to.reply
				for _, left := range held.left {
					reply += min(left, 1)
				}
				reply %= toyReplies
			}
			held.state = to.state
			if to.ttl != 0 {
				held.left[to.entry] = max(to.ttl, -1) + 1
				w.set[s.store][to.entry] = thisStep
			}
			if from, other := to.entry, 1-to.entry; to.moves != 0 && held.left[from] > 0 {
				held.left[other], w.set[s.store][other] = held.left[from], w.set[s.store][from]
				if to.moves == toyRename {
					held.left[from] = 0
				}
			}
		}
		if t.after[fault] {
			held := &w.stores[s.store]
			held.state = t.stores[s.store][held.state].leave[0]
		}
		p.acted = true
		if !p.folded {
			p.arrives = reply
			if s.sleep > 0 || t.waitsFor(p, s) == sim.ForNews {
				p.age, p.blocked = 0, 0
			}
			return w, true
		}
		w.arrive(i, reply)
	}
	p.age, p.blocked = 0, 0
	w.finish(i)
	return w, true
}

// waitsFor says for what a request may wait, if any time passes.
func (t *toy) waitsFor(p *toyPlace, s toyState) sim.Wait {
	switch {
	case t.stall == 0 || s.sleep > 0 || s.yields:
		return sim.NoWait
	case t.waits[s.store][s.input] != sim.NoWait:
		return t.waits[s.store][s.input]
	case t.persists(s) && !t.bare[s.store]:
		return sim.ForOthers
	}
	return sim.NoWait
}

// between returns after how many ticks the next step of a task happens: at least,
// and at most unless that is negative.
func (t *toy) between(p *toyPlace) (least, most int) {
	if t.stall == 0 || p.done() || !p.started {
		return 0, -1
	}
	if p.arrives >= 0 {
		return 0, t.stall
	}
	switch s := p.task.states[p.local]; {
	case s.sleep > 0:
		return s.sleep, s.sleep
	case t.waitsFor(p, s) == sim.ForNews && t.longest > 0 && (!p.alone || p.acted || p.task.background):
		return 0, t.longest
	case t.waitsFor(p, s) == sim.ForNews, p.alone && !p.acted:
		return 0, -1
	}
	return 0, t.stall
}

// tick returns the world after a tick, and false if that cannot be or is the same.
func (t *toy) tick(w toyWorld) (toyWorld, bool) {
	before, now := fmt.Sprint(w.stores, w.tasks), w
	w = w.clone()
	alive := false
	for i := range w.tasks {
		p := &w.tasks[i]
		if p.done() {
			continue
		}
		wait := sim.NoWait
		if p.started && p.arrives < 0 {
			wait = t.waitsFor(p, p.task.states[p.local])
		}
		_, enabled := t.step(now, i, "")
		_, most := t.between(p)
		if p.started && p.arrives < 0 && !enabled && wait != sim.NoWait {
			// Time passes for what waits for the end of an outage, or for entries to lapse.
			st := p.task.states[p.local]
			out := now.down && st.store == t.down
			some := slices.ContainsFunc(now.stores[st.store].left[:], func(n int) bool { return n > 0 })
			alive = alive || out || wait == sim.ForNews && !p.task.background && some
		}
		switch {
		case wait == sim.ForNews && !enabled:
			p.age, p.blocked = 0, 0
			continue
		case wait == sim.ForOthers && !enabled:
			if p.alone && !p.acted || t.longest == 0 {
				continue // it may ask later
			}
			if p.blocked == t.longest {
				return w, false
			}
			p.blocked++
			continue
		}
		alive = true
		if most < 0 {
			p.age, p.blocked = 0, 0
		} else if p.age++; p.age > most {
			return w, false
		}
	}
	for i := range w.stores {
		held := &w.stores[i]
		held.state = t.stores[i][held.state].older
		for j, left := range held.left {
			held.left[j] = max(left-1, 0)
		}
	}
	changed := fmt.Sprint(w.stores, w.tasks) != before || t.watched && t.see(w.watch, ticking, false) != w.watch
	return w, t.stall > 0 && alive && changed
}

// die returns the world after the last request of a task that is alone, whose process
// crashes before it has the reply; false if it is not that.
func (t *toy) die(w toyWorld, i int) (toyWorld, bool) {
	p := &w.tasks[i]
	if !p.folded || p.task.background || p.done() || p.task.states[p.local].sleep > 0 || p.task.states[p.local].yields || w.down && p.task.states[p.local].store == t.down {
		return w, false
	}
	next, ok := t.step(w, i, "")
	if !ok || !next.tasks[i].done() {
		return w, false
	}
	next.tasks[i].dead, next.tasks[i].result = true, sim.Crashed
	next.memories[p.process] = 0
	t.disconnect(next, p.process)
	return next, next.spend(sim.Crash)
}

// crash returns the world after a crash of a process, and false if it has ended.
func (t *toy) crash(w toyWorld, process int) (toyWorld, bool) {
	w = w.clone()
	lives := slices.ContainsFunc(w.tasks, func(p toyPlace) bool { return p.process == process && !p.done() })
	if !lives || !w.spend(sim.Crash) {
		return w, false
	}
	w.memories[process] = 0
	for i := range w.tasks {
		p := &w.tasks[i]
		switch {
		case p.process != process:
		case p.task.background:
			*p = toyPlace{process: process, task: p.task, alone: p.alone, folded: p.folded, started: p.alone, arrives: -1}
			w.finish(i)
		case !p.done():
			p.dead, p.result = true, sim.Crashed
		}
	}
	t.disconnect(w, process)
	return w, true
}

// disconnect has the stores of a world lose what they keep for a process that has crashed.
func (t *toy) disconnect(w toyWorld, process int) {
	for i, held := range w.stores {
		here := t.stores[i][held.state]
		w.stores[i].state = here.leave[0]
		if here.ends != nil {
			w.stores[i].state = here.ends[t.processes[process].class]
		}
	}
}

// others calls f for every fault that strikes no task, and for what lapses.
func (t *toy) others(w toyWorld, f func(sim.Fault, toyWorld)) {
	if !w.down && t.frail[sim.Outage] {
		if next := w.clone(); next.spend(sim.Outage) {
			next.down = true
			next.stores[t.down].state = t.stores[t.down][w.stores[t.down].state].leave[1]
			f(sim.Fault{Kind: sim.Outage}, next)
		}
	}
	for i, held := range w.stores {
		down := w.down && i == t.down // only what expires does so meanwhile
		for j, left := range held.left {
			if left == 1 && !down {
				next := w.clone()
				next.stores[i].left[j] = 0
				f(sim.Fault{Kind: sim.Lapse, Target: fmt.Sprintf("store%d-%d", i, j)}, next)
			}
		}
		for j, left := range held.left {
			if next := w.clone(); t.stall == 0 && left > 0 && next.spend(sim.Expire) {
				next.stores[i].left[j] = 0
				f(sim.Fault{Kind: sim.Expire, Target: fmt.Sprintf("store%d-entry-%d", i, j)}, next)
			}
		}
		for kind, to := range t.stores[i][held.state].suffers {
			for j, state := range to {
				if next := w.clone(); (!down || kind == sim.Expire) && next.spend(kind) {
					next.stores[i].state = state
					f(sim.Fault{Kind: kind, Target: fmt.Sprintf("store%d-%d", i, j)}, next)
				}
			}
		}
	}
	for process := range t.processes {
		if next, ok := t.crash(w, process); ok {
			f(sim.Fault{Kind: sim.Crash, Target: fmt.Sprintf("process-%d", process)}, next)
		}
	}
}

// toyCost returns what a minimal schedule has few of, most important first: faults,
// which neither an end of an outage, nor a tick, nor a lapse is; context switches; steps.
func toyCost(s Schedule) []int {
	faults, switches := 0, 0
	for i, m := range s {
		if slices.Contains(sim.FaultKinds[:], m.Fault.Kind) {
			faults++
		}
		if i > 0 && m.Task != s[i-1].Task {
			switches++
		}
	}
	return []int{faults, switches, len(s)}
}

// walk returns the probability of a violation from here.
func (t *toy) walk(a *answer, w toyWorld, path Schedule, isBad bool, tally toyTally) *big.Rat {
	if a.large = a.large || t.most > 0 && a.interleavings+a.stuck > t.most; a.large {
		return new(big.Rat)
	}
	results := make([]string, len(w.tasks))
	unfinished := false
	for i, p := range w.tasks {
		results[i] = p.result
		unfinished = unfinished || !p.done() && !p.task.background
	}
	memories := make([]sim.Content, len(t.processes))
	for i, p := range t.processes {
		if p.shows {
			memories[i] = toyMemory(w.memories[i])
		}
	}
	if t.always && t.violates(w.stores, results, memories, w.watch) {
		isBad = true
	}
	var moves []sim.Move
	var worlds []toyWorld
	on := func(m sim.Move, next toyWorld) bool {
		if !t.date(w, m, &next) {
			return false
		}
		if t.watched {
			next.watch = t.see(w.watch, m, m.Task != sim.Environment && next.tasks[m.Task].done())
		}
		moves, worlds = append(moves, m), append(worlds, next)
		return true
	}
	enabled := int64(0)
	for i := range w.tasks {
		if next, ok := t.step(w, i, ""); ok && on(sim.Move{Task: i}, next) {
			enabled++
		}
		for _, kind := range []sim.FaultKind{sim.LostRequest, sim.LostReply, sim.RequestError, sim.Crash} {
			if next, ok := t.step(w, i, kind); ok {
				on(sim.Move{Task: i, Fault: sim.Fault{Kind: kind}}, next)
			}
		}
	}
	if w.down {
		next := w.clone()
		next.down = false
		if on(sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.Recovery}}, next) {
			enabled++
		}
	}
	if next, ok := t.tick(w); ok {
		enabled++
		on(ticking, next)
	}
	t.others(w, func(f sim.Fault, next toyWorld) { on(sim.Move{Task: sim.Environment, Fault: f}, next) })
	sum := new(big.Rat)
	for i, m := range moves {
		further := tally
		further.share /= float64(enabled)
		if m.Task == sim.Environment {
			further.sum++
		}
		if m.Fault.Kind == sim.Lapse {
			further.lapsed = 1
		}
		if w.stores[0].state%2 == 1 {
			further.sum += 2
			further.steps++
			if m.Fault.Kind == sim.Tick {
				further.time++
			}
		}
		further.longest.Steps = max(further.longest.Steps, further.steps)
		further.longest.Time = max(further.longest.Time, time.Duration(further.time)*time.Second)
		if worlds[i].stores[0].state%2 == 0 {
			further.steps, further.time = 0, 0
		}
		sum.Add(sum, t.walk(a, worlds[i], append(slices.Clone(path), m), isBad, further))
	}
	if enabled > 0 {
		return sum.Quo(sum, new(big.Rat).SetInt64(enabled))
	}
	for i, p := range w.tasks {
		least, _ := t.between(&w.tasks[i])
		if t.stall == 0 && p.started && !p.done() && p.arrives < 0 {
			least = p.task.states[p.local].sleep
		}
		if p.age < least {
			a.stuck++
			return new(big.Rat) // the sleep cannot end, so this is no interleaving
		}
	}
	a.stale.Steps = max(a.stale.Steps, tally.longest.Steps)
	a.stale.Time = max(a.stale.Time, tally.longest.Time)
	a.stale.Stays = a.stale.Stays || w.stores[0].state%2 == 1
	a.interleavings++
	a.lapsed += tally.lapsed
	a.measured.Least, a.measured.Most = min(a.measured.Least, tally.sum), max(a.measured.Most, tally.sum)
	a.measured.Mean += tally.share * float64(tally.sum)
	if unfinished {
		isBad = true // a deadlock
	} else {
		a.final[t.viewName(w.stores, results, memories, false)]++
		if w.stores[0].state%2 == 1 {
			a.premise++
		}
		if !t.always && t.violates(w.stores, results, memories, w.watch) {
			isBad = true
		}
	}
	if !isBad {
		return new(big.Rat)
	}
	a.violating++
	if a.minimal == nil || slices.Compare(toyCost(path), toyCost(a.minimal)) < 0 ||
		slices.Equal(toyCost(path), toyCost(a.minimal)) && slices.CompareFunc(path, a.minimal, sim.Move.Compare) < 0 {
		a.minimal = append(Schedule{}, path...)
	}
	return big.NewRat(1, 1)
}

// view is an expression that names the view.
func (t *toy) view(v sim.View) string {
	return t.viewName(storeStates(v), t.results(v), v.Memories, false)
}
