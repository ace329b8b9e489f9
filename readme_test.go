package quiesce_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/redis/go-redis/v9"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
	"quiesce/sim"
	simredis "quiesce/sim/redis"
	simsqlite "quiesce/sim/sqlite"
)

var update = flag.Bool("update", false, "rewrite the outputs and the verdicts in README.md and docs")

// TestDocuments runs what the documents show and compares.
//
// A block that starts with ```console holds commands, each after "$ ", with
// their whole output. A block that starts with ```go stands in this file, or in another one
// that checkCode names. Rows
// between <!-- gallery --> and <!-- /gallery --> show every counterexample, what is
// between <!-- explore args --> and <!-- /explore --> is printed by that command, rows
// between <!-- verdicts --> and <!-- /verdicts --> are those of verdictTable (<!-- first
// verdicts --> of some groups only), those
// between <!-- races --> and <!-- /races --> of raceTable, those between <!-- sessions -->
// and <!-- /sessions --> of sessionTable, those between <!-- histories --> and
// <!-- /histories --> of historyTable, and those between <!-- costs --> and <!-- /costs --> say how large graphs are.
//
// A command of a block is run as it stands. All others are run without the audit, of
// which nothing is shown; with -update what <!-- explore args --> prints is audited.
func TestDocuments(t *testing.T) {
	t.Parallel()
	binary := &binary{path: filepath.Join(t.TempDir(), "explore"), outputs: map[string]func() output{}}
	if out, err := exec.Command("go", "build", "-o", binary.path, "./cmd/explore").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "README.md", "CONTRIBUTING.md") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			was := string(data)
			is := replace(was, "```console\n", "```\n", func(block string) string { return rerun(t, binary, block) })
			is = replace(is, "<!-- verdicts -->\n", "<!-- /verdicts -->", func(string) string { return verdictTable(t, binary, "#", model.Groups()) })
			is = replace(is, "<!-- first verdicts -->\n", "<!-- /first verdicts -->", func(string) string {
				return verdictTable(t, binary, "docs/strategies.md#", model.Groups()[:2])
			})
			is = replace(is, "<!-- strategies -->\n", "<!-- /strategies -->", func(string) string { return strategySections(t, binary) })
			is = replace(is, "<!-- gallery -->\n", "<!-- /gallery -->", func(string) string { return gallery(t, binary) })
			is = replace(is, "<!-- sessions -->\n", "<!-- /sessions -->", func(string) string { return sessionTable(t, binary) })
			is = replace(is, "<!-- histories -->\n", "<!-- /histories -->", func(string) string { return historyTable(t, binary) })
			is = embedded.ReplaceAllStringFunc(is, func(block string) string { return embed(t, binary, block) })
			replace(is, "```go\n", "```\n", func(block string) string { checkCode(t, block); return block })
			replace(is, "<!-- costs -->\n", "<!-- /costs -->", func(block string) string { checkCosts(t, binary, block); return block })
			switch {
			case is == was:
			case *update:
				if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s shows something else than the commands print; after a look at the difference: go test . -run TestDocuments -update\n%s", file, firstDifference(was, is))
			}
		})
	}
	t.Run("gallery is reproduced", func(t *testing.T) {
		t.Parallel()
		reproduceGallery(t, binary)
	})
}

// replace returns text with f applied to everything between begin and end.
func replace(text, begin, end string, f func(string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, begin)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		block, after, _ := strings.Cut(rest, end)
		b.WriteString(begin + f(block) + end)
		text = after
	}
}

// embedded is a part of a document that a command prints as Markdown.
var embedded = regexp.MustCompile(`(?s)<!-- explore ([^\n]*) -->\n.*?<!-- /explore -->`)

// embed returns the part as the command prints it now, without the title.
func embed(t *testing.T, binary *binary, block string) string {
	t.Helper()
	args := embedded.FindStringSubmatch(block)[1]
	command := strings.Fields(args)
	if !*update {
		command = append(command, noAudit...)
	}
	out, status := binary.run(t, command...)
	if status == 2 {
		t.Fatal(out)
	}
	_, out, _ = strings.Cut(out, "\n\n")
	return "<!-- explore " + args + " -->\n" + out + "<!-- /explore -->"
}

