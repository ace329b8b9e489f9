package model

import (
	"fmt"
	"strings"

	"quiesce/sim"
)

// noLostWrite watches which writers were told that their price is set, and which
// prices have been in the database. The state of its monitor has a letter for every
// writer: not told and not seen, told, seen, or both. A price that another writer has
// replaced was not lost.
func noLostWrite(_ Strategy, w Workload) sim.Property {
	const none, told, seen, both = '-', 'T', 'S', 'B'
	mark := func(state []byte, i int, with byte) {
		if state[i] != none && state[i] != with {
			with = both
		}
		state[i] = with
	}
	writers := w.of(writer)
	return sim.Property{Name: "no-lost-write", Monitor: &sim.Monitor{
		Start: strings.Repeat(string(none), len(writers)),
		After: func(before string, e sim.Event) string {
			state := []byte(before)
			for i, p := range writers {
				if rowPrice(e.View, p.product) == p.price() {
					mark(state, i, seen)
				}
				if e.Finished && e.Name == p.String() && e.View.Results[e.Task] == "" {
					mark(state, i, told)
				}
			}
			return string(state)
		},
	}, Premise: func(v sim.View) bool { return strings.ContainsAny(v.Monitor, string([]rune{told, both})) }, Violation: func(v sim.View) string {
		if i := strings.IndexByte(v.Monitor, told); i >= 0 {
			return fmt.Sprintf("%s was told that the price is %d, which has never been in the database", writers[i], writers[i].price())
		}
		return ""
	}}
}
