package explore

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The oracle of scripts: it knows what the state of a script is, and tries all that may
// happen next in each. Time is counted in parts of a second, since what comes when a timer
// is due, and before it, comes a moment earlier.
const (
	second  = 1_000_000_000
	moment  = 1
	longest = 3600 * second // after that a timer does not fire
)

// A scriptWorld is a state of a script. It is copied for every step.
type scriptWorld struct {
	register  string
	processes []scriptMemory
	others    []scriptOther
}

type scriptMemory struct {
	strands []strand // the tasks first, and all others in the order in which they were started
	counter int
	now     int
	lag     int // seconds since it was told something
}

type scriptOther struct {
	done, executed bool
	reply          string
	age            int
}

// A strand is a goroutine.
type strand struct {
	block    block
	at       int
	value    string
	parent   int // -1 is none
	waits    string
	deadline int // of a pause, of a request, or of when it begins; 0 is none
	body     string
	reply    string
	again    bool // an ask without a limit is still to come
	age      int  // of a request
	joined   bool // a child of spawn
	task     bool
}

// What a strand waits for.
const (
	toStart    = "start"
	toBegin    = "begin" // by a timer
	requesting = "request"
	arriving   = "reply"
	sleeping   = "sleep"
	sending    = "send"
	receiving  = "receive"
	joining    = "join"
	gathering  = "children"
	nothing    = "nothing" // it has ended
)

// A scriptOracle knows how it goes on from the states that it has seen.
type scriptOracle struct {
	*script
	ends     map[string]map[string]int64 // by state and end: how many ways; "deadlock" is an end
	most     int                         // states that are worth it
	folded   []bool                      // by class of processes, that have one task and nothing else
	unfolded bool
}

// enumerate returns how many interleavings have each end; false if it is too large.
func (s *script) enumerate() (ends map[string]int64, ok bool) {
	o := &scriptOracle{script: s, most: 2_000}
	others := map[string]bool{} // classes with more than a task
	for {
		o.ends, o.folded, o.unfolded = map[string]map[string]int64{}, nil, false
		for _, p := range s.processes {
			o.folded = append(o.folded, s.stall == 0 && len(p.tasks) == 1 && !others[p.class])
		}
		w := scriptWorld{register: "-", others: make([]scriptOther, len(s.others))}
		for i, p := range s.processes {
			var m scriptMemory
			for _, b := range p.tasks {
				m.strands = append(m.strands, strand{block: b, parent: -1, waits: toStart, task: true})
			}
			w.processes = append(w.processes, m)
			if o.folded[i] {
				w.processes[i].strands[0].waits = ""
				w.processes[i].run(o)
			}
		}
		before := len(others)
		o.alone(w, others)
		ends = o.walk(w, others)
		if len(o.ends) > o.most {
			return nil, false
		}
		if len(others) == before {
			return ends, true
		}
	}
}

// alone adds the classes of processes in which somebody asks beside the one task.
func (o *scriptOracle) alone(w scriptWorld, others map[string]bool) {
	for i, p := range w.processes {
		if !o.folded[i] {
			continue
		}
		asks := slices.ContainsFunc(p.strands[1:], func(s strand) bool { return s.waits == requesting || s.waits == arriving })
		if _, timer := p.next(o); timer || asks {
			others[o.processes[i].class] = true
		}
	}
}

// walk returns the ends of all ways from a state.
func (o *scriptOracle) walk(w scriptWorld, others map[string]bool) map[string]int64 {
	key := fmt.Sprintf("%v", w)
	if ends, ok := o.ends[key]; ok || len(o.ends) > o.most {
		return ends
	}
	ends := map[string]int64{}
	o.ends[key] = ends
	sum := map[string]int64{}
	moves := 0
	on := func(next scriptWorld) {
		moves++
		o.alone(next, others)
		for end, n := range o.walk(next, others) {
			sum[end] += n
		}
	}
	for i := range w.processes {
		for j := range w.processes[i].strands {
			if next, ok := o.step(w, i, j); ok {
				on(next)
			}
		}
		if next, ok := o.fire(w, i); ok {
			on(next)
		}
	}
	for i, other := range w.others {
		next := w.clone()
		p := &next.others[i]
		switch {
		case other.done:
			continue
		case other.executed:
			p.done = true
		default:
			reply, ok := next.execute(o.others[i])
			if !ok {
				continue
			}
			p.reply, p.executed, p.done, p.age = reply, true, o.stall == 0, 0
		}
		on(next)
	}
	if next, ok := o.tick(w); ok {
		on(next)
	}
	if moves == 0 {
		sum[o.name(w)]++
	}
	maps.Copy(ends, sum)
	return ends
}

