package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"quiesce/explore"
)

// longest is the width of a text beside an arrow. The table has it in full.
const longest = 48

// mermaid returns the trace as a sequence diagram in the language of Mermaid,
// which GitHub and GitLab draw.
func (about *Subject) mermaid(t *explore.Trace) string {
	shown := about.shown(t, -1)
	s := shown.sequence()
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	for i, name := range s.participants {
		kind := "participant"
		if s.tasks[name] {
			kind = "actor"
		}
		fmt.Fprintf(&b, "    %s p%d as %s\n", kind, i, mermaidText(name))
	}
	fatal := false
	for _, a := range s.arrows {
		if a.row == shown.fatal && !fatal {
			fatal = true
			b.WriteString("    rect rgba(220, 60, 40, 0.15)\n")
		} else if a.row > shown.fatal && fatal {
			fatal = false
			about.mermaidFatal(&b, s, t)
		}
		switch {
		case a.note:
			fmt.Fprintf(&b, "    Note over p%d,p%d: ", a.from, a.to)
		case a.reply:
			fmt.Fprintf(&b, "    p%d-->>p%d: ", a.from, a.to)
		default:
			fmt.Fprintf(&b, "    p%d->>p%d: ", a.from, a.to)
		}
		if a.first {
			b.WriteString(shown.rows[a.row-1].number + " ")
		}
		b.WriteString(mermaidText(elide(about.brief(a.text), longest)) + "\n")
	}
	if fatal {
		about.mermaidFatal(&b, s, t)
	}
	return b.String()
}

// mermaidFatal ends the rectangle around the fatal step.
func (about *Subject) mermaidFatal(b *strings.Builder, s sequence, t *explore.Trace) {
	fmt.Fprintf(b, "    Note over p0,p%d: %s\n    end\n", len(s.participants)-1, mermaidText(about.brief(t.Violation)))
}

var (
	// What is no letter, number or harmless sign could be syntax, and so could some
	// words.
	mermaidSyntax = regexp.MustCompile(`[^\p{L}\p{N} .,:_/(){}=*'→…÷×-]`)
	mermaidWords  = regexp.MustCompile(`(?i)\bend\b|style|classdef`)
)

// mermaidText returns s with what Mermaid could take for syntax, or a browser for
// HTML, as the codes of characters.
func mermaidText(s string) string {
	code := func(s string) string { return fmt.Sprintf("#%d;", []rune(s)[0]) }
	s = mermaidSyntax.ReplaceAllStringFunc(printable(s), code)
	s = mermaidWords.ReplaceAllStringFunc(s, func(word string) string { return code(word) + word[1:] })
	if strings.TrimSpace(s) == "" {
		return "#32;" // Mermaid wants something there
	}
	return s
}

// elide returns the begin of s, with an ellipsis if that is not all.
func elide(s string, width int) string {
	if text.StringWidth(s) <= width {
		return s
	}
	return text.Trim(s, width-1) + "…"
}
