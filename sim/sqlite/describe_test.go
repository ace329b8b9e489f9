package sqlite

import (
	"testing"

	"quiesce/sim"
)

// Whatever is described, nothing panics.
func FuzzDescribe(f *testing.F) {
	f.Add("q\x08SELECT ?i\x02")
	f.Add("q\x01\x01a\x04TEXTrs\x01xz")
	f.Add("e\x0219\x01x")
	f.Add("x\x02\x02")
	f.Fuzz(func(t *testing.T, body string) {
		describeReply(body)
		describeRequest(sim.Request{Body: body})
	})
}
