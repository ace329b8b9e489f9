package explore

import (
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
)

// A processTable is the learned transition table of all processes with one
// code. A state is a history of the replies that were delivered, and the replies
// that are on their way; finished states with equal results are one.
type processTable struct {
	sys     *sim.System
	program int           // index in sys.Programs of one process with this code
	specs   []sim.TaskRef // its tasks
	stores  []*storeTable

	shared bool // by several processes

	ends      [][]string // results of crashed processes
	histories []history
	delivered map[delivery]uint32
	runs      int  // processes really run
	suspect   bool // in the last history a task has asked the same rather often

	nodes []processNode
	byKey map[string]uint32
	next  map[processInput]uint32
}

// A history is what a process has been told so far, and what its tasks want then.
// Histories are a tree.
type history struct {
	wants  []want      // by task
	memory sim.Content // that the process shows
	key    string      // of the memory
	depth  int
	last   delivery
}

// A want is what a task does next.
type want struct {
	store   int    // that executes its request; local or finished
	request uint32 // in the table of that store; 1 for a yield
	result  string // if it has finished
}

const (
	finished = -1
	local    = -2 // a start, an arrival or a yield
)

// yields is what a task wants that lets others run.
var yields = want{store: local, request: 1}

// crashed is the task of a delivery that is none but the end of all tasks. What
// was before it does not matter any more, but for the results: its reply is one
// of ends, and it comes after history 0.
const crashed = -1

// ticked is the task of the input that lets a tick pass.
const ticked = -2

// A delivery is the last input of a history: the reply, in the table of the
// store that the task had asked, or 0 for a start.
type delivery struct {
	before uint32 // the history before it
	task   int
	reply  uint32
}

// A processNode is a state of a process.
type processNode struct {
	wants   []want
	waits   bool // for a task that has not finished and is not a background task
	length  int  // at least the steps so far; of the longest way, if there are several
	history uint32
	arrives []uint32  // by task: 1 + the reply that is on its way; nil if there is none
	ages    []sim.Age // by task, in a timed system: of what it waits for
}

// A processInput is a step of a task; reply is the one to its request, or 0.
type processInput struct {
	node  uint32
	task  int
	reply uint32
}

func newProcessTable(sys *sim.System, program int, tasks []sim.TaskRef, stores []*storeTable) (*processTable, error) {
	t := &processTable{
		sys: sys, program: program, specs: tasks, stores: stores,
		delivered: map[delivery]uint32{}, byKey: map[string]uint32{}, next: map[processInput]uint32{},
	}
	p, err := t.begin(delivery{})
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	t.record(p, delivery{})
	t.node(0, nil, nil)
	return t, nil
}

func (t *processTable) alone() bool  { return t.specs[0].Alone }
func (t *processTable) folded() bool { return t.specs[0].Folded }

// record adds the history that p has come to by a delivery.
func (t *processTable) record(p sim.Machine, last delivery) uint32 {
	id := uint32(len(t.histories))
	h := history{wants: make([]want, len(t.specs)), memory: p.Memory(), last: last}
	h.key = h.memory.Key()
	if id > 0 {
		h.depth = t.histories[last.before].depth + 1
	}
	for task := range h.wants {
		h.wants[task] = t.wants(p, task)
	}
	t.histories = append(t.histories, h)
	return id
}

func (t *processTable) wants(p sim.Machine, task int) want {
	req, ok := p.Pending().At(sim.Place{Task: task})
	switch {
	case !ok:
		result, _ := p.Result(task)
		return want{store: finished, result: result}
	case req == sim.Yield:
		return yields
	case req.Local():
		return want{store: local}
	}
	store := t.sys.Store(req.Store)
	return want{store: store, request: t.stores[store].requests.of(req)}
}

