package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

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
			"refuses": refuses,
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
