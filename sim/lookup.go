package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Lookup is something that a property has looked up by its name.
type Lookup struct {
	Place  string // the name of a store, or of a program whose process shows its memory
	Name   string // of the item
	Prefix bool   // Name is what the names of the items begin with
}

// Finds says whether the item is called as was looked up.
func (l Lookup) Finds(it Item) bool {
	return it.Name == l.Name || l.Prefix && strings.HasPrefix(it.Name, l.Name)
}

// Lookups are what a property has looked up in views: see [View.Value]. A property
// that looks up what no state ever holds, such as a key that is spelled wrong, holds
// without saying anything.
type Lookups struct {
	stores []string // by name, in the order of View.Contents
	shown  []string // the programs, in the order of View.Memories
	found  map[Lookup]bool
}

// Lookups returns a record, yet without a look-up, for views of the system.
func (s *System) Lookups() *Lookups {
	l := &Lookups{found: map[Lookup]bool{}}
	for _, st := range s.Stores {
		l.stores = append(l.stores, st.Name())
	}
	for _, p := range s.Programs {
		l.shown = append(l.shown, p.Name)
	}
	return l
}

// View returns the view as one that records here what is looked up in it. A test that
// makes a view by hand asks a property about it so:
//
//	line := coherent(sys.Lookups().View(sim.View{Contents: contents}))
func (l *Lookups) View(v View) View {
	v.lookups = l
	return v
}

// Missed returns what was looked up and never found, by place and name.
func (l *Lookups) Missed() (missed []Lookup) {
	for at, found := range l.found {
		if !found {
			missed = append(missed, at)
		}
	}
	slices.SortFunc(missed, func(a, b Lookup) int {
		return cmp.Or(strings.Compare(a.Place, b.Place), strings.Compare(a.Name, b.Name), strings.Compare(fmt.Sprint(a.Prefix), fmt.Sprint(b.Prefix)))
	})
	return missed
}

// Value returns the value of the item called name that a place holds: a store, by its
// Name, or a program that shows its memory, by its own. A property that looks things
// up so, and has no premise, holds only if some state holds what it looked up. Value
// panics if there is no such place, and the sentence lists those that there are.
//
//	price, ok := v.Value("cache", "product:1")
func (v View) Value(place, name string) (value string, ok bool) {
	value, ok = v.at(place).Lookup(name)
	v.note(Lookup{place, name, false}, ok)
	return value, ok
}

// Items returns the items of a place whose names begin with the prefix; all of them if
// it is "". Otherwise it is like [View.Value].
//
//	orders := v.Items("db", "orders/")
func (v View) Items(place, prefix string) (items Content) {
	l := Lookup{place, prefix, true}
	for _, it := range v.at(place) {
		if l.Finds(it) {
			items = append(items, it)
		}
	}
	v.note(l, len(items) > 0)
	return items
}

// at returns what a place holds.
func (v View) at(place string) Content {
	if v.lookups == nil {
		panic(fmt.Sprintf("sim: %s was looked up in a view that was made by hand, which knows no names; make it by System.Lookups", place))
	}
	i := slices.Index(v.lookups.stores, place)
	if i >= 0 && i < len(v.Contents) {
		return v.Contents[i]
	}
	i = slices.Index(v.lookups.shown, place)
	if i < 0 || i >= len(v.Memories) {
		panic(fmt.Sprintf("sim: a property looked something up in %q, which is none of the stores %s, and none of the programs %s",
			place, strings.Join(v.lookups.stores, ", "), strings.Join(v.lookups.shown, ", ")))
	}
	return v.Memories[i]
}

// note records a look-up.
func (v View) note(l Lookup, found bool) { v.lookups.found[l] = v.lookups.found[l] || found }