// node returns the number of the state with a history, replies on their way, and
// ages; nil means that all are 0.
func (t *processTable) node(h uint32, arrives []uint32, ages []sim.Age) uint32 {
	n := processNode{wants: t.histories[h].wants, history: h, arrives: arrives, ages: ages}
	if n.ages == nil {
		n.ages = make([]sim.Age, len(t.specs))
	}
	n.length = t.histories[h].depth
	if !t.folded() {
		n.length *= 2 // a request and its arrival
	}
	key := fmt.Sprint(h)
	for task, reply := range arrives {
		if reply > 0 {
			if len(n.wants) > 0 && &n.wants[0] == &t.histories[h].wants[0] {
				n.wants = slices.Clone(n.wants)
			}
			n.wants[task] = want{store: local}
			n.length++
			key += fmt.Sprintf(",%d:%d", task, reply)
		}
	}
	all := true
	for task, w := range n.wants {
		all = all && w.store == finished
		n.waits = n.waits || w.store != finished && !t.specs[task].Background
	}
	if all {
		key = fmt.Sprintf("finished,%q", t.histories[h].key)
		for _, w := range n.wants {
			key += fmt.Sprintf(",%q", w.result)
		}
	}
	for _, age := range n.ages {
		if !all {
			key += fmt.Sprintf(",%d %d", age.Asked, age.Blocked)
		}
	}
	id, ok := t.byKey[key]
	if !ok {
		id = uint32(len(t.nodes))
		t.byKey[key] = id
		t.nodes = append(t.nodes, n)
	}
	t.nodes[id].length = max(t.nodes[id].length, n.length)
	return id
}

// step returns the state after a step of a task: its request is executed with
// this reply, or it starts, or what is on its way to it arrives.
func (t *processTable) step(node uint32, task int, reply uint32) (uint32, error) {
	in := processInput{node, task, reply}
	if next, ok := t.next[in]; ok {
		return next, nil
	}
	n := t.nodes[node]
	arrives := n.arrives
	h := n.history
	ages := slices.Clone(n.ages)
	switch {
	case n.wants[task].store != local && !t.folded():
		arrives = slices.Clone(arrives)
		if arrives == nil {
			arrives = make([]uint32, len(t.specs))
		}
		arrives[task] = 1 + reply
		if t.sys.Rests(t.request(n.wants[task])) {
			ages[task] = sim.Age{}
		}
	default:
		if arrives != nil && arrives[task] > 0 {
			reply = arrives[task] - 1
			arrives = slices.Clone(arrives)
			arrives[task] = 0
		}
		var err error
		if h, err = t.deliver(delivery{h, task, reply}); err != nil {
			return 0, err
		}
		ages[task] = sim.Age{}
	}
	next := t.node(h, arrives, ages)
	t.next[in] = next
	return next, nil
}

// lives says whether a task of a process in a state has not finished.
func (t *processTable) lives(node uint32) bool {
	return slices.ContainsFunc(t.nodes[node].wants, func(w want) bool { return w.store != finished })
}

// crash returns the state after the process has crashed in a state.
func (t *processTable) crash(node uint32) (uint32, error) {
	in := processInput{node, crashed, 0}
	if next, ok := t.next[in]; ok {
		return next, nil
	}
	results := make([]string, len(t.specs))
	for i, w := range t.nodes[node].wants {
		switch {
		case t.specs[i].Background: // starts again
		case w.store == finished:
			results[i] = w.result
		default:
			results[i] = sim.Crashed
		}
	}
	end := slices.IndexFunc(t.ends, func(r []string) bool { return slices.Equal(r, results) })
	if end < 0 {
		end = len(t.ends)
		t.ends = append(t.ends, results)
	}
	d := delivery{0, crashed, uint32(end)}
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
	t.next[in] = next
	return next, nil
}

// span returns when the next step of a task happens in a state.
func (t *processTable) span(node uint32, task int) (sim.Span, error) {
	n := &t.nodes[node]
	fresh := t.alone() && (n.history == 0 || t.histories[n.history].last.task == crashed)
	if w := n.wants[task]; w.store >= 0 {
		return t.sys.Span(t.specs[task], t.request(w), fresh)
	}
	next := n.local(task)
	return t.sys.Span(t.specs[task], next, fresh && next != sim.Arrive)
}

// local returns what a task does next that wants something of no store.
func (n *processNode) local(task int) sim.Request {
	switch {
	case n.arrives != nil && n.arrives[task] > 0:
		return sim.Arrive
	case n.wants[task] == yields:
		return sim.Yield
	}
	return sim.Start
}

// request returns what a task asks of a store.
func (t *processTable) request(w want) sim.Request { return t.stores[w.store].requests.all[w.request] }

// due says whether the next step of a task need not wait for time to pass.
func (t *processTable) due(node uint32, task int) (bool, error) {
	span, err := t.span(node, task)
	return t.nodes[node].ages[task].Asked >= span.Least, err
}

