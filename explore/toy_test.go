package explore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
)

// A toy is a small random transition system: stores and tasks are tables. It is
// run in two ways, as a sim.System and by the oracle of oracle_test.go, which shares no code
// with the engines.
type toy struct {
	stores    []toyStore
	processes []toyProcess
	always    bool
	labelled  bool
	salt      string // of the property
	faults    sim.Faults
	frail     map[sim.FaultKind]bool // what can strike a request
	after     map[sim.FaultKind]bool // after which the store loses something
	retries   int                    // the input that is blocked while a store is down
	down      int                    // the store that can be down
	stall     int                    // ticks; 0 is untimed
	waits     [][]sim.Wait           // by store and input, in a timed system
	longest   int                    // how many ticks such a request waits; 0 is any number
	bare      [toyStores]bool        // the stores that neither time nor faults touch
	still     [toyStores]bool        // the stores that time does not change
	watched   bool                   // by a monitor
	derivable bool                   // see sim.Process.Derivable
	hides     bool                   // the memory of processes, while they state that they show it
	most      int64                  // executions that are worth enumerating; 0 is any number
}

// A toyStore says what happens, by state and input.
type toyStore []toyContent

type toyContent struct {
	inputs  []toyReply
	suffers map[sim.FaultKind][]int // next states
	leave   [2]int                  // the next state if a process crashes, or the store goes down
	ends    map[string]int          // the next state if a process of the class crashes, instead; nil is the same for all
	older   int                     // the next state when a tick has passed
}

// With every entry of the store the reply is 1 more.
type toyReply struct {
	state, reply int
	blocked      bool
	entry, ttl   int // the entry that it sets, for so many ticks; or takes away if that is negative, and none if it is 0
	moves        int // toyRename: the entry has the name of the other one from now on; toyCopy: so has a copy of it
}

const (
	toyRename = 1 + iota
	toyCopy
)

// A toyProcess is some tasks that share one number, its memory.
type toyProcess struct {
	class      string
	tasks      []toyTask
	shows      bool // the memory, to the property
	goroutines bool // the tasks are goroutines, and the process has a clock if time passes
}

// A toyTask is by its local state; the last is the end. When it starts it skips
// as many states as the memory says.
type toyTask struct {
	states     []toyState
	record     bool // the result is the memory at the end
	background bool
	boot       bool
	frail      bool // it fails when a request does; otherwise that is the reply 0
}

type toyState struct {
	store, input int
	sleep        int   // ticks, instead of a request to the store
	yields       bool  // instead of a request to the store
	persists     bool  // the request is blocked while its store is down
	next         []int // by reply + memory
	remember     bool  // the reply becomes the memory
}

const (
	toyReplies = 3
	toyEntries = 2 // of a store
	toyStores  = 2 // at most
)

