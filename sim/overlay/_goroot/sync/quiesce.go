package sync

import _ "unsafe"

// bubbleMark returns what a lock remembers of the bubble in which it is held; 0 is none.
//
//go:linkname bubbleMark
func bubbleMark() uint32
