package main

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		words, text string
		want        bool
	}{
		{"GET k", "GET k", true},
		{"GET", "GET k", false},
		{"GET ...", "GET k", true},
		{"GET k ...", "GET k", true},
		{"...", "", true},
		{"", "", true},
		{"", "GET", false},
		{"UPDATE ... price = 7900 ...", "UPDATE products SET price = 7900, x", false},
		{"UPDATE ... = 1 ...", "UPDATE a = 2 b = 1 c", true},
		{"... b ... b", "a b b", true},
		{"... b ... b", "a b c", false},
		{"SELECT … FROM products", "SELECT … FROM products", true},
		{"SELECT … FROM products", "SELECT a, b FROM products", true},
	} {
		if got := matches(strings.Fields(c.words), strings.Fields(c.text)); got != c.want {
			t.Errorf("%q means %q: %t", c.words, c.text, got)
		}
	}
}

func TestClaimsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "it claims nothing",
		"# nothing\n\n":                  "it claims nothing",
		"reader-1":                       "line 1 is not of the form",
		"\nreader-1 → x":                 "line 2 is not of the form",
		"reader-1 GET →":                 "line 1 is not of the form",
		strings.Repeat("x y\n", 1<<18+1): "it is larger than 1 MiB",
		strings.Repeat("x", 1<<20+1):     "it is larger than 1 MiB",
	} {
		if _, _, err := parseClaim(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}
