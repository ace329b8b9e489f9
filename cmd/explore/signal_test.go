package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// A signal ends a search with what was covered, in a real process: SIGTERM, by which a
// CI system or a container ends one, like SIGINT. The progress on its terminal says that
// the search is under way.
func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command("explore", strings.Fields("-strategy cache-aside -readers 12 -writers 12 -symmetry=false")...)
		var out bytes.Buffer
		cmd.Stdout = &out
		screen, terminal, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer screen.Close()
		cmd.Stderr = terminal
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		terminal.Close()
		shown := make([]byte, 1)
		if _, err := screen.Read(shown); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		go drain(screen)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitIncomplete || !strings.HasPrefix(out.String(), "verdict       incomplete: interrupted") {
			t.Errorf("%v: exit code %d\n%s", signal, code, out.String())
		}
	}
}

// drain reads what would otherwise fill the terminal.
func drain(screen *os.File) {
	for some := make([]byte, 1024); ; {
		if _, err := screen.Read(some); err != nil {
			return
		}
	}
}
