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
	return sim.Property{Name: "no-lost-write", Monitor: &sim.Monitor{
		Start: strings.Repeat(string(none), w.Writers),
		After: func(before string, e sim.Event) string {
			state := []byte(before)
			for i := range state {
				if rowPrice(e.View, int64(i%w.Keys+1)) == writerPrice(i) {
					mark(state, i, seen)
				}
				if e.Finished && e.Name == fmt.Sprintf("writer-%d", i+1) && e.View.Results[e.Task] == "" {
					mark(state, i, told)
				}
			}
			return string(state)
		},
	}, Premise: func(v sim.View) bool { return strings.ContainsAny(v.Monitor, string([]rune{told, both})) }, Violation: func(v sim.View) string {
		if i := strings.IndexByte(v.Monitor, told); i >= 0 {
			return fmt.Sprintf("writer-%d was told that the price is %d, which has never been in the database", i+1, writerPrice(i))
		}
		return ""
	}}
}
