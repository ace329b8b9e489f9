package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"quiesce/model"
)

// formats are those of -format. The endings are those of the files that -o writes in
// it if -format does not say otherwise.
var formats = []struct {
	name    string
	endings []string
}{
	{"text", []string{".txt", ".text", ".log", ""}},
	{"json", []string{".json"}},
	{"markdown", []string{".md", ".markdown"}},
	{"html", []string{".html", ".htm"}},
	{"dot", []string{".dot", ".gv"}},
}

// setFormat says what is written, and where: what -format says, or else the ending
// of the file. A device or a pipe gets text.
func (o *options) setFormat() error {
	if o.output == "-" {
		o.output = ""
	}
	var names, endings []string
	for _, f := range formats {
		names = append(names, f.name)
		endings = append(endings, f.endings[0])
		if !o.given["format"] && slices.Contains(f.endings, strings.ToLower(filepath.Ext(o.output))) {
			o.format = f.name
		}
	}
	switch {
	case o.given["format"] && !slices.Contains(names, o.format):
		return fmt.Errorf("unknown format %q; %s", o.format, model.Suggest(o.format, names, ""))
	case o.format == "":
		return fmt.Errorf("-o %q: the ending is that of no format, as %s are; say with -format what to write", o.output, strings.Join(endings, ", "))
	}
	return nil
}
