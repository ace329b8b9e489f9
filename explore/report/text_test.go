package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode"

	"quiesce/explore"
	"quiesce/sim"
)

// nasty are values that could break a table or a terminal.
var nasty = []string{
	"plain", "", "two words", "a  b", "line\nbreak", "tab\tstop", "\x1b[31mred\x1b[0m", "\x1b]0;title\a", "back\bspace\r",
	"\u202egnirts", "broken \xff\xfe utf-8", "日本語の価格は九千九百円です", "é and ñ", "→ … ÷ ×", strings.Repeat("long", 40),
	"one " + strings.Repeat("verylongword", 9) + " end", "zero\u200bwidth", "<a&b>", `"quoted" \n`,
}

// example returns a report about a replay of that many steps, in which tasks take
// turns and everything is nasty.
func example(tasks, steps int) *Replay {
	at := 0
	next := func() string { at++; return nasty[at%len(nasty)] }
	r := &Replay{Subject: Subject{Strategy: "example", Property: "coherent", workload: words("a few readers")}}
	r.command = func(token string) string { return "explore -schedule " + token }
	contents := func() []sim.Content {
		return []sim.Content{{{Name: "k:1", Value: next()}, {Name: next() + "2", Value: next()}}, {{Name: "products/1", Value: next()}}}
	}
	r.Trace = &explore.Trace{Token: "reader-1:1,reader-2:1", Places: []string{"cache", "db"}, Initial: []sim.Content{nil, nil}, Violation: "k:1: " + next() + next()}
	for i := range tasks {
		r.tasks = append(r.tasks, fmt.Sprintf("reader-%d", i+1))
	}
	for i := range steps {
		r.Trace.Schedule = append(r.Trace.Schedule, sim.Move{Task: i % tasks})
		r.Trace.Steps = append(r.Trace.Steps, explore.TraceStep{Task: r.tasks[i%tasks], Store: "cache", Request: "GET " + next(), Reply: next(), Contents: contents()})
	}
	return r
}

func textOf(t *testing.T, a Answer, width int) string {
	t.Helper()
	var b bytes.Buffer
	if err := (Report{a}).Text(&b, TextOptions{Width: width}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// displayed returns the columns that s takes on a terminal, for the characters
// of this test: counted another way than the package does.
func displayed(s string) (n int) {
	for _, r := range s {
		n++
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			n++
		}
	}
	return n
}

// rows reads the table back: the text of every cell without its spaces.
func rows(out string) (cells [][]string) {
	for line := range strings.Lines(out) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "│")
		if len(parts) < 3 {
			continue
		}
		parts = parts[1 : len(parts)-1]
		for i := range parts {
			parts[i] = strings.ReplaceAll(parts[i], " ", "")
		}
		// A new row has a number; the header and the initial row do not.
		if parts[0] != "" || len(cells) == 1 && strings.Contains(line, "-") && cells[0][0] == "step" && parts[len(parts)-1] == "-" {
			cells = append(cells, parts)
			continue
		}
		for i, p := range parts {
			cells[len(cells)-1][i] += p
		}
	}
	return cells
}

func TestNoStepIsLostAndNoLineIsTooWide(t *testing.T) {
	for _, tasks := range []int{1, 2, 5, 12} {
		for _, width := range []int{40, 60, 80, 140, 1000} {
			r := example(tasks, 24)
			out := textOf(t, r, width)
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				if copied := strings.HasPrefix(line, "schedule ") || strings.HasPrefix(line, "replay "); !copied && displayed(line) > width {
					t.Fatalf("%d tasks, width %d: %d columns in %q", tasks, width, displayed(line), line)
				}
				if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Fatalf("%d tasks, width %d: not printable at %d: %q", tasks, width, i, line)
				}
			}
			cells := rows(out)
			if len(cells) != 2+24 {
				t.Fatalf("%d tasks, width %d: %d rows:\n%s", tasks, width, len(cells), out)
			}
			for i, s := range r.Trace.Steps {
				row := cells[2+i]
				column := slices.Index(cells[0], s.Task)
				want := s.Request
				if s.Reply != "" {
					want += " → " + s.Reply
				}
				if column < 0 {
					column, want = 1, s.Task+": "+want
				}
				w := &textWriter{Subject: &r.Subject}
				for column, want := range map[int]string{
					0: fmt.Sprint(i + 1), column: printable(want), len(row) - 2: printable(w.content(s.Contents[0])), len(row) - 1: printable(w.content(s.Contents[1])),
				} {
					if want = strings.ReplaceAll(want, " ", ""); row[column] != want {
						t.Fatalf("%d tasks, width %d, step %d: %q, want %q", tasks, width, i+1, row[column], want)
					}
				}
			}
		}
	}
}

// Where tasks have no room for a column of their own, they share one.
func TestManyTasksShareAColumn(t *testing.T) {
	r := example(12, 12)
	for i := range r.Trace.Steps {
		s := &r.Trace.Steps[i]
		s.Request, s.Reply = "GET product:1", "(nil)"
		s.Contents = []sim.Content{nil, {{Name: "products/1", Value: "{9900}"}}}
	}
	r.Trace.Violation = ""
	out := textOf(t, r, 80)
	if want := "│    7 │ reader-7: GET product:1 → (nil)"; !strings.Contains(out, want) {
		t.Errorf("%q is missing in\n%s", want, out)
	}
	if out := textOf(t, r, 300); !strings.Contains(out, "│ reader-12 ") {
		t.Errorf("reader-12 has no column in\n%s", out)
	}
}

