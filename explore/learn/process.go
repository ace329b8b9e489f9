package learn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"quiesce/sim"
)

// A Process is the learned transition table of all processes with one
// code. A state is a history of the replies that were delivered, and the replies
// that are on their way; finished states with equal results are one. Of processes that
// show all memory that their tasks share, a history is less than that: see memory.go.
type Process struct {
	sys     *sim.System
	Program int           // index in sys.Programs of one process with this code
	Tasks   []sim.TaskRef // its tasks
	stores  []*Store

	Shared bool // by several processes

	ends      [][]string // results of crashed processes
	histories []history
	delivered map[delivery]uint32
	most      []int               // by task: the most steps of any history
	Runs      int                 // processes really run
	Suspect   bool                // in the last history a task has asked the same rather often
	merged    *merged             // nil if histories are not merged
	moved     map[delivery]uint64 // of a process of goroutines: see movedBy
	timers    *Numbers[sim.Request]
	clock     int // which of Tasks is the clock of a process in a timed system; -1 if none is

	nodes []processNode
	byKey map[string]uint32
	ticks map[tick]uint32
	next  [][]processStep // by state; few of each
	young []sim.Age       // all 0
	key   []byte          // to be used again
}

// A history is what a process has been told so far, and what its tasks want then.
// Histories are a tree, by their last deliveries. If some are merged there are more ways
// to a history than that in the tree.
type history struct {
	wants  []Want      // by task
	memory sim.Content // that the process shows
	key    string      // of the memory
	steps  []int       // by task: deliveries to it, and requests that it gave up, on the way in the tree
	last   delivery
	recall recall // if histories are merged
}

// A Want is what a task does next.
type Want struct {
	Store   int    // that executes its request; local or finished
	Request uint32 // in the table of that store; see Yields and timers
	Result  string // if it has finished
}

// What stands for a store in a [Want] that goes to none.
const (
	Finished = -1
	Local    = -2 // a start, an arrival, a yield or a timer
	Parked   = -3 // it waits for another task, or is a place where nobody waits
)

// Yields is what a task wants that lets others run.
var Yields = Want{Store: Local, Request: 1}

// firstTimer is the request of a task that waits for the first of the timers.
const firstTimer = 2

// Idle says that the task does nothing next.
func (w Want) Idle() bool { return w.Store == Finished || w.Store == Parked }

// crashed is the task of a delivery that is none but the end of all tasks. What
// was before it does not matter any more, but for the results: its reply is one
// of ends, and it comes after history 0.
const crashed = -1

// A delivery is the last input of a history: the reply, in the table of the
// store that the task had asked, or 0 for a start.
type delivery struct {
	before uint32 // the history before it
	task   int
	reply  uint32
	ticks  int // that have passed since that history, if the process has a clock
}

func (d delivery) compare(o delivery) int {
	return cmp.Or(cmp.Compare(d.before, o.before), cmp.Compare(d.task, o.task), cmp.Compare(d.reply, o.reply), cmp.Compare(d.ticks, o.ticks))
}

// A processNode is a state of a process.
type processNode struct {
	wants   []Want
	waits   bool // for a task that has not finished and is not a background task
	lives   bool // something may still happen in it, or would have to
	history uint32
	arrives []uint32  // by task: 1 + the reply that is on its way; nil if there is none
	ages    []sim.Age // by task, in a timed system: of what it waits for
}

// A processStep is a step from a state: of a task with the reply to its request, or 0, or
// what crashed stands for.
type processStep struct {
	task  int
	reply uint32
	to    uint32
}

// known returns the state after a step; false if it is not known yet.
func (t *Process) known(node uint32, task int, reply uint32) (to uint32, ok bool) {
	for _, s := range t.next[node] {
		if s.task == task && s.reply == reply {
			return s.to, true
		}
	}
	return 0, false
}

