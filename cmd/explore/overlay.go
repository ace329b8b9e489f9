package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"quiesce/sim/overlay"
)

// overlayUsage is the help of the command overlay.
const overlayUsage = `usage: explore overlay dir

Writes the overlay with which go build and go test make goroutines in a bubble of testing/synctest
the same in every run: it is made of the GOROOT of the go command in the current directory, goes to
dir/overlay.json and dir/_goroot, and changes nothing else. Then prints how to test with it.
Write it again after Go or quiesce has changed.

exit status: 0 written, 2 usage or environment error
`

// writeOverlay does what the arguments after the word overlay ask for.
func writeOverlay(args []string, stdout io.Writer) error {
	for _, arg := range args {
		switch strings.TrimLeft(arg, "-") {
		case arg: // no flag
		case "h", "help":
			_, err := io.WriteString(stdout, overlayUsage)
			return err
		default:
			return fmt.Errorf("overlay: unknown flag %q; there is only -help, and a directory", arg)
		}
	}
	switch {
	case len(args) == 0 || args[0] == "":
		return errors.New("overlay must be followed by the directory to write to, such as /tmp/quiesce")
	case len(args) > 1:
		return fmt.Errorf("overlay: unexpected argument %q after the directory %q", args[1], args[0])
	}
	file, err := overlay.Write(args[0])
	if err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "go test -overlay %s ./...\n", quoted(file))
	return err
}

// quoted returns a word as a shell takes it for one.
func quoted(word string) string {
	if !strings.ContainsAny(word, " \t\n!\"#$&'()*;<>?[\\]`{|}~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
