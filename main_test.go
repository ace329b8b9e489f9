package quiesce_test

import (
	"runtime/debug"
	"testing"
)

// The heaps of tests are small and short of life: collecting them took a third of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}
