package maps

import _ "unsafe"

// offsets returns where the iteration of a map with that many entries starts.
//
//go:linkname offsets
func offsets(used uint64) (entry, dir uint64)