// randomToy draws a system that is small enough to be enumerated, as a rule.
func randomToy(r *rand.Rand) *toy {
	t := &toy{most: *directLimit, retries: -1, watched: r.IntN(6) == 0, always: r.IntN(4) == 0, labelled: r.IntN(4) == 0, salt: strconv.Itoa(r.IntN(1 << 30))}
	inputs := 1 + r.IntN(3)
	for range 1 + r.IntN(2) {
		states := 1 + r.IntN(4)
		s := make(toyStore, states)
		for i := range s {
			for range inputs {
				s[i].inputs = append(s[i].inputs, toyReply{state: r.IntN(states), reply: r.IntN(toyReplies), blocked: r.IntN(12) == 0})
			}
			s[i].leave = [2]int{r.IntN(states), r.IntN(states)}
			s[i].older = i + r.IntN(states-i)
			s[i].suffers = map[sim.FaultKind][]int{}
			for range r.IntN(3) {
				kind := []sim.FaultKind{sim.Expire, sim.Evict}[r.IntN(2)]
				s[i].suffers[kind] = append(s[i].suffers[kind], r.IntN(states))
			}
		}
		t.stores = append(t.stores, s)
	}
	if r.IntN(4) == 0 {
		t.stall = 1 + r.IntN(2)
		t.randomEntries(r)
		t.randomWaits(r)
	}
	if t.stall == 0 && r.IntN(3) == 0 {
		t.randomEntries(r)
	}
	if r.IntN(2) == 0 {
		t.faults = sim.Faults{append(slices.Clone(sim.FaultKinds[:]), sim.AnyFault)[r.IntN(len(sim.FaultKinds)+1)]: 1 + r.IntN(4)/3}
		t.frail = map[sim.FaultKind]bool{}
		for _, kind := range sim.FaultKinds {
			t.frail[kind] = r.IntN(3) > 0
		}
		t.after = map[sim.FaultKind]bool{}
		for _, kind := range []sim.FaultKind{sim.LostRequest, sim.LostReply, sim.RequestError, sim.Outage} {
			t.after[kind] = r.IntN(2) == 0
		}
		if t.stall == 0 && t.entries() && r.IntN(2) == 0 {
			t.faults = sim.Faults{sim.Expire: 1 + r.IntN(2)}
		}
		t.retries = r.IntN(6)
		t.down = r.IntN(len(t.stores))
	}
	// Some processes have several tasks, which makes many more steps of a state; so
	// do faults, and ticks.
	shared := r.IntN(2) == 0
	left, most := 4, 2
	switch {
	case t.faults != nil && t.stall > 0, t.faults.Total() > 1:
		left, most, shared = 1+r.IntN(2), 2-r.IntN(2), false
		if left == 2 {
			most = 1
		}
		if t.stall > 0 && t.faults[sim.AnyFault] > 0 {
			left = 1
		}
	case t.stall > 0 && shared:
		left, most = 2, 1
	case t.stall > 0:
		left = 2
		most = 1 + r.IntN(4)/3
	case t.faults != nil:
		left = 2
		if t.faults[sim.AnyFault] == 0 {
			left += r.IntN(9) / 8
		}
	case shared:
		left = 3
	case r.IntN(2) == 0:
		left, most = 3, 3
	}
	for i := 0; left > 0; i++ {
		if i > 0 && r.IntN(2) == 0 {
			p := t.processes[r.IntN(i)] // an interchangeable one
			if len(p.tasks) > left {
				break
			}
			t.processes = append(t.processes, p)
			left -= len(p.tasks)
			continue
		}
		p := toyProcess{class: strconv.Itoa(i), shows: r.IntN(3) == 0}
		tasks := 1
		if shared && left > 1 && r.IntN(2) == 0 {
			tasks = 2
		}
		for range tasks {
			p.tasks = append(p.tasks, t.randomTask(r, inputs, most))
		}
		t.processes = append(t.processes, p)
		left -= tasks
		if r.IntN(4) == 0 {
			break
		}
	}
	if t.stall > 0 && t.faults == nil && r.IntN(4) == 0 {
		t.lock(r)
	}
	t.derivable = len(t.salt)%2 == 0
	return t
}

// persists says whether the request is blocked while its store is down.
func (t *toy) persists(s toyState) bool { return s.persists || s.input == t.retries }

// richToy draws a system of what no other has, from numbers of its own: tasks that yield;
// requests that persist beside equal ones that do not; faults of two kinds; entries that
// are renamed and copied; stores that tell processes apart when they crash, that time or
// faults do not touch, and two that could be down.
func richToy(r *rand.Rand) *toy {
	t := randomToy(r)
	if t.stall == 0 && r.IntN(2) == 0 { // what time does is most of what can be wrong
		return richToy(r)
	}
	for t.size() > 3 || t.faults != nil && t.size() > 2 {
		t.processes = t.processes[:len(t.processes)-1]
	}
	if len(t.processes) == 0 {
		return richToy(r)
	}
	switch {
	case t.stall > 0 && t.faults == nil && r.IntN(3) == 0:
		t.news(r)
	case t.stall > 0 && t.faults == nil && r.IntN(2) == 0:
		t.lock(r)
		if r.IntN(2) == 0 { // for tasks of one process
			one := &t.processes[0]
			one.tasks = append(one.tasks, t.processes[1].tasks...)
			t.processes = t.processes[:1]
		}
	case t.stall > 0 && t.faults != nil && r.IntN(3) == 0:
		t.faults = sim.Faults{sim.Crash: 1}
		for _, p := range t.processes {
			p.tasks[0].background = r.IntN(2) == 0
		}
	case t.stall == 0 && r.IntN(3) == 0:
		t.rename(r)
	case t.faults.Total() == 1:
		t.faults = maps.Clone(t.faults)
		t.faults[append(slices.Clone(sim.FaultKinds[:]), sim.AnyFault)[r.IntN(len(sim.FaultKinds)+1)]]++
	}
	t.retries = -1
	for _, p := range t.processes { // interchangeable ones share their tasks
		for j := range p.tasks {
			for k := range p.tasks[j].states {
				s := &p.tasks[j].states[k]
				s.persists = r.IntN(3) == 0
				s.yields = s.sleep == 0 && r.IntN(5) == 0
			}
		}
	}
	for i := range t.stores {
		t.enrich(r, i)
	}
	return t
}

