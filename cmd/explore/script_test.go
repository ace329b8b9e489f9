package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts in testdata expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"explore": main})
}

// TestScripts runs testdata/*.txtar. Beside the usual commands there are
//
//	exits code args...	runs explore and compares its exit code
//	refuses args...		runs explore, which has to say no in one line on stderr,
//				and appends command and line to the file refused
//	terminal args...	runs explore with a terminal as its stdout
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				exits(ts, want, args[1:])
			},
			"refuses":  refuses,
			"terminal": terminal,
		},
	})
}

func exits(ts *testscript.TestScript, want int, args []string) {
	err := ts.Exec("explore", args...)
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
	exits(ts, exitError, args)
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
