package maps

import _ "unsafe"

// offsets returns where the iteration of a map with that many entries starts.
//
//go:linkname offsets
func offsets(used uint64) (entry, dir uint64)

// fixSeed makes the order of the entries of a map follow from what is done to it, from its first entry on. There may be another
// seed then, also one that the compiler has drawn, since nothing has been hashed with it.
func (m *Map) fixSeed() {
	if m != nil && m.used == 0 {
		m.seed = 0
	}
}
