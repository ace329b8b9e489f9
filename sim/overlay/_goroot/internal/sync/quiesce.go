package sync

import _ "unsafe"

// bubbleMark returns what a lock remembers of the bubble that holds it; 0 is no bubble.
//
//go:linkname bubbleMark
func bubbleMark() uint32
