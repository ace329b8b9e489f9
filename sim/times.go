package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// In an untimed system a key may expire at any moment, by a fault, and a sleep may end at
// any moment. An execution in which that happens says something about the moments of its
// steps: a key expires when its TTL has passed, and not later; it is there in every step
// before that; a sleep takes at least as long as it was asked for; and steps follow one
// another. An execution for which there are no such moments is none.
//
// What has to be known of the past is a zone: of any two moments that still matter by how
// much one is later than the other at most (Dill 1989; Bengtsson and Yi, "Timed Automata:
// Semantics, Algorithms and Tools", 2004, section 4). It is a part of the [EnvironmentState], so of
// the state. What cannot matter any more is left out of it: of a sleep, which only asks
// for enough time, nothing that makes it longer (the bounds of Behrmann, Bouyer, Larsen
// and Pelánek, STTT 2006, with no upper ones); and all of it when no time has to pass.

// A Lifetime is an item of a store that goes away by itself.
type Lifetime struct {
	Item string // with its store
	TTL  time.Duration
}

// Dated says whether time may have to pass in an untimed system: something can expire, or
// a task can sleep.
func (s *System) Dated() bool {
	return s.Timing == nil && (s.Faults[Expire] > 0 || s.Faults[AnyFault] > 0 || s.clock())
}

// clock says whether tasks can sleep.
func (s *System) clock() bool {
	return slices.ContainsFunc(s.Stores, func(st Store) bool { return st.Name() == ClockName })
}

// timeless says whether no time has to pass any more.
func (s *System) timeless(w EnvironmentState) bool { return !s.clock() && !w.Allows(Expire) }

// instant is how far a store turns time back before every request of a task in a dated
// system. All TTLs are whole milliseconds, so one that is still whole afterwards was set
// by that request. Commands see whole milliseconds, so what they answer is what it was.
const instant = time.Nanosecond

// turnBack turns the time of a store back by an instant.
func turnBack(s Store) error {
	t, ok := s.(Timed)
	if !ok {
		return nil
	}
	req := t.Tick(-instant)
	if req == (Request{}) {
		return nil
	}
	_, err := t.Execute(req)
	return err
}

// Lifetimes returns the items of a store that go away by themselves, and what the last
// request of a task, before which it held something else, has done to them. Both contents
// are as the store returns them, with the instants by which time was turned back: those of
// an item tell when it was set, whatever it is called now.
func Lifetimes(store string, before, after Content) (all []Lifetime, c Changes) {
	for _, it := range after {
		if it.TTL <= 0 {
			continue
		}
		l := Lifetime{store + "/" + it.Name, it.TTL.Truncate(time.Millisecond)}
		if all = append(all, l); it.TTL == l.TTL {
			c.Set = append(c.Set, l.Item)
			continue
		}
		was := func(b Item) bool { return b.TTL == it.TTL-instant }
		i := slices.IndexFunc(before, func(b Item) bool { return was(b) && b.Name == it.Name })
		if i < 0 {
			i = slices.IndexFunc(before, was)
		}
		if i >= 0 && before[i].Name != it.Name {
			if c.Was == nil {
				c.Was = map[string]string{}
			}
			c.Was[l.Item] = store + "/" + before[i].Name
		}
	}
	return all, c
}

// Changes are what a request does to items that go away by themselves.
type Changes struct {
	Set []string          // those that it has set
	Was map[string]string // those that had another name before, such as by RENAME, and which
}

// withoutInstants returns the content with whole TTLs. Which of its items have the same to
// the instant is kept: where one takes the place of another that was set at another moment,
// that is a change, and where it was set by the same request it is none.
func withoutInstants(c Content) Content {
	if !slices.ContainsFunc(c, func(it Item) bool { return it.TTL > 0 }) {
		return c
	}
	whole := slices.Clone(c)
	for i, it := range c {
		whole[i].TTL = it.TTL.Truncate(time.Millisecond)
		first := slices.IndexFunc(c[:i], func(o Item) bool { return it.TTL > 0 && o.TTL == it.TTL })
		if first >= 0 {
			whole[i].same = c[first].Name
		}
	}
	return whole
}

// A Waking is what a step says of its moment.
type Waking struct {
	Before  []Lifetime    // what is there before it
	Expires string        // the item that reaches the end of its TTL; "" is none
	Sleeper int           // the task whose sleep ends, if Slept is more than 0
	Slept   time.Duration // how long it asked for
}

// A Leaving is what there is after a step.
type Leaving struct {
	After []Lifetime
	Changes
	Asleep []int // tasks that sleep
	Fell   []int // those of them that have begun to in this step
}

// Moments are those that are possible for a step, with those before it.
type Moments struct{ zone }

// begin returns the environment in which an execution begins, with these items and sleeping
// tasks. They are all of one moment, and the first step is at any later one.
func (s *System) begin(w EnvironmentState, items []Lifetime, asleep []int) EnvironmentState {
	if !s.Dated() {
		return w
	}
	z := zone{names: nil, later: [][]time.Duration{{0}}}
	l := Leaving{After: items, Asleep: asleep, Fell: asleep}
	for _, it := range items {
		l.Set = append(l.Set, it.Item)
	}
	w, err := s.leave(w, Moments{z}, l)
	if err != nil {
		panic(err) // all is set here
	}
	return w
}

