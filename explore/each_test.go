package explore

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"quiesce/sim"
)

// TestOfEachIsProduct asks random systems for several properties in one exploration:
// at quiescence and always, with a monitor and without, labelled and not. Of each it
// says what an exploration for that property alone says, which TestEnginesAgree
// compares with the oracle.
func TestOfEachIsProduct(t *testing.T) {
	differ := 0
	for seed := range uint64(*toys) / 4 {
		toy := randomToy(rand.New(rand.NewPCG(seed, 11)))
		others := []*toyVariant{{}, {always: true}, {watched: true}, {labelled: true}, {always: true, watched: true}}
		var properties []sim.Property
		for i, v := range others {
			v.toy = *toy
			v.toy.always, v.toy.watched, v.toy.labelled = v.always, v.watched, v.labelled
			v.toy.salt += string(rune('a' + i))
			properties = append(properties, v.toy.system().Property)
		}
		opts := ProductOptions{Audit: 1, Values: toy.view, Measures: []Measure{{"odd", toyMeasure}}, Stale: odd, Explain: true}
		got, err := ProductOfEach(t.Context(), toy.system(), properties, opts)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		verdicts := map[Verdict]bool{}
		for i, v := range others {
			want, err := Product(t.Context(), v.toy.system(), opts)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			verdicts[want.Verdict] = true
			got[i].Statistics, want.Statistics = Statistics{}, Statistics{}
			together, alone := got[i].Measured[0], want.Measured[0]
			if math.IsNaN(together.Mean) != math.IsNaN(alone.Mean) || math.Abs(together.Mean-alone.Mean) > 1e-9 {
				t.Errorf("seed %d, property %d: a mean of %v together with others, %v alone", seed, i, together.Mean, alone.Mean)
			}
			together.Mean, alone.Mean = 0, 0 // sums in different orders
			got[i].Measured, want.Measured = []Measured{together}, []Measured{alone}
			if !reflect.DeepEqual(got[i], want) {
				t.Errorf("seed %d, property %d: together with others\n%+v, alone\n%+v", seed, i, got[i], want)
			}
		}
		if len(verdicts) > 1 {
			differ++
		}
	}
	if differ < *toys/20 {
		t.Errorf("the properties of only %d systems have different verdicts", differ)
	}
}

// A toyVariant is a toy with another property.
type toyVariant struct {
	toy                       toy
	always, watched, labelled bool
}