// enrich does so to a store.
func (t *toy) enrich(r *rand.Rand, store int) {
	kind, s := r.IntN(6), t.stores[store]
	t.bare[store] = kind == 0 && (t.faults == nil || store != t.down)
	t.still[store] = kind == 1
	for state := range s {
		here := &s[state]
		if t.faults != nil && r.IntN(2) == 0 {
			here.ends = map[string]int{}
			for _, p := range t.processes {
				here.ends[p.class] = r.IntN(len(s))
			}
		}
		for input := range here.inputs {
			if to := &here.inputs[input]; to.moves == 0 && r.IntN(3) == 0 {
				to.ttl, to.moves = 0, toyRename+r.IntN(2)
			}
			if t.bare[store] || t.still[store] {
				here.inputs[input].ttl, here.inputs[input].moves = 0, 0
			}
		}
		if t.bare[store] || t.still[store] {
			here.older = state
		}
		if t.bare[store] {
			here.leave, here.ends, here.suffers = [2]int{state, state}, nil, nil
		}
	}
	if t.bare[store] && t.stall > 0 {
		t.waits[store] = make([]sim.Wait, len(t.waits[store]))
	}
}

// rename makes the first store one of two entries that expire. One task sets one of them
// and calls it by the other name, perhaps more than once, beside another one.
func (t *toy) rename(r *rand.Rand) {
	inputs := []toyReply{{ttl: 1 + r.IntN(2)}, {entry: 1, ttl: 1 + r.IntN(2)}}
	for i := range 4 {
		inputs = append(inputs, toyReply{entry: i % 2, moves: toyRename + i/2, reply: r.IntN(toyReplies)})
	}
	t.stores, t.processes, t.down = []toyStore{{{inputs: inputs}}}, nil, 0
	t.faults = sim.Faults{sim.Expire: 1 + r.IntN(2)}
	for i := range 2 {
		states := []toyState{{input: r.IntN(2)}}
		for range 2 - i + r.IntN(2) {
			states = append(states, toyState{input: r.IntN(len(inputs))})
			if r.IntN(4) == 0 {
				states[len(states)-1] = toyState{sleep: 1 + r.IntN(2)}
			}
		}
		for s := range states {
			for range 2 * toyReplies {
				states[s].next = append(states[s].next, s+1)
			}
		}
		t.processes = append(t.processes, toyProcess{class: strconv.Itoa(i), tasks: []toyTask{{record: true, states: states}}})
	}
}

