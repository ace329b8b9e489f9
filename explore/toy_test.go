package explore

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
)

// A toy is a small random transition system: stores and tasks are tables. It is
// run in two ways, as a sim.System and by the oracle below, which shares no code
// with the engines.
type toy struct {
	stores    []toyStore
	processes []toyProcess
	always    bool
	labelled  bool
	salt      string // of the property
}

// A toyStore says what happens, by state and input.
type toyStore [][]toyReply

type toyReply struct {
	state, reply int
	blocked      bool
}

// A toyProcess is some tasks that share one number, its memory.
type toyProcess struct {
	class string
	tasks []toyTask
	shows bool // the memory, to the property
}

// A toyTask is by its local state; the last is the end. When it starts it skips
// as many states as the memory says.
type toyTask struct {
	states     []toyState
	record     bool // the result is the memory at the end
	background bool
	boot       bool
}

type toyState struct {
	store, input int
	next         []int // by reply + memory
	remember     bool  // the reply becomes the memory
}

const toyReplies = 3

// randomToy draws a system that is small enough to be enumerated.
func randomToy(r *rand.Rand) *toy {
	t := &toy{always: r.IntN(4) == 0, labelled: r.IntN(4) == 0, salt: strconv.Itoa(r.IntN(1 << 30))}
	inputs := 1 + r.IntN(3)
	for range 1 + r.IntN(2) {
		states := 1 + r.IntN(4)
		s := make(toyStore, states)
		for i := range s {
			for range inputs {
				s[i] = append(s[i], toyReply{r.IntN(states), r.IntN(toyReplies), r.IntN(12) == 0})
			}
		}
		t.stores = append(t.stores, s)
	}
	// Some processes have several tasks, which makes many more steps of a state.
	shared := r.IntN(2) == 0
	left, most := 4, 2
	if r.IntN(2) == 0 || shared {
		left = 3
	}
	if left == 3 && !shared {
		most = 3
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
	return t
}

func (t *toy) randomTask(r *rand.Rand, inputs, most int) toyTask {
	task := toyTask{record: r.IntN(2) == 0, background: r.IntN(6) == 0}
	task.boot = task.background && r.IntN(2) == 0
	n := 1 + r.IntN(most)
	for s := range n {
		st := toyState{store: r.IntN(len(t.stores)), input: r.IntN(inputs), remember: r.IntN(2) == 0}
		for range 2 * toyReplies {
			st.next = append(st.next, s+1+r.IntN(n-s)) // only forward, so that it ends
		}
		task.states = append(task.states, st)
	}
	return task
}

// violates is the property: a random set of views. Only if the toy is labelled
// does it matter which of interchangeable processes had which results.
func (t *toy) violates(stores []int, results []string, memories []sim.Content) bool {
	h := fnv.New32a()
	fmt.Fprint(h, t.salt, t.viewName(stores, results, memories, t.labelled))
	return h.Sum32()%5 == 0
}

// viewName names a state, up to a permutation of interchangeable processes
// unless they are labelled.
func (t *toy) viewName(stores []int, results []string, memories []sim.Content, labelled bool) string {
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
	sys := &sim.System{Property: sim.Property{Name: "toy", Always: t.always, Labelled: t.labelled, Violation: func(v sim.View) string {
		if t.violates(storeStates(v), v.Results, v.Memories) {
			return "a bad view"
		}
		return ""
	}}}
	for i, s := range t.stores {
		sys.Stores = append(sys.Stores, &toyMachine{name: "store" + strconv.Itoa(i), table: s})
	}
	for i, process := range t.processes {
		var specs []sim.TaskSpec
		for j, task := range process.tasks {
			specs = append(specs, sim.TaskSpec{Name: fmt.Sprintf("task-%d-%d", i, j), Background: task.background, Boot: task.boot})
		}
		sys.Programs = append(sys.Programs, sim.Program{
			Name: "process-" + strconv.Itoa(i), Class: process.class, Tasks: specs,
			New: func(p *sim.Process) (tasks []sim.Task) {
				memory := 0 // of the process, plain and unprotected
				if process.shows {
					p.Show(func() sim.Content { return toyMemory(memory) })
				}
				for _, task := range process.tasks {
					tasks = append(tasks, func(context.Context) (string, error) {
						for local := task.begin(memory); local < len(task.states); {
							s := task.states[local]
							reply, err := p.Call(sim.Request{Store: "store" + strconv.Itoa(s.store), Body: strconv.Itoa(s.input)})
							if err != nil {
								return "", err
							}
							n, _ := strconv.Atoi(string(reply))
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

func toyMemory(n int) sim.Content { return sim.Content{{Name: "memory", Value: strconv.Itoa(n)}} }

func storeStates(v sim.View) (states []int) {
	for _, c := range v.Contents {
		s, _ := c.Lookup("state")
		n, _ := strconv.Atoi(s)
		states = append(states, n)
	}
	return states
}

type toyMachine struct {
	name  string
	table toyStore
	state int
}

func (m *toyMachine) Name() string { return m.name }
func (m *toyMachine) Reset() error { m.state = 0; return nil }
func (m *toyMachine) Execute(r sim.Request) (sim.Reply, error) {
	in, _ := strconv.Atoi(r.Body)
	to := m.table[m.state][in]
	if to.blocked {
		return "", sim.ErrBlocked
	}
	m.state = to.state
	return sim.Reply(strconv.Itoa(to.reply)), nil
}
func (m *toyMachine) Content() (sim.Content, error) {
	return sim.Content{{Name: "state", Value: strconv.Itoa(m.state)}}, nil
}
func (m *toyMachine) Describe(r sim.Request, reply sim.Reply) (string, string) {
	return r.Body, string(reply)
}

// An answer is what every way to explore a system has to agree on.
type answer struct {
	interleavings, violating int64
	minimal                  Schedule
	final                    map[string]int64 // views at quiescence, and in how many interleavings
	probability              *big.Rat
}

// A toyWorld is where the oracle is. It is copied for every step.
type toyWorld struct {
	stores   []int
	memories []int
	tasks    []toyPlace
}

// A toyPlace is where a task is.
type toyPlace struct {
	process int
	task    *toyTask
	alone   bool
	started bool
	local   int
	arrives int // the reply that is on its way; -1 is none
	result  string
}

// enumerate is the oracle: it walks over all interleavings on copies of the
// world, recursively, with nothing merged.
func (t *toy) enumerate() *answer {
	a := &answer{final: map[string]int64{}}
	w := toyWorld{stores: make([]int, len(t.stores)), memories: make([]int, len(t.processes))}
	for i, p := range t.processes {
		for j := range p.tasks {
			alone := len(p.tasks) == 1
			w.tasks = append(w.tasks, toyPlace{process: i, task: &p.tasks[j], alone: alone, started: alone, arrives: -1})
		}
	}
	for i := range w.tasks {
		w.finish(i)
	}
	for i := range w.tasks {
		for ok := w.tasks[i].task.boot; ok; {
			var next toyWorld
			if next, ok = t.step(w, i); ok {
				w = next
			}
		}
	}
	a.probability = t.walk(a, w, nil, false)
	return a
}

// done says whether a task has finished.
func (p *toyPlace) done() bool { return p.started && p.arrives < 0 && p.local == len(p.task.states) }

// finish records the result of a task that has just come to its end.
func (w *toyWorld) finish(i int) {
	if p := &w.tasks[i]; p.done() {
		p.result = p.task.result(w.memories[p.process])
	}
}

// step returns the world after the next step of a task, and false if it is
// blocked or has finished.
func (t *toy) step(w toyWorld, i int) (toyWorld, bool) {
	w = toyWorld{slices.Clone(w.stores), slices.Clone(w.memories), slices.Clone(w.tasks)}
	p := &w.tasks[i]
	memory := &w.memories[p.process]
	switch {
	case p.done():
		return w, false
	case !p.started:
		p.started = true
		p.local = p.task.begin(*memory)
	case p.arrives >= 0:
		p.local, *memory = p.task.arrive(p.local, p.arrives, *memory)
		p.arrives = -1
	default:
		s := p.task.states[p.local]
		to := t.stores[s.store][w.stores[s.store]][s.input]
		if to.blocked {
			return w, false
		}
		w.stores[s.store] = to.state
		if !p.alone {
			p.arrives = to.reply
			return w, true
		}
		p.local, *memory = p.task.arrive(p.local, to.reply, *memory)
	}
	w.finish(i)
	return w, true
}

// walk returns the probability of a violation from here.
func (t *toy) walk(a *answer, w toyWorld, path Schedule, bad bool) *big.Rat {
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
	if t.always && t.violates(w.stores, results, memories) {
		bad = true
	}
	sum, enabled := new(big.Rat), int64(0)
	for i := range w.tasks {
		if next, ok := t.step(w, i); ok {
			enabled++
			sum.Add(sum, t.walk(a, next, append(slices.Clone(path), i), bad))
		}
	}
	if enabled > 0 {
		return sum.Quo(sum, new(big.Rat).SetInt64(enabled))
	}
	a.interleavings++
	if unfinished {
		bad = true // a deadlock
	} else {
		a.final[t.viewName(w.stores, results, memories, false)]++
		if !t.always && t.violates(w.stores, results, memories) {
			bad = true
		}
	}
	if !bad {
		return new(big.Rat)
	}
	a.violating++
	if a.minimal == nil || path.compare(a.minimal) < 0 {
		a.minimal = append(Schedule{}, path...)
	}
	return big.NewRat(1, 1)
}

// view is an expression that names the view.
func (t *toy) view(v sim.View) string {
	return t.viewName(storeStates(v), v.Results, v.Memories, false)
}
