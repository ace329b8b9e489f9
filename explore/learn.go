package explore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
)

// This file learns machines: every distinct (state, input) of a store or a
// process is done for real once and looked up ever after.

// A storeTable is the learned transition table of one store. States, requests
// and replies are numbered in the order in which they are first seen; state 0
// is the one in which every execution starts.
type storeTable struct {
	sys   *sim.System
	index int // in sys.Stores
	store sim.Store

	states   []storeState
	byKey    map[string]uint32 // by sim.Content.Key, which is exact
	requests []sim.Request
	byReq    map[sim.Request]uint32
	replies  []sim.Reply
	byReply  map[sim.Reply]uint32

	live     uint32 // the state that the real store is in
	executed int    // requests really executed
}

type storeState struct {
	content sim.Content
	key     string
	next    []storeStep // by request

	// The shortest recorded input path from state 0: the last request on it,
	// and the state before.
	depth  int
	before uint32
	by     uint32
}

// A storeStep is one learned transition. The zero value is one that has not
// been learned yet.
type storeStep struct {
	kind  stepKind
	state uint32
	reply uint32
}

type stepKind uint8

const (
	unknown stepKind = iota
	done
	blocked
)

func newStoreTable(sys *sim.System, index int) (*storeTable, error) {
	t := &storeTable{
		sys: sys, index: index, store: sys.Stores[index],
		byKey: map[string]uint32{}, byReq: map[sim.Request]uint32{}, byReply: map[sim.Reply]uint32{},
	}
	if err := sys.Reset(index); err != nil {
		return nil, err
	}
	content, err := t.content()
	if err != nil {
		return nil, err
	}
	t.intern(content)
	return t, nil
}

func (t *storeTable) content() (sim.Content, error) {
	c, err := t.store.Content()
	if err != nil {
		return nil, fmt.Errorf("content of %s: %w", t.store.Name(), err)
	}
	return c, nil
}

// intern returns the number of the state with this content.
func (t *storeTable) intern(c sim.Content) uint32 {
	key := c.Key()
	id, ok := t.byKey[key]
	if !ok {
		id = uint32(len(t.states))
		t.byKey[key] = id
		t.states = append(t.states, storeState{content: slices.Clone(c), key: key})
	}
	return id
}

// request returns the number of a request.
func (t *storeTable) request(r sim.Request) uint32 {
	return number(&t.requests, t.byReq, r)
}

func number[T comparable](all *[]T, ids map[T]uint32, v T) uint32 {
	id, ok := ids[v]
	if !ok {
		id = uint32(len(*all))
		ids[v] = id
		*all = append(*all, v)
	}
	return id
}

// step returns what the store does with a request in a state.
func (t *storeTable) step(state, request uint32) (storeStep, error) {
	if next := t.states[state].next; int(request) < len(next) && next[request].kind != unknown {
		return next[request], nil
	}
	s, err := t.learn(state, request)
	if err != nil {
		return s, err
	}
	st := &t.states[state]
	for len(st.next) <= int(request) {
		st.next = append(st.next, storeStep{})
	}
	st.next[request] = s
	return s, nil
}

func (t *storeTable) learn(state, request uint32) (storeStep, error) {
	if err := t.restore(state); err != nil {
		return storeStep{}, err
	}
	reply, err := t.execute(request)
	if errors.Is(err, sim.ErrBlocked) {
		return storeStep{kind: blocked}, nil
	}
	if err != nil {
		return storeStep{}, err
	}
	content, err := t.content()
	if err != nil {
		return storeStep{}, err
	}
	t.live = t.intern(content)
	depth := t.states[state].depth + 1
	if to := &t.states[t.live]; t.live != 0 && (to.depth == 0 || depth < to.depth) {
		to.depth, to.before, to.by = depth, state, request
	}
	return storeStep{done, t.live, number(&t.replies, t.byReply, reply)}, nil
}

func (t *storeTable) execute(request uint32) (sim.Reply, error) {
	t.executed++
	reply, err := t.store.Execute(t.requests[request])
	if err != nil && !errors.Is(err, sim.ErrBlocked) {
		err = fmt.Errorf("%s: %w", t.store.Name(), err)
	}
	return reply, err
}

// restore puts the real store into a state: reset, then the shortest recorded
// input path. What it sees on the way has to be what was recorded.
func (t *storeTable) restore(state uint32) error {
	if t.live == state {
		return nil
	}
	path := t.path(state)
	if err := t.sys.Reset(t.index); err != nil {
		return err
	}
	for i, p := range path {
		reply, err := t.execute(p.request)
		if err != nil && !errors.Is(err, sim.ErrBlocked) {
			return err
		}
		if err != nil || reply != t.replies[p.reply] {
			lines := t.transcript(path[:i+1])
			return t.nondeterminism(lines, append(slices.Clone(lines[:i]), t.describe(p.request, reply)))
		}
	}
	content, err := t.content()
	if err != nil {
		return err
	}
	if now, before := content.Key(), t.states[state].key; now != before {
		lines := t.transcript(path)
		return t.nondeterminism(append(slices.Clone(lines), fmt.Sprintf("then its content is %q", before)),
			append(lines, fmt.Sprintf("then its content is %q", now)))
	}
	t.live = state
	return nil
}

func (t *storeTable) nondeterminism(before, now []string) error {
	return &NondeterminismError{Machine: "store " + t.store.Name(), Before: before, Now: now}
}

func (t *storeTable) transcript(path []storeInput) []string {
	lines := make([]string, len(path))
	for i, p := range path {
		lines[i] = t.describe(p.request, t.replies[p.reply])
	}
	return lines
}

type storeInput struct{ request, reply uint32 }

