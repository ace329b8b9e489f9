package explore

// chunks is a growing array that never moves its elements: at millions of states
// the copying of append is a quarter of the time of a search.
type chunks[T any] struct {
	all [][]T
	n   int // elements, and those passed over by run
}

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

// run returns room for n elements side by side, at most chunkSize, and the index
// of the first.
func (c *chunks[T]) run(n int) (elements []T, first int) {
	if left := len(c.all)*chunkSize - c.n; left < n {
		c.n += left
		c.all = append(c.all, make([]T, chunkSize))
	}
	first = c.n
	c.n += n
	return c.slice(first, n), first
}

// slice returns n elements that are side by side.
func (c *chunks[T]) slice(first, n int) []T {
	if n == 0 {
		return nil
	}
	i := first & (chunkSize - 1)
	return c.all[first>>chunkBits][i : i+n : i+n]
}

func (c *chunks[T]) at(i int) *T { return &c.all[i>>chunkBits][i&(chunkSize-1)] }
