package learn

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"quiesce/sim"
)

// A Store is the learned transition table of one store. States, requests
// and replies are numbered in the order in which they are first seen; state 0
// is the one in which every execution starts.
type Store struct {
	sys   *sim.System
	index int // in sys.Stores
	store sim.Store

	states   []storeState
	byKey    map[string]uint32 // by sim.Content.Key, which is exact
	Requests *Numbers[sim.Request]
	Replies  *Numbers[sim.Reply]

	live     uint32 // the state that the real store is in
	Executed int    // requests really executed
}

type storeState struct {
	content sim.Content
	key     string
	next    []StoreStep // by request
	suffers *incidents  // what the environment can do to it; nil if not known yet
	living  []sim.Lifetime

	// The shortest recorded input path from state 0: the last request on it,
	// and the state before.
	depth  int
	before uint32
	by     uint32
}

// What the environment can do to a store in a state.
type incidents struct {
	faults   []sim.Fault
	requests []sim.Request
}

// A StoreStep is one learned transition. The zero value is one that has not
// been learned yet.
type StoreStep struct {
	Kind    Kind
	State   uint32
	Reply   uint32
	Changes sim.Changes // of items with a TTL, of a dated system
}

// A Kind says what has become of a request in a state.
type Kind uint8

// What is not known yet is to be tried; what is blocked changes nothing.
const (
	Unknown Kind = iota
	Done
	Blocked
)

// NewStore starts the table of a store, which is reset.
func NewStore(sys *sim.System, index int) (*Store, error) {
	t := &Store{
		sys: sys, index: index, store: sys.Stores[index],
		byKey: map[string]uint32{}, Requests: NewNumbers[sim.Request](), Replies: NewNumbers[sim.Reply](),
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

func (t *Store) content() (sim.Content, error) {
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
func (t *Store) intern(c sim.Content) uint32 {
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

// Name returns that of the store.
func (t *Store) Name() string { return t.store.Name() }

// States returns how many states are known.
func (t *Store) States() int { return len(t.states) }

// Content returns what the store holds in a state.
func (t *Store) Content(state uint32) sim.Content { return t.states[state].content }

// Key returns the key of that content.
func (t *Store) Key(state uint32) string { return t.states[state].key }

// Lifetimes returns what goes away by itself in a state.
func (t *Store) Lifetimes(state uint32) []sim.Lifetime { return t.states[state].living }

// Exchanges returns everything that the store was asked and has answered.
func (t *Store) Exchanges() iter.Seq[sim.Exchange] {
	return func(yield func(sim.Exchange) bool) {
		for _, st := range t.states {
			for request, s := range st.next {
				x := sim.Exchange{Request: t.Requests.All[request], Blocked: s.Kind == Blocked}
				if s.Kind == Done {
					x.Reply = t.Replies.All[s.Reply]
				}
				if s.Kind != Unknown && !yield(x) {
					return
				}
			}
		}
	}
}

// Expires says whether anything in any state goes away by itself.
func (t *Store) Expires() bool {
	return slices.ContainsFunc(t.states, func(s storeState) bool { return len(s.living) > 0 })
}

// Step returns what the store does with a request in a state.
func (t *Store) Step(state, request uint32) (StoreStep, error) {
	if next := t.states[state].next; int(request) < len(next) && next[request].Kind != Unknown {
		return next[request], nil
	}
	s, err := t.learn(state, request)
	if err != nil {
		return s, err
	}
	st := &t.states[state]
	for len(st.next) <= int(request) {
		st.next = append(st.next, StoreStep{})
	}
	st.next[request] = s
	return s, nil
}

func (t *Store) learn(state, request uint32) (StoreStep, error) {
	if err := t.restore(state); err != nil {
		return StoreStep{}, err
	}
	before, err := t.held()
	if err != nil {
		return StoreStep{}, err
	}
	reply, err := t.execute(request)
	if errors.Is(err, sim.ErrBlocked) {
		return StoreStep{Kind: Blocked}, nil
	}
	if err != nil {
		return StoreStep{}, err
	}
	after, err := t.held()
	if err != nil {
		return StoreStep{}, err
	}
	_, changes := sim.Lifetimes(t.store.Name(), before, after)
	content, err := t.content()
	if err != nil {
		return StoreStep{}, err
	}
	t.live = t.intern(content)
	depth := t.states[state].depth + 1
	if to := &t.states[t.live]; t.live != 0 && (to.depth == 0 || depth < to.depth) {
		to.depth, to.before, to.by = depth, state, request
	}
	return StoreStep{Done, t.live, t.Replies.Of(reply), changes}, nil
}

// held returns what the real store holds, as it says itself, if anybody wants to know.
func (t *Store) held() (sim.Content, error) {
	if !t.sys.Dated() {
		return nil, nil
	}
	return t.store.Content()
}

// Incidents returns what can happen in a state as long as it is allowed, and by which
// requests: see [sim.System.Incidents].
func (t *Store) Incidents(state uint32) (faults []sim.Fault, requests []sim.Request, err error) {
	if t.states[state].suffers == nil {
		if err := t.restore(state); err != nil {
			return nil, nil, err
		}
		if faults, requests, err = t.sys.Incidents(t.index); err != nil {
			return nil, nil, err
		}
		t.states[state].suffers = &incidents{faults, requests}
	}
	all := t.states[state].suffers
	return all.faults, all.requests, nil
}

func (t *Store) execute(request uint32) (sim.Reply, error) {
	t.Executed++
	reply, err := t.sys.Execute(t.index, t.Requests.All[request])
	if err != nil && !errors.Is(err, sim.ErrBlocked) {
		err = fmt.Errorf("%s: %w", t.store.Name(), err)
	}
	return reply, err
}

// restore puts the real store into a state: reset, then the shortest recorded
// input path. What it sees on the way has to be what was recorded.
func (t *Store) restore(state uint32) error {
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
		if err != nil || reply != t.Replies.All[p.reply] {
			lines := t.transcript(path[:i+1])
			return t.nondeterminism(lines, append(slices.Clone(lines[:i]), t.Describe(p.request, reply)))
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

func (t *Store) nondeterminism(before, now []string) error {
	return &NondeterminismError{Machine: "store " + t.store.Name(), Before: before, Now: now}
}

func (t *Store) transcript(path []storeInput) []string {
	lines := make([]string, len(path))
	for i, p := range path {
		lines[i] = t.Describe(p.request, t.Replies.All[p.reply])
	}
	return lines
}

type storeInput struct{ request, reply uint32 }

func (t *Store) path(state uint32) []storeInput {
	var path []storeInput
	for s := state; s != 0; s = t.states[s].before {
		by := t.states[s].by
		path = append(path, storeInput{by, t.states[t.states[s].before].next[by].Reply})
	}
	slices.Reverse(path)
	return path
}

// Describe returns a request and the reply to it as a line.
func (t *Store) Describe(request uint32, reply sim.Reply) string {
	req, rep := t.store.Describe(t.Requests.All[request], reply)
	return req + " -> " + rep
}
