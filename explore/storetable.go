package explore

import (
	"errors"
	"fmt"
	"slices"

	"quiesce/sim"
)

// A storeTable is the learned transition table of one store. States, requests
// and replies are numbered in the order in which they are first seen; state 0
// is the one in which every execution starts.
type storeTable struct {
	sys   *sim.System
	index int // in sys.Stores
	store sim.Store

	states   []storeState
	byKey    map[string]uint32 // by sim.Content.Key, which is exact
	requests *numbers[sim.Request]
	replies  *numbers[sim.Reply]

	live     uint32 // the state that the real store is in
	executed int    // requests really executed
}

type storeState struct {
	content sim.Content
	key     string
	next    []storeStep // by request
	suffers []incident  // what the environment can do to it; nil if not known yet
	living  []sim.Lifetime

	// The shortest recorded input path from state 0: the last request on it,
	// and the state before.
	depth  int
	before uint32
	by     uint32
}

// An incident is a fault that can happen to a store in a state.
type incident struct {
	fault   sim.Fault
	request uint32
}

// A storeStep is one learned transition. The zero value is one that has not
// been learned yet.
type storeStep struct {
	kind    stepKind
	state   uint32
	reply   uint32
	changes sim.Changes // of items with a TTL, of a dated system
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
		byKey: map[string]uint32{}, requests: newNumbers[sim.Request](), replies: newNumbers[sim.Reply](),
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
	c, err := t.sys.Content(t.index)
	if err != nil {
		return nil, err
	}
	if err := t.sys.CheckTTLs(c); err != nil {
		return nil, fmt.Errorf("%s: %w", t.store.Name(), err)
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
		living, _ := sim.Lifetimes(t.store.Name(), nil, c)
		t.states = append(t.states, storeState{content: slices.Clone(c), key: key, living: living})
	}
	return id
}

// expires says whether anything in any state goes away by itself.
func (t *storeTable) expires() bool {
	return slices.ContainsFunc(t.states, func(s storeState) bool { return len(s.living) > 0 })
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
	before, err := t.held()
	if err != nil {
		return storeStep{}, err
	}
	reply, err := t.execute(request)
	if errors.Is(err, sim.ErrBlocked) {
		return storeStep{kind: blocked}, nil
	}
	if err != nil {
		return storeStep{}, err
	}
	after, err := t.held()
	if err != nil {
		return storeStep{}, err
	}
	_, changes := sim.Lifetimes(t.store.Name(), before, after)
	content, err := t.content()
	if err != nil {
		return storeStep{}, err
	}
	t.live = t.intern(content)
	depth := t.states[state].depth + 1
	if to := &t.states[t.live]; t.live != 0 && (to.depth == 0 || depth < to.depth) {
		to.depth, to.before, to.by = depth, state, request
	}
	return storeStep{done, t.live, t.replies.of(reply), changes}, nil
}

// held returns what the real store holds, as it says itself, if anybody wants to know.
func (t *storeTable) held() (sim.Content, error) {
	if !t.sys.Dated() {
		return nil, nil
	}
	return t.store.Content()
}

// incidents returns the faults that can happen in a state, as long as they are
// allowed.
func (t *storeTable) incidents(state uint32) ([]incident, error) {
	if all := t.states[state].suffers; all != nil {
		return all, nil
	}
	if err := t.restore(state); err != nil {
		return nil, err
	}
	env, err := t.sys.Environment()
	if err != nil {
		return nil, err
	}
	faults, requests, err := t.sys.Incidents(env, t.index)
	if err != nil {
		return nil, err
	}
	all := []incident{}
	for i, f := range faults {
		all = append(all, incident{f, t.requests.of(requests[i])})
	}
	t.states[state].suffers = all
	return all, nil
}

func (t *storeTable) execute(request uint32) (sim.Reply, error) {
	t.executed++
	reply, err := t.sys.Execute(t.index, t.requests.all[request])
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
		if err != nil || reply != t.replies.all[p.reply] {
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
		lines[i] = t.describe(p.request, t.replies.all[p.reply])
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
	req, rep := t.store.Describe(t.requests.all[request], reply)
	return req + " -> " + rep
}
