package explore

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"quiesce/sim"
)

// A script is a small random program of goroutines whose meaning does not depend on the
// order of local code between two requests. It is run in two ways, by goroutines in
// bubbles and by the oracle of scriptoracle_test.go, which shares no code with them.
type script struct {
	processes []scriptProcess
	others    []string // requests of processes of coroutines, one each
	stall     int      // seconds; 0 is untimed
	shows     bool     // the counters, and states that nothing else is shared
	salt      int
}

type scriptProcess struct {
	class string
	tasks []block
}

// A block is what one goroutine does.
type block []act

// An act of a goroutine, which has one value: the last that it was told.
type act struct {
	verb   string
	body   string   // of a request; in it "$" is the value
	n      int      // seconds, a channel, or what is added to the counter
	again  bool     // ask, if the time for it is over, asks the same without a limit
	bodies []string // of the requests of goroutines, by group and race
	child  block
}

const (
	ask     = "ask"     // the register; for at most n seconds unless that is 0
	add     = "add"     // to the counter of the process
	pause   = "pause"   // by time.Sleep
	send    = "send"    // the value over a channel without a buffer
	receive = "receive" // the value
	spawn   = "spawn"   // a goroutine, with the value
	join    = "join"    // wait for all goroutines that were spawned
	group   = "group"   // goroutines that ask until n seconds are over, and wait for all
	race    = "race"    // goroutines that ask until one has its reply, and wait for all
	later   = "later"   // by time.AfterFunc, after n seconds
)

// randomScript draws a script.
func randomScript(r *rand.Rand, timed bool) *script {
	s := &script{salt: r.IntN(1 << 30), shows: r.IntN(3) == 0}
	if timed {
		s.stall = 1 + r.IntN(3)/2
	}
	most := 1 + r.IntN(3)
	if timed {
		most = 1 + r.IntN(2)
	}
	for i := 0; i < 2 && (i == 0 || r.IntN(5) == 0); i++ {
		p := scriptProcess{class: strconv.Itoa(i)}
		for range 1 + r.IntN(4)/3 + r.IntN(3)/2 {
			p.tasks = append(p.tasks, s.randomBlock(r, most, 0))
		}
		if len(p.tasks) > 1 && r.IntN(2) == 0 { // in blocks of their own order, so that some wait for ever
			from := r.IntN(len(p.tasks))
			to := (from + 1) % len(p.tasks)
			p.tasks[from] = slices.Insert(p.tasks[from], r.IntN(len(p.tasks[from])+1), act{verb: send, n: i})
			p.tasks[to] = slices.Insert(p.tasks[to], r.IntN(len(p.tasks[to])+1), act{verb: receive, n: i})
		}
		s.processes = append(s.processes, p)
		if r.IntN(8) == 0 {
			s.processes = append(s.processes, p) // an interchangeable one
		}
	}
	for range r.IntN(3) / 2 {
		s.others = append(s.others, s.randomBody(r))
	}
	return s
}

func (s *script) randomBody(r *rand.Rand) string {
	if s.stall == 0 && r.IntN(8) == 0 {
		return "wait " + strconv.Itoa(r.IntN(3))
	}
	return []string{"get", "put 0", "put 1", "put 2", "put $"}[r.IntN(5)]
}

func (s *script) randomBlock(r *rand.Rand, most, depth int) (b block) {
	for range 1 + r.IntN(most) {
		a := act{verb: ask, body: s.randomBody(r)}
		switch n := r.IntN(16); {
		case n < 5:
		case n < 7:
			a.n, a.again = 1+r.IntN(2), r.IntN(2) == 0
		case n == 7:
			a = act{verb: add, n: 1 + r.IntN(2)}
			if len(b) > 0 && (b[len(b)-1].verb == pause || b[len(b)-1].verb == later) {
				continue
			}
		case n < 10:
			b = append(b, act{verb: pause, n: 1 + r.IntN(2)}) // before a request, since a timer without one is not seen
		case n < 12 && depth < 2:
			b = append(b, act{verb: spawn, child: s.randomBlock(r, most, depth+1)})
			if r.IntN(2) == 0 {
				continue // another one goes on
			}
			a = act{verb: join}
		case n == 12:
			a = act{verb: group, n: r.IntN(3), bodies: []string{s.randomBody(r), s.randomBody(r)}}
		case n == 13:
			a = act{verb: race, bodies: []string{s.randomBody(r), s.randomBody(r)}}
		case n == 14 && depth < 1:
			a = act{verb: later, n: 1 + r.IntN(2), child: block{{verb: ask, body: s.randomBody(r)}}}
		}
		b = append(b, a)
	}
	return b
}

// kinds returns the verbs of a block.
func (b block) kinds(all map[string]int) {
	for _, a := range b {
		name := a.verb
		if a.verb == ask && a.n > 0 {
			name = "limited"
		}
		all[name]++
		a.child.kinds(all)
	}
}

// bad is the property: a random set of ends.
func (s *script) bad(end string) bool {
	h := fnv.New32a()
	fmt.Fprint(h, s.salt, end)
	return h.Sum32()%3 == 0
}

