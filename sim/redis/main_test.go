package redis

import (
	"runtime/debug"
	"testing"
)

// The heaps of tests are small and short of life.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}
