package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestZoneKey draws zones with names that look like parts of a key and with extreme
// bounds: every key reads back as its zone, and so no two zones share one.
func TestZoneKey(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 12))
	names := []string{"", "1", "\x01", "\x011", "cache/lock", "cache/lock 2", sleeperName(0), sleeperName(10)}
	bounds := []time.Duration{unbounded, math.MinInt64, -1, 0, 1, 255, 256, time.Second, -time.Hour}
	keys := map[string]bool{}
	for range 2_000 {
		var z zone
		for range random.IntN(4) {
			z.names = append(z.names, names[random.IntN(len(names))])
		}
		for range len(z.names) + 1 {
			var row []time.Duration
			for range len(z.names) + 1 {
				row = append(row, bounds[random.IntN(len(bounds))])
			}
			z.later = append(z.later, row)
		}
		keys[z.key()] = true
		got := parseZone(z.key())
		if !slices.Equal(got.names, z.names) || !slices.EqualFunc(got.later, z.later, slices.Equal) {
			t.Fatalf("%+v comes back as %+v", z, got)
		}
	}
	if len(keys) < 1_000 {
		t.Errorf("only %d zones are different", len(keys))
	}
}

// TestZoneClose closes random zones in another way: every bound is shortened by way of
// any other moment until nothing changes (Bellman 1958). There are no such moments if
// one is then earlier than itself.
func TestZoneClose(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 12))
	closed, empty := 0, 0
	for range 2_000 {
		var z zone
		var want [][]time.Duration
		moments := 1 + random.IntN(5)
		for i := range moments {
			row := make([]time.Duration, moments)
			for j := range row {
				if row[j] = unbounded; random.IntN(3) > 0 {
					row[j] = time.Duration(random.IntN(9) - 2)
				}
			}
			row[i] = 0
			z.later, want = append(z.later, row), append(want, slices.Clone(row))
		}
		possible := shorten(want)
		if got := z.close(); got != possible {
			t.Fatalf("close returns %v, there are moments: %v", got, possible)
		}
		if !possible {
			empty++
			continue
		}
		if closed++; !slices.EqualFunc(z.later, want, slices.Equal) {
			t.Fatalf("%v, want %v", z.later, want)
		}
	}
	if closed < 200 || empty < 200 {
		t.Errorf("%d zones have moments and %d have none", closed, empty)
	}
}

// shorten makes bounds as short as they are by way of others. It returns false if a
// moment is earlier than itself.
func shorten(later [][]time.Duration) bool {
	for changed := true; changed; {
		changed = false
		for i := range later {
			for j := range later {
				for k := range later {
					if d := plus(later[i][k], later[k][j]); d < later[i][j] {
						later[i][j], changed = d, true
					}
				}
			}
			if later[i][i] < 0 {
				return false
			}
		}
	}
	return true
}
