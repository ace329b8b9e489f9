package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Markdown writes the answer as GitHub flavoured Markdown with a Mermaid diagram,
// to be attached to a review.
func (r Report) Markdown(w io.Writer) error {
	m := &markdownWriter{Subject: r.subject()}
	m.answer(r)
	_, err := io.WriteString(w, m.String())
	return err
}

type markdownWriter struct {
	*Subject
	strings.Builder
}

func (m *markdownWriter) printf(format string, args ...any) { fmt.Fprintf(m, format, args...) }

func (m *markdownWriter) answer(a Answer) {
	m.printf("# %s\n\n%s\n", prose(a.title()), prose(a.sentence()))
	m.summaryTable(a.summary())
	t := a.trace()
	if t == nil {
		return
	}
	m.printf("\n## Sequence\n\n```mermaid\n%s```\n", m.mermaid(t))
	m.printf("\n## Steps\n\n")
	s := m.shown(t, -1)
	m.steps(s)
	m.printf("\n")
	m.inFull(s)
	if t.Violation != "" {
		m.reasons(a.why())
	}
	m.printf("## Replay\n\n%s\n", fence("sh", m.command(t.Token)))
}

// summaryTable writes the lines that the text report begins with.
func (m *markdownWriter) summaryTable(lines []line) {
	m.printf("\n| | |\n| --- | --- |\n")
	for i := 0; i < len(lines); {
		texts := []string{prose(lines[i].text)}
		label := lines[i].label
		for i++; i < len(lines) && lines[i].label == ""; i++ {
			texts = append(texts, prose(lines[i].text))
		}
		m.printf("| %s | %s |\n", label, strings.Join(texts, "<br>"))
	}
}

// steps writes the rows, and one for the state at the start.
func (m *markdownWriter) steps(t shown) {
	m.printf("| step | task | request | reply |")
	for _, name := range t.places {
		m.printf(" %s |", prose(name))
	}
	m.printf("\n| ---: | --- | --- | --- |%s\n", strings.Repeat(" --- |", len(t.places)))
	m.printf("| | | | |")
	before := make([]string, len(t.places))
	for i, c := range t.initial {
		before[i] = m.content(c)
		m.printf(" %s |", code(before[i]))
	}
	m.printf("\n")
	for i, s := range t.rows {
		number := s.number
		if i+1 == t.fatal {
			number = "**" + number + "**"
		}
		m.printf("| %s | %s | %s | %s |", number, prose(s.Task), code(m.brief(s.Request)), code(m.reply(s.TraceStep)))
		for j, c := range s.Contents {
			cell := m.content(c)
			text := code(cell)
			if cell != before[j] {
				text = "**" + text + "**"
			}
			before[j] = cell
			m.printf(" %s |", text)
		}
		m.printf("\n")
	}
	m.printf("\nWhat a step changed is bold.")
	if t.fatal > 0 {
		m.printf(" So is the step after which the violation stands.")
	}
	m.printf("\n")
}

// inFull writes the steps with nothing shortened, if anything was.
func (m *markdownWriter) inFull(t shown) {
	if !slices.ContainsFunc(t.rows, func(s row) bool { return m.brief(s.Request) != s.Request || m.brief(s.Reply) != s.Reply }) {
		return
	}
	var b strings.Builder
	for _, s := range t.rows {
		fmt.Fprintf(&b, "%s %s: %s\n", s.number, printable(s.Task), printable(s.Request))
		if s.Reply != "" {
			fmt.Fprintf(&b, "  → %s\n", printable(s.Reply+struck(s.TraceStep)))
		}
	}
	m.printf("<details>\n<summary>Requests and replies in full</summary>\n\n%s\n</details>\n\n", fence("text", strings.TrimSuffix(b.String(), "\n")))
}

// reasons writes the root cause and what would have to hold instead.
func (m *markdownWriter) reasons(w why) {
	if w.is == nil && w.parting == "" && m.Meaning == "" {
		return
	}
	if w.is != nil {
		m.printf("## Root cause\n\n")
	}
	switch {
	case w.is == nil:
	case len(w.is) == 0:
		m.printf("Every %s violates %s.\n\n", w.scope, prose(m.Property))
	default:
		m.printf("Every %s with\n\n", w.scope)
		for i, order := range w.is {
			m.printf("- %s%s\n", prose(order), conjunction(i, len(w.is), ", and"))
		}
		m.printf("\nviolates %s.\n\n", prose(m.Property))
	}
	m.printf("## What would have to hold instead\n\n")
	if m.Meaning != "" {
		m.printf("%s means: %s.\n\n", prose(m.Property), prose(m.Meaning))
	}
	if len(w.is) > 0 {
		m.printf("An interleaving that keeps it needs\n\n")
		for i, order := range w.instead {
			m.printf("- %s%s\n", prose(order), conjunction(i, len(w.is), ", or"))
		}
		m.printf("\nor is one in which such a step is not taken.\n\n")
	}
	if w.parting != "" {
		m.printf("%s\n\n", prose(w.parting))
	}
}

// conjunction returns what comes after the i-th of n items.
func conjunction(i, n int, word string) string {
	if i == n-1 {
		return ""
	}
	return word
}

// markdownEscaper has the signs that mean something inside a line, and those that
// make a link of an address.
var markdownEscaper = strings.NewReplacer("\\", `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`, "<", `\<`, ">", `\>`, "&", `\&`,
	"[", `\[`, "]", `\]`, "#", `\#`, "$", `\$`, "!", `\!`, "@", `\@`, "://", `\://`, "www.", `www\.`)

// prose returns s as text of which nothing is syntax, not even in a table.
func prose(s string) string { return markdownEscaper.Replace(printable(s)) }

// code returns s as code, in a table too. Where a code span would not do, every
// sign is written as a character reference, which is never syntax.
func code(s string) string {
	s = printable(s)
	switch {
	case s == "":
		return ""
	case !strings.ContainsAny(s, "`|\\") && strings.TrimSpace(s) == s:
		return "`" + s + "`"
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return "<code>" + b.String() + "</code>"
}

// fence returns s, of one or more lines, as a block of code that nothing in it can
// end.
func fence(language, s string) string {
	ticks := "```"
	for strings.Contains(s, ticks) {
		ticks += "`"
	}
	return ticks + language + "\n" + s + "\n" + ticks
}
