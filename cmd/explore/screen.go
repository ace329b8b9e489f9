package main

import (
	"cmp"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"quiesce/explore/report"
)

// A screen is the terminal that stdout is; the zero value is none.
type screen struct {
	columns int // 0 if that is unknown
	colour  bool
	ascii   bool
}

// newScreen looks at the terminal and at what the environment says of it. A file
// or a pipe gets the same output everywhere.
func newScreen(stdout io.Writer) screen {
	f, ok := stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return screen{}
	}
	columns, _, _ := term.GetSize(int(f.Fd()))
	dumb := os.Getenv("TERM") == "dumb"
	// The first that is set decides, as in setlocale(3). See https://no-color.org.
	locale := strings.ToLower(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	utf8 := strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
	return screen{columns: columns, colour: !dumb && os.Getenv("NO_COLOR") == "", ascii: dumb || !utf8}
}

// options returns the layout for a width that was asked for; 0 means that of the
// screen, or 100 columns.
func (s screen) options(width int) report.TextOptions {
	return report.TextOptions{Width: cmp.Or(width, s.columns, report.DefaultWidth), Colour: s.colour, ASCII: s.ascii}
}
