package main

import (
	"strings"
	"testing"
	"time"

	"quiesce/model"
	"quiesce/sim"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args string
		ok   func(options) bool
	}{
		{"-strategy naive", func(o options) bool {
			w := o.workload
			return o.strategy.Name == "naive" && o.property.Name == "coherent" && o.grow && o.maxTasks == 4 &&
				w.Keys == 1 && !w.Warm && o.engine == "product" && o.symmetry && o.audit == 100 &&
				o.limit+o.limitStates+int(o.limitMemory) == 0 && o.format == "text" && o.width == 0 && !o.replay
		}},
		// One of -readers and -writers is enough to fix the workload; the other is 1.
		{"-strategy naive -readers 2", func(o options) bool { return !o.grow && o.workload.Readers == 2 && o.workload.Writers == 1 }},
		{"-strategy naive -writers 0", func(o options) bool { return !o.grow && o.workload.Readers == 1 && o.workload.Writers == 0 }},
		{"-strategy naive -readers 40 -writers 0", func(o options) bool { return o.workload.Readers == 40 }},
		{"--strategy=naive --cache=warm -keys=3", func(o options) bool { return o.grow && o.workload.Warm && o.workload.Keys == 3 }},
		{"-strategy naive -max-tasks 2", func(o options) bool { return o.grow && o.maxTasks == 2 }},
		// A schedule is one of the given workload, which does not grow.
		{"-strategy naive -schedule x", func(o options) bool { return o.replay && !o.grow && o.schedule == "x" && o.workload.Readers == 1 }},
		{"-strategy naive -schedule=", func(o options) bool { return o.replay && o.schedule == "" }},
		// Only the direct engine counts interleavings as it goes.
		{"-strategy naive -limit 7", func(o options) bool { return o.engine == "direct" && o.limit == 7 }},
		{"-strategy naive -limit 7 -engine direct", func(o options) bool { return o.engine == "direct" && o.limit == 7 }},
		{"-strategy naive -symmetry=false", func(o options) bool { return !o.symmetry && o.engine == "product" }},
		{"-strategy naive -limit-memory 2GB", func(o options) bool { return o.limitMemory == 2e9 }},
		// 0 is a TTL as well, and not the strategy's own.
		{"-strategy naive -ttl 1m30s", func(o options) bool { return o.workload.TTL == 90*time.Second }},
		{"-strategy naive -ttl 0", func(o options) bool { return o.workload.TTL == model.NoExpiry }},
		{"-strategy lock -ttl 0 -faults expire=1", func(o options) bool { return o.workload.Faults[sim.Expire] == 1 }},
		{"-strategy naive -ttl 0 -faults all=1", func(o options) bool { return o.workload.Faults[sim.AnyFault] == 1 }},
		{"-strategy naive,ttl -ttl 0", func(o options) bool { return o.single[1].workload.TTL == model.NoExpiry }},
		{"-list", func(o options) bool { return o.list }},
		{"-h", func(o options) bool { return strings.HasPrefix(o.help, "usage: ") }},
		{"-strategy naive --help", func(o options) bool { return strings.Contains(o.help, "-limit-memory bytes") }},
	} {
		o, err := parse(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		} else if !c.ok(o) {
			t.Errorf("%s: %+v", c.args, o)
		}
	}
}

// An error is one line, whatever the arguments were. What the lines say is in
// testdata/refused.txtar.
func TestErrorsAreOneLine(t *testing.T) {
	for _, args := range [][]string{
		{"-strategy", "two\nlines"}, {"-two\nlines"}, {"two\nlines"}, {"-strategy", "naive", "-format", "two\nlines"},
		{"-strategy", "naive", "-readers", "two\nlines"}, {"-strategy", "naive", "-symmetry=two\nlines"}, {"-=two\nlines"},
		{"-strategy", "naive", "-limit-memory", "two\nlines"}, {"-strategy", "two\nlines", "-strategy", "naive"},
	} {
		if _, err := parse(args); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("parse(%q): %v", args, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "0MB": 0, "0.0": 0, "1": 1, "10": 10, "512MiB": 512 << 20, "512 MiB": 512 << 20, "2GB": 2e9, "2gb": 2e9, "1.5KiB": 1536, "8EB": 8e18,
	} {
		if n, err := parseBytes(s); err != nil || n != want {
			t.Errorf("parseBytes(%q) = %d, %v, want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "-1", "5xb", "MB", "1e3", "NaN", "inf", "0.5", "10EB", "99999999999EB"} {
		if n, err := parseBytes(s); err == nil {
			t.Errorf("parseBytes(%q) = %d", s, n)
		}
	}
}
