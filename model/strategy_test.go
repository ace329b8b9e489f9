package model

import "testing"

// Every strategy is listed in exactly one group, and in no other can one register.
func TestGroups(t *testing.T) {
	listed := map[string]int{}
	for _, g := range Groups() {
		for _, s := range InGroup(g) {
			listed[s.Name]++
		}
	}
	for _, s := range Strategies() {
		if listed[s.Name] != 1 {
			t.Errorf("%s is listed %d times", s.Name, listed[s.Name])
		}
	}
	for _, g := range []Group{-1, 0, Group(len(titles))} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a strategy of group %d was registered", g)
				}
			}()
			register(Strategy{Name: "stray", Group: g})
		}()
	}
}
