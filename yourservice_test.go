package quiesce_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestYourService runs the tests of testdata/price, as somebody else would, and compares what
// they print with docs/your-service.md.
func TestYourService(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "price.test")
	if out, err := exec.Command("go", "test", "-c", "-o", binary, "./testdata/price").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const file = "docs/your-service.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := string(data)
	blocks := regexp.MustCompile(`(?s)<!-- go test (.*?)-run (\S+?)(?: -lines (\d+))? -->\n.*?<!-- /go test -->`)
	is := blocks.ReplaceAllStringFunc(was, func(block string) string {
		m := blocks.FindStringSubmatch(block)
		out := runTests(t, binary, t.TempDir(), "-test.run="+m[2], "-test.v="+strconv.FormatBool(m[1] != ""))
		if n, err := strconv.Atoi(m[3]); err == nil {
			lines := strings.SplitAfter(out, "\n")
			out = strings.TrimRight(strings.Join(lines[:n], ""), "\n ") + "\n…\n"
		}
		first, _, _ := strings.Cut(block, "\n")
		return first + "\n```text\n" + out + "```\n<!-- /go test -->"
	})
	switch {
	case is == was:
	case *update:
		if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s shows something else than the tests print; after a look at the difference: go test . -run TestYourService -update\n%s", file, firstDifference(was, is))
	}
}

// runTests runs a test binary in a directory and returns what it prints, without times.
func runTests(t *testing.T, binary, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	text := regexp.MustCompile(` \(\d+\.\d\ds\)`).ReplaceAllString(string(out), "")
	text = regexp.MustCompile(`(?m)^=== RUN .*\n`).ReplaceAllString(text, "")
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}

// TestKeptByGoTest is a failure that is kept by a real test, and tried first by the next.
func TestKeptByGoTest(t *testing.T) {
	binary, dir := filepath.Join(t.TempDir(), "price.test"), t.TempDir()
	if out, err := exec.Command("go", "test", "-c", "-o", binary, "./testdata/price").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const name = "TestPriceIsNeverStale"
	first := runTests(t, binary, dir, "-test.run="+name)
	wants(t, first, "--- FAIL", "68 of 792", "replay        go test -run '^TestPriceIsNeverStale$' -quiesce.schedule=view:5,reprice:5,view:2")
	wants(t, runTests(t, binary, dir, "-test.run="+name), "--- FAIL", "the counterexample in testdata/quiesce/TestPriceIsNeverStale/coherent-product-1.json still violates")
	wants(t, runTests(t, binary, dir, "-test.run="+name, "-quiesce.schedule=view:5,reprice:5,view:2"), "--- FAIL", "This schedule of 1 view, 1 reprice violates")
	wants(t, runTests(t, binary, dir, "-test.v", "-test.run="+name, "-quiesce.schedule=view:7,reprice:5"), "proves nothing about the others", "--- SKIP")
	// Twice in one run: the first one keeps it, and the second one tries it.
	wants(t, runTests(t, binary, t.TempDir(), "-test.count=2", "-test.run="+name), "68 of 792", "still violates")
}

// TestSmallest counts the lines of the smallest test, with all that is around it.
func TestSmallest(t *testing.T) {
	source, err := os.ReadFile("testdata/price/price_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "\n"); n >= 25 {
		t.Errorf("it has %d lines", n)
	}
}
