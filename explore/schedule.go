package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
)

// A Schedule is the sequence of moves of an execution, which it determines.
type Schedule []sim.Move

// Format returns the schedule as a token that names the tasks, each with the
// number of its consecutive steps, and the faults:
//
//	reader-1:2,writer-1!lost-reply,!expire(product:1),reader-1:1
//
// There the request of writer-1 is struck by a fault, and a key expires.
func (s Schedule) Format(sys *sim.System) string {
	var parts []string
	tasks := sys.Tasks()
	for i := 0; i < len(s); {
		m, j := s[i], i+1
		switch {
		case m.Task == sim.Environment && m.Fault.Target != "":
			parts = append(parts, "!"+string(m.Fault.Kind)+"("+escape.Replace(m.Fault.Target)+")")
		case m.Task == sim.Environment:
			parts = append(parts, "!"+string(m.Fault.Kind))
		case m.Fault.Kind != "":
			parts = append(parts, tasks[m.Task].Name+"!"+string(m.Fault.Kind))
		default:
			for j < len(s) && s[j] == m {
				j++
			}
			parts = append(parts, tasks[m.Task].Name+":"+strconv.Itoa(j-i))
		}
		i = j
	}
	return strings.Join(parts, ",")
}

// A comma ends a part of a token.
var (
	escape   = strings.NewReplacer("%", "%25", ",", "%2C")
	unescape = strings.NewReplacer("%25", "%", "%2C", ",")
)

// Switches returns the number of context switches: changes of task between
// consecutive steps, where the environment counts as a task.
func (s Schedule) Switches() int {
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i].Task != s[i-1].Task {
			n++
		}
	}
	return n
}

// Faults returns the number of faults that happen.
func (s Schedule) Faults() int {
	n := 0
	for _, m := range s {
		if m.Strikes() {
			n++
		}
	}
	return n
}

// compare orders schedules by faults, then context switches, then steps, then the
// order of the moves. It is the order in which "minimal" is meant.
func (s Schedule) compare(t Schedule) int {
	return cmp.Or(s.Faults()-t.Faults(), s.Switches()-t.Switches(), len(s)-len(t), slices.CompareFunc(s, t, sim.Move.Compare))
}

// of returns a schedule for these tasks as one for those that are known of the system by
// now, which have the same names.
func (s Schedule) of(tasks []sim.TaskRef, sys *sim.System) Schedule {
	now := sys.Tasks()
	if len(now) == len(tasks) {
		return s
	}
	same := slices.Clone(s)
	for i, m := range same {
		if m.Task != sim.Environment {
			same[i].Task = slices.IndexFunc(now, func(t sim.TaskRef) bool { return t.Name == tasks[m.Task].Name })
		}
	}
	return same
}

// ParseSchedule reads a token written by [Schedule.Format]. The error names the
// first part that does not fit the tasks of the system.
func ParseSchedule(sys *sim.System, token string) (Schedule, error) {
	var s Schedule
	if token == "" {
		return s, nil
	}
	for _, part := range strings.Split(token, ",") {
		name, _, _ := strings.Cut(part, ":")
		name, _, _ = strings.Cut(name, "!")
		sys.KnowPlace(name)
	}
	tasks := sys.Tasks()
	for _, part := range strings.Split(token, ",") {
		moves, err := parsePart(tasks, part, len(s))
		if err != nil {
			return nil, fmt.Errorf("schedule: %w", err)
		}
		s = append(s, moves...)
	}
	return s, nil
}

// parsePart reads a part of a token that comes after some steps.
func parsePart(tasks []sim.TaskRef, part string, steps int) (Schedule, error) {
	if name, fault, ok := strings.Cut(part, "!"); ok {
		m := sim.Move{Task: sim.Environment}
		kind, target, aimed := strings.Cut(fault, "(")
		m.Fault.Kind = sim.FaultKind(kind)
		if aimed {
			if target, aimed = strings.CutSuffix(target, ")"); !aimed {
				return nil, fmt.Errorf("%q is not of the form !fault(target)", part)
			}
			m.Fault.Target = unescape.Replace(target)
		}
		if !slices.Contains(sim.FaultKinds[:], m.Fault.Kind) && !slices.Contains(unstruck, m.Fault.Kind) {
			return nil, fmt.Errorf("step %d cannot be taken: there is no fault %q (faults: %s)", steps+1, kind, faultNames())
		}
		var err error
		if name != "" {
			m.Task, err = taskNamed(tasks, name, steps)
		}
		return Schedule{m}, err
	}
	name, count, ok := strings.Cut(part, ":")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return nil, fmt.Errorf("%q is not of the form task:steps, such as %s:2", part, tasks[0].Name)
	}
	task, err := taskNamed(tasks, name, steps)
	if err != nil {
		return nil, err
	}
	if n > maxSteps-steps {
		return nil, fmt.Errorf("%q makes more than %d steps", part, maxSteps)
	}
	return slices.Repeat(Schedule{{Task: task}}, n), nil
}

// taskNamed returns the index of a task that takes the next step.
func taskNamed(tasks []sim.TaskRef, name string, steps int) (int, error) {
	task := slices.IndexFunc(tasks, func(t sim.TaskRef) bool { return t.Name == name })
	if task < 0 {
		return 0, fmt.Errorf("step %d cannot be taken: there is no task %q in this workload (tasks: %s)", steps+1, name, strings.Join(taskNames(tasks), ", "))
	}
	return task, nil
}

func taskNames(tasks []sim.TaskRef) (names []string) {
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names
}

// unstruck are the kinds of moves of the environment that are no faults.
var unstruck = []sim.FaultKind{sim.Recovery, sim.Tick, sim.Lapse}

func faultNames() string {
	var names []string
	for _, k := range slices.Concat(sim.FaultKinds[:], unstruck) {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