// wake returns the moments that are possible for a step in an environment, false if there are
// none: then the step is not possible.
func (s *System) wake(w EnvironmentState, k Waking) (Moments, bool) {
	if !s.Dated() || s.timeless(w) {
		return Moments{}, true
	}
	z := parseZone(w.times)
	if i := z.index(k.Expires); i > 0 {
		z.atLeast(0, i, z.ttl(k.Expires, k.Before))
	}
	if i := z.index(sleeperName(k.Sleeper)); k.Slept > 0 && i > 0 {
		z.atLeast(0, i, k.Slept)
	}
	return Moments{z}, z.close()
}

// leave returns the environment after a step with these moments; w is the one after its fault.
// The error says that it is not known since when an item is there.
func (s *System) leave(w EnvironmentState, m Moments, l Leaving) (EnvironmentState, error) {
	w.times = ""
	if !s.Dated() || s.timeless(w) {
		return w, nil
	}
	z := m.zone
	next := []string{""}
	from := []int{0} // the moment that each of them is one of, in z
	for _, it := range l.After {
		i := 0
		if !slices.Contains(l.Set, it.Item) {
			was, ok := l.Was[it.Item]
			if !ok {
				was = it.Item
			}
			if i = z.index(was); i < 0 {
				return w, fmt.Errorf("it cannot be told since when %s has its TTL of %s; give it a TTL by a request of its own, such as PEXPIRE", it.Item, it.TTL)
			}
		}
		next, from = append(next, it.Item), append(from, i)
	}
	for _, task := range l.Asleep {
		i := z.index(sleeperName(task))
		if i < 0 || slices.Contains(l.Fell, task) {
			i = 0
		}
		next, from = append(next, sleeperName(task)), append(from, i)
	}
	after := zone{names: next[1:]}
	for i := range next {
		row := make([]time.Duration, len(next))
		for j := range next {
			row[j] = z.later[from[i]][from[j]]
			if i == 0 && j > 0 || strings.HasPrefix(next[i], sleeping) && i != j {
				row[j] = unbounded // time passes from here on; and a sleep may be longer
			}
		}
		after.later = append(after.later, row)
	}
	for i, it := range l.After {
		after.later[0][i+1] = it.TTL
	}
	after.close() // some moment is possible: that of the step
	w.times = after.key()
	return w, nil
}

// A zone says of moments, the first of which is now, by how much one is later than another
// at most.
type zone struct {
	names []string // of those after the first
	later [][]time.Duration
}

const (
	unbounded time.Duration = math.MaxInt64
	sleeping                = "\x00sleep " // what the name of the moment begins with in which a task fell asleep
)

func sleeperName(task int) string { return sleeping + strconv.Itoa(task) }

// index returns the moment with a name; -1 if there is none.
func (z zone) index(name string) int {
	if i := slices.Index(z.names, name); i >= 0 {
		return i + 1
	}
	return -1
}

// ttl returns that of an item.
func (z zone) ttl(item string, all []Lifetime) time.Duration {
	return all[slices.IndexFunc(all, func(l Lifetime) bool { return l.Item == item })].TTL
}

// atLeast says that moment i is at least so much later than moment j.
func (z zone) atLeast(i, j int, d time.Duration) { z.later[j][i] = min(z.later[j][i], -d) }

// plus returns the sum of two bounds, which is one as well: what is too long to be told is
// unbounded, such as twice a TTL of 200 years.
func plus(a, b time.Duration) time.Duration {
	switch {
	case a == unbounded || b == unbounded || a > 0 && b > unbounded-a:
		return unbounded
	case a < 0 && b < math.MinInt64-a:
		return math.MinInt64
	}
	return a + b
}

// close makes every bound as tight as the others make it (Floyd 1962). It returns false if
// there are no such moments.
func (z zone) close() bool {
	for k, through := range z.later {
		for _, row := range z.later {
			first := row[k]
			if first == unbounded {
				continue // so is every sum with it
			}
			for j, second := range through {
				row[j] = min(row[j], plus(first, second))
			}
		}
	}
	for i := range z.later {
		if z.later[i][i] < 0 {
			return false
		}
	}
	return true
}

// key returns the zone in a form that is equal for equal zones only: how many names there
// are, each with its length, and the bounds in 8 bytes each. [parseZone] reads it.
func (z zone) key() string {
	size := binary.MaxVarintLen64 + 8*len(z.later)*len(z.later)
	for _, name := range z.names {
		size += binary.MaxVarintLen64 + len(name)
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(len(z.names)))
	for _, name := range z.names {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	for _, row := range z.later {
		for _, d := range row {
			b = binary.BigEndian.AppendUint64(b, uint64(d))
		}
	}
	return string(b)
}

// parseZone returns the zone that has the key.
func parseZone(key string) (z zone) {
	next := func() int {
		var head [binary.MaxVarintLen64]byte
		n, size := binary.Uvarint(head[:copy(head[:], key)])
		key = key[size:]
		return int(n)
	}
	z.names = make([]string, next())
	for i := range z.names {
		n := next()
		z.names[i], key = key[:n], key[n:]
	}
	moments := len(z.names) + 1
	bounds := make([]time.Duration, moments*moments)
	for i := range bounds {
		var d uint64
		for _, b := range []byte(key[8*i : 8*i+8]) {
			d = d<<8 | uint64(b)
		}
		bounds[i] = time.Duration(d)
	}
	for row := range slices.Chunk(bounds, moments) {
		z.later = append(z.later, row)
	}
	return z
}
