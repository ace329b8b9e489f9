package quiesce

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"quiesce/explore"
	"quiesce/explore/report"
)

// Counterexamples are kept in files, one for each property of a test:
//
//	testdata/quiesce/TestPriceIsNeverStale/cache-equals-database.json
//
// Such a file is what explore -format json writes.

// file returns the name of the file of a property; "" if nothing is kept.
func (w *World) file(p *Property) string {
	if _, drawn := w.t.(*rapid.T); drawn || !*keeps {
		return ""
	}
	return filepath.Join("testdata", "quiesce", directory(w.t.Name()), w.fileName(p)+".json")
}

// directory returns the name of the directory of a test.
func directory(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = safe(part)
	}
	return filepath.Join(parts...)
}

// fileName returns what a file of a property is called, which is not what that of another
// one is.
func (w *World) fileName(p *Property) string {
	name, n := safe(p.name), 1
	for _, q := range w.properties[:slices.Index(w.properties, p)] {
		if safe(q.name) == name {
			n++
		}
	}
	if n > 1 {
		name += fmt.Sprintf("-%d", n)
	}
	return name
}

// safe returns a name in which nothing means anything to a file system.
func safe(name string) string {
	mapped := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r > 0x7f {
			return r
		}
		return '-'
	}, name)
	return mapped[:min(len(mapped), 100)]
}

// keep keeps the counterexample of a search, if there is one.
func (w *World) keep(p *Property, s *report.Search) {
	file := w.file(p)
	if file == "" || s.Verdict() != explore.Violated {
		return
	}
	if err := write(file, report.Report{Answer: s}.JSON); err != nil {
		w.t.Log("the counterexample cannot be kept:", err)
	}
}

// write writes a file that is there as a whole or not at all.
func write(file string, content func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".quiesce-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = content(f)
	if e := f.Chmod(0o666 &^ 0o022); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	return err
}

// retry runs the kept counterexamples again, and returns what came of those that still
// violate their property.
func (w *World) retry() map[*Property]report.Answer {
	w.t.Helper()
	answers := map[*Property]report.Answer{}
	for _, p := range w.properties {
		file := w.file(p)
		if file == "" {
			continue
		}
		rec, err := readKept(file)
		if os.IsNotExist(err) {
			continue
		}
		var again *report.Reproduction
		if err == nil {
			again, err = w.reproduce(p, rec)
		}
		file = filepath.ToSlash(file)
		switch {
		case err != nil:
			w.t.Log(fmt.Sprintf("the counterexample of %s in %s cannot be tried: %v; delete the file", p.name, file, err))
		case again.Result.Outcome == explore.Reproduced && again.Result.Step > 0:
			w.t.Log(fmt.Sprintf("the counterexample in %s still violates %s by other steps, so it is searched again", file, p.name))
		case again.Result.Outcome == explore.Reproduced:
			answers[p] = again
			w.t.Log(fmt.Sprintf("the counterexample in %s still violates %s, so nothing else was explored; delete the file to search again", file, p.name))
		case again.Result.Outcome == explore.NoLongerViolates:
			w.t.Log(fmt.Sprintf("the counterexample in %s violates %s no longer; keep the file to try it first, or delete it", file, p.name))
		default:
			w.t.Log(fmt.Sprintf("the counterexample of %s in %s does not apply any more, step %d %s; delete the file", p.name, file, again.Result.Step, again.Result.Reason))
		}
	}
	return answers
}

func readKept(file string) (*report.Recorded, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return report.Read(f)
}

// reproduce runs a counterexample of a property again.
func (w *World) reproduce(p *Property, rec *report.Recorded) (*report.Reproduction, error) {
	l, ok := w.read(rec.Workload)
	if !ok {
		return nil, fmt.Errorf("the test has no workload of the tasks %s", rec.Workload)
	}
	sys := l.system().With(p.property(w.view(l, l.system())))
	about := w.subject(p)
	about.Begin(l, sys, w.command)
	result, err := explore.Reproduce(sys, rec.Trace)
	return &report.Reproduction{Subject: about, Result: result}, err
}
