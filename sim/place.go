package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Place is where in a process somebody waits. Its name is the same in every run.
type Place struct {
	Task int // index in the tasks of the program; Nobody for what none of them has started

	// Path says how whoever waits has come out of the task, if that is not the task
	// itself: "2/1" is the first goroutine of the second goroutine that the task has
	// started. Only those count that ask for something. It is "" in a process of
	// coroutines.
	Path string
}

// Nobody is the task of a [Place] where a goroutine waits that no task has started, but
// the constructor or a timer.
const Nobody = -1

// clockPlace is where the next timer of a process of goroutines is pending.
var clockPlace = Place{Nobody, "clock"}

// Clock says whether this is where the next timer of a process is pending.
func (p Place) Clock() bool { return p == clockPlace }

// compare orders the tasks before what they have started, and that in the order of its
// numbers, and what nobody has started behind all tasks.
func (p Place) compare(o Place) int {
	if c := cmp.Compare(uint(p.Task), uint(o.Task)); c != 0 {
		return c
	}
	return slices.CompareFunc(strings.Split(p.Path, "/"), strings.Split(o.Path, "/"), func(a, b string) int {
		n, errA := strconv.Atoi(a)
		m, errB := strconv.Atoi(b)
		if errA != nil || errB != nil {
			return strings.Compare(a, b)
		}
		return n - m
	})
}

// A PlaceError says that somebody waits in a process of goroutines at a place that was
// not known before. From now on [System.Tasks] has it, so whatever was begun with the
// tasks that were known before is begun again.
type PlaceError struct{ Name string }

func (e *PlaceError) Error() string {
	return e.Name + " asks for something, and was not known to: what has been begun has to be begun again"
}

// mostPlaces is how many places one program may have. A goroutine for every round of a
// loop without an end would have any number.
const mostPlaces = 64

// place makes a place of a program known. It returns a [*PlaceError] if it was not.
func (s *System) place(program int, at Place) error {
	o := s.origin()
	key := o.Programs[program].kind(program)
	if at.Path == "" || slices.Contains(o.places[key], at) {
		return nil
	}
	name := o.Programs[program].nameOf(at)
	if len(o.places[key]) == mostPlaces {
		return fmt.Errorf("%s is one goroutine too many that asks for something in %s, after %d others: give the workload less to do, or have fewer goroutines do it", name, o.Programs[program].Name, mostPlaces)
	}
	if o.places == nil {
		o.places = map[string][]Place{}
	}
	o.places[key] = append(o.places[key], at)
	slices.SortFunc(o.places[key], Place.compare)
	return &PlaceError{name}
}

// KnowPlace makes the place of a name known, such as one in a schedule: "view/1" is a
// goroutine of the task view, and "shop/clock" the clock of the process shop. It returns
// false if the name is none of a place of a process of goroutines.
func (s *System) KnowPlace(name string) bool {
	for i := range s.Programs {
		p := &s.Programs[i]
		if !p.Goroutines {
			continue
		}
		at := Place{Task: Nobody}
		path, ok := strings.CutPrefix(name, p.Name+"/"+byNobody)
		if name == p.nameOf(clockPlace) {
			path, ok = clockPlace.Path, true
		}
		for task, spec := range p.specs() {
			if rest, is := strings.CutPrefix(name, spec.Name+"/"); is && !ok {
				at.Task, path, ok = task, rest, true
			}
		}
		if !ok || path != clockPlace.Path && strings.Trim(path, "0123456789/") != "" {
			continue
		}
		at.Path = path
		_ = s.place(i, at)
		return true
	}
	return false
}

// byNobody begins the paths of what no task has started, in names: a task may be called as
// its process is.
const byNobody = "+"

// nameOf returns the name of a place in a process of the program.
func (p *Program) nameOf(at Place) string {
	switch {
	case at == clockPlace:
		return p.Name + "/" + at.Path
	case at.Task == Nobody:
		return p.Name + "/" + byNobody + at.Path
	case at.Path == "":
		return p.specs()[at.Task].Name
	}
	return p.specs()[at.Task].Name + "/" + at.Path
}

// kind returns what is equal for programs that are the same code with the same arguments.
func (p *Program) kind(index int) string {
	if p.Class != "" {
		return "class " + p.Class
	}
	return strconv.Itoa(index)
}

// placesOf returns the known places of a program beside its tasks.
func (s *System) placesOf(program int) []Place {
	p := &s.Programs[program]
	if !p.Goroutines {
		return nil
	}
	o := s.origin()
	places := o.places[p.kind(program)]
	if o.Timing != nil && !slices.Contains(places, clockPlace) {
		places = append(slices.Clone(places), clockPlace)
	}
	return places
}
