package sync

import "unsafe"

// bubbleMark returns what a lock remembers of the bubble in which it is held; 0 is none.
//
//go:linkname bubbleMark
func bubbleMark() uint32

// bubbleLocks notes which mutex the goroutine waits for, nil is none, and reports whether it is in a bubble.
//
//go:linkname bubbleLocks
func bubbleLocks(m unsafe.Pointer) bool
