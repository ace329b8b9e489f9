package sync

import _ "unsafe"

// bubbleMark returns what a lock remembers of a bubble in which it is held for reading; 0 is no bubble.
//
//go:linkname bubbleMark
func bubbleMark() uint32
