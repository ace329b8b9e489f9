package explore

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"

	"quiesce/sim"
)

// Counts are natural numbers of a fixed number of words, least significant
// first, in flat arrays: millions of big.Int would be too large. How many words
// are needed is known before the counting begins.

// addMul adds x times m to sum.
func addMul(sum, x []uint64, m uint64) {
	var carry uint64
	sum = sum[:len(x)]
	for i, w := range x {
		hi, lo := bits.Mul64(w, m)
		lo, c := bits.Add64(lo, carry, 0)
		hi += c
		sum[i], c = bits.Add64(sum[i], lo, 0)
		carry = hi + c
	}
	if carry != 0 {
		panic("explore: a count is larger than its bound")
	}
}

// scale multiplies x by m to the power of exponent.
func scale(x []uint64, m uint64, exponent uint16) {
	for range exponent {
		var carry uint64
		for i, w := range x {
			hi, lo := bits.Mul64(w, m)
			var c uint64
			x[i], c = bits.Add64(lo, carry, 0)
			carry = hi + c
		}
		if carry != 0 {
			panic("explore: a count is larger than its bound")
		}
	}
}

func toBig(x []uint64) *big.Int {
	n := new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		n.Lsh(n, 64)
		n.Or(n, new(big.Int).SetUint64(x[i]))
	}
	return n
}

// A census says of a graph how many of its interleavings violate the property.
type census struct {
	interleavings, violating *big.Int
	probability              *big.Rat // of a violation under a uniformly random scheduler; nil with faults
}

// count counts the interleavings from the initial state. violates says in which
// states the property is violated; an interleaving violates if it comes through
// one of them.
//
// Every number of a state is a sum over the steps from it, computed from the
// end; a step that any of many interchangeable tasks can take counts many times.
// Where the search was not complete, only what was expanded counts.
//
// The probability is exact. With L the least common multiple of 1..tasks, that
// of a state is a natural number over L to the power of the state's height, which
// is the number of steps of the longest way on.
func (g *graph) count(order []uint32, violates []badness) census {
	tasks := uint64(max(len(g.tasks), 1))
	lcm := uint64(1)
	for n := uint64(2); n <= tasks; n++ {
		lcm *= n / gcd(lcm, n)
	}
	// What is kept of a state stands side by side: the number of interleavings,
	// of violating ones, and the numerator of the probability.
	longest := g.longest()
	counts := wordsFor(longest, g.branches())
	parts := wordsFor(longest, lcm)
	if g.restless() || g.stuck != nil || !slices.ContainsFunc(violates, func(b badness) bool { return b > 0 }) {
		parts = 0 // the probability is 0, or there is none since faults have none
	}
	record := 2*counts + parts
	flat := make([]uint64, g.set.n*record)
	height := make([]uint16, g.set.n) // the steps of the longest way on

	one := make([]uint64, counts)
	one[0] = 1
	powers := newPowers(lcm, longest, parts)
	scaled := make([]uint64, parts)
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		here := flat[int(s)*record:][:record]
		edges := g.from(s)
		enabled := uint64(0)
		for _, e := range edges {
			enabled += uint64(e.many)
			height[s] = max(height[s], height[e.to]+1)
		}
		for _, e := range edges {
			many := uint64(e.many)
			there := flat[int(e.to)*record:][:record]
			if counts == 1 { // the common case, in which nothing is carried
				here[0] += there[0] * many
				here[1] += there[1] * many
			} else {
				addMul(here[:counts], there[:counts], many)
				addMul(here[counts:2*counts], there[counts:2*counts], many)
			}
			if parts == 0 || zero(there[counts:2*counts]) {
				continue
			}
			x := there[2*counts:]
			if skipped := height[s] - 1 - height[e.to]; skipped > 0 {
				copy(scaled, x)
				scale(scaled, lcm, skipped)
				x = scaled
			}
			addMul(here[2*counts:], x, lcm/enabled*many)
		}
		if g.ends(s) {
			addMul(here[:counts], one, 1)
		}
		switch violates[s] {
		case violated:
			copy(here[counts:2*counts], here[:counts])
			copy(here[2*counts:], powers[height[s]])
		case violatedAtEnd:
			addMul(here[counts:2*counts], one, 1)
			copy(here[2*counts:], powers[height[s]])
		}
	}
	c := census{toBig(flat[:counts]), toBig(flat[counts : 2*counts]), new(big.Rat)}
	if g.restless() || g.stuck != nil {
		c.probability = nil
	}
	if parts > 0 {
		c.probability.SetFrac(toBig(flat[2*counts:record]), toBig(powers[height[0]]))
	}
	return c
}