// tick returns the state when a tick has passed: false if it cannot. blocked says of
// which tasks the requests are, a bit for each.
func (t *processTable) tick(node uint32, blocked uint32) (next uint32, ok bool, err error) {
	n := t.nodes[node]
	ages := slices.Clone(n.ages)
	for task, w := range n.wants {
		if w.store == finished {
			continue
		}
		span, err := t.span(node, task)
		if err != nil {
			return 0, false, err
		}
		if ages[task], ok = span.Passes(ages[task], blocked>>task&1 == 1); !ok {
			return 0, false, nil
		}
	}
	in := processInput{node, ticked, blocked}
	next, ok = t.next[in]
	if !ok {
		next = t.node(n.history, n.arrives, ages)
		t.next[in] = next
	}
	return next, true, nil
}

// begin starts a process: from the start, or after a crash.
func (t *processTable) begin(d delivery) (sim.Machine, error) {
	t.runs++
	var p sim.Machine
	var err error
	if d.task == crashed {
		p, err = t.sys.Restart(t.program, t.ends[d.reply])
	} else {
		p, err = t.sys.Process(t.program)
	}
	if err != nil && p != nil {
		p.Stop()
	}
	return p, err
}

// deliver returns the history after a delivery, for real if it is a new one.
func (t *processTable) deliver(d delivery) (uint32, error) {
	if h, ok := t.delivered[d]; ok {
		return h, nil
	}
	p, err := t.replay(d.before)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	if err := p.Deliver(sim.Place{Task: d.task}, t.reply(d)); err != nil {
		return 0, err
	}
	h := t.record(p, d)
	if t.suspect, err = t.loops(h, d.task); err != nil {
		return 0, err
	}
	t.delivered[d] = h
	return h, nil
}

// reply returns the reply of a delivery.
func (t *processTable) reply(d delivery) sim.Reply {
	w := t.histories[d.before].wants[d.task]
	if w.store == local {
		return sim.Reply{}
	}
	return t.stores[w.store].replies.all[d.reply]
}

// replay runs the process again from the start, or from a crash, through a history, answering from
// the recorded replies. What it asks for has to be what it asked for before.
func (t *processTable) replay(h uint32) (sim.Machine, error) {
	var path []delivery
	at := h
	for ; at != 0 && t.histories[at].last.task != crashed; at = t.histories[at].last.before {
		path = append(path, t.histories[at].last)
	}
	slices.Reverse(path)
	p, err := t.begin(t.histories[at].last)
	if err != nil {
		return nil, err
	}
	err = t.same(p, at, nil)
	for i, d := range path {
		if err == nil {
			err = p.Deliver(sim.Place{Task: d.task}, t.reply(d))
		}
		if err == nil {
			err = t.same(p, t.delivered[d], path[:i+1])
		}
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// same returns an error unless p, which has come along a path to a history, wants
// what was wanted there before.
func (t *processTable) same(p sim.Machine, h uint32, path []delivery) error {
	memory, shown := t.histories[h].key, p.Memory().Key()
	for task, before := range t.histories[h].wants {
		now := t.wants(p, task)
		if now == before && shown == memory {
			continue
		}
		lines := make([]string, 0, len(path)+1)
		for _, d := range path {
			lines = append(lines, t.describe(d.task, t.histories[d.before].wants[d.task], t.reply(d)))
		}
		course := t.course(h)
		return &NondeterminismError{
			Cause:   course.cause(t.sys, t.program),
			Machine: "task " + t.specs[task].Name,
			Before:  append(slices.Clone(lines), t.describe(task, before, sim.Reply{}), fmt.Sprintf("memory %q", memory)),
			Now:     append(lines, t.describe(task, now, sim.Reply{}), fmt.Sprintf("memory %q", shown)),
		}
	}
	return nil
}

func (t *processTable) describe(task int, w want, reply sim.Reply) string {
	text := ""
	switch w.store {
	case finished:
		text = fmt.Sprintf("has finished with %q", w.result)
	case local:
		text = sim.Start.Body
		if w == yields {
			text = sim.Yield.Body
		}
	default:
		text = strings.TrimSuffix(t.stores[w.store].describe(w.request, reply), " -> ")
	}
	if t.alone() {
		return text
	}
	return t.specs[task].Name + ": " + text
}
