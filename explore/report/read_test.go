package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
)

// traceFile returns the JSON of a report.
func traceFile(t testing.TB, a Answer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (Report{a}).JSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// violation returns a report that has a counterexample.
func violation() *Replay {
	r := example(2, 5)
	r.Trace.Token = "reader-1:1,reader-2:1,reader-1:1,reader-2:1,reader-1:1"
	return r
}

// What was written is read back, but for what the file leaves out. A byte that is
// no UTF-8 cannot be in a JSON file.
func TestReadIsTheInverseOfJSON(t *testing.T) {
	r := violation()
	rec, err := Read(bytes.NewReader(traceFile(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Strategy != r.Strategy || rec.Property != r.Property || !bytes.Contains(rec.Workload, []byte(`"a few readers"`)) {
		t.Errorf("%+v", rec)
	}
	utf8 := func(s string) string { return string([]rune(s)) }
	if rec.Trace.Token != r.Trace.Token || rec.Trace.Violation != utf8(r.Trace.Violation) || len(rec.Trace.Steps) != len(r.Trace.Steps) {
		t.Fatalf("%+v", rec.Trace)
	}
	for i, got := range rec.Trace.Steps {
		want := r.Trace.Steps[i]
		if got.Task != want.Task || got.Store != want.Store || got.Request != utf8(want.Request) || got.Reply != utf8(want.Reply) {
			t.Errorf("step %d: %+v, want %+v", i+1, got, want)
		}
		for place := range want.Contents {
			for _, item := range want.Contents[place] {
				if value, ok := got.Contents[place].Lookup(utf8(item.Name)); !ok || value != utf8(item.Value) {
					t.Errorf("step %d: %s holds %q for %q, want %q", i+1, rec.Trace.Places[place], value, item.Name, item.Value)
				}
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := string(traceFile(t, violation()))
	passing := violation()
	passing.Trace.Violation = ""
	for name, c := range map[string]struct{ file, want string }{
		"nothing":          {"", "unexpected end"},
		"no JSON":          {"schedule", "invalid character"},
		"no object":        {"[]", "cannot unmarshal array"},
		"cut off":          {good[:len(good)/2], "unexpected end"},
		"more":             {good + "{}", "after top-level value"},
		"another object":   {"{}", "it has no version"},
		"another version":  {strings.Replace(good, `"version": 1`, `"version": 2`, 1), "its version is 2; this program reads version 1"},
		"unknown field":    {strings.Replace(good, `"engine"`, "\"two\\nlines\"", 1), `unknown field "two\nlines"`},
		"unknown in step":  {strings.Replace(good, `"step": 2`, `"x": 1, "step": 2`, 1), `counterexample: step 2: "x": cannot unmarshal number`},
		"another type":     {strings.Replace(good, `"step": 2`, `"step": "2"`, 1), `step 2: "step": cannot unmarshal string`},
		"another number":   {strings.Replace(good, `"step": 2`, `"step": 3`, 1), "step 2 has the number 3"},
		"a missing field":  {strings.Replace(good, `"task": "reader-2",`, ``, 1), `"task" is missing`},
		"a null place":     {strings.Replace(good, `"step": 2`, `"x": null, "step": 2`, 1), `"x" is null`},
		"a place too many": {strings.Replace(good, `"step": 2`, `"x": {}, "step": 2`, 1), "step 2 shows other stores than the end"},
		"a step too few":   {strings.Replace(good, `"steps": 5`, `"steps": 6`, 1), "it has 5 steps and says that it has 6"},
		"no violation":     {string(traceFile(t, passing)), `it has no counterexample; its verdict is "incomplete"`},
		"too large":        {good + strings.Repeat(" ", 10<<20), "it is larger than 10 MiB"},
	} {
		_, err := Read(strings.NewReader(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), "not a trace file: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// FuzzReadTrace: whatever a file holds, it is read or refused in one line, and
// what was read can be written and read again.
func FuzzReadTrace(f *testing.F) {
	f.Add(traceFile(f, violation()))
	f.Add(traceFile(f, example(1, 0)))
	f.Add([]byte(`{"version":1,"counterexample":{"schedule":"a:1","steps":1,"switches":0,"violation":"x","trace":[{"step":1,"task":"a","store":"","request":"","reply":"","db":{"k":"v"}}],"db":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := Read(bytes.NewReader(data))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		again := &Replay{Subject{Strategy: rec.Strategy, Property: rec.Property, workload: written{RawMessage: rec.Workload}}, rec.Trace}
		if len(rec.Trace.Steps) == 0 {
			return // what the places hold at the end is not kept then
		}
		once := traceFile(t, again)
		if rec, err = Read(bytes.NewReader(once)); err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		again.Trace = rec.Trace
		if twice := traceFile(t, again); !bytes.Equal(once, twice) {
			t.Errorf("%s\nand then\n%s", once, twice)
		}
	})
}

// The explanation of a text report names the steps, and what is not there.
func TestExplanation(t *testing.T) {
	c := example(2, 5).Trace
	for i, request := range []string{"GET a", "SELECT 1", "DEL a", "SET a 1", "SET a 2"} {
		c.Steps[i].Request = request
	}
	c.Steps[2].Fault.Kind, c.Steps[2].Reply = sim.LostReply, "timeout"
	other := *c
	other.Steps, other.Token = slices.Clone(c.Steps), "the token"
	other.Steps[2].Fault.Kind = ""
	shorter := other
	shorter.Steps = c.Steps[:4]
	res := &explore.Result{Verdict: explore.Violated, Counterexample: c}
	r := &Search{Subject: example(2, 5).Subject, Explained: true, Results: []*explore.Result{res}}
	for _, test := range []struct {
		cause   []explore.Order
		closest *explore.Trace
		faults  sim.Faults
		want    []string
	}{
		{[]explore.Order{{Before: 0, After: 1}, {Before: 2, After: 3}}, nil, nil,
			[]string{"reader-1 GET before reader-2 SELECT, and reader-1 DEL (lost-reply) before reader-2 SET: every interleaving of this workload with these orders violates"}},
		{[]explore.Order{}, nil, sim.Faults{sim.LostReply: 1}, []string{"every interleaving of this workload that has no more faults violates"}},
		{nil, &other, nil, []string{"unknown: it has more orders", "it passes if, instead of reader-1 DEL (lost-reply) in step 3, comes reader-1 DEL: the token"}},
		{nil, &shorter, nil, []string{"unknown: it has more orders", "it passes if, instead of reader-1 SET in step 5, nothing comes: the token"}},
	} {
		res.Cause, res.Closest, r.faults = test.cause, test.closest, test.faults
		lines := r.explanation()
		if len(lines) != len(test.want) {
			t.Errorf("%q, want %q", lines, test.want)
			continue
		}
		for i, l := range lines {
			if !strings.HasPrefix(l.text, test.want[i]) {
				t.Errorf("%q, want %q", l.text, test.want[i])
			}
		}
	}
}
