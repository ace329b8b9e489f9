package model

import (
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	formats := []string{"text", "json", "markdown", "html", "dot"}
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"jso", formats, "did you mean json?"},
		{"htlm", formats, "one of text, json, markdown, html, dot"}, // two letters of four
		{"yaml", formats, "one of text, json, markdown, html, dot"},
		{"xml", formats, "one of text, json, markdown, html, dot"},
		{"", formats, "one of text, json, markdown, html, dot"},
		{"markdwon", formats, "did you mean markdown?"},
		{"HTML", formats, "it is written html"},
		{"HTM", formats, "did you mean html?"},
		{"x", []string{"a", "b"}, "one of a, b"},
		{"nothing", strings.Fields("a b c d e f g h i j k"), "-list prints them"},
	} {
		if got := Suggest(c.name, c.names, "-list prints them"); got != c.want {
			t.Errorf("%q: %s, want %s", c.name, got, c.want)
		}
	}
	for _, s := range Strategies() {
		_, err := LookupStrategy(strings.ToUpper(s.Name))
		if err == nil || !strings.HasSuffix(err.Error(), "; it is written "+s.Name) {
			t.Errorf("%s in capitals: %v", s.Name, err)
		}
	}
	if _, err := LookupStrategy("nobody-knows"); err == nil || len(err.Error()) > 80 {
		t.Error(err)
	}
}
