package quiesce

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/term"

	"quiesce/explore/report"
)

var (
	schedule = flag.String("quiesce.schedule", "", "quiesce: run only the interleaving with this `token`")
	pages    = flag.String("quiesce.html", "", "quiesce: write a page for every property into this `directory`")
	keeps    = flag.Bool("quiesce.keep", true, "quiesce: keep counterexamples under testdata/quiesce, and try them first")
)

// defaultWidth is that of a report which is not for a terminal, in columns.
const defaultWidth = 120

// width returns how many columns a report may fill in the output of a test.
func width(test string) int {
	columns, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || columns <= 0 {
		return defaultWidth
	}
	return columns - 4*(2+strings.Count(test, "/")) // by which package testing indents it
}

// command returns the line that runs a schedule again.
func (w *World) command(token string) string {
	names := strings.Split(w.t.Name(), "/")
	for i, n := range names {
		names[i] = "^" + regexp.QuoteMeta(n) + "$"
	}
	return fmt.Sprintf("go test -run %s %s", shell(strings.Join(names, "/")), shell("-quiesce.schedule="+token))
}

// shell returns a word as a shell takes it.
func shell(word string) string {
	if !strings.ContainsAny(word, " !'\"()$^*?[]{}|&;<>\\`#~%") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// writePage writes a page, if pages are asked for.
func (w *World) writePage(p *Property, r report.Report) error {
	if *pages == "" {
		return nil
	}
	file := filepath.Join(*pages, directory(w.t.Name()), w.fileName(p)+".html")
	return write(file, r.HTML)
}
