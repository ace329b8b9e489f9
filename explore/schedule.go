package explore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
)

// A Schedule is the sequence of tasks that take a step, as indices in
// sim.System.Tasks. It determines an execution.
type Schedule []int

// Format returns the schedule as a token that names the tasks, each with the
// number of its consecutive steps: "reader-1:2,writer-1:2,reader-1:1".
func (s Schedule) Format(sys *sim.System) string {
	var runs []string
	tasks := sys.Tasks()
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		runs = append(runs, tasks[s[i]].Name+":"+strconv.Itoa(j-i))
		i = j
	}
	return strings.Join(runs, ",")
}

// Switches returns the number of context switches: changes of task between
// consecutive steps.
func (s Schedule) Switches() int {
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i] != s[i-1] {
			n++
		}
	}
	return n
}

// compare orders schedules by context switches, then steps, then the order of
// the tasks in the system. It is the order in which "minimal" is meant.
func (s Schedule) compare(t Schedule) int {
	if d := s.Switches() - t.Switches(); d != 0 {
		return d
	}
	if d := len(s) - len(t); d != 0 {
		return d
	}
	return slices.Compare(s, t)
}

// ParseSchedule reads a token written by [Schedule.Format]. The error names the
// first part that does not fit the tasks of the system.
func ParseSchedule(sys *sim.System, token string) (Schedule, error) {
	var s Schedule
	if token == "" {
		return s, nil
	}
	tasks := sys.Tasks()
	for _, run := range strings.Split(token, ",") {
		name, count, ok := strings.Cut(run, ":")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || n < 1 {
			return nil, fmt.Errorf("schedule: %q is not of the form task:steps, such as %s:2", run, tasks[0].Name)
		}
		task := slices.IndexFunc(tasks, func(t sim.TaskRef) bool { return t.Name == name })
		if task < 0 {
			return nil, fmt.Errorf("schedule: step %d cannot be taken: there is no task %q in this workload (tasks: %s)",
				len(s)+1, name, strings.Join(taskNames(sys), ", "))
		}
		if n > maxSteps-len(s) {
			return nil, fmt.Errorf("schedule: %q makes more than %d steps", run, maxSteps)
		}
		s = append(s, slices.Repeat([]int{task}, n)...)
	}
	return s, nil
}

func taskNames(sys *sim.System) []string {
	var names []string
	for _, t := range sys.Tasks() {
		names = append(names, t.Name)
	}
	return names
}