// NewProcess starts the table of a program, whose process is run up to its first request.
// If merge is set, its histories are merged if they may be.
func NewProcess(sys *sim.System, program int, tasks []sim.TaskRef, stores []*Store, merge bool) (*Process, error) {
	t := &Process{
		sys: sys, Program: program, Tasks: tasks, stores: stores, most: make([]int, len(tasks)), young: make([]sim.Age, len(tasks)),
		delivered: map[delivery]uint32{}, byKey: map[string]uint32{}, ticks: map[tick]uint32{}, moved: map[delivery]uint64{}, timers: NewNumbers[sim.Request](), clock: -1,
	}
	if sys.Timing != nil {
		t.clock = slices.IndexFunc(tasks, func(t sim.TaskRef) bool { return t.Place.Clock() })
	}
	p, err := t.begin(delivery{})
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if m := p.Shared(); merge && m.All && !t.alone() {
		t.merged = newMerged(m.Derivable && !t.goroutines())
	}
	t.record(p, delivery{})
	t.node(0, nil, nil)
	return t, nil
}

// A tick is one that passes for a process. The bits of blocked say for which tasks of it
// only as they wait for others.
type tick struct {
	node    uint32
	blocked uint64
}

func (t *Process) alone() bool  { return t.Tasks[0].Alone }
func (t *Process) folded() bool { return t.Tasks[0].Folded }

// record adds the history that p has come to by a delivery, or finds the one that it is
// merged with.
func (t *Process) record(p sim.Machine, last delivery) uint32 {
	h := history{wants: make([]Want, len(t.Tasks)), memory: p.Memory(), last: last}
	h.key = h.memory.Key()
	for task := range h.wants {
		h.wants[task] = t.wants(p, task)
	}
	if t.merged != nil {
		h.recall.memory = t.merged.number(p)
	}
	return t.add(h)
}

// add adds a history, or finds the one that it is merged with.
func (t *Process) add(h history) uint32 {
	if h.begins(len(t.histories)) {
		h.steps = make([]int, len(t.Tasks))
	} else {
		before := &t.histories[h.last.before]
		h.steps = slices.Clone(before.steps)
		moved := t.moved[h.last]
		for task, w := range before.wants {
			if task == h.last.task || moved>>task&1 == 1 && w.Store >= 0 {
				h.steps[task]++
				t.most[task] = max(t.most[task], h.steps[task])
			}
		}
	}
	id := uint32(len(t.histories))
	if t.merged != nil {
		t.remember(&h)
		key := h.mergeKey()
		if same, ok := t.merged.byKey[key]; ok {
			return same
		}
		t.merged.byKey[key] = id
	}
	t.histories = append(t.histories, h)
	return id
}

// begins says whether a history, which has this number, is the first after a start or a
// crash.
func (h *history) begins(number int) bool { return number == 0 || h.last.task == crashed }

func (t *Process) wants(p sim.Machine, task int) Want {
	req, ok := p.Pending().At(t.Tasks[task].Place)
	if _, timer := req.Timer(); timer {
		return Want{Store: Local, Request: firstTimer + t.timers.Of(req)}
	}
	switch {
	case !ok && t.Tasks[task].Spawned():
		return Want{Store: Parked}
	case !ok:
		if result, finished := p.Result(task); finished {
			return Want{Store: Finished, Result: result}
		}
		return Want{Store: Parked}
	case req == sim.Yield:
		return Yields
	case req.Local():
		return Want{Store: Local}
	}
	store := t.sys.Store(req.Store)
	return Want{Store: store, Request: t.stores[store].Requests.Of(req)}
}

