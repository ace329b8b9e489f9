package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quiesce/model"
)

// The JSON of every violation can be run again and violates again; as a trace of
// another strategy it does not.
func TestEveryTraceFileIsReproduced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "trace.json")
	files := 0
	for _, s := range model.Strategies() {
		for _, more := range []string{"-max-tasks 3", "-max-tasks 3 -cache warm", "-readers 1 -writers 1 -servers 1"} {
			if (s.Race != nil || testing.Short()) && more != "-max-tasks 3" {
				continue
			}
			args := strings.Fields("-strategy " + s.Name + " -audit 0 -format json " + more)
			out, code := explored(t, t.Context(), append(args, "-o", name)...)
			if code != exitViolated {
				continue
			}
			files++
			if out != "violated: "+propertyOf(t, s)+"\n" {
				t.Errorf("%v: stdout is %q", args, out)
			}
			direct, _ := explored(t, t.Context(), args...)
			written, err := os.ReadFile(name)
			if err != nil || string(written) != direct {
				t.Errorf("%v: the file holds something else than stdout gets: %v", args, err)
			}
			out, code = explored(t, t.Context(), "-replay", name)
			if code != exitViolated || !strings.HasPrefix(out, "outcome       reproduced: ") || strings.Contains(out, "\ndiffers") {
				t.Errorf("%v: exit code %d\n%s", args, code, out)
			}
		}
	}
	if files < 20 {
		t.Errorf("only %d files", files)
	}
}

// What a workload is of is in its trace file, whatever that is: every strategy that a
// fault, a stall or the memory of a server breaks is broken by its file again. The search
// may be incomplete, since a counterexample is all that a file needs.
func TestTraceFilesKeepTheWorkload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "trace.json")
	files := map[string]int{} // by what is given
	for _, s := range model.Strategies() {
		all := []string{"-workers 2 -faults all=1", "-workers 2 -servers 1 -faults crash=1", "-workers 2 -servers 2 -faults request-error=1,crash=1"}
		if s.Race == nil {
			all = []string{"-faults all=1", "-servers 1 -faults crash=1", "-cache warm -faults lost-reply=1,evict=1", "-max-stall 1s -property no-silent-staleness"}
			if s.TTL > 0 {
				all = append(all, "-ttl 0 -faults lost-reply=1", "-ttl 3s -max-stall 1s -property bounded-staleness=0s -cache warm")
			}
			if s.Delay > 0 {
				all = append(all, "-delay 1s -max-stall 1s")
			}
		}
		for _, more := range all {
			args := strings.Fields("-strategy " + s.Name + " -format json -audit 0 -limit-states 2000 " + more)
			if s.Race == nil {
				args = append(args, "-readers", "1", "-writers", "1")
			}
			if s.Deferred && strings.Contains(more, "bounded-staleness") {
				continue
			}
			out, code := explored(t, t.Context(), append(args, "-o", name)...)
			if code == exitError {
				t.Errorf("%v: %s", args, out)
			}
			if written, err := os.ReadFile(name); err != nil || strings.Contains(string(written), `"counterexample": null`) {
				continue
			}
			files[more]++
			out, code = explored(t, t.Context(), "-replay", name, "-width", "1000")
			if code != exitViolated || !strings.HasPrefix(out, "outcome       reproduced: ") || strings.Contains(out, "\ndiffers") {
				t.Errorf("%v: exit code %d\n%s", args, code, out)
			}
			// The command of the replay is that of the search.
			for _, flag := range []string{"-faults ", "-servers ", "-ttl ", "-max-stall ", "-delay ", "-workers "} {
				if strings.Contains(more, flag) && !strings.Contains(out, " "+flag) {
					t.Errorf("%v: the file is one without %s:\n%s", args, flag, out)
				}
			}
		}
	}
	for _, more := range []string{"-workers 2 -faults all=1", "-workers 2 -servers 2 -faults request-error=1,crash=1", "-faults all=1", "-servers 1 -faults crash=1",
		"-ttl 0 -faults lost-reply=1", "-delay 1s -max-stall 1s"} {
		if files[more] == 0 {
			t.Errorf("no file of %s, %v", more, files)
		}
	}
}

func propertyOf(t *testing.T, s model.Strategy) string {
	t.Helper()
	p, err := model.LookupProperty("", s)
	if err != nil {
		t.Fatal(err)
	}
	return p.Name
}

// What a file says about anything but the steps is checked as if it were flags.
func TestTraceFilesThatDoNotFit(t *testing.T) {
	good, _ := explored(t, t.Context(), "-strategy", "cache-aside", "-format", "json")
	name := filepath.Join(t.TempDir(), "trace.json")
	for _, c := range []struct{ old, new, want string }{
		{`"strategy": "cache-aside"`, `"strategy": "two\nlines"`, `unknown strategy "two\nlines"`},
		{`"strategy": "cache-aside"`, `"strategy": "seat-naive"`, `the property coherent is not one of seat-naive`},
		{`"property": "coherent"`, `"property": "x"`, `unknown property "x"`},
		{`"readers": 1`, `"readers": 99`, `-readers 99: must be from 0 to 40`},
		{`"readers": 1`, `"workers": 1`, `cache-aside has no such workload`},
		{`"cache": "cold"`, `"cache": "cold", "ttl": "-1ns"`, `-ttl -1ns: must be`},
		{`"cache": "cold"`, `"cache": "cold", "max_stall": "-1s"`, `-max-stall -1s: must be more than 0`},
		{`"cache": "cold"`, `"cache": "cold", "delay": "1s"`, `cache-aside does not pause`},
		{`"cache": "cold"`, `"cache": "cold", "faults": "crash=8"`, `8 faults are too many`},
		{`"cache": "cold"`, `"cache": "two\nlines"`, `cache-aside has no such workload`},
		{`"schedule": "reader-1:2`, `"schedule": "reader-9:2`, `there is no task "reader-9"`},
		{`"schedule": "reader-1:2`, `"schedule": "reader-1:3`, `the schedule has 6 steps and the trace beside it 5`},
		{`"schedule": "reader-1:2,writer-1:2`, `"schedule": "writer-1:2,reader-1:2`, `step 1 is one of writer-1 in the schedule and one of "reader-1"`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("nothing to replace: %s", c.old)
		}
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		var errs strings.Builder
		if code := run(t.Context(), []string{"-replay", name}, &strings.Builder{}, &errs); code != exitError {
			t.Errorf("%s: exit code %d", c.new, code)
		}
		if line := errs.String(); !strings.Contains(line, c.want) || strings.Count(line, "\n") != 1 {
			t.Errorf("%s: %s", c.new, line)
		}
	}
}

// A file that cannot be completed stays as it was.
func TestOutputFileIsReplacedAtOnce(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "report")
	if err := os.WriteFile(name, []byte("before"), 0o640); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"-strategy", "naive", "-schedule", "writer-1:9", "-o", name}, &out, &errs); code != exitError {
		t.Errorf("exit code %d", code)
	}
	if now, err := os.ReadFile(name); err != nil || string(now) != "before" {
		t.Errorf("the file is %q, %v", now, err)
	}
	if _, code := explored(t, t.Context(), "-strategy", "naive", "-o", name); code != exitViolated {
		t.Errorf("exit code %d", code)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 || info.Size() < 100 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("there are also %v, %v", left, err)
	}
}
