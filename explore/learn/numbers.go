package learn

import (
	"maps"
	"slices"
)

// Numbers gives every distinct value a number, from 0 in the order in which they
// are first seen.
type Numbers[T comparable] struct {
	All []T
	ids map[T]uint32
}

// NewNumbers returns the numbers of these values, from 0 on.
func NewNumbers[T comparable](first ...T) *Numbers[T] {
	n := &Numbers[T]{ids: map[T]uint32{}}
	for _, v := range first {
		n.Of(v)
	}
	return n
}

// Of returns the number Of a value.
func (n *Numbers[T]) Of(v T) uint32 {
	id, ok := n.ids[v]
	if !ok {
		id = uint32(len(n.All))
		n.ids[v] = id
		n.All = append(n.All, v)
	}
	return id
}

// Clone returns numbers that are equal and go on by themselves.
func (n *Numbers[T]) Clone() *Numbers[T] {
	return &Numbers[T]{slices.Clone(n.All), maps.Clone(n.ids)}
}
