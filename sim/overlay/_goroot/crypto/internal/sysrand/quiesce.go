package sysrand

import _ "unsafe"

// ReadInBubble fills b in a bubble of testing/synctest, and returns false outside.
//
//go:noescape
//go:linkname ReadInBubble
func ReadInBubble(b []byte) bool