// system returns the script as the engines take it.
func (s *script) system() *sim.System {
	sys := &sim.System{Stores: []sim.Store{&register{initial: "-"}}}
	sys.Property = sim.Property{Name: "script", Violation: func(v sim.View) string {
		if s.bad(s.end(sys, v)) {
			return "a bad end"
		}
		return ""
	}}
	if s.stall > 0 {
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Duration(s.stall) * time.Second}
	}
	for i, p := range s.processes {
		var specs []sim.TaskSpec
		for j := range p.tasks {
			specs = append(specs, sim.TaskSpec{Name: fmt.Sprintf("task-%d-%d", i, j)})
		}
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("process-%d", i), Class: p.class, Tasks: specs, Goroutines: true, New: func(host *sim.Process) (tasks []sim.Task) {
			run := &scriptRun{host: host, channels: []chan string{make(chan string), make(chan string)}}
			if s.shows {
				host.Show(func() sim.Content { return sim.Content{{Name: "n", Value: strconv.Itoa(run.counter)}} })
				host.ShowsAll()
			}
			for _, b := range p.tasks {
				tasks = append(tasks, func(ctx context.Context) (string, error) { return run.do(ctx, b, ""), nil })
			}
			return tasks
		}})
	}
	for i, body := range s.others {
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("other-%d", i), New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				reply, err := p.Call(sim.Request{Store: "register", Body: body})
				return reply.Body, err
			}}
		}})
	}
	return sys
}

// end names the view of an end of a system, up to a permutation of interchangeable
// processes.
func (s *script) end(sys *sim.System, v sim.View) string {
	e := scriptEnd{memories: make([]string, len(s.processes)), results: make([][]string, len(s.processes))}
	e.register, _ = v.Contents[0].Lookup("value")
	for i, t := range sys.Tasks() {
		switch {
		case t.Spawned():
		case t.Program < len(s.processes):
			e.results[t.Program] = append(e.results[t.Program], v.Results[i])
		default:
			e.others = append(e.others, v.Results[i])
		}
	}
	if s.shows {
		for i := range s.processes {
			e.memories[i], _ = v.Memories[i].Lookup("n")
		}
	}
	return e.name(s)
}

// A scriptEnd is what can be seen of an end.
type scriptEnd struct {
	register string
	memories []string
	results  [][]string
	others   []string
}

func (e scriptEnd) name(s *script) string {
	var named []string
	for i, p := range s.processes {
		named = append(named, fmt.Sprintf("%s %q %q", p.class, e.memories[i], e.results[i]))
	}
	slices.Sort(named)
	return fmt.Sprintf("%q %q %q", e.register, named, e.others)
}

// A scriptRun is a process of a script in a bubble.
type scriptRun struct {
	host     *sim.Process
	channels []chan string
	mu       sync.Mutex
	counter  int
}

func (p *scriptRun) until(ctx context.Context, body, value string) (string, error) {
	reply, err := p.host.CallUntil(ctx, sim.Request{Store: "register", Body: strings.ReplaceAll(body, "$", value)})
	return reply.Body, err
}

// do runs a block, and returns the value at its end.
func (p *scriptRun) do(ctx context.Context, b block, value string) string {
	var spawned sync.WaitGroup
	for _, a := range b {
		switch a.verb {
		case ask:
			c, cancel := ctx, context.CancelFunc(func() {})
			if a.n > 0 {
				c, cancel = context.WithTimeout(ctx, time.Duration(a.n)*time.Second)
			}
			got, err := p.until(c, a.body, value)
			cancel()
			if err != nil && a.again {
				got, err = p.until(ctx, a.body, value)
			}
			if err != nil {
				got = "late"
			}
			value = got
		case add:
			p.mu.Lock()
			p.counter += a.n
			p.mu.Unlock()
		case pause:
			time.Sleep(time.Duration(a.n) * time.Second)
		case send:
			select {
			case p.channels[a.n] <- value:
			case <-ctx.Done():
			}
		case receive:
			select {
			case value = <-p.channels[a.n]:
			case <-ctx.Done():
			}
		case spawn:
			child, given := a.child, value
			spawned.Go(func() { p.do(ctx, child, given) })
		case join:
			spawned.Wait()
		case later:
			child, given := a.child, value
			time.AfterFunc(time.Duration(a.n)*time.Second, func() { p.do(ctx, child, given) })
		case group, race:
			c, cancel := context.WithCancel(ctx)
			if a.n > 0 {
				c, cancel = context.WithTimeout(ctx, time.Duration(a.n)*time.Second)
			}
			got := make([]string, len(a.bodies))
			var all sync.WaitGroup
			for i, body := range a.bodies {
				all.Go(func() {
					var err error
					if got[i], err = p.until(c, body, value); err != nil {
						got[i] = "late"
					} else if a.verb == race {
						cancel()
					}
				})
			}
			all.Wait()
			cancel()
			value = strings.Join(got, "+")
		}
	}
	return value
}

// view is an expression that names the view of an end.
func (s *script) view(sys *sim.System) func(sim.View) string {
	return func(v sim.View) string { return s.end(sys, v) }
}

// shares says whether goroutines share more than the counter: they wait for each other.
func (s *script) shares() bool {
	kinds := map[string]int{}
	for _, p := range s.processes {
		for _, b := range p.tasks {
			b.kinds(kinds)
		}
	}
	return kinds[send]+kinds[receive]+kinds[join]+kinds[group]+kinds[race] > 0
}

// timers returns how many timers there may be at one time.
func (s *script) timers() int {
	kinds := map[string]int{}
	for _, p := range s.processes {
		for _, b := range p.tasks {
			b.kinds(kinds)
		}
	}
	return kinds[later] + kinds[pause]
}
