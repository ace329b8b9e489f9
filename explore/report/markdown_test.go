package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	renderer "github.com/yuin/goldmark/renderer/html"

	"quiesce/sim"
)

func markdownOf(t *testing.T, a Answer) string {
	t.Helper()
	var b strings.Builder
	if err := (Report{a}).Markdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	tableCell = regexp.MustCompile(`<td[^>]*>(.*?)</td>`)
	anyTag    = regexp.MustCompile(`<[^>]*>`)
	ownTags   = regexp.MustCompile(`^</?(code|strong|br|table|thead|tbody|tr|th|td|h[12]|p|ul|li|pre|details|summary)( align="[a-z]+"| style="text-align:[a-z]+"| class="language-[a-z]+")*( /)?>$`)
)

// A Markdown processor shows every text as it is: nothing is taken for syntax.
func TestMarkdownShowsTextAsItIs(t *testing.T) {
	r := example(2, 2*len(syntax))
	r.Meaning, r.Trace.Violation, r.Trace.Fatal = strings.Join(syntax, " "), strings.Join(syntax, " "), 3
	r.workload = words(strings.Join(syntax, " "))
	for i := range r.Trace.Steps {
		s, text := &r.Trace.Steps[i], syntax[i%len(syntax)]
		s.Request, s.Reply = text, "reply "+text
		s.Contents = []sim.Content{{{Name: "k", Value: text}}, nil}
	}
	var page bytes.Buffer
	// With raw HTML, as GitHub allows some of it.
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(renderer.WithUnsafe()))
	if err := md.Convert([]byte(markdownOf(t, r)), &page); err != nil {
		t.Fatal(err)
	}
	for _, tag := range anyTag.FindAllString(page.String(), -1) {
		if !ownTags.MatchString(tag) {
			t.Errorf("there is a tag %s", tag)
		}
	}
	var cells []string
	for _, m := range tableCell.FindAllStringSubmatch(page.String(), -1) {
		cells = append(cells, html.UnescapeString(anyTag.ReplaceAllString(m[1], "")))
	}
	// Two tables: label and text of the summary, then the steps.
	const columns = 6
	summary := 2 * len(r.summary())
	if want := summary + columns*(1+len(r.Trace.Steps)); len(cells) != want {
		t.Fatalf("%d cells, want %d", len(cells), want)
	}
	if want := strings.TrimSpace(printable(r.workload.String())); cells[5] != want {
		t.Errorf("the workload is %q, want %q", cells[5], want)
	}
	for i, s := range r.Trace.Steps {
		row := cells[summary+columns*(1+i):][:columns]
		content := "k " + printable(s.Contents[0][0].Value)
		for j, want := range []string{fmt.Sprint(i + 1), s.Task, printable(s.Request), printable(s.Reply), content, "-"} {
			if row[j] != want {
				t.Errorf("step %d, column %d: %q, want %q", i+1, j, row[j], want)
			}
		}
	}
}

// The document names the root cause, what would have to be instead, and the swap.
func TestMarkdownSaysWhy(t *testing.T) {
	out := markdownOf(t, race(t))
	for _, want := range []string{
		"# cache-aside: coherent is violated\n\n1 of 10 interleavings of 1 reader, 1 writer, 1 key, cold cache violates coherent, such as this one: product:1: the cache holds {9900}, the database {7900}.\n",
		"Every interleaving of this workload with\n\n- reader-1 SELECT before writer-1 UPDATE, and\n- writer-1 DEL before reader-1 SET\n\nviolates coherent.\n",
		"- writer-1 UPDATE before reader-1 SELECT, or\n- reader-1 SET before writer-1 DEL\n",
		"The closest passing interleaving is the same up to step 3. Then, instead of writer-1 DEL, comes reader-1 SET.\n",
		"## Replay\n\n```sh\nexplore -schedule reader-1:2,writer-1:2,reader-1:1\n```\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	text := textOf(t, race(t), 200)
	if want := "\ncause         reader-1 SELECT before writer-1 UPDATE, and writer-1 DEL before reader-1 SET: every interleaving of this workload with these orders violates\n"; !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
}

// Two steps of one task that are called alike are told apart.
func TestStepName(t *testing.T) {
	r := example(1, 0)
	for _, request := range []string{"GET a", "GET b", "EVALSHA (fill if newer) 1 a", "SELECT 1", "MULTI; SET a 1; EXEC"} {
		r.Trace.Steps = append(r.Trace.Steps, step("reader-1", request))
	}
	r.Trace.Steps = append(r.Trace.Steps, step(environment, "expire a"))
	for i, want := range []string{"reader-1 GET (step 1)", "reader-1 GET (step 2)", "reader-1 EVALSHA (fill if newer)", "reader-1 SELECT", "reader-1 MULTI", "expire a"} {
		if got := stepName(r.Trace, i); got != want {
			t.Errorf("step %d is called %q, want %q", i+1, got, want)
		}
	}
}
