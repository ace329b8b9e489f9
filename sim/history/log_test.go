package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
)

// TestEntries reads what an entry is shown as.
func TestEntries(t *testing.T) {
	for text, e := range map[string]entry{
		`2 view product:1 = 9900`:         {2, Op{Name: "view", Key: "product:1", Value: "9900"}, true},
		`2 view product:1 …`:              {2, Op{Name: "view", Key: "product:1"}, false},
		`2 view product:1 failed`:         {2, Op{Name: "view", Key: "product:1", Failed: true}, true},
		`1 "set it" "a b" := "…" …`:       {1, Op{Name: "set it", Key: "a b", Kind: Write, Value: "…"}, false},
		`1 set "=" := done done`:          {1, Op{Name: "set", Key: "=", Kind: Write, Value: "done"}, true},
		`1 set "" := "" failed`:           {1, Op{Name: "set", Kind: Write, Failed: true}, true},
		`1 view k = "a \"b\" \n= failed"`: {1, Op{Name: "view", Key: "k", Value: "a \"b\" \n= failed"}, true},
		`12 raise product:1 += …`:         {12, Op{Name: "raise", Key: "product:1", Kind: Change}, false},
	} {
		if got := e.String(); got != text {
			t.Errorf("%+v is shown as %s, want %s", e, got, text)
		}
		if got := parse(text); got != e {
			t.Errorf("%s is read as %+v, want %+v", text, got, e)
		}
	}
}

// a task of this system does what it is told, and asks for yields alone.
func running(first bool, tasks ...func(p *sim.Process, l *Log)) *sim.System {
	sys := &sim.System{Stores: []sim.Store{sim.Clock{}}, Property: History{}.NoStaleRead(Bound{})}
	for i, do := range tasks {
		sys.Programs = append(sys.Programs, sim.Program{Name: fmt.Sprintf("t%d", i), New: func(p *sim.Process) []sim.Task {
			l := NewLog(p)
			l.First = first
			p.Show(l.Content)
			return []sim.Task{func(context.Context) (string, error) { do(p, l); return "", nil }}
		}})
	}
	return sys
}

// steps takes the next step of each of these tasks in turn, and returns the error of the
// last one.
func steps(t *testing.T, sys *sim.System, tasks ...int) error {
	t.Helper()
	e, err := sys.Start()
	if err != nil {
		return err
	}
	defer e.Stop()
	for i, task := range tasks {
		if err := e.Step(task); err != nil {
			if i < len(tasks)-1 {
				t.Fatal(err)
			}
			return err
		}
	}
	return nil
}

// TestFirst refuses a log that says wrongly that of each task the first operation is the
// first thing that it does and asks for something, and takes one that does not say so.
func TestFirst(t *testing.T) {
	nothing := func() (string, error) { return "", nil }
	for name, do := range map[string]struct {
		task  func(p *sim.Process, l *Log)
		want  string
		steps []int
	}{
		"asks for nothing": {func(p *sim.Process, l *Log) {
			l.Do("t1", Op{Name: "view"}, nothing)
		}, "the operation view of t1 is over before the first step of the task", []int{0}},
		"asks before": {func(p *sim.Process, l *Log) {
			sim.Clock{}.For(p).Sleep(time.Second)
			l.Do("t1", Op{Name: "view"}, func() (string, error) { p.Yield(); return "", nil })
		}, "the first operation of t1, view, is not the first thing that it does", []int{0, 1}},
		"nothing comes first": {func(p *sim.Process, l *Log) {
			l.Do("t1", Op{Name: "view"}, func() (string, error) { p.Yield(); return "", nil })
		}, "", []int{0, 1}},
	} {
		other := func(p *sim.Process, l *Log) { p.Yield() }
		err := steps(t, running(true, other, do.task), do.steps...)
		if do.want == "" && err != nil || do.want != "" && (err == nil || !strings.Contains(err.Error(), do.want)) {
			t.Errorf("%s: %v, want %s", name, err, do.want)
		}
		if err := steps(t, running(false, other, do.task), 0, 1); err != nil {
			t.Errorf("%s, and First is false: %v", name, err)
		}
	}
}

// Texts that JSON would change stay apart, from each other and from those that stand for
// something.
func TestSafe(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{"", "a", "\xff", "\xfe", "\ufffd", unwritten, orphan, safe("\xff")} {
		b, err := json.Marshal(safe(text))
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(b, &back); err != nil || back != safe(text) || back == unwritten || back == orphan {
			t.Errorf("%q is %q, and comes back as %q, %v", text, safe(text), back, err)
		}
		if other, ok := seen[back]; ok {
			t.Errorf("%q and %q are one", text, other)
		}
		seen[back] = text
	}
}

// A task does one operation after the other.
func TestOneAfterTheOther(t *testing.T) {
	sys := running(false, func(p *sim.Process, l *Log) {
		l.Do("t0", Op{Name: "outer"}, func() (string, error) {
			return "", l.Do("t0", Op{Name: "inner"}, func() (string, error) { return "", nil })
		})
	})
	if err := steps(t, sys, 0); err == nil || !strings.Contains(err.Error(), "t0 begins the operation inner while another one of it goes on") {
		t.Error(err)
	}
}

// The value of a change is known to a source alone.
func TestUnknownValue(t *testing.T) {
	for _, p := range []sim.Property{History{}.NoStaleRead(Bound{}), History{}.Linearizable()} {
		sys := running(false, func(p *sim.Process, l *Log) {
			l.Do("t0", Op{Name: "raise", Kind: Change}, func() (string, error) { return "", nil })
		})
		if err := steps(t, sys.With(p), 0); err == nil || !strings.Contains(err.Error(), "nobody knows what value raise of t0 writes") {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