func TestNoSteps(t *testing.T) {
	r := example(2, 0)
	r.Trace = &explore.Trace{Places: []string{"cache", "db"}, Initial: []sim.Content{nil, {{Name: "products/1", Value: "{9900}"}}}}
	want := `verdict       incomplete: this schedule keeps coherent; nothing is proved about the others
strategy      example
workload      a few readers
replayed      0 steps, 0 context switches

┌──────┬───────┬───────────────────┐
│ step │ cache │ db                │
├──────┼───────┼───────────────────┤
│      │ -     │ products/1 {9900} │
└──────┴───────┴───────────────────┘

schedule
replay        explore -schedule
`
	if got := textOf(t, r, 0); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  []string
	}{
		{"", 5, []string{""}},
		{"GET k", 5, []string{"GET k"}},
		{"GET k → 1", 5, []string{"GET k", "→ 1"}},
		{"GET key", 5, []string{"GET", "key"}},
		{"abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"ab cdefgh", 3, []string{"ab", "cde", "fgh"}},
		{"a  b", 4, []string{"a  b"}},
		{"a  b", 2, []string{"a", "b"}},
		{"日本語", 4, []string{"日本", "語"}},
		{"日本語", 3, []string{"日", "本", "語"}},
		{"日", 1, []string{"日"}}, // a line has one character at least
		{"ab ", 2, []string{"ab", ""}},
		{" ab", 2, []string{" a", "b"}},
	} {
		if got := wrap(c.s, c.width); !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"plain 'text' \"here\" \\": "plain 'text' \"here\" \\",
		"a\nb\tc":                  `a\nb\tc`,
		"\x1b[31m":                 `\x1b[31m`,
		"\u202e\u200b\u2028":       `\u202e\u200b\u2028`,
		"\xff":                     `\xff`,
		"\uFFFD":                   "\uFFFD",
		"日本語 é →":                  "日本語 é →",
		"\u0080\x7f":               `\u0080\x7f`,
	} {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestOnceIn(t *testing.T) {
	for _, c := range []struct {
		num, denom int64
		want       string
	}{
		{1, 16, "once in 16 runs"},
		{3, 32, "about once in 11 runs"}, // 10.67
		{1, 1234567, "once in 1,234,567 runs"},
		{1, 2, "once in 2 runs"},
		{2, 5, "about once in 3 runs"}, // 2.5
		{2, 3, "about once in 2 runs"}, // 1.5
		{3, 4, "in about 75% of all runs"},
		{999, 1000, "in about 99% of all runs"},
		{1, 1, "in every run"},
	} {
		if got := oncein(big.NewRat(c.num, c.denom)); got != c.want {
			t.Errorf("oncein(%d/%d) = %q, want %q", c.num, c.denom, got, c.want)
		}
	}
}

// At least six digits that mean something, however small the number is.
func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		num, denom int64
		want       string
	}{
		{0, 1, "0.000000"},
		{1, 1, "1.000000"},
		{1, 3, "0.333333"},
		{1, 10, "0.100000"},
		{1, 16, "0.0625000"},
		{1, 3000000, "0.000000333333"},
	} {
		if got := decimal(big.NewRat(c.num, c.denom)); got != c.want {
			t.Errorf("decimal(%d/%d) = %s, want %s", c.num, c.denom, got, c.want)
		}
	}
}

// A report is one JSON object, and what is in it comes back as it was.
func TestJSON(t *testing.T) {
	r := example(2, 40)
	var b bytes.Buffer
	if err := (Report{r}).JSON(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "<a&b>") {
		t.Error("<a&b> is escaped for HTML, which this is not")
	}
	type step struct {
		Step                        int
		Task, Store, Request, Reply string
		Cache, DB                   map[string]string
	}
	var j struct {
		Counterexample struct {
			Violation string
			Trace     []step
			Cache, DB map[string]string
		}
	}
	if err := json.Unmarshal(b.Bytes(), &j); err != nil {
		t.Fatal(err)
	}
	if len(j.Counterexample.Trace) != len(r.Trace.Steps) {
		t.Fatalf("%d steps, want %d", len(j.Counterexample.Trace), len(r.Trace.Steps))
	}
	// Invalid UTF-8 cannot be said in JSON.
	same := func(got, want string) bool { return got == string([]rune(want)) }
	for i, want := range r.Trace.Steps {
		got := j.Counterexample.Trace[i]
		if got.Step != i+1 || got.Task != want.Task || got.Store != want.Store || !same(got.Request, want.Request) || !same(got.Reply, want.Reply) {
			t.Errorf("step %d: %+v, want %+v", i+1, got, want)
		}
		if v := want.Contents[1][0].Value; !same(got.DB["products/1"], v) {
			t.Errorf("step %d: db has %q, want %q", i+1, got.DB, v)
		}
	}
}

func TestWriteError(t *testing.T) {
	r := example(2, 3)
	broken := errors.New("disk full")
	for _, after := range []int{0, 3, 8} {
		if err := (Report{r}).Text(&failing{after, broken}, TextOptions{}); !errors.Is(err, broken) {
			t.Errorf("Text after %d writes: %v", after, err)
		}
	}
	if err := (Report{r}).JSON(&failing{0, broken}); !errors.Is(err, broken) {
		t.Errorf("JSON: %v", err)
	}
}

type failing struct {
	after int
	err   error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}