// tally counts in how many interleavings the expression has each of its values
// at quiescence. The interleavings that lead to a state are counted from the
// initial one on, as those that go on from it are from the end.
func (g *graph) tally(order []uint32, of func(sim.View) string) ([]ValueCount, error) {
	of = asking(g.sys, "the expression", of)
	words := wordsFor(g.longest(), g.branches())
	flat := make([]uint64, g.set.n*words)
	flat[0] = 1
	counts := map[string]*big.Int{}
	for _, s := range order {
		here := flat[int(s)*words:][:words]
		for _, e := range g.from(s) {
			addMul(flat[int(e.to)*words:][:words], here, uint64(e.many))
		}
		if !g.ends(s) {
			continue
		}
		own := g.values(s)
		if g.waits(own) {
			continue
		}
		v := g.view(own)
		if err := g.indifferent("the expression", v, of); err != nil {
			return nil, err
		}
		value := of(v)
		if counts[value] == nil {
			counts[value] = new(big.Int)
		}
		counts[value].Add(counts[value], toBig(here))
	}
	return valueCounts(counts), nil
}

// premise counts the interleavings in which the property has something to judge at
// quiescence.
func (g *graph) premise(order []uint32) (*big.Int, error) {
	is := g.sys.Property.Premise
	if is == nil {
		return nil, nil
	}
	is = asking(g.sys, "the premise of "+g.sys.Property.Name, is)
	counts, err := g.tally(order, func(v sim.View) string { return strconv.FormatBool(is(v)) })
	n := new(big.Int)
	for _, c := range counts {
		if c.Value == "true" {
			n = c.Interleavings
		}
	}
	return n, err
}

// longest returns a number of steps that no execution exceeds, with what is known
// so far.
func (g *graph) longest() int {
	if !g.plain {
		return g.height
	}
	sum := 0
	for _, s := range g.slots {
		sum += g.codes[s.code].AtMost()
	}
	return sum
}

// endless says whether an execution may have more than maxSteps steps, with what is
// known so far.
func (g *graph) endless() bool {
	if g.depth > maxSteps || g.longest() <= maxSteps {
		return g.depth > maxSteps
	}
	sum := g.height
	for _, s := range g.slots {
		if g.plain {
			sum += g.codes[s.code].Longest()
		}
	}
	return sum > maxSteps
}

// measure sets the number of steps of the longest execution, for which there is
// no bound in the tables if the environment moves.
func (g *graph) measure(order []uint32) {
	heights := make([]int32, g.set.n)
	for i := len(order) - 1; i >= 0; i-- {
		for _, e := range g.from(order[i]) {
			heights[order[i]] = max(heights[order[i]], heights[e.to]+1)
		}
	}
	g.height = int(heights[0])
}

// branches returns a number that the ways to go on from a state, and to end there,
// do not exceed.
func (g *graph) branches() uint64 {
	return uint64(max(g.most, 1))
}

// wordsFor returns the words of a number up to base to the power of exponent.
func wordsFor(exponent int, base uint64) int {
	return int(float64(exponent)*math.Log2(float64(base))+1)/64 + 1
}

func zero(x []uint64) bool {
	for _, w := range x {
		if w != 0 {
			return false
		}
	}
	return true
}

// newPowers returns base to the power of 0 to n.
func newPowers(base uint64, n, words int) [][]uint64 {
	if words == 0 {
		return make([][]uint64, n+1)
	}
	powers := [][]uint64{make([]uint64, words)}
	powers[0][0] = 1
	for range n {
		x := slices.Clone(powers[len(powers)-1])
		scale(x, base, 1)
		powers = append(powers, x)
	}
	return powers
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
