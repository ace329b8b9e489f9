package report

import (
	"runtime/debug"
	"testing"
)

// The heaps of tests are small and short of life: collecting them took a sixth of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}
