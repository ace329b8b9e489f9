package sim

import (
	"context"
	"testing"
)

// TestShared has what makes memory of tasks equal: what is shown and what is kept, in its
// place, and nothing else.
func TestShared(t *testing.T) {
	shared := func(build func(*Process)) SharedMemory {
		sys := &System{Programs: []Program{{Name: "p", New: func(p *Process) []Task {
			build(p)
			return []Task{func(context.Context) (string, error) { return "", nil }}
		}}}}
		p, err := sys.Process(0)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop()
		return p.Shared()
	}
	keep := func(all ...string) func(*Process) {
		return func(p *Process) {
			for _, s := range all {
				p.Keep(func() string { return s })
			}
		}
	}
	show := func(p *Process) { p.Show(func() Content { return Content{{Name: "a"}} }) }
	keys := map[string]string{}
	for name, build := range map[string]func(*Process){
		"nothing": func(*Process) {}, "empty": keep(""), "a": keep("a"), "a, empty": keep("a", ""), "empty, a": keep("", "a"),
		"both in one": keep("a\"\n\"b"), "one after the other": keep("a", "b"), "shown": show,
	} {
		m := shared(build)
		if other, ok := keys[m.Key]; ok {
			t.Errorf("%s and %s are equal memory", name, other)
		}
		if keys[m.Key] = name; m.All || m.Derivable {
			t.Errorf("%s: nobody has stated anything, and it is %+v", name, m)
		}
	}
	for _, tt := range []struct {
		name  string
		build func(*Process)
		want  SharedMemory
	}{
		{"all", func(p *Process) { p.ShowsAll() }, SharedMemory{All: true}},
		{"both", func(p *Process) { p.ShowsAll(); p.Derivable() }, SharedMemory{All: true, Derivable: true}},
		{"derivable alone", func(p *Process) { p.Derivable() }, SharedMemory{}},
	} {
		if got := shared(tt.build); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
