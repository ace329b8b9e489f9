package explore

import (
	"math"
	"math/big"
	"math/bits"
)

// Counts are natural numbers of a fixed number of words, least significant
// first, in flat arrays: millions of big.Int would be too large. How many words
// are needed is known before the counting begins.

// addMul adds x times m to sum.
func addMul(sum, x []uint64, m uint64) {
	var carry uint64
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

func toBig(x []uint64) *big.Int {
	n := new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		n.Lsh(n, 64)
		n.Or(n, new(big.Int).SetUint64(x[i]))
	}
	return n
}

// numbers is an array of one count for each state.
type numbers struct {
	words int
	flat  []uint64
}

// newNumbers returns counts that hold every number below 2^log2.
func newNumbers(states int, log2 float64) numbers {
	words := int(log2)/64 + 1
	return numbers{words, make([]uint64, states*words)}
}

func (n numbers) at(state uint32) []uint64 {
	return n.flat[int(state)*n.words : (int(state)+1)*n.words]
}

// A census says of a graph how many of its interleavings violate the property.
type census struct {
	interleavings, violating *big.Int
	probability              *big.Rat // of a violation under a uniformly random scheduler
}

// count counts the interleavings from the initial state. violates says in which
// states the property is violated; an interleaving violates if it comes through
// one of them.
//
// All three numbers are sums over the steps from a state, computed from the end:
// of a step that any of many interchangeable tasks can take, each is counted
// many times. Where the search was not complete, only what was expanded counts.
func (g *graph) count(order []uint32, violates []bool) census {
	height := g.heights(order)
	tasks := float64(max(len(g.slots), 1))
	all := newNumbers(g.set.n, float64(height[0])*math.Log2(tasks)+1)
	bad := newNumbers(g.set.n, float64(height[0])*math.Log2(tasks)+1)
	values := make([]uint32, len(g.slots)+len(g.stores))
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		a, b := all.at(s), bad.at(s)
		for _, e := range g.from(s) {
			addMul(a, all.at(e.to), uint64(e.many))
			addMul(b, bad.at(e.to), uint64(e.many))
		}
		if len(g.from(s)) == 0 {
			g.layout.unpack(g.set.key(int(s)), values)
			if terminal, _ := g.terminal(s, values); terminal {
				a[0] = 1
			}
		}
		if violates[s] {
			copy(b, a)
		}
	}
	c := census{toBig(all.at(0)), toBig(bad.at(0)), new(big.Rat)}
	if c.violating.Sign() > 0 {
		c.probability = g.probability(order, height, violates)
	}
	return c
}

// heights returns for every state the number of steps of the longest way on.
func (g *graph) heights(order []uint32) []uint32 {
	height := make([]uint32, g.set.n)
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		for _, e := range g.from(s) {
			height[s] = max(height[s], height[e.to]+1)
		}
	}
	return height
}

// probability returns the probability of a violation if every scheduling
// decision is uniform among the enabled tasks. It is exact: with L the least
// common multiple of 1..tasks, the probability at a state is a natural number
// over L to the power of the state's height.
func (g *graph) probability(order []uint32, height []uint32, violates []bool) *big.Rat {
	lcm := uint64(1)
	for n := uint64(2); n <= uint64(len(g.slots)); n++ {
		lcm *= n / gcd(lcm, n)
	}
	logL := math.Log2(float64(lcm))
	p := newNumbers(g.set.n, float64(height[0])*logL+1)
	scaled := make([]uint64, p.words)
	for i := len(order) - 1; i >= 0; i-- {
		s := order[i]
		if violates[s] {
			power(p.at(s), lcm, height[s])
			continue
		}
		enabled := uint64(0)
		for _, e := range g.from(s) {
			enabled += uint64(e.many)
		}
		for _, e := range g.from(s) {
			x := p.at(e.to)
			// A step that skips heights makes up for them.
			for range height[s] - 1 - height[e.to] {
				clear(scaled)
				addMul(scaled, x, lcm)
				x = append(x[:0:0], scaled...)
			}
			addMul(p.at(s), x, lcm/enabled*uint64(e.many))
		}
	}
	one := make([]uint64, p.words)
	power(one, lcm, height[0])
	return new(big.Rat).SetFrac(toBig(p.at(0)), toBig(one))
}

// power sets x to base^exponent.
func power(x []uint64, base uint64, exponent uint32) {
	x[0] = 1
	for range exponent {
		y := append([]uint64(nil), x...)
		clear(x)
		addMul(x, y, base)
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