func (t *storeTable) path(state uint32) []storeInput {
	var path []storeInput
	for s := state; s != 0; s = t.states[s].before {
		by := t.states[s].by
		path = append(path, storeInput{by, t.states[t.states[s].before].next[by].reply})
	}
	slices.Reverse(path)
	return path
}

func (t *storeTable) describe(request uint32, reply sim.Reply) string {
	req, rep := t.store.Describe(t.requests[request], reply)
	return req + " -> " + rep
}

// A processTable is the learned transition table of all processes with one
// code. A state is a history of the replies that were delivered, and the replies
// that are on their way; finished states with equal results are one.
type processTable struct {
	sys     *sim.System
	program int           // index in sys.Programs of one process with this code
	specs   []sim.TaskRef // its tasks
	stores  []*storeTable

	shared bool // by several processes

	histories []history
	delivered map[delivery]uint32
	runs      int // processes really run

	nodes []processNode
	byKey map[string]uint32
	next  map[processInput]uint32
}

// A history is what a process has been told so far, and what its tasks want then.
// Histories are a tree.
type history struct {
	wants []want // by task
	depth int
	last  delivery
}

// A want is what a task does next.
type want struct {
	store   int    // that executes its request; local or finished
	request uint32 // in the table of that store
	result  string // if it has finished
}

const (
	finished = -1
	local    = -2 // a start or an arrival
)

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
	arrives []uint32 // by task: 1 + the reply that is on its way; nil if there is none
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
	p, err := t.start()
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	t.record(p, delivery{})
	t.node(0, nil)
	return t, nil
}

func (t *processTable) alone() bool { return len(t.specs) == 1 }

func (t *processTable) start() (*sim.Process, error) {
	t.runs++
	p, err := t.sys.Process(t.program)
	if err != nil {
		if p != nil {
			p.Stop()
		}
		return nil, err
	}
	return p, nil
}

// record adds the history that p has come to by a delivery.
func (t *processTable) record(p *sim.Process, last delivery) uint32 {
	id := uint32(len(t.histories))
	h := history{wants: make([]want, len(t.specs)), last: last}
	if id > 0 {
		h.depth = t.histories[last.before].depth + 1
	}
	for task := range h.wants {
		h.wants[task] = t.wants(p, task)
	}
	t.histories = append(t.histories, h)
	return id
}

func (t *processTable) wants(p *sim.Process, task int) want {
	req, ok := p.Pending(task)
	switch {
	case !ok:
		return want{store: finished, result: p.Result(task)}
	case req.Local():
		return want{store: local}
	}
	store := t.sys.Store(req.Store)
	return want{store: store, request: t.stores[store].request(req)}
}

// node returns the number of the state with a history and replies on their way.
func (t *processTable) node(h uint32, arrives []uint32) uint32 {
	n := processNode{wants: t.histories[h].wants, history: h, arrives: arrives}
	n.length = t.histories[h].depth
	if !t.alone() {
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
		key = "finished"
		for _, w := range n.wants {
			key += fmt.Sprintf(",%q", w.result)
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
	switch {
	case n.wants[task].store != local && !t.alone():
		arrives = slices.Clone(arrives)
		if arrives == nil {
			arrives = make([]uint32, len(t.specs))
		}
		arrives[task] = 1 + reply
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
	}
	next := t.node(h, arrives)
	t.next[in] = next
	return next, nil
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
	if err := p.Deliver(d.task, t.reply(d)); err != nil {
		return 0, err
	}
	h := t.record(p, d)
	t.delivered[d] = h
	return h, nil
}

// reply returns the reply of a delivery.
func (t *processTable) reply(d delivery) sim.Reply {
	w := t.histories[d.before].wants[d.task]
	if w.store == local {
		return ""
	}
	return t.stores[w.store].replies[d.reply]
}

// replay runs the process again from the start through a history, answering from
// the recorded replies. What it asks for has to be what it asked for before.
func (t *processTable) replay(h uint32) (*sim.Process, error) {
	p, err := t.start()
	if err != nil {
		return nil, err
	}
	var path []delivery
	for at := h; at != 0; at = t.histories[at].last.before {
		path = append(path, t.histories[at].last)
	}
	slices.Reverse(path)
	err = t.same(p, 0, nil)
	for i, d := range path {
		if err == nil {
			err = p.Deliver(d.task, t.reply(d))
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
func (t *processTable) same(p *sim.Process, h uint32, path []delivery) error {
	for task, before := range t.histories[h].wants {
		now := t.wants(p, task)
		if now == before {
			continue
		}
		lines := make([]string, 0, len(path)+1)
		for _, d := range path {
			lines = append(lines, t.describe(d.task, t.histories[d.before].wants[d.task], t.reply(d)))
		}
		return &NondeterminismError{
			Machine: "task " + t.specs[task].Name,
			Before:  append(slices.Clone(lines), t.describe(task, before, "")),
			Now:     append(lines, t.describe(task, now, "")),
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
		text = "start"
	default:
		text = strings.TrimSuffix(t.stores[w.store].describe(w.request, reply), " -> ")
	}
	if t.alone() {
		return text
	}
	return t.specs[task].Name + ": " + text
}

// A NondeterminismError says that a machine got the same inputs twice and
// answered differently. Nothing can be concluded about such a system.
type NondeterminismError struct {
	Machine     string
	Before, Now []string // what was seen, step by step, up to the difference
}

func (e *NondeterminismError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not deterministic: the same inputs led to different outputs\n", e.Machine)
	for _, run := range []struct {
		name  string
		lines []string
	}{{"first", e.Before}, {"then", e.Now}} {
		fmt.Fprintf(&b, "%s:\n", run.name)
		for i, line := range run.lines {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, line)
		}
	}
	b.WriteString("usual causes: iteration over a map, time.Now, random tokens, state shared between runs, goroutines of the task's own")
	return b.String()
}