// gallery returns a section for every strategy that violates its property, from a
// cold cache or else from a warm one: parts of what -format markdown prints.
func gallery(t *testing.T, binary *binary) string {
	t.Helper()
	var b strings.Builder
	for _, s := range model.Strategies() {
		args, found := exhibit(t, binary, s)
		if found.Verdict != "violated" {
			continue
		}
		out, status := binary.run(t, slices.Concat(args, noAudit, []string{"-format", "markdown"})...)
		if status != 1 {
			t.Fatalf("%s: exit status %d\n%s", s.Name, status, out)
		}
		sentence := strings.Split(out, "\n\n")[1]
		_, diagram, _ := strings.Cut(out, "```mermaid\n")
		diagram, _, _ = strings.Cut(diagram, "```\n")
		reason := reason(out)
		if reason == "" {
			t.Errorf("%s: nothing says why", s.Name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s\n\n```mermaid\n%s```\n", s.Name, reason, sentence, diagram)
	}
	return b.String() + "\n"
}

// exhibit explores a strategy with all flags at their defaults; with a warm cache if it
// holds then and has one.
func exhibit(t *testing.T, binary *binary, s model.Strategy) (args []string, found summary) {
	t.Helper()
	args = []string{"-strategy", s.Name}
	if found = summarize(t, binary, args...); found.Verdict == "holds" && s.Race == nil {
		args = append(args, "-cache", "warm")
		found = summarize(t, binary, args...)
	}
	return args, found
}

// reason returns why the property is violated, in one sentence: the root cause, or
// where it is unknown, as of a deadlock whose last requests are in no trace, where the
// closest passing interleaving parts. It is "" if both are unknown.
func reason(markdown string) string {
	if _, cause, ok := strings.Cut(markdown, "## Root cause\n\n"); ok {
		cause, _, _ = strings.Cut(cause, "\n\n## ")
		return strings.Join(strings.Fields(strings.ReplaceAll(cause, "\n- ", " ")), " ")
	}
	_, parting, ok := strings.Cut(markdown, "The closest passing interleaving ")
	if !ok {
		return ""
	}
	parting, _, _ = strings.Cut(parting, "\n")
	return "The closest passing interleaving " + strings.Replace(parting, ". Then", "; then", 1)
}

// The steps of a diagram, each with its number: a request, the arrival of a reply, or
// a note.
var diagramStep = regexp.MustCompile(`(?m)^    (?:Note over )?(p\d+)(?:,|--?>>)(p\d+): (\d+) `)

// reproduceGallery writes a trace file of everything in the gallery. The diagram has
// its steps, one after the other, and -replay reproduces it.
func reproduceGallery(t *testing.T, binary *binary) {
	page, err := os.ReadFile("docs/gallery.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trace.json")
	sections := strings.Split(string(page), "\n## ")[1:]
	if len(sections) < 20 {
		t.Errorf("only %d sections", len(sections))
	}
	for _, section := range sections {
		name, diagram, _ := strings.Cut(section, "\n")
		s, err := model.LookupStrategy(name)
		if err != nil {
			t.Fatal(err)
		}
		_, found := exhibit(t, binary, s)
		if err := os.WriteFile(file, found.report, 0o644); err != nil {
			t.Fatal(err)
		}
		actors := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^    actor (p\d+) as (.*)$`).FindAllStringSubmatch(diagram, -1) {
			actors[m[1]] = m[2]
		}
		var drawn, want []string
		for _, m := range diagramStep.FindAllStringSubmatch(diagram, -1) {
			if m[3] == fmt.Sprint(len(drawn)+1) { // and no reply, such as "1 row"
				drawn = append(drawn, m[3]+" "+cmp.Or(actors[m[1]], actors[m[2]]))
			}
		}
		for i, step := range found.Counterexample.Trace {
			want = append(want, fmt.Sprint(i+1, " ", step.Task))
		}
		if !slices.Equal(drawn, want) {
			t.Errorf("%s: the steps in the gallery are %q, those of the file %q", name, drawn, want)
		}
		if out, status := binary.run(t, "-replay", file); status != 1 || !strings.HasPrefix(out, "outcome       reproduced: ") || strings.Contains(out, "\ndiffers") {
			t.Errorf("%s: -replay: exit status %d\n%s", name, status, out)
		}
	}
}

// rerun returns the block with the outputs that its commands have now.
func rerun(t *testing.T, binary *binary, block string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(block) {
		command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		if !ok {
			continue
		}
		args, ok := strings.CutPrefix(command, "go run ./cmd/explore ")
		if !ok {
			t.Fatalf("%q: a console block runs only go run ./cmd/explore", command)
		}
		out, _ := binary.run(t, strings.Fields(args)...)
		b.WriteString("$ " + command + "\n" + out)
	}
	return b.String()
}

// A binary is that of cmd/explore. What it prints is a function of its arguments, so it
// is run once with the same ones.
type binary struct {
	path    string
	mu      sync.Mutex
	outputs map[string]func() output // by arguments
}

type output struct {
	text   string
	status int
	err    error // it could not be run
}

// run returns what explore prints, and its exit status.
func (b *binary) run(t *testing.T, args ...string) (text string, status int) {
	t.Helper()
	b.mu.Lock()
	key := fmt.Sprintf("%q", args)
	once, ok := b.outputs[key]
	if !ok {
		once = sync.OnceValue(func() (o output) {
			cmd := exec.Command(b.path, args...)
			cmd.Env = append(os.Environ(), "GOGC=400") // collecting garbage took a third of the time
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				return output{err: err}
			}
			return output{text: string(out), status: cmd.ProcessState.ExitCode()}
		})
		b.outputs[key] = once
	}
	b.mu.Unlock()
	o := once()
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.text, o.status
}

// noAudit leaves out the audit and the replays. Of the strategies they are in TestVerdicts.
var noAudit = []string{"-audit", "0"}

// summary is what the documents need of a JSON report.
type summary struct {
	Verdict             string
	States, Transitions int
	Workload            struct{ Readers, Writers, Workers int }
	Counterexample      struct {
		Schedule, Violation string
		Trace               []struct{ Task, Request, Reply string }
	}

	report []byte
}

func summarize(t *testing.T, binary *binary, args ...string) (s summary) {
	t.Helper()
	out, _ := binary.run(t, slices.Concat(args, noAudit, []string{"-format", "json"})...)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	s.report = []byte(out)
	return s
}

// verdict says what was found, in words. A claim is refuted if it promises that
// the property holds.
func (s summary) verdict(strategy model.Strategy) string {
	if s.Verdict != "violated" {
		return s.Verdict
	}
	word := "violated"
	if strategy.Promises {
		word = "refuted"
	}
	who := fmt.Sprintf("%dR %dW", s.Workload.Readers, s.Workload.Writers)
	if strategy.Race != nil {
		who = fmt.Sprintf("%d workers", s.Workload.Workers)
	}
	steps := "1 step"
	if n := len(s.Counterexample.Trace); n != 1 {
		steps = fmt.Sprintf("%d steps", n)
	}
	return word + ": " + who + ", " + steps
}

// verdictTable explores every strategy of the groups with all flags at their defaults.
func verdictTable(t *testing.T, binary *binary, link string, groups []model.Group) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| strategy | what is claimed of it | verdict |\n| --- | --- | --- |\n")
	for _, g := range groups {
		for _, s := range model.InGroup(g) {
			found := summarize(t, binary, "-strategy", s.Name)
			fmt.Fprintf(&b, "| [%s](%s%s) | %s | %s |\n", s.Name, link, s.Name, s.Claim, found.verdict(s))
		}
	}
	return b.String()
}

// sessionTable asks every strategy with a cache about sessions and about a product that is
// created.
func sessionTable(t *testing.T, binary *binary) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| strategy | cart-price: 1 shopper, 1 writer | read-your-writes: 1 editor, 1 reader | coherent: 1 creator, 1 reader, 1 writer |\n| --- | --- | --- | --- |\n")
	for _, s := range model.Caches() {
		fmt.Fprintf(&b, "| [%s](#%s) |", s.Name, s.Name)
		for _, args := range []string{
			"-property cart-price -shoppers 1 -readers 0 -writers 1",
			"-property read-your-writes -editors 1 -readers 1 -writers 0",
			"-property coherent -creators 1 -readers 1 -writers 1",
		} {
			if s.Uncreated != "" && strings.Contains(args, "creators") {
				fmt.Fprintf(&b, " none: %s |", s.Uncreated)
				continue
			}
			found := summarize(t, binary, append(strings.Fields(args), "-strategy", s.Name)...)
			fmt.Fprintf(&b, " %s", found.Verdict)
			if n := len(found.Counterexample.Trace); n > 0 {
				fmt.Fprintf(&b, ": %d steps", n)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// historyTable says how large graphs are with and without a property of histories. A
// monitor tells processes apart, so the symmetry is lost as well.
func historyTable(t *testing.T, binary *binary) string {
	t.Helper()
	columns := [][]string{
		{"-property=coherent"}, {"-property=coherent", "-symmetry=false"}, {"-property=no-stale-read"}, {"-property=read-your-writes"},
		{"-property=monotonic-reads"}, {"-property=cart-price"}, {"-property=linearizable"},
	}
	var b strings.Builder
	b.WriteString("| workload | coherent | without symmetry | no-stale-read | read-your-writes | monotonic-reads | cart-price | linearizable |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, load := range []model.Workload{
		{Readers: 1, Writers: 1}, {Readers: 2, Writers: 1}, {Readers: 3, Writers: 1}, {Readers: 2, Writers: 2}, {Readers: 3, Writers: 2},
		{Writers: 1, Shoppers: 1}, {Editors: 2}, {Readers: 1, Editors: 1, Shoppers: 1}, {Writers: 1, Editors: 1, Shoppers: 1},
	} {
		load.Keys = 1
		fmt.Fprintf(&b, "| %s |", load.Tasks())
		for _, column := range columns {
			found := summarize(t, binary, slices.Concat([]string{"-strategy", "cache-aside"}, column, load.Args())...)
			fmt.Fprintf(&b, " %s |", humanize.Comma(int64(found.States)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// strategySections explores every strategy with all flags at their defaults, and
// with a warm cache if it has one. It shows the trace of the first violation.
func strategySections(t *testing.T, binary *binary) string {
	t.Helper()
	var b strings.Builder
	for _, g := range model.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(g.String()[:1])+g.String()[1:])
		for _, s := range model.InGroup(g) {
			fmt.Fprintf(&b, "\n### %s\n\n%s.\n\nClaimed: %s.\n\n", s.Name, s.Summary, s.Claim)
			own, err := model.LookupProperty("", s)
			if err != nil {
				t.Fatal(err)
			}
			begins := []string{"cold", "warm"}
			if s.Race != nil {
				begins = []string{""}
			}
			var shown *summary
			for _, cache := range begins {
				label, args := own.Name, []string{"-strategy", s.Name}
				if cache != "" {
					label += ", " + cache + " cache"
				}
				if cache == "warm" {
					args = append(args, "-cache", "warm")
				}
				found := summarize(t, binary, args...)
				fmt.Fprintf(&b, "- %s: %s", label, found.verdict(s))
				if found.Verdict == "violated" {
					fmt.Fprintf(&b, ", `%s`", found.Counterexample.Schedule)
					if shown == nil {
						shown = &found
					}
				}
				b.WriteString("\n")
			}
			if shown != nil {
				fmt.Fprintf(&b, "\n```text\n%s```\n", shown.trace())
			}
		}
	}
	return b.String() + "\n"
}

// trace returns the steps of the counterexample, one a line, and what is wrong then.
func (s summary) trace() string {
	var b strings.Builder
	for _, step := range s.Counterexample.Trace {
		line := step.Task + ": " + step.Request
		if step.Reply != "" {
			line += " → " + step.Reply
		}
		b.WriteString(model.Brief(line) + "\n")
	}
	return b.String() + model.Brief(s.Counterexample.Violation) + "\n"
}

// checkCosts compares the states and transitions in rows that begin with
// readers, writers, states, transitions with symmetry and both without. It
// leaves out what takes long.
func checkCosts(t *testing.T, binary *binary, rows string) {
	t.Helper()
	const large = 50_000
	checked := 0
	for line := range strings.Lines(rows) {
		var readers, writers int
		var want [2]summary
		line = strings.NewReplacer(",", "", "|", " ", "-", "0").Replace(line)
		if n, _ := fmt.Sscan(line, &readers, &writers, &want[0].States, &want[0].Transitions, &want[1].States, &want[1].Transitions); n < 6 {
			continue // the head
		}
		for i, w := range want {
			if w.States == 0 || w.States > large {
				continue
			}
			got := summarize(t, binary, "-strategy", "cache-aside", fmt.Sprintf("-readers=%d", readers), fmt.Sprintf("-writers=%d", writers), fmt.Sprintf("-symmetry=%t", i == 0))
			if got.States != w.States || got.Transitions != w.Transitions {
				t.Errorf("%dR %dW, symmetry %t: %d states, %d transitions; the document says %d, %d", readers, writers, i == 0, got.States, got.Transitions, w.States, w.Transitions)
			}
			checked++
		}
	}
	if checked < 10 {
		t.Errorf("only %d sizes of the table could be read", checked)
	}
}

// checkCode looks for the lines of a block in files in which they compile.
func checkCode(t *testing.T, block string) {
	t.Helper()
	files := []string{"readme_test.go", "front_test.go", "testdata/price/price.go", "testdata/price/price_test.go", "testdata/price/tombstone_test.go"}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(unindent(string(source)), unindent(block)) {
			return
		}
	}
	t.Errorf("these lines stand in none of %s:\n%s", strings.Join(files, ", "), block)
}

func unindent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimLeft(line, " \t"))
	}
	return b.String()
}

func firstDifference(was, is string) string {
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, a[i], b[i])
		}
	}
	return "one is longer"
}

// prices is a service as it is in production: nothing in it knows that it is
// explored.
type prices struct {
	cache *redis.Client
	db    *sql.DB
}

func (s prices) read(ctx context.Context) error {
	err := s.cache.Get(ctx, "price").Err()
	if !errors.Is(err, redis.Nil) {
		return err
	}
	var cents int64
	if err := s.db.QueryRowContext(ctx, "SELECT cents FROM prices WHERE id = 1").Scan(&cents); err != nil {
		return err
	}
	return s.cache.Set(ctx, "price", cents, 0).Err()
}

func (s prices) write(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE prices SET cents = 7900 WHERE id = 1"); err != nil {
		return err
	}
	return s.cache.Del(ctx, "price").Err()
}

// coherentPrice is the property: nothing in the cache, or what is in the database.
func coherentPrice(v sim.View) string {
	cached, ok := v.Value("cache", "price")
	row, _ := v.Value("db", "prices/1")
	if ok && row != `{"id":1,"cents":`+cached+`}` {
		return "the cache holds " + cached + ", the database " + row
	}
	return ""
}

// Example checks a service of your own.
func Example() {
	cache, err := simredis.NewStore("cache", simredis.Options{})
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	db, err := simsqlite.NewStore("db", simsqlite.Options{Setup: []string{
		"CREATE TABLE prices (id INTEGER PRIMARY KEY, cents INTEGER)",
		"INSERT INTO prices VALUES (1, 9900)",
	}})
	if err != nil {
		panic(err)
	}
	defer db.Close()

	program := func(name string, do func(prices, context.Context) error) sim.Program {
		return sim.Program{Name: name, New: func(p *sim.Process) []sim.Task {
			s := prices{cache.Client(p), db.Open(p)} // a *redis.Client and a *sql.DB
			return []sim.Task{func(ctx context.Context) (string, error) { return "", do(s, ctx) }}
		}}
	}
	sys := &sim.System{
		Stores:   []sim.Store{cache, db},
		Programs: []sim.Program{program("reader", prices.read), program("writer", prices.write)},
		Property: sim.Property{Name: "coherent", Violation: coherentPrice},
	}
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Verdict, r.Interleavings, r.Violating)
	if t := r.Counterexample; t != nil {
		fmt.Println(t.Token)
		for _, s := range t.Steps {
			fmt.Println(s.Task, s.Request, "->", s.Reply)
		}
		fmt.Println(t.Violation)
	}
	// Output:
	// violated 10 1
	// reader:2,writer:2,reader:1
	// reader GET price -> (nil)
	// reader SELECT cents FROM prices WHERE id = 1 -> cents=9900
	// writer UPDATE prices SET cents = 7900 WHERE id = 1 -> 1 row
	// writer DEL price -> 0
	// reader SET price 9900 -> OK
	// the cache holds 9900, the database {"id":1,"cents":7900}
}

// Example_regression keeps a race fixed: the trace file is what explore -format json
// -o wrote when the race was found.
func Example_regression() {
	f, err := os.Open("docs/testdata/cache-aside.json")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	found, err := report.Read(f)
	if err != nil {
		panic(err)
	}
	sys, closer := fixed(found.Workload)
	defer closer()
	r, err := explore.Reproduce(sys, found.Trace)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Outcome, "- the first difference is step", r.Step)
	// Output:
	// no longer violates - the first difference is step 3
}

// fixed returns the system of a workload as the service is now.
func fixed(workload json.RawMessage) (sys *sim.System, closer func() error) {
	var w model.Workload
	if err := json.Unmarshal(workload, &w); err != nil {
		panic(err)
	}
	strategy, err := model.LookupStrategy("versioned")
	if err != nil {
		panic(err)
	}
	property, err := model.LookupProperty("coherent", strategy)
	if err != nil {
		panic(err)
	}
	world, err := model.NewWorld(strategy, w.Keys)
	if err != nil {
		panic(err)
	}
	sys, err = world.System(w, property)
	if err != nil {
		panic(err)
	}
	return sys, world.Close
}
