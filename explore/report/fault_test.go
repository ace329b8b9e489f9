package report

import (
	"bytes"
	"strings"
	"testing"

	"quiesce/sim"
)

// A fault is a step in every format, and one of the root cause too.
func TestFaultsAreShown(t *testing.T) {
	r := crashed(t)
	r.Explained = true
	for format, c := range map[string]struct {
		out  string
		want []string
	}{
		"text": {textOf(t, r, 120), []string{
			"violates with fewer faults, none with as many and fewer", "3 steps, 2 context switches, 1 fault",
			"│ environment    │", "│ crash writer-1 │",
			"cause         writer-1 UPDATE before crash writer-1: every interleaving of this workload that has no more faults with",
			"closest       it passes if, instead of crash writer-1 in step 3, comes writer-1 DEL: reader-1:1,writer-1:2\n",
		}},
		"Markdown": {markdownOf(t, r), []string{
			"    Note over p0,p3: 3 crash writer-1\n", "| 3 | environment | `crash writer-1` |",
			"Every interleaving of this workload that has no more faults with\n\n- writer-1 UPDATE before crash writer-1\n",
			"is the same up to step 2. Then, instead of crash writer-1, comes writer-1 DEL.",
		}},
		"HTML": {htmlOf(t, Report{r}.HTML), []string{
			`<td role="cell" class="colour0" colspan="2"><span class="task">environment</span><code>crash writer-1</code>`,
			"Every interleaving of this workload that has no more faults with all of these orders", "the other goes on with writer-1 DEL",
		}},
		"JSON": {string(traceFile(t, r)), []string{`"fault": "crash writer-1"`}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.out, want) {
				t.Errorf("%s: %q is missing in\n%s", format, want, c.out)
			}
		}
	}
}

// A request that is struck is told from one that is not.
func TestStruckRequestsAreShown(t *testing.T) {
	r := example(2, 2)
	s := &r.Trace.Steps[1]
	s.Request, s.Reply, s.Fault.Kind = "DEL a", "timeout", sim.LostReply
	for format, c := range map[string]struct{ out, want string }{
		"text":     {textOf(t, r, 200), "DEL a → timeout (lost-reply)"},
		"Markdown": {markdownOf(t, r), "| `DEL a` | `timeout (lost-reply)` |"},
		"Mermaid":  {markdownOf(t, r), ">>p2: timeout (lost-reply)\n"},
		"lanes":    {htmlOf(t, Report{r}.HTML), "<code>timeout (lost-reply)</code>"},
		"player":   {htmlOf(t, Report{r}.HTML), `"reply":{"brief":"timeout (lost-reply)"}`},
		"JSON":     {string(traceFile(t, r)), "\"reply\": \"timeout\",\n        \"fault\": \"lost-reply\""},
	} {
		if !strings.Contains(c.out, c.want) {
			t.Errorf("%s: %q is missing in\n%s", format, c.want, c.out)
		}
	}
}

// A trace file has the faults that have happened.
func TestReadFaults(t *testing.T) {
	r := crashed(t)
	file := traceFile(t, r)
	rec, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	c := r.trace()
	if rec.Trace.Token != c.Token || rec.Trace.Fatal != c.Fatal || rec.Trace.Steps[2].Fault != (sim.Fault{Kind: sim.Crash, Target: "writer-1"}) {
		t.Errorf("%+v", rec.Trace)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"fatal": 2`, `"fatal": 4`, "step 4 cannot be fatal: it has 3"},
	} {
		if _, err := Read(strings.NewReader(strings.Replace(string(file), c.from, c.to, 1))); err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.to, err, c.want)
		}
	}
}
