package sync

import "unsafe"

// bubbleMark returns what a lock remembers of whoever holds it, which is that of the bubble, if any.
//
//go:linkname bubbleMark
func bubbleMark() uint32

// bubbleLocks notes which mutex the goroutine waits for, nil is none, and reports whether it is in a bubble.
//
//go:linkname bubbleLocks
func bubbleLocks(m unsafe.Pointer) bool
