package sqlclient

import (
	"database/sql/driver"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
)

var codecValues = []driver.Value{
	nil, int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), 0.0, math.Copysign(0, -1), 1.5, math.Inf(-1),
	true, false, []byte{}, []byte("1"), "", "1", "N\x00'", time.Time{}, time.Unix(0, 0).UTC(), time.Unix(1, 5).In(time.FixedZone("", -3600)),
}

func TestCodecRoundTrip(t *testing.T) {
	seen := make(map[string]bool)
	for _, mode := range []byte{Exec, Query} {
		for _, name := range []string{"", "n", "ni"} {
			for _, v := range codecValues {
				c := Call{mode, "SELECT ?", []driver.NamedValue{{Ordinal: 1, Name: name, Value: v}, {Ordinal: 2, Value: "x"}}}
				body, err := c.Encode()
				if err != nil || seen[body] {
					t.Errorf("%v: %v, seen: %v", c, err, seen[body])
				}
				seen[body] = true
				if got, err := ParseCall(body); err != nil || !reflect.DeepEqual(got, c) {
					t.Errorf("%#v, want %#v: %v", got, c, err)
				}
			}
		}
	}
	if _, err := appendValue(nil, 5); err == nil {
		t.Error("an int is no driver.Value")
	}
}

// read reads a reply to its end, whatever it is.
func read(body string) {
	r := Read(body, nil)
	switch r.Kind() {
	case Exec:
		r.Result()
	case Failed:
		r.Err()
	case Query:
		names, _, err := r.Columns()
		row := make([]driver.Value, len(names))
		for more := err == nil; more; {
			more, _ = r.Row(row)
		}
	}
}

// What decodes, encodes to something that decodes to the same, and nothing panics.
func FuzzDecode(f *testing.F) {
	for _, v := range codecValues {
		body, _ := Call{Exec, "SELECT ?", []driver.NamedValue{{Ordinal: 1, Value: v}}}.Encode()
		f.Add(body)
	}
	f.Add("q\x01\x01a\x04TEXTrs\x01xz")
	f.Add("e\x011\x01x")
	f.Add("x\x02\x02")
	f.Fuzz(func(t *testing.T, body string) {
		read(body)
		c, err := ParseCall(body)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseCall(again)
		if err != nil {
			t.Fatal(err)
		}
		if last, _ := d.Encode(); last != again {
			t.Errorf("%q, then %q", again, last)
		}
	})
}

// What a store appends, a client reads.
func TestReplyRoundTrip(t *testing.T) {
	cause := errors.New("cause")
	causes := func(code string) error {
		if code == "19" {
			return cause
		}
		return nil
	}
	if got, err := func() (Result, error) {
		r := Read(string(AppendResult(nil, Result{7, -1})), nil)
		if kind := r.Kind(); kind != Exec {
			t.Errorf("kind %c", kind)
		}
		return r.Result()
	}(); got != (Result{7, -1}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, code := range []string{"19", ""} {
		body := AppendColumns(nil, []string{"a", ""}, []string{"TEXT", "INT"})
		want := [][]driver.Value{{"x", int64(1)}, {nil, 2.5}}
		for _, row := range want {
			var err error
			if body, err = AppendRow(body, row); err != nil {
				t.Fatal(err)
			}
		}
		r := Read(string(AppendError(body, code, "no more")), causes)
		if kind := r.Kind(); kind != Query {
			t.Errorf("kind %c", kind)
		}
		names, types, err := r.Columns()
		if err != nil || !reflect.DeepEqual(names, []string{"a", ""}) || !reflect.DeepEqual(types, []string{"TEXT", "INT"}) {
			t.Errorf("columns %q %q, %v", names, types, err)
		}
		for _, row := range want {
			got := make([]driver.Value, 2)
			if more, err := r.Row(got); !more || err != nil || !reflect.DeepEqual(got, row) {
				t.Errorf("row %v, %v, %v, want %v", got, more, err, row)
			}
		}
		var e *Error
		more, err := r.Row(make([]driver.Value, 2))
		if more || !errors.As(err, &e) || e.Code != code || err.Error() != "no more" || errors.Is(err, cause) != (code == "19") {
			t.Errorf("%q: behind the rows: %v, %v", code, more, err)
		}
	}
	body := string(AppendEnd(AppendColumns(nil, nil, nil)))
	for n := range body {
		r := Read(body[:n], nil)
		kind := r.Kind()
		_, _, err := r.Columns()
		more, last := r.Row(nil)
		if more || kind == Query && err == nil && last != ErrMalformed {
			t.Errorf("%q: %v, %v, %v", body[:n], err, more, last)
		}
	}
}