// node returns the number of the state with a history, replies on their way, and
// ages; nil means that all are 0.
func (t *Process) node(h uint32, arrives []uint32, ages []sim.Age) uint32 {
	if ages == nil {
		ages = t.young
	}
	n := processNode{wants: t.histories[h].wants, history: h, arrives: arrives, ages: ages}
	if slices.ContainsFunc(arrives, func(reply uint32) bool { return reply > 0 }) {
		n.wants = slices.Clone(n.wants)
		for task, reply := range arrives {
			if reply > 0 {
				n.wants[task] = Want{Store: Local}
			}
		}
	}
	for task, w := range n.wants {
		n.lives = n.lives || w.Store != Finished && (w.Store != Parked || !t.Tasks[task].Spawned())
		n.waits = n.waits || w.Store != Finished && !t.Tasks[task].Background
	}
	t.key = t.key[:0]
	if n.lives {
		t.key = n.appendKey(t.key)
	} else {
		t.key = fmt.Appendf(t.key, "finished,%q", t.histories[h].key)
		for _, w := range n.wants {
			t.key = fmt.Appendf(t.key, ",%q", w.Result)
		}
	}
	id, ok := t.byKey[string(t.key)]
	if !ok {
		id = uint32(len(t.nodes))
		t.byKey[string(t.key)] = id
		t.nodes, t.next = append(t.nodes, n), append(t.next, nil)
	}
	return id
}

// appendKey appends what is equal exactly for equal states in which a task has not
// finished.
func (n *processNode) appendKey(key []byte) []byte {
	key = strconv.AppendUint(key, uint64(n.history), 10)
	for task, reply := range n.arrives {
		if reply > 0 {
			key = strconv.AppendUint(append(key, ','), uint64(task), 10)
			key = strconv.AppendUint(append(key, ':'), uint64(reply), 10)
		}
	}
	for task, age := range n.ages {
		if age != (sim.Age{}) {
			key = strconv.AppendInt(append(key, ' '), int64(task), 10)
			key = strconv.AppendInt(append(key, ':'), int64(age.Asked), 10)
			key = strconv.AppendInt(append(key, ':'), int64(age.Blocked), 10)
		}
	}
	return key
}

// Step returns the state after a Step of a task: its request is executed with
// this reply, or it starts, or what is on its way to it arrives.
func (t *Process) Step(node uint32, task int, reply uint32) (uint32, error) {
	if next, ok := t.known(node, task, reply); ok {
		return next, nil
	}
	in := processStep{task: task, reply: reply}
	n := t.nodes[node]
	arrives := n.arrives
	h := n.history
	var ages []sim.Age
	if t.sys.Timing != nil {
		ages = slices.Clone(n.ages)
	}
	rested := false
	switch {
	case n.wants[task].Store != Local && !t.folded():
		arrives = slices.Clone(arrives)
		if arrives == nil {
			arrives = make([]uint32, len(t.Tasks))
		}
		arrives[task] = 1 + reply
		rested = t.sys.Rests(t.Request(n.wants[task]))
	default:
		if arrives != nil && arrives[task] > 0 {
			reply = arrives[task] - 1
			arrives = slices.Clone(arrives)
			arrives[task] = 0
		}
		d := delivery{before: h, task: task, reply: reply}
		if t.clock >= 0 {
			d.ticks = n.ages[t.clock].Asked
			ages[t.clock] = sim.Age{}
		}
		var err error
		if h, err = t.deliver(d); err != nil {
			return 0, err
		}
		arrives = t.stillAwaited(d, arrives, ages)
		rested = true
	}
	if rested && ages != nil {
		ages[task] = sim.Age{}
	}
	in.to = t.node(h, arrives, ages)
	t.next[node] = append(t.next[node], in)
	return in.to, nil
}

// movedBy returns the bits of the tasks, beside the one that it was made to, that p has
// moved in a delivery, or may have: they want something new, or are parked, or were.
// Only in a process of goroutines are there any.
func (t *Process) movedBy(p sim.Machine, d delivery) (moved uint64) {
	if !t.goroutines() {
		return 0
	}
	pending := p.Pending()
	for task, before := range t.histories[d.before].wants {
		now := t.wants(p, task)
		if task != d.task && (before != now || now.Store == Parked || !now.Idle() && pending.Fresh(t.Tasks[task].Place)) {
			moved |= 1 << task
		}
	}
	return moved
}

