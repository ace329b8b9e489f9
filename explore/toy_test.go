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
	stores   []toyStore
	tasks    []toyTask
	always   bool
	labelled bool
	salt     string // of the property
}

// A toyStore says what happens, by state and input.
type toyStore [][]toyReply

type toyReply struct {
	state, reply int
	blocked      bool
}

// A toyTask is by its local state; the last is the end.
type toyTask struct {
	class  string
	states []toyState
	record bool // the result is the last local state
}

type toyState struct {
	store, input int
	next         []int // by reply
}

// randomToy draws a system of at most that many tasks and steps.
func randomToy(r *rand.Rand) *toy {
	t := &toy{always: r.IntN(4) == 0, labelled: r.IntN(4) == 0, salt: strconv.Itoa(r.IntN(1 << 30))}
	const replies = 3
	inputs := 1 + r.IntN(3)
	for range 1 + r.IntN(2) {
		states := 1 + r.IntN(4)
		s := make(toyStore, states)
		for i := range s {
			for range inputs {
				s[i] = append(s[i], toyReply{r.IntN(states), r.IntN(replies), r.IntN(12) == 0})
			}
		}
		t.stores = append(t.stores, s)
	}
	for i := range 1 + r.IntN(4) {
		if i > 0 && r.IntN(2) == 0 {
			t.tasks = append(t.tasks, t.tasks[r.IntN(i)]) // an interchangeable one
			continue
		}
		task := toyTask{class: strconv.Itoa(i), record: r.IntN(2) == 0}
		n := 1 + r.IntN(3)
		for s := range n {
			st := toyState{store: r.IntN(len(t.stores)), input: r.IntN(inputs)}
			for range replies {
				st.next = append(st.next, s+1+r.IntN(n-s)) // only forward, so that it ends
			}
			task.states = append(task.states, st)
		}
		t.tasks = append(t.tasks, task)
	}
	return t
}

// violates is the property: a random set of views. Only if the toy is labelled
// does it matter which task had which result.
func (t *toy) violates(stores []int, results []string) bool {
	if !t.labelled {
		results = slices.Clone(results)
		// Interchangeable tasks only: others may be told apart.
		for i := range results {
			results[i] = t.tasks[i].class + "=" + results[i]
		}
		slices.Sort(results)
	}
	h := fnv.New32a()
	fmt.Fprint(h, t.salt, stores, strings.Join(results, "|"))
	return h.Sum32()%5 == 0
}

func (t *toy) result(task, local int) string {
	if t.tasks[task].record {
		return strconv.Itoa(local)
	}
	return ""
}

// system returns the toy as the engines take it.
func (t *toy) system() *sim.System {
	sys := &sim.System{Property: sim.Property{Name: "toy", Always: t.always, Labelled: t.labelled, Violation: func(v sim.View) string {
		var stores []int
		for _, c := range v.Contents {
			s, _ := c.Lookup("state")
			n, _ := strconv.Atoi(s)
			stores = append(stores, n)
		}
		if t.violates(stores, v.Results) {
			return "a bad view"
		}
		return ""
	}}}
	for i, s := range t.stores {
		sys.Stores = append(sys.Stores, &toyMachine{name: "store" + strconv.Itoa(i), table: s})
	}
	for i, task := range t.tasks {
		sys.Programs = append(sys.Programs, sim.Program{Name: "task-" + strconv.Itoa(i), Class: task.class, New: func(p *sim.Process) sim.Task {
			return func(context.Context) (string, error) {
				// The path is kept in a local variable: the reply decides.
				local := 0
				for local < len(task.states) {
					s := task.states[local]
					reply, err := p.Call(sim.Request{Store: "store" + strconv.Itoa(s.store), Body: strconv.Itoa(s.input)})
					if err != nil {
						return "", err
					}
					n, _ := strconv.Atoi(string(reply))
					local = s.next[n]
				}
				return t.result(i, local), nil
			}
		}})
	}
	return sys
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
	final                    map[string]bool // views at quiescence
	probability              *big.Rat
}

// enumerate is the oracle: it walks over all interleavings on copies of the
// tables' states, recursively, with nothing merged.
func (t *toy) enumerate() *answer {
	a := &answer{final: map[string]bool{}}
	stores := make([]int, len(t.stores))
	locals := make([]int, len(t.tasks))
	a.probability = t.walk(a, stores, locals, nil, false)
	return a
}

// walk returns the probability of a violation from here.
func (t *toy) walk(a *answer, stores, locals []int, path Schedule, bad bool) *big.Rat {
	results := make([]string, len(t.tasks))
	unfinished := false
	for i, l := range locals {
		if l == len(t.tasks[i].states) {
			results[i] = t.result(i, l)
		} else {
			unfinished = true
		}
	}
	if t.always && t.violates(stores, results) {
		bad = true
	}
	sum, enabled := new(big.Rat), int64(0)
	for i, l := range locals {
		if l == len(t.tasks[i].states) {
			continue
		}
		s := t.tasks[i].states[l]
		to := t.stores[s.store][stores[s.store]][s.input]
		if to.blocked {
			continue
		}
		enabled++
		nextStores, nextLocals := slices.Clone(stores), slices.Clone(locals)
		nextStores[s.store], nextLocals[i] = to.state, s.next[to.reply]
		sum.Add(sum, t.walk(a, nextStores, nextLocals, append(slices.Clone(path), i), bad))
	}
	if enabled > 0 {
		return sum.Quo(sum, new(big.Rat).SetInt64(enabled))
	}
	a.interleavings++
	if unfinished {
		bad = true // a deadlock
	} else {
		a.final[t.viewName(stores, results)] = true
		if !t.always && t.violates(stores, results) {
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

// viewName names a final state up to a permutation of interchangeable tasks.
func (t *toy) viewName(stores []int, results []string) string {
	var named []string
	for i, r := range results {
		named = append(named, t.tasks[i].class+"="+r)
	}
	slices.Sort(named)
	return fmt.Sprint(stores, named)
}

// finalViews collects the views that an engine reports.
func (t *toy) finalViews(into map[string]bool) func(sim.View) {
	return func(v sim.View) {
		var stores []int
		for _, c := range v.Contents {
			s, _ := c.Lookup("state")
			n, _ := strconv.Atoi(s)
			stores = append(stores, n)
		}
		into[t.viewName(stores, v.Results)] = true
	}
}
