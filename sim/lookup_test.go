package sim

import (
	"fmt"
	"slices"
	"testing"
)

// TestLookups has everything that can be looked up, found or not: in stores and in what
// processes show, item by item or by the begin of names.
func TestLookups(t *testing.T) {
	sys := system(func(func(string) string) (string, error) { return "", nil })
	l := sys.Lookups()
	if len(l.Missed()) > 0 {
		t.Errorf("nothing was looked up, but missed %v", l.Missed())
	}
	empty := l.View(View{Contents: []Content{nil}, Memories: []Content{nil}})
	full := l.View(View{
		Contents: []Content{{{Name: "order/1", Value: "a"}, {Name: "order/2", Value: "b"}, {Name: "other", Value: "c"}}},
		Memories: []Content{{{Name: "order/1", Value: "d"}}},
	})
	store, program := sys.Stores[0].Name(), sys.Programs[0].Name
	for _, c := range []struct {
		view        View
		place, name string
		value       string
		ok          bool
	}{
		{empty, store, "order/1", "", false}, {full, store, "order/1", "a", true}, {empty, store, "order/1", "", false},
		{full, program, "order/1", "d", true}, {full, program, "other", "", false},
	} {
		if value, ok := c.view.Value(c.place, c.name); value != c.value || ok != c.ok {
			t.Errorf("%s in %s: %q, %v", c.name, c.place, value, ok)
		}
	}
	for prefix, want := range map[string]int{"order/": 2, "order": 2, "": 3, "order/3": 0, "rder": 0} {
		if items := full.Items(store, prefix); len(items) != want {
			t.Errorf("%q: %v", prefix, items)
		}
	}
	want := []Lookup{{store, "order/3", true}, {store, "rder", true}, {program, "other", false}}
	slices.SortFunc(want, func(a, b Lookup) int { return slices.Compare([]string{a.Place, a.Name}, []string{b.Place, b.Name}) })
	if got := l.Missed(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("missed %v, want %v", got, want)
	}
}