// news makes the first store a queue of one message. One task sends, and one waits for it,
// in the background or not, beside an entry that lapses.
func (t *toy) news(r *rand.Rand) {
	none, send := toyReply{blocked: true}, toyReply{state: 1, ttl: r.IntN(3)}
	t.stores = []toyStore{{
		{inputs: []toyReply{none, send}, older: r.IntN(2)},
		{inputs: []toyReply{{reply: r.IntN(toyReplies)}, send}, older: 1},
	}}
	t.waits = [][]sim.Wait{{sim.ForNews, sim.NoWait}}
	t.stall, t.longest, t.down, t.processes = 1, r.IntN(3), 0, nil
	for i, states := range [][]toyState{{{input: 0}, {input: r.IntN(2)}}, {{sleep: 1 + r.IntN(2)}, {input: 1}}} {
		states = states[r.IntN(2):]
		for s := range states {
			for range 2 * toyReplies {
				states[s].next = append(states[s].next, s+1)
			}
		}
		task := toyTask{record: true, states: states, background: i == 0 && r.IntN(2) == 0}
		task.boot = task.background && r.IntN(2) == 0
		t.processes = append(t.processes, toyProcess{class: strconv.Itoa(i), tasks: []toyTask{task}})
	}
}

// size returns how many tasks there are.
func (t *toy) size() (n int) {
	for _, p := range t.processes {
		n += len(p.tasks)
	}
	return n
}

// lock makes the first store a lock. One task takes it, sleeps, and gives it back, beside
// one that has begun with something else and then takes it.
func (t *toy) lock(r *rand.Rand) {
	free, taken := toyReply{}, toyReply{state: 1, reply: r.IntN(toyReplies)}
	t.stores[0] = toyStore{
		{inputs: []toyReply{taken, free}},
		{inputs: []toyReply{{blocked: true}, {}}, older: 1},
	}
	t.waits[0] = []sim.Wait{sim.ForOthers, sim.NoWait}
	t.stall, t.longest, t.processes = 1, r.IntN(3), nil
	for i, states := range [][]toyState{{{input: 0}, {sleep: 1 + r.IntN(2)}, {input: 1}}, {{input: 0}, {input: 0}}} {
		if i == 1 {
			states[0] = toyState{store: len(t.stores) - 1, input: r.IntN(len(t.stores[len(t.stores)-1][0].inputs))}
			if len(t.stores) == 1 {
				states = states[1:]
			}
		}
		for s := range states {
			for range 2 * toyReplies {
				states[s].next = append(states[s].next, s+1)
			}
		}
		t.processes = append(t.processes, toyProcess{class: strconv.Itoa(i), tasks: []toyTask{{record: r.IntN(2) == 0, states: states}}})
	}
}

// entries says whether anything has a TTL.
func (t *toy) entries() bool {
	return slices.ContainsFunc(t.stores, func(s toyStore) bool {
		return slices.ContainsFunc(s, func(here toyContent) bool {
			return slices.ContainsFunc(here.inputs, func(to toyReply) bool { return to.ttl > 0 })
		})
	})
}

// sleepers says whether any task sleeps.
func (t *toy) sleepers() bool {
	return slices.ContainsFunc(t.processes, func(p toyProcess) bool {
		return slices.ContainsFunc(p.tasks, func(task toyTask) bool {
			return slices.ContainsFunc(task.states, func(s toyState) bool { return s.sleep > 0 })
		})
	})
}

// randomEntries has some requests set entries with a TTL, which lapse, or expire by a
// fault where no time passes.
func (t *toy) randomEntries(r *rand.Rand) {
	for _, s := range t.stores {
		for _, here := range s {
			for i := range here.inputs {
				if to := &here.inputs[i]; r.IntN(4) > 0 {
					to.entry, to.ttl = r.IntN(toyEntries), []int{-1, 1, 1, 1, 2}[r.IntN(5)]
				}
			}
		}
	}
}

// randomWaits says of every request that is blocked somewhere, and of some others, for
// what it waits.
func (t *toy) randomWaits(r *rand.Rand) {
	t.longest = r.IntN(3)
	for _, s := range t.stores {
		var waits []sim.Wait
		for input := range s[0].inputs {
			if slices.ContainsFunc(s, func(here toyContent) bool { return here.inputs[input].blocked }) {
				waits = append(waits, sim.ForOthers+sim.Wait(r.IntN(2)))
			} else {
				waits = append(waits, sim.Wait(r.IntN(12)/9))
			}
		}
		t.waits = append(t.waits, waits)
	}
}

