package sqlite

import (
	"database/sql/driver"
	"math"
	"reflect"
	"testing"
	"time"

	"quiesce/sim"
)

var codecValues = []driver.Value{
	nil, int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), 0.0, math.Copysign(0, -1), 1.5, math.Inf(-1),
	true, false, []byte{}, []byte("1"), "", "1", "N\x00'", time.Time{}, time.Unix(0, 0).UTC(), time.Unix(1, 5).In(time.FixedZone("", -3600)),
}

func TestCodecRoundTrip(t *testing.T) {
	seen := make(map[string]bool)
	for _, mode := range []byte{modeExec, modeQuery} {
		for _, name := range []string{"", "n", "ni"} {
			for _, v := range codecValues {
				c := call{mode, "SELECT ?", []driver.NamedValue{{Ordinal: 1, Name: name, Value: v}, {Ordinal: 2, Value: "x"}}}
				body, err := c.encode()
				if err != nil || seen[body] {
					t.Errorf("%v: %v, seen: %v", c, err, seen[body])
				}
				seen[body] = true
				if got, err := decodeCall(body); err != nil || !reflect.DeepEqual(got, c) {
					t.Errorf("%#v, want %#v: %v", got, c, err)
				}
			}
		}
	}
	if _, err := appendValue(nil, 5); err == nil {
		t.Error("an int is no driver.Value")
	}
}

// What decodes, encodes to something that decodes to the same, and nothing panics.
func FuzzDecode(f *testing.F) {
	for _, v := range codecValues {
		body, _ := call{modeExec, "SELECT ?", []driver.NamedValue{{Ordinal: 1, Value: v}}}.encode()
		f.Add(body)
	}
	f.Add("q\x01\x01a\x04TEXTrs\x01xz")
	f.Add("e\x02\x02\x01x")
	f.Add("x\x02\x02")
	f.Fuzz(func(t *testing.T, body string) {
		describeReply(body)
		describeRequest(sim.Request{Body: body})
		c, err := decodeCall(body)
		if err != nil {
			return
		}
		again, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		d, err := decodeCall(again)
		if err != nil {
			t.Fatal(err)
		}
		if last, _ := d.encode(); last != again {
			t.Errorf("%q, then %q", again, last)
		}
	})
}
