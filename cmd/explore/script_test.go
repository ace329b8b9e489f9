package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"quiesce/model"
)

var update = flag.Bool("update", false, "rewrite what the scripts in testdata expect")

// TestMain is also the main of every explore that a script runs. Its heap is small and
// short of life: collecting it took a third of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	testscript.Main(m, map[string]func(){"explore": main})
}

// TestScripts runs testdata/*.txtar. Beside the usual commands there are
//
//	exits code args...	runs explore and compares its exit code
//	refuses args...		runs explore, which has to say no in one line on stderr,
//				and appends command and line to the file refused
//	page code args...	runs explore -format html like exits; stdout is the page then, without
//				the style, the script and the policy, which are those of every page
//	terminal args...	runs explore with a terminal as its stdout
//	line args...		explores without an audit, and appends verdict, counts and length of the
//				counterexample to the file lines
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				exits(ts, args)
			},
			"line":     line,
			"page":     page,
			"refuses":  refuses,
			"terminal": terminal,
		},
	})
}

// TestEveryFamilyHasGoldens wants of every family one counterexample in full, as text and
// as Markdown, a graph, and a line for every other strategy. JSON and HTML, which are long,
// are there of one family.
func TestEveryFamilyHasGoldens(t *testing.T) {
	command := regexp.MustCompile(`(?m)^(?:exits|page) 1 -strategy ([^ \n]+)(.*)\n(?:! stderr .\n)?cmp stdout (.*)$`)
	whole := map[string]bool{} // format of some family
	for _, g := range model.Groups() {
		name := filepath.Join("testdata", "family-"+strings.ReplaceAll(g.String(), " ", "-")+".txtar")
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, f := range archive.Files {
			files[f.Name] = string(f.Data)
		}
		formats, shown := map[string]bool{}, map[string]bool{}
		for _, m := range command.FindAllStringSubmatch(string(archive.Comment), -1) {
			if s, err := model.LookupStrategy(m[1]); err != nil || s.Group != g {
				t.Errorf("%s: %s is not in it, %v", name, m[1], err)
			}
			format := "html"
			if f := regexp.MustCompile(`-width \d+|-format (\w+)`).FindStringSubmatch(m[2]); f != nil {
				format = cmp.Or(f[1], f[0])
			}
			if formats[format] = len(files[m[3]]) > 500; format != "dot" {
				shown[m[1]] = true
			}
			whole[format] = formats[format]
		}
		for _, format := range []string{"-width 80", "-width 140", "markdown", "dot"} {
			if !formats[format] {
				t.Errorf("%s: no %s in %v", name, format, formats)
			}
		}
		if len(shown) != 1 {
			t.Errorf("%s: not one strategy in full but %v", name, shown)
		}
		for _, s := range model.InGroup(g) {
			if !shown[s.Name] && !strings.Contains("\n"+files["others"], "\n"+s.Name+": ") {
				t.Errorf("%s: no line of %s", name, s.Name)
			}
		}
	}
	if !whole["json"] || !whole["html"] {
		t.Errorf("no family has JSON and HTML: %v", whole)
	}
}

// line explores and appends what was found to the file lines, in a line.
func line(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("explore", slices.Concat(args, []string{"-audit", "0", "-format", "json"})...)
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitViolated) {
		ts.Fatalf("explore %s: %v", strings.Join(args, " "), err)
	}
	var found document
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &found))
	what := fmt.Sprintf("%s: %s, %s of %s interleavings", strings.Join(args[1:], " "), found.Verdict, found.Violating, found.Interleavings)
	if c := found.Counterexample; c != nil {
		what += fmt.Sprintf(", steps %d, switches %d", c.Steps, c.Switches)
	}
	f, err := os.OpenFile(ts.MkAbs("lines"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.WriteString(what + "\n")
	ts.Check(errors.Join(err, f.Close()))
}

func exits(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	err = ts.Exec("explore", args...)
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("explore %s: exit code %d, want %d", strings.Join(args, " "), code, want)
	}
}

func refuses(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, append([]string{strconv.Itoa(exitError)}, args...))
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not empty:\n%s", out)
	}
	line := ts.ReadFile("stderr")
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		ts.Fatalf("not one line:\n%s", line)
	}
	f, err := os.OpenFile(ts.MkAbs("refused"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.WriteString("$ explore " + strings.Join(args, " ") + "\n" + line)
	ts.Check(errors.Join(err, f.Close()))
}

// same is what is the same in every page.
var same = regexp.MustCompile(`(?s)(<style>|<script>|<meta http-equiv="Content-Security-Policy" content=").*?(</style>|</script>|">)`)

func page(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, append(args, "-format", "html"))
	out := ts.ReadFile("stdout")
	if len(out) > 300_000 {
		ts.Fatalf("explore %s: %d bytes are too many for an attachment", strings.Join(args[1:], " "), len(out))
	}
	_, err := io.WriteString(ts.Stdout(), same.ReplaceAllString(out, "$1$2"))
	ts.Check(err)
}

// terminal reads until explore has closed the terminal: the ttyin of testscript
// closes its own end as soon as the command has ended, and what is not read by then
// is lost.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("explore", args...)
	for _, name := range []string{"PATH", "TERM", "NO_COLOR", "LC_ALL"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	defer screen.Close()
	out, err := io.ReadAll(screen)
	if !errors.Is(err, syscall.EIO) { // Linux says so at the end
		ts.Check(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() == exitError || stderr.Len() > 0 {
		ts.Fatalf("explore %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	_, err = ts.Stdout().Write(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")))
	ts.Check(err)
}