func (t *toy) randomTask(r *rand.Rand, inputs, most int) toyTask {
	task := toyTask{record: r.IntN(2) == 0, background: r.IntN(6) == 0}
	task.frail = r.IntN(2) == 0
	task.boot = task.background && r.IntN(2) == 0
	n := 1 + r.IntN(most)
	for s := range n {
		st := toyState{store: r.IntN(len(t.stores)), input: r.IntN(inputs), remember: r.IntN(2) == 0}
		if r.IntN(4) == 0 {
			st.sleep = 1 + r.IntN(2)
		}
		for range 2 * toyReplies {
			st.next = append(st.next, s+1+r.IntN(n-s)) // only forward, so that it ends
		}
		task.states = append(task.states, st)
	}
	return task
}

// violates is the property: a random set of views. Only if the toy is labelled
// does it matter which of interchangeable processes had which results.
func (t *toy) violates(stores []toyHeld, results []string, memories []sim.Content, watch string) bool {
	h := fnv.New32a()
	fmt.Fprint(h, t.salt, watch, t.viewName(stores, results, memories, t.labelled))
	return h.Sum32()%5 == 0
}

// viewName names a state, up to a permutation of interchangeable processes
// unless they are labelled.
func (t *toy) viewName(stores []toyHeld, results []string, memories []sim.Content, labelled bool) string {
	var named []string
	for i, p := range t.processes {
		named = append(named, p.class+"="+memories[i].Key()+":"+strings.Join(results[:len(p.tasks)], ","))
		results = results[len(p.tasks):]
	}
	if !labelled {
		slices.Sort(named)
	}
	return fmt.Sprint(stores, named)
}

func (task *toyTask) begin(memory int) int { return min(memory, len(task.states)) }

// arrive returns the next local state and the next memory.
func (task *toyTask) arrive(local, reply, memory int) (int, int) {
	s := task.states[local]
	local = s.next[reply+memory]
	if s.remember {
		memory = reply
	}
	return local, memory
}

func (task *toyTask) result(memory int) string {
	if task.record {
		return strconv.Itoa(memory)
	}
	return ""
}

// system returns the toy as the engines take it.
func (t *toy) system() *sim.System {
	sys := &sim.System{Faults: t.faults, Property: sim.Property{Name: "toy", Always: t.always, Labelled: t.labelled, Premise: odd, Violation: func(v sim.View) string {
		if t.violates(storeStates(v), t.results(v), v.Memories, v.Monitor) {
			return "a bad view"
		}
		return ""
	}}}
	if t.watched {
		sys.Property.Monitor = &sim.Monitor{Start: "0", After: func(state string, e sim.Event) string {
			return t.see(state, t.move(e.Move), e.Finished)
		}}
	}
	if t.stall > 0 {
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Duration(t.stall) * time.Second, MaxWait: time.Duration(t.longest) * time.Second}
	}
	for i, s := range t.stores {
		m := &toyMachine{name: "store" + strconv.Itoa(i), table: s, frail: t.frail, after: t.after, retries: strconv.Itoa(t.retries), outage: i >= t.down, still: t.still[i], classes: map[string]string{}}
		for j, p := range t.processes {
			m.classes["process-"+strconv.Itoa(j)] = p.class
		}
		if t.stall > 0 {
			m.waits = t.waits[i]
		}
		if t.bare[i] {
			sys.Stores = append(sys.Stores, struct{ sim.Store }{m})
		} else {
			sys.Stores = append(sys.Stores, m)
		}
	}
	if t.sleepers() {
		sys.Stores = append(sys.Stores, sim.Clock{})
	}
	for i, process := range t.processes {
		var specs []sim.TaskSpec
		for j, task := range process.tasks {
			specs = append(specs, sim.TaskSpec{Name: fmt.Sprintf("task-%d-%d", i, j), Background: task.background, Boot: task.boot})
		}
		sys.Programs = append(sys.Programs, sim.Program{
			Name: "process-" + strconv.Itoa(i), Class: process.class, Tasks: specs, Goroutines: process.goroutines,
			New: func(p *sim.Process) (tasks []sim.Task) {
				memory := 0 // of the process, plain and unprotected
				switch {
				case process.shows:
					p.Show(func() sim.Content { return toyMemory(memory) })
				case !t.hides:
					p.Keep(func() string { return strconv.Itoa(memory) })
				}
				p.ShowsAll()
				if t.derivable {
					p.Derivable()
				}
				for _, task := range process.tasks {
					tasks = append(tasks, func(context.Context) (string, error) {
						for local := task.begin(memory); local < len(task.states); {
							s := task.states[local]
							if s.sleep > 0 {
								sim.Clock{}.For(p).Sleep(time.Duration(s.sleep) * time.Second)
								local, memory = task.arrive(local, 0, memory)
								continue
							}
							if s.yields {
								p.Yield()
								local, memory = task.arrive(local, 0, memory)
								continue
							}
							reply, err := p.Call(sim.Request{Store: "store" + strconv.Itoa(s.store), Body: strconv.Itoa(s.input), Persists: s.persists})
							if err != nil {
								return "", err
							}
							if reply.Fault != "" && task.frail {
								return "", errors.New("a fault")
							}
							n, _ := strconv.Atoi(reply.Body) // 0 for a failure
							local, memory = task.arrive(local, n, memory)
						}
						return task.result(memory), nil
					})
				}
				return tasks
			},
		})
	}
	return sys
}

