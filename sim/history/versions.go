package history

import (
	"cmp"
	"slices"
)

// unwritten stands for the initial value of a key, where that is not known.
const unwritten = "\x00initial"

// orphan stands for the task of a write that never returns.
const orphan = "\x00"

// A version is a value that a key has had, or may have.
type version struct {
	Value string
	Old   []string `json:",omitempty"` // what is older, sorted
	By    string   `json:",omitempty"` // the task whose operation writes it, while that goes on
	Told  bool     `json:",omitempty"` // the operation has returned
	Age   int      `json:",omitempty"` // since then, up to what matters
}

// versions are those of all keys, and what is older than what. They are in the order of
// the source if there is one, and otherwise in that of the operations.
type versions struct {
	Of map[string][]version `json:",omitempty"` // by key; of each in one order

	initial map[string]string
	sourced bool
	renewed func(key, value string) // told of a value that is written once more
}

// of returns the versions of a key.
func (vs *versions) of(key string) []version {
	if all, ok := vs.Of[key]; ok {
		return all
	}
	first, ok := vs.initial[key]
	if !ok {
		first = unwritten
	}
	return []version{{Value: first}}
}

// known returns a value that was read, or unwritten if it is the initial one and that is
// not known.
func (vs *versions) known(key, value string) string {
	all := vs.of(key)
	if _, ok := vs.initial[key]; !ok && !slices.ContainsFunc(all, func(v version) bool { return v.Value == value }) {
		return unwritten
	}
	return value
}

// begin adds what an operation writes, if the operations are all that is known: all
// writes that have returned are older.
func (vs *versions) begin(task string, op Op) {
	switch {
	case vs.sourced || !op.writes():
	case op.Kind == Change:
		panic("history: nobody knows what value " + op.Name + " of " + task + " writes; set History.Source")
	default:
		vs.add(op.Key, version{Value: op.Value, By: task}, func(v version) bool { return v.By == "" })
	}
}

// source adds what the source has now: all that it had before is older.
func (vs *versions) source(task, key, value string) {
	if vs.sourced {
		vs.add(key, version{Value: value, By: task}, func(version) bool { return true })
	}
}

// add adds a version. Those that are older are named, and whatever is older than they.
func (vs *versions) add(key string, v version, older func(version) bool) {
	all := slices.Clone(vs.of(key))
	for _, w := range all {
		if older(w) {
			v.Old = union(v.Old, append([]string{w.Value}, w.Old...))
		}
	}
	for _, w := range all {
		if !older(w) { // also if it was written before as well
			v.Old = without(v.Old, w.Value)
		}
	}
	v.Old = without(v.Old, v.Value)
	for i := range all {
		if all[i].Value == v.Value { // nobody can tell them apart
			vs.renewed(key, v.Value)
		}
		all[i].Old = without(all[i].Old, v.Value)
	}
	vs.set(key, append(all, v))
}

// end says that an operation has returned. It returns what is older than that which it
// has written.
func (vs *versions) end(task string, op Op) (old []string) {
	if !op.writes() {
		return nil
	}
	all := slices.Clone(vs.of(op.Key))
	for i := range all {
		switch {
		case all[i].By != task:
		case op.Failed:
			all[i].By = orphan
		default:
			all[i].By, all[i].Told = "", true
			old = union(old, all[i].Old)
		}
	}
	vs.set(op.Key, all)
	return old
}

// older returns what is older than a value that was read, whichever write of it that was.
func (vs *versions) older(key, value string) (old []string) {
	first := true
	for _, v := range vs.of(key) {
		switch {
		case v.Value != value:
		case first:
			old, first = v.Old, false
		default:
			old = slices.DeleteFunc(slices.Clone(old), func(o string) bool { return !slices.Contains(v.Old, o) })
		}
	}
	return old
}

// once says whether a value was written once only, so that no later read of it is of
// another write.
func (vs *versions) once(key, value string) bool {
	n := 0
	for _, v := range vs.of(key) {
		if v.Value == value {
			n++
		}
	}
	return n == 1
}

// set stores the versions of a key, in one order. Equal ones are one.
func (vs *versions) set(key string, all []version) {
	slices.SortFunc(all, func(v, w version) int {
		told := 0
		if v.Told != w.Told {
			told = 1
			if w.Told {
				told = -1
			}
		}
		return cmp.Or(cmp.Compare(v.Value, w.Value), cmp.Compare(v.By, w.By), told, cmp.Compare(v.Age, w.Age), slices.Compare(v.Old, w.Old))
	})
	if vs.Of == nil {
		vs.Of = map[string][]version{}
	}
	vs.Of[key] = all
}

// union returns the values of both, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// without returns the values but one.
func without(all []string, value string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(v string) bool { return v == value })
}
