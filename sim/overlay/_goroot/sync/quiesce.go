package sync

import _ "unsafe"

// bubbleMark returns what a lock remembers of whoever holds it, which is that of the bubble, if any.
//
//go:linkname bubbleMark
func bubbleMark() uint32