// clock says whether a process has a clock of its own, which comes behind its tasks.
func (t *toy) clock(p toyProcess) bool { return p.goroutines && t.stall > 0 }

// move returns a move as the oracle calls it, which knows of no clocks.
func (t *toy) move(m sim.Move) sim.Move {
	if m.Task == sim.Environment {
		return m
	}
	before, n := 0, 0
	for _, p := range t.processes {
		if n += len(p.tasks); m.Task < n+before {
			break
		}
		if t.clock(p) {
			before++
		}
	}
	m.Task -= before
	return m
}

// results returns those of the tasks in a view.
func (t *toy) results(v sim.View) (all []string) {
	at := 0
	for _, p := range t.processes {
		all = append(all, v.Results[at:at+len(p.tasks)]...)
		if at += len(p.tasks); t.clock(p) {
			at++
		}
	}
	return all
}

func toyMemory(n int) sim.Content { return sim.Content{{Name: "memory", Value: strconv.Itoa(n)}} }

// A toyHeld is what a store holds: its state, and how many ticks its entries have
// left, and 1 more; 0 is no entry.
type toyHeld struct {
	state int
	left  [toyEntries]int
}

func storeStates(v sim.View) (states []toyHeld) {
	for _, c := range v.Contents {
		if c == nil {
			continue // the clock
		}
		var h toyHeld
		for _, it := range c {
			if n, _ := strconv.Atoi(it.Value); it.Name == "state" {
				h.state = n
			} else {
				h.left[n] = int(it.TTL/time.Second) + 1
			}
		}
		states = append(states, h)
	}
	return states
}

type toyMachine struct {
	name    string
	table   toyStore
	state   int
	entries map[int]time.Duration // TTLs
	frail   map[sim.FaultKind]bool
	after   map[sim.FaultKind]bool
	retries string
	outage  bool
	classes map[string]string // by process
	still   bool
	waits   []sim.Wait // by input
	timed   bool
}

func (m *toyMachine) Name() string { return m.name }

func (m *toyMachine) Reset() error { m.state, m.entries = 0, map[int]time.Duration{}; return nil }

