package model_test

import (
	"context"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/model"
)

// TestSessions pins what is found of sessions and creators: a shopper and a writer, an
// editor and a reader, a creator with a reader and a writer. The interleavings are counted
// by the direct engine as well where there are at most -direct of them. Those of naive can
// be counted by hand: the shopper takes 7 steps, of which the second reads the old row and
// the fourth begins the cart. The UPDATE is in 8 places among them, and in the 2 between
// those two steps the cart has the old price, and checkout the new one.
func TestSessions(t *testing.T) {
	t.Parallel()
	asked := []struct {
		property string
		load     model.Workload
	}{
		{"cart-price", model.Workload{Shoppers: 1, Writers: 1}},
		{"read-your-writes", model.Workload{Editors: 1, Readers: 1}},
		{"coherent", model.Workload{Creators: 1, Readers: 1, Writers: 1}},
	}
	table := map[string][3][2]int64{ // interleavings, and those that violate
		"cache-aside":                  {{36, 1}, {204, 24}, {162, 9}},
		"circuit-breaker":              {{36, 1}, {204, 24}, {162, 9}},
		"delayed-double-delete":        {{415, 3}, {357, 32}, {7890, 300}},
		"delete-first":                 {{40, 6}, {224, 48}, {108, 30}},
		"double-delete":                {{144, 3}, {285, 32}, {1008, 72}},
		"event-bus":                    {{6, 1}, {7, 0}, {6, 1}},
		"event-stream":                 {{902, 78}, {4597, 720}, {8703, 222}},
		"event-stream-warm":            {{1714, 193}, {3675, 1461}, {16052, 370}},
		"in-transaction":               {{380, 20}, {295, 66}, {670, 220}},
		"lease":                        {{36, 0}, {99, 0}, {162, 0}},
		"lease-shared-token":           {{36, 0}, {99, 0}, {162, 0}},
		"local-pubsub":                 {{43546875, 669696}, {6574843158, 129772440}, {480688168578256800, 13602351218374800}},
		"lock":                         {{2565, 0}, {98043, 0}, {65237, 0}},
		"lock-fenced":                  {{2565, 0}, {98043, 0}, {49801, 0}},
		"lock-fill-only":               {{55, 1}, {63155, 988}, {624, 15}},
		"naive":                        {{8, 2}, {90, 81}, {14, 4}},
		"negative-cache":               {{18, 0}, {204, 24}, {210, 24}},
		"outbox":                       {{3796, 780}, {5937, 1110}, {49168, 4896}},
		"outbox-versioned":             {{6433, 1870}, {4920, 1833}, {110095, 0}},
		"polling":                      {{15935436762, 971379864}, {24723872208, 10802877120}, {1662295315000320, 174781800103680}},
		"read-modify-write-from-cache": {{295, 6}, {238, 30}, {0, 0}},
		"refresh-ahead":                {{45, 1}, {222, 24}, {162, 9}},
		"setnx-fill":                   {{36, 1}, {204, 24}, {162, 9}},
		"stale-while-revalidate":       {{36, 1}, {204, 24}, {162, 9}},
		"swallowed-delete":             {{36, 1}, {204, 24}, {162, 9}},
		"ttl":                          {{8, 2}, {90, 81}, {14, 4}},
		"versioned":                    {{36, 0}, {115, 0}, {95, 0}},
		"versioned-tombstone":          {{36, 0}, {204, 0}, {106, 0}},
		"watch":                        {{66, 1}, {1325, 0}, {420, 15}},
		"watch-marker":                 {{66, 0}, {1325, 0}, {420, 0}},
		"write-behind":                 {{721, 206}, {1044, 420}, {0, 0}},
		"write-through":                {{120, 1}, {143, 24}, {1151, 87}},
	}
	counted := 0
	for _, s := range model.Caches() {
		rows, ok := table[s.Name]
		if !ok {
			t.Errorf("%s is not in the table", s.Name)
		}
		w := open(t, s.Name, 1)
		for i, c := range asked {
			p, err := model.LookupProperty(c.property, s)
			if err != nil {
				t.Fatal(err)
			}
			sys, err := w.System(c.load, p)
			if err != nil {
				if c.load.Creators == 0 || s.Uncreated == "" {
					t.Errorf("%s, %v: %v", s.Name, c.load, err)
				}
				continue
			}
			r := product(t, sys, explore.ProductOptions{})
			if got := [2]int64{r.Interleavings.Int64(), r.Violating.Int64()}; got != rows[i] || r.Verdict == explore.Incomplete || r.Verdict == explore.Vacuous {
				t.Errorf("%s, %v: %s is %s: %d, want %d", s.Name, c.load, c.property, r.Verdict, got, rows[i])
			}
			if r.Interleavings.IsInt64() && r.Interleavings.Int64() <= *directLimit {
				counted++
				d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				same(t, s.Name+", "+c.load.String(), r, d)
			}
		}
	}
	if counted < 40 {
		t.Errorf("the direct engine has counted %d", counted)
	}
}

// A strategy says why it has no creators, and that there is no warm cache with them.
func TestNoCreators(t *testing.T) {
	for strategy, c := range map[string]struct {
		load model.Workload
		want string
	}{
		"write-behind": {model.Workload{Creators: 1}, "write-behind has no creators: what it queues is the new price of a row that is there"},
		"cache-aside":  {model.Workload{Creators: 1, Warm: true}, "cache-aside has no warm cache with creators"},
	} {
		w := open(t, strategy, 1)
		if _, _, err := w.Ask(c.load); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", strategy, err, c.want)
		}
	}
}
