package overlay

import (
	"encoding/json"
	"flag"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

var compile = flag.Bool("compile", false, "compile a program with the overlay, and with it the standard library, which takes a minute")

// TestWrite writes the overlay of the Go at hand: every file of it is a file of Go, replaces one of GOROOT
// or one that is not there, and is formatted, so that nobody's gofmt complains of it.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	src := source(t)
	patched := map[string]bool{}
	for _, p := range patches {
		patched[filepath.FromSlash(p.file)] = true
	}
	for old, new := range list.Replace {
		name, err := filepath.Rel(src, old)
		if err != nil || strings.HasPrefix(name, "..") {
			t.Errorf("%s is not below %s", old, src)
		}
		if _, err := os.Stat(old); (err == nil) != patched[name] {
			t.Errorf("%s: patched %t, and in GOROOT: %v", name, patched[name], err)
		}
		text, err := os.ReadFile(new)
		if err != nil {
			t.Error(err)
		} else if formatted, err := format.Source(text); err != nil || string(formatted) != string(text) {
			t.Errorf("%s is not formatted: %v", name, err)
		}
		delete(patched, name)
	}
	if len(patched) > 0 {
		t.Errorf("not in the overlay: %v", patched)
	}
}

// TestWriteAgain leaves files alone that would be the same, and mends those that are not.
func TestWriteAgain(t *testing.T) {
	dir := t.TempDir()
	file, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	spoilt := filepath.Join(dir, root, "runtime", "rand.go")
	if err := os.WriteFile(spoilt, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	untouched, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Write(dir); err != nil || again != file {
		t.Fatal(again, err)
	}
	if now, err := os.Stat(file); err != nil || !os.SameFile(now, untouched) {
		t.Errorf("%s was written again: %v", file, err)
	}
	after := contents(t, dir)
	if len(before) < 10 || len(after) != len(before) {
		t.Errorf("%d files, then %d", len(before), len(after))
	}
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s has changed", name)
		}
	}
}

// contents returns what is in the files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestUnknownVersions are refused in a line, whatever is in their files.
func TestUnknownVersions(t *testing.T) {
	for _, version := range []string{"go1.25.9", "go1.27rc1", "go1.26rc1", "go1.26", "go1.26.9", "go1.26.80", "devel go1.27-0a1b2c", "go1.26.8 X:boringcrypto", ""} {
		if _, err := generate(goroot(t), version); err == nil || !strings.HasPrefix(err.Error(), "there is no overlay for "+version) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, version := range []string{"go1.26.0", "go1.26.8"} {
		if _, err := generate(goroot(t), version); err != nil {
			t.Error(err)
		}
	}
}

// TestChangedSource wants the text of every patch exactly once, and refuses a file from which it is gone, or in
// which it is twice, by its name.
func TestChangedSource(t *testing.T) {
	src := goroot(t)
	for _, p := range patches {
		text := string(src[p.file].Data)
		for what, changed := range map[string]string{"gone": strings.Replace(text, p.old, "", 1), "twice": text + p.old} {
			if _, err := p.apply(changed); err == nil || !strings.HasPrefix(err.Error(), p.file+" has the text ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %q %s: %v", p.file, p.old, what, err)
			}
		}
		if changed, err := p.apply(text); err != nil || changed == text {
			t.Errorf("%s: %q changes nothing: %v", p.file, p.old, err)
		}
	}
	src[patches[0].file] = &fstest.MapFile{Data: []byte("package runtime\n")}
	if _, err := generate(src, "go1.26.0"); err == nil || !strings.HasPrefix(err.Error(), "this GOROOT is not that of go1.26.0 as it was released: "+patches[0].file) {
		t.Error(err)
	}
}

// source returns where the files of GOROOT are.
func source(t *testing.T) string {
	goroot, _, err := environment()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(goroot, "src")
}

// goroot returns the files that are patched as they are in GOROOT.
func goroot(t *testing.T) fstest.MapFS {
	dir, src := source(t), fstest.MapFS{}
	for _, p := range patches {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p.file)))
		if err != nil {
			t.Fatal(err)
		}
		src[p.file] = &fstest.MapFile{Data: text}
	}
	return src
}

// TestJudge: what works only in part is never taken for active.
func TestJudge(t *testing.T) {
	all := []string{"select", "maps"}
	if ok, err := judge(all, nil); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := judge(nil, all); ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := judge(all[:1], all[1:]); ok || err == nil || !strings.HasPrefix(err.Error(), "the overlay works for select and not for maps; write it again: ") {
		t.Error(ok, err)
	}
}

// TestInactive: this test is built without the overlay, and the measurement leaves nothing behind. With
// the overlay it is skipped, and testdata/replay has the other half.
func TestInactive(t *testing.T) {
	before := runtime.NumGoroutine()
	ok, err := Active()
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		t.Skip("built with the overlay")
	}
	for range 1000 { // one that has ended is counted for a moment
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestActiveInBubble: what is asked in a bubble for the first time cannot be measured there.
func TestActiveInBubble(t *testing.T) {
	before := measured.Load()
	defer measured.Store(before)
	measured.Store(false)
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if r := recover(); r != "overlay.Active is asked in a bubble for the first time; ask before the bubble starts" {
				t.Errorf("panics with %v", r)
			}
		}()
		Active()
	})
}

// TestReplays compiles testdata/replay with the overlay, where a thousand replays are equal, and runs it in
// two processes, which draw the same; and a program that is no test.
func TestReplays(t *testing.T) {
	if testing.Short() || !*compile && os.Getenv("CI_REQUIRE") == "" {
		t.Skip("compiles the standard library; -compile does")
	}
	file, err := Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	digest := regexp.MustCompile(`(?m)^    \S+ all draws: .*$`)
	var first string
	for i := range 2 {
		out := command(t, "go", "test", "-count=1", "-v", "-overlay", file, "./testdata/replay")
		found := digest.FindString(out)
		if found == "" {
			t.Fatalf("no digest:\n%s", out)
		}
		if i > 0 && found != first {
			t.Errorf("%s\nand then %s", first, found)
		}
		first = found
	}
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-overlay", file}, "true <nil>\n"},
		{nil, "false <nil>\n"},
	} {
		program := filepath.Join(t.TempDir(), "active")
		command(t, "go", append(append([]string{"build", "-o", program}, c.flags...), "./testdata/active")...)
		for _, mode := range []string{"fips140=off", "fips140=on"} {
			t.Setenv("GODEBUG", mode)
			if out := command(t, program); out != c.want {
				t.Errorf("a program built with %q, %s: %s", c.flags, mode, out)
			}
		}
		t.Setenv("GODEBUG", "")
	}
}

// command returns what a command prints.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