func (m *toyMachine) Execute(r sim.Request) (sim.Reply, error) {
	here := m.table[m.state]
	if r.Body == "tick" {
		m.state = here.older
		for i, ttl := range m.entries {
			if m.entries[i] = ttl - time.Second; ttl == 0 {
				delete(m.entries, i)
			}
		}
		return sim.Reply{}, nil
	}
	if kind, i, ok := strings.Cut(r.Body, " "); ok {
		n, _ := strconv.Atoi(i)
		switch kind {
		case "back":
			for i := range m.entries {
				m.entries[i] += time.Duration(n)
			}
		case "gone":
			delete(m.entries, n)
		case "leave":
			m.state = here.leave[n]
		case "end":
			m.state = here.leave[0]
			if here.ends != nil {
				m.state = here.ends[i]
			}
		case string(sim.Lapse):
			delete(m.entries, n)
		default:
			m.state = here.suffers[sim.FaultKind(kind)][n]
		}
		return sim.Reply{}, nil
	}
	in, _ := strconv.Atoi(r.Body)
	to := here.inputs[in]
	if to.blocked {
		return sim.Reply{}, sim.ErrBlocked
	}
	reply := (to.reply + len(m.entries)) % toyReplies
	m.state = to.state
	switch {
	case to.ttl > 0:
		m.entries[to.entry] = time.Duration(to.ttl) * time.Second
	case to.ttl < 0:
		delete(m.entries, to.entry)
	}
	if ttl, ok := m.entries[to.entry]; ok && to.moves != 0 {
		if m.entries[1-to.entry] = ttl; to.moves == toyRename {
			delete(m.entries, to.entry)
		}
	}
	return sim.Reply{Body: strconv.Itoa(reply)}, nil
}

func (m *toyMachine) Content() (sim.Content, error) {
	c := sim.Content{{Name: "state", Value: strconv.Itoa(m.state)}}
	for _, i := range slices.Sorted(maps.Keys(m.entries)) {
		n := strconv.Itoa(i)
		c = append(c, sim.Item{Name: m.name + "-entry-" + n, Value: n, Note: m.entries[i].Truncate(time.Millisecond).String(), TTL: max(m.entries[i], time.Nanosecond)})
	}
	return c, nil
}

func (m *toyMachine) Tick(d time.Duration) sim.Request {
	if m.still {
		return sim.Request{}
	}
	if d < time.Second {
		return sim.Request{Store: m.name, Body: fmt.Sprintf("back %d", -d)}
	}
	return sim.Request{Store: m.name, Body: "tick"}
}

func (m *toyMachine) SetTimed(timed bool) { m.timed = timed }

func (m *toyMachine) Waits(r sim.Request) sim.Wait {
	input, _ := strconv.Atoi(r.Body)
	return m.waits[input]
}

func (m *toyMachine) Fails(kind sim.FaultKind, _ sim.Request) bool {
	return m.frail[kind] && (kind != sim.Outage || m.outage)
}

func (m *toyMachine) Incidents(kind sim.FaultKind) (all []sim.Incident, _ error) {
	add := func(i int) {
		all = append(all, sim.Incident{Target: fmt.Sprintf("%s-%d", m.name, i), Request: sim.Request{Store: m.name, Body: fmt.Sprintf("%s %d", kind, i)}})
	}
	for i := range m.table[m.state].suffers[kind] {
		add(i)
	}
	for _, i := range slices.Sorted(maps.Keys(m.entries)) {
		switch {
		case kind == sim.Lapse && m.entries[i] == 0:
			add(i)
		case kind == sim.Expire && !m.timed:
			all = append(all, sim.Incident{Target: fmt.Sprintf("%s-entry-%d", m.name, i), Request: sim.Request{Store: m.name, Body: fmt.Sprintf("gone %d", i)}})
		}
	}
	return all, nil
}

func (m *toyMachine) Retries(r sim.Request) bool { return r.Persists || r.Body == m.retries }

func (m *toyMachine) Cleanup(kind sim.FaultKind, _ sim.Request) (sim.Request, bool) {
	return sim.Request{Store: m.name, Body: "leave 0"}, m.after[kind]
}

func (m *toyMachine) Disconnect(process string) sim.Request {
	if process == "" {
		return sim.Request{Store: m.name, Body: "leave 1"}
	}
	return sim.Request{Store: m.name, Body: "end " + m.classes[process]}
}

// Caveats returns all exchanges with tasks.
func (m *toyMachine) Caveats(exchanges []sim.Exchange) (all []string) {
	for _, e := range exchanges {
		if _, err := strconv.Atoi(e.Request.Body); err == nil {
			all = append(all, fmt.Sprint(e))
		}
	}
	slices.Sort(all)
	return all
}

func (m *toyMachine) Describe(r sim.Request, reply sim.Reply) (string, string) {
	return r.Body, reply.Body
}