// name returns what can be seen of an end.
func (o *scriptOracle) name(w scriptWorld) string {
	e := scriptEnd{register: w.register}
	for i, p := range w.processes {
		var results []string
		for _, s := range p.strands[:len(o.processes[i].tasks)] {
			if s.waits != nothing {
				return "deadlock"
			}
			results = append(results, s.value)
		}
		e.results, e.memories = append(e.results, results), append(e.memories, "")
		if o.shows {
			e.memories[i] = strconv.Itoa(p.counter)
		}
	}
	for _, p := range w.others {
		if !p.done {
			return "deadlock"
		}
		e.others = append(e.others, p.reply)
	}
	return e.name(o.script)
}

func (w scriptWorld) clone() scriptWorld {
	w.processes, w.others = slices.Clone(w.processes), slices.Clone(w.others)
	for i := range w.processes {
		w.processes[i].strands = slices.Clone(w.processes[i].strands)
	}
	return w
}

// execute has the register execute a request; false if it is blocked.
func (w *scriptWorld) execute(body string) (string, bool) {
	verb, arg, _ := strings.Cut(body, " ")
	switch {
	case verb == "put":
		w.register = arg
	case verb == "wait" && arg != w.register:
		return "", false
	}
	return w.register, true
}

// step returns the world after the next step of a strand, which no timer makes.
func (o *scriptOracle) step(w scriptWorld, process, i int) (scriptWorld, bool) {
	w = w.clone()
	p := &w.processes[process]
	s := &p.strands[i]
	switch s.waits {
	case requesting:
		reply, ok := w.execute(s.body)
		if !ok {
			return w, false
		}
		if s.reply, s.waits = reply, arriving; !o.folded[process] {
			return w, true
		}
	case arriving, toStart:
	default:
		return w, false
	}
	p.pass(o)
	if s.waits == arriving {
		p.strands[i].told(p.strands[i].reply)
	}
	p.strands[i].waits = ""
	p.ends(i)
	p.run(o)
	return w, true
}

// told has a request return.
func (s *strand) told(value string) { s.value, s.waits, s.deadline, s.again = value, "", 0, false }

// ends has the other strands of a race give up when this one has its reply.
func (p *scriptMemory) ends(i int) {
	parent := p.strands[i].parent
	if parent < 0 || p.strands[parent].waits != gathering || p.strands[i].joined {
		return
	}
	if a := p.strands[parent].block[p.strands[parent].at]; a.verb != race || len(p.strands[i].block) > 0 {
		return
	}
	for j := range p.strands {
		s := &p.strands[j]
		if j != i && s.parent == parent && !s.joined && s.waits != nothing {
			s.told("late")
		}
	}
}

// pass lets the seconds pass in which the process was told nothing. Timers of which
// nothing is to be seen fire.
func (p *scriptMemory) pass(o *scriptOracle) {
	until := p.now + p.lag*second
	if after, ok := p.next(o); ok && p.now+after <= until {
		until = max(p.now, p.now+after-moment)
	}
	p.lag = 0
	p.elapse(until, o)
}

// elapse lets time pass, with what fires meanwhile. It returns true as soon as something
// is to be seen.
func (p *scriptMemory) elapse(until int, o *scriptOracle) bool {
	for {
		first := 0
		for _, s := range p.strands {
			if s.deadline > 0 && (first == 0 || s.deadline < first) {
				first = s.deadline
			}
		}
		if first == 0 || first > until {
			p.now = until
			return false
		}
		p.now = first
		seen := false
		for i := range p.strands {
			s := &p.strands[i]
			if s.deadline != first {
				continue
			}
			s.deadline = 0
			switch s.waits {
			case requesting, arriving:
				seen, s.value, s.waits = true, "late", ""
			default:
				s.waits = ""
			}
		}
		if p.run(o) || seen {
			return true
		}
	}
}

// next returns after how much time something is to be seen by itself.
func (p scriptMemory) next(o *scriptOracle) (after int, ok bool) {
	p.strands = slices.Clone(p.strands)
	begin := p.now
	if !p.elapse(begin+longest, o) {
		return 0, false
	}
	return p.now - begin, true
}

