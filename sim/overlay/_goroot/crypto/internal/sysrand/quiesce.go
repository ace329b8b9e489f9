package sysrand

import _ "unsafe"

// readInBubble fills b in a bubble of testing/synctest, and returns false outside.
//
//go:noescape
//go:linkname readInBubble
func readInBubble(b []byte) bool