// stillAwaited returns the replies that are on their way after a delivery: others may have
// given up what they were waiting for. It does so for the ages, too, unless they are nil.
func (t *Process) stillAwaited(d delivery, arrives []uint32, ages []sim.Age) []uint32 {
	moved := t.moved[d]
	if moved == 0 {
		return arrives
	}
	arrives = slices.Clone(arrives)
	for i := range t.Tasks {
		if moved>>i&1 == 0 || t.Tasks[i].Place.Clock() {
			continue
		}
		if arrives != nil {
			arrives[i] = 0
		}
		if ages != nil {
			ages[i] = sim.Age{}
		}
	}
	return arrives
}

func (t *Process) goroutines() bool { return t.sys.Programs[t.Program].Goroutines }

// States returns how many states are known.
func (t *Process) States() int { return len(t.nodes) }

// Wants returns what the tasks do next in a state.
func (t *Process) Wants(node uint32) []Want { return t.nodes[node].wants }

// Waits says whether a task that is not in the background has not finished in a state.
func (t *Process) Waits(node uint32) bool { return t.nodes[node].waits }

// Asks returns what the tasks have asked for at last in a state. That differs from what
// they want if the reply is on its way.
func (t *Process) Asks(node uint32) []Want { return t.histories[t.nodes[node].history].wants }

// Asked returns what a task has asked for and not got in a state; the zero value if it
// has yet to start or has finished.
func (t *Process) Asked(node uint32, task int) sim.Request {
	switch w := t.Asks(node)[task]; {
	case w.Store >= 0:
		return t.Request(w)
	case w == Yields:
		return sim.Yield
	}
	return sim.Request{}
}

// Pending returns what the next step of a task is in a state; false if it has finished.
func (t *Process) Pending(node uint32, task int) (sim.Request, bool) {
	n := &t.nodes[node]
	switch w := n.wants[task]; {
	case w.Idle():
		return sim.Request{}, false
	case w.Store == Local:
		return t.local(n, task), true
	default:
		return t.Request(w), true
	}
}

// Arriving returns the reply that is on its way to a task in a state; the zero value if
// none is.
func (t *Process) Arriving(node uint32, task int) (r sim.Reply) {
	if n := &t.nodes[node]; n.arrives != nil && n.arrives[task] > 0 {
		r = t.stores[t.Asks(node)[task].Store].Replies.All[n.arrives[task]-1]
	}
	return r
}

// Memory returns what the process shows in a state.
func (t *Process) Memory(node uint32) sim.Content { return t.histories[t.nodes[node].history].memory }

// MemoryKey returns the key of that.
func (t *Process) MemoryKey(node uint32) string { return t.histories[t.nodes[node].history].key }

// Longest returns the number of steps of the longest way. It takes as long as to go all
// ways once: see [Process.AtMost].
func (t *Process) Longest() (steps int) {
	longest := make([]int, len(t.nodes))
	for node := range longest {
		longest[node] = -1
	}
	var from func(node uint32) int
	from = func(node uint32) int {
		if longest[node] < 0 {
			longest[node] = 0
			for _, s := range t.next[node] {
				longest[node] = max(longest[node], 1+from(s.to))
			}
		}
		return longest[node]
	}
	return from(0)
}

// AtMost returns a number of steps that no way exceeds, which is known at once.
func (t *Process) AtMost() (steps int) {
	for _, n := range t.most {
		steps += n
	}
	return steps * t.stepsEach()
}

// stepsEach returns how many steps a delivery is: a request and its arrival, or both in
// one.
func (t *Process) stepsEach() int {
	if t.folded() {
		return 1
	}
	return 2
}

// Ranks returns a number for each state that is larger after every step: the sum of the
// steps of its tasks. Several ways, which need not be equally long, lead to a state in
// which a task has finished, so that counts as if it had come on its longest way.
func (t *Process) Ranks() []int {
	ranks, each := make([]int, len(t.nodes)), t.stepsEach()
	for node, n := range t.nodes {
		for task, w := range n.wants {
			steps := t.most[task]
			if w.Store != Finished && n.lives {
				steps = t.histories[n.history].steps[task]
			}
			ranks[node] += steps * each
			if n.arrives != nil && n.arrives[task] > 0 {
				ranks[node]++
			}
		}
	}
	return ranks
}

