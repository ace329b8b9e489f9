package quiesce

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
)

// A workload says how many there are of each task that is not in the background.
type workload struct {
	world  *World
	tasks  []*task
	counts []int // of each, from 1 on
}

// workloads returns all workloads of the world, from the smallest on.
func (w *World) workloads() (all []workload) {
	var tasks []*task
	for _, s := range w.servers {
		for _, t := range s.tasks {
			if !t.background {
				tasks = append(tasks, t)
			}
		}
	}
	counts := slices.Repeat([]int{1}, len(tasks))
	for more := true; more; {
		all = append(all, workload{w, tasks, slices.Clone(counts)})
		more = false
		for i := len(tasks) - 1; i >= 0 && !more; i-- { // an odometer
			if more = counts[i] < tasks[i].most; more {
				counts[i]++
			} else {
				counts[i] = 1
			}
		}
	}
	slices.SortStableFunc(all, func(a, b workload) int { return cmp.Compare(a.size(), b.size()) })
	return all
}

func (l workload) size() (n int) {
	for _, c := range l.counts {
		n += c
	}
	return n
}

// Tasks returns the workload in brief, such as 2 view, 1 reprice.
func (l workload) Tasks() string {
	parts := make([]string, len(l.tasks))
	for i, t := range l.tasks {
		parts[i] = fmt.Sprintf("%d %s", l.counts[i], t.name)
	}
	return strings.Join(parts, ", ")
}

// String returns the workload in words.
func (l workload) String() string {
	s := l.Tasks()
	if l.world.Faults.Total() > 0 {
		s += ", faults " + l.world.Faults.String()
	}
	if l.Timed() {
		s += fmt.Sprintf(", no call longer than %s", l.world.Timing.MaxStall)
	}
	return s
}

// Timed says whether time passes.
func (l workload) Timed() bool { return l.world.Timing != nil }

// MarshalJSON returns an object with the number of each task.
func (l workload) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, t := range l.tasks {
		name, err := json.Marshal(t.name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",%s:%d", name, l.counts[i])
	}
	return []byte("{" + strings.TrimPrefix(b.String(), ",") + "}"), nil
}

// read returns the workload of which MarshalJSON has written that; false if the world has no
// such workload.
func (w *World) read(data []byte) (workload, bool) {
	var counts map[string]int
	if json.Unmarshal(data, &counts) != nil {
		return workload{}, false
	}
	for _, l := range w.workloads() {
		same := len(counts) == len(l.tasks)
		for i, t := range l.tasks {
			same = same && counts[t.name] == l.counts[i]
		}
		if same {
			return l, true
		}
	}
	return workload{}, false
}

// instances returns the tasks by the names that they have in the workload.
func (l workload) instances() (all []instance) {
	for i, t := range l.tasks {
		all = append(all, t.instances(l.counts[i])...)
	}
	return all
}

// instances returns n of the task.
func (t *task) instances(n int) []instance {
	if n == 1 {
		return []instance{{t, t.name}}
	}
	var all []instance
	for i := range n {
		all = append(all, instance{t, fmt.Sprintf("%s-%d", t.name, i+1)})
	}
	return all
}

// of returns the instances of the tasks of a server.
func of(s *server, all []instance) []instance {
	return slices.DeleteFunc(slices.Clone(all), func(in instance) bool { return in.task.server != s })
}

// system returns the workload as a system, yet without a property.
func (l workload) system() *sim.System {
	w := l.world
	sys := &sim.System{Stores: w.stores(), Faults: w.Faults, Patience: w.Patience}
	if w.Timing != nil {
		timing := *w.Timing
		timing.Tick = cmp.Or(timing.Tick, timing.MaxStall)
		sys.Timing = &timing
	}
	for _, s := range w.servers {
		var background []instance
		for _, t := range s.tasks {
			if t.background {
				background = append(background, instance{t, t.name})
			}
		}
		sys.Programs = append(sys.Programs, s.processes(of(s, l.instances()), background)...)
	}
	return sys
}

// named returns the workload in which the tasks have the names of a token, of which each
// is there as often as the largest number says.
func (w *World) named(token string) workload {
	all := w.workloads()
	if len(all[0].tasks) == 0 {
		return all[0]
	}
	names := map[string]bool{}
	for part := range strings.SplitSeq(token, ",") {
		names[part[:strings.IndexAny(part+":", ":!")]] = true
	}
	smallest := all[0]
	for _, l := range all {
		known := 0
		for _, in := range l.instances() {
			if names[in.name] {
				known++
			}
		}
		best := 0
		for _, in := range smallest.instances() {
			if names[in.name] {
				best++
			}
		}
		if known > best {
			smallest = l
		}
	}
	return smallest
}

// check returns an error if two places or two tasks of the world have the same name, in
// whatever workload.
func (w *World) check() error {
	all := w.workloads()
	for _, l := range []workload{all[0], all[len(all)-1]} {
		sys := l.system()
		places, tasks := map[string]bool{}, map[string]bool{}
		for _, st := range sys.Stores {
			places[st.Name()] = true
		}
		for _, p := range sys.Programs {
			if places[p.Name] {
				return fmt.Errorf("a server and a store, or another server, are called %s; give them different names", p.Name)
			}
			places[p.Name] = true
		}
		for _, t := range sys.Tasks() {
			if tasks[t.Name] {
				return fmt.Errorf("two tasks of the world are called %s; give them different names", t.Name)
			}
			tasks[t.Name] = true
		}
	}
	return nil
}
