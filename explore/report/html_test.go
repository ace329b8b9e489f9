package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"quiesce/model"
)

// A page is small enough to be attached, and nothing in it is loaded: of every
// counterexample, of a pass, and of the comparison of all strategies.
func TestPageStandsAlone(t *testing.T) {
	standsAlone(t, "comparison", htmlOf(t, compared(t).HTML))
	reports := append(counterexamples(t), timed(t), explored(t, "cache-aside", model.Workload{Readers: 12, Writers: 1}, ""), explored(t, "versioned", model.Workload{Readers: 1, Writers: 1}, ""))
	for _, r := range reports {
		out := htmlOf(t, Report{r}.HTML)
		standsAlone(t, r.Strategy, out)
		if r.trace() == nil && strings.Contains(out, "<script") {
			t.Errorf("%s: a script without a trace", r.Strategy)
		}
	}
}

func standsAlone(t *testing.T, name, page string) {
	t.Helper()
	if len(page) > 300_000 {
		t.Errorf("%s: %d bytes", name, len(page))
	}
	if found := regexp.MustCompile(`(?i)(src|action)=|href="?[^"#]|url\(|@import|https?:`).FindString(page); found != "" {
		t.Errorf("%s: there is %q", name, found)
	}
}

// Text can be read in both colour schemes: contrast as in WCAG 2.2, 1.4.3, AA.
func TestContrast(t *testing.T) {
	light, dark, ok := strings.Cut(pageCSS, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark colours")
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, pair := range []string{
			"ink paper", "ink panel", "ink changed", "ink bad-paper", "muted paper", "muted panel", "muted bad-paper",
			"accent paper", "accent bad-paper", "on-accent accent", "bad paper", "bad bad-paper", "good paper", "unsure paper",
		} {
			text, ground, _ := strings.Cut(pair, " ")
			a, b := colours[text], colours[ground]
			if a == 0 || b == 0 {
				t.Fatalf("%s: no colour for %s", name, pair)
			}
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f", name, pair, contrast)
			}
		}
	}
}

// luminance returns the relative luminance of a colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(shift int) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}