// fire returns the world after the next timer of a process has fired.
func (o *scriptOracle) fire(w scriptWorld, process int) (scriptWorld, bool) {
	w = w.clone()
	p := &w.processes[process]
	after, ok := p.next(o)
	if !ok || o.stall > 0 && p.lag < seconds(after) {
		return w, false
	}
	p.lag = 0
	p.elapse(p.now+after, o)
	return w, true
}

func seconds(d int) int { return (d + second/2) / second }

// tick returns the world after a second; false if something is due, or if that would
// change nothing.
func (o *scriptOracle) tick(w scriptWorld) (scriptWorld, bool) {
	if o.stall == 0 {
		return w, false
	}
	w = w.clone()
	changes := false
	for i := range w.processes {
		p := &w.processes[i]
		if after, ok := p.next(o); ok {
			if p.lag >= seconds(after) {
				return w, false
			}
			changes = true
		}
		p.lag++
		for j := range p.strands {
			s := &p.strands[j]
			if s.waits != requesting && s.waits != arriving {
				continue
			}
			if changes = true; s.age == o.stall {
				return w, false
			}
			s.age++
		}
	}
	for i := range w.others {
		p := &w.others[i]
		if !p.executed || p.done {
			continue
		}
		if changes = true; p.age == o.stall {
			return w, false
		}
		p.age++
	}
	return w, changes
}

// run lets all strands go on that can, and says whether something is to be seen: somebody
// asks, or a task has ended.
func (p *scriptMemory) run(o *scriptOracle) (seen bool) {
	for goesOn := true; goesOn; {
		goesOn = false
		for i := 0; i < len(p.strands); i++ {
			goes, sees := p.goOn(i)
			goesOn, seen = goesOn || goes, seen || sees
		}
	}
	return seen
}

// goOn lets a strand go on up to where it waits.
func (p *scriptMemory) goOn(i int) (goes, seen bool) {
	for {
		s := &p.strands[i]
		switch s.waits {
		case "":
		case joining, gathering:
			if slices.ContainsFunc(p.strands, func(c strand) bool {
				return c.parent == i && c.joined == (s.waits == joining) && c.waits != nothing
			}) {
				return goes, seen
			}
			if s.waits == gathering {
				var got []string
				for j := range p.strands {
					if c := &p.strands[j]; c.parent == i && !c.joined {
						got = append(got, c.value)
						c.parent = -1
					}
				}
				s.value = strings.Join(got, "+")
			}
			s.waits = ""
			s.at++
		case receiving:
			from := slices.IndexFunc(p.strands, func(c strand) bool { return c.waits == sending && c.block[c.at].n == s.block[s.at].n })
			if from < 0 {
				return goes, seen
			}
			c := &p.strands[from]
			s.value, s.waits, c.waits = c.value, "", ""
			s.at, c.at = s.at+1, c.at+1
		default:
			return goes, seen
		}
		goes = true
		if s.again {
			if s.again = false; s.value == "late" {
				s.request(s.body, 0)
				return goes, true
			}
		}
		if s.at == len(s.block) {
			s.waits = nothing
			return goes, seen || s.task
		}
		seen = p.act(i) || seen
	}
}

func (s *strand) request(body string, deadline int) {
	s.body, s.deadline, s.waits, s.age = strings.ReplaceAll(body, "$", s.value), deadline, requesting, 0
}

// act begins the next act of a strand, and says whether that is to be seen.
func (p *scriptMemory) act(i int) (seen bool) {
	s := &p.strands[i]
	a := s.block[s.at]
	if a.verb != send && a.verb != receive && a.verb != join && a.verb != group && a.verb != race {
		s.at++
	}
	deadline := p.now + a.n*second
	switch a.verb {
	case ask:
		if a.n == 0 {
			deadline = 0
		}
		s.request(a.body, deadline)
		s.again = a.n > 0 && a.again
		return true
	case add:
		p.counter += a.n
	case pause:
		s.waits, s.deadline = sleeping, deadline
	case send:
		s.waits = sending
	case receive:
		s.waits = receiving
	case join:
		s.waits = joining
	case spawn:
		p.strands = append(p.strands, strand{block: a.child, value: s.value, parent: i, joined: true})
	case later:
		p.strands = append(p.strands, strand{block: a.child, value: s.value, parent: -1, waits: toBegin, deadline: deadline})
	case group, race:
		s.waits = gathering
		if a.n == 0 {
			deadline = 0
		}
		value := s.value
		for _, body := range a.bodies {
			c := strand{value: value, parent: i}
			c.request(body, deadline)
			p.strands = append(p.strands, c)
		}
		return true
	}
	return false
}
