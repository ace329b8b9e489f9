package explore

import (
	"maps"
	"slices"
)

// numbers gives every distinct value a number, from 0 in the order in which they
// are first seen.
type numbers[T comparable] struct {
	all []T
	ids map[T]uint32
}

func newNumbers[T comparable](first ...T) *numbers[T] {
	n := &numbers[T]{ids: map[T]uint32{}}
	for _, v := range first {
		n.of(v)
	}
	return n
}

// of returns the number of a value.
func (n *numbers[T]) of(v T) uint32 {
	id, ok := n.ids[v]
	if !ok {
		id = uint32(len(n.all))
		n.ids[v] = id
		n.all = append(n.all, v)
	}
	return id
}

func (n *numbers[T]) clone() *numbers[T] {
	return &numbers[T]{slices.Clone(n.all), maps.Clone(n.ids)}
}