// Lives says whether a task of a process in a state has not finished.
func (t *Process) Lives(node uint32) bool {
	return t.nodes[node].lives
}

// Crash returns the state after the process has crashed in a state.
func (t *Process) Crash(node uint32) (uint32, error) {
	if next, ok := t.known(node, crashed, 0); ok {
		return next, nil
	}
	var results []string
	for i, w := range t.nodes[node].wants {
		if t.Tasks[i].Spawned() {
			continue
		}
		results = append(results, "")
		switch {
		case t.Tasks[i].Background: // starts again
		case w.Store == Finished:
			results[i] = w.Result
		default:
			results[i] = sim.Crashed
		}
	}
	end := slices.IndexFunc(t.ends, func(r []string) bool { return slices.Equal(r, results) })
	if end < 0 {
		end = len(t.ends)
		t.ends = append(t.ends, results)
	}
	d := delivery{task: crashed, reply: uint32(end)}
	h, ok := t.delivered[d]
	if !ok {
		p, err := t.begin(d)
		if err != nil {
			return 0, err
		}
		defer p.Stop()
		h = t.record(p, d)
		t.delivered[d] = h
	}
	next := t.node(h, nil, nil)
	t.next[node] = append(t.next[node], processStep{crashed, 0, next})
	return next, nil
}

// Waited returns how long a task has waited for its next step in a state, and whether
// it is the first thing that the task does, alone in its process.
func (t *Process) Waited(node uint32, task int) (age sim.Age, fresh bool) {
	n := &t.nodes[node]
	first := n.history == 0 || t.histories[n.history].last.task == crashed
	return n.ages[task], first && t.alone() && (n.arrives == nil || n.arrives[task] == 0)
}

// Clockless returns the state that differs from another one at most in how much time has
// passed for the clock of the process, if nothing waits for that.
func (t *Process) Clockless(node uint32) uint32 {
	if t.clock < 0 || !t.nodes[node].wants[t.clock].Idle() || t.nodes[node].ages[t.clock] == (sim.Age{}) {
		return node
	}
	n := t.nodes[node]
	ages := slices.Clone(n.ages)
	ages[t.clock] = sim.Age{}
	return t.node(n.history, n.arrives, ages)
}

// local returns what a task does next that wants something of no store.
func (t *Process) local(n *processNode, task int) sim.Request {
	if n.arrives != nil && n.arrives[task] > 0 {
		return sim.Arrive
	}
	return t.localRequest(n.wants[task])
}

// localRequest returns a request to no store, that is on the way to nobody.
func (t *Process) localRequest(w Want) sim.Request {
	switch {
	case w.Request >= firstTimer:
		return t.timers.All[w.Request-firstTimer]
	case w == Yields:
		return sim.Yield
	}
	return sim.Start
}

// Request returns what a task asks of a store.
func (t *Process) Request(w Want) sim.Request { return t.stores[w.Store].Requests.All[w.Request] }

// Tick returns the state when a tick has passed. The bits of blocked say of which tasks
// the requests are blocked.
func (t *Process) Tick(node uint32, blocked uint64) (uint32, error) {
	in := tick{node, blocked}
	if next, ok := t.ticks[in]; ok {
		return next, nil
	}
	n := t.nodes[node]
	ages := slices.Clone(n.ages)
	for task := range n.wants {
		req, ok := t.Pending(node, task)
		if !ok && task == t.clock && n.lives {
			ages[task].Asked++
		}
		if !ok {
			continue
		}
		age, fresh := t.Waited(node, task)
		span, err := t.sys.Span(t.Tasks[task], req, fresh)
		if err != nil {
			return 0, err
		}
		ages[task], _ = span.Passes(age, blocked>>task&1 == 1)
	}
	next := t.node(n.history, n.arrives, ages)
	t.ticks[in] = next
	return next, nil
}
