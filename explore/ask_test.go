package explore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"quiesce/sim"
)

// A function of the user's that panics is an error which says what it was asked about.
func TestPropertyPanics(t *testing.T) {
	panics := func(v sim.View) bool {
		s, _ := v.Contents[0].Lookup("value")
		return s == "2" && v.Results[0] == "done" && []bool{}[len(s)]
	}
	text := func(v sim.View) string {
		if panics(v) {
			return "x"
		}
		return ""
	}
	const what = ` panics at ask_test.go:16: runtime error: index out of range [1] with length 0; it was asked about register {value 2}, results ["done" ""]`
	const steps = "\n  1. a: put 1 -> 1\n  2. b: put 2 -> 2\nschedule  a:1,b:1"
	for _, c := range []struct {
		name            string
		change          func(*sim.Property, *ProductOptions, *DirectOptions)
		product, direct string
	}{
		{"violation", func(p *sim.Property, _ *ProductOptions, _ *DirectOptions) { p.Violation = text }, "p" + what + steps, "p" + what + steps},
		{"always", func(p *sim.Property, _ *ProductOptions, _ *DirectOptions) { p.Violation, p.Always = text, true }, "p" + what + steps, "p" + what + steps},
		{"premise", func(p *sim.Property, _ *ProductOptions, _ *DirectOptions) { p.Premise = panics }, "the premise of p" + what, "the premise of p" + what + steps},
		{"monitor", func(p *sim.Property, _ *ProductOptions, _ *DirectOptions) {
			p.Monitor = &sim.Monitor{After: func(_ string, e sim.Event) string { return text(e.View) }}
		}, "the monitor" + what + steps, "the monitor" + what + steps},
		{"values", func(_ *sim.Property, o *ProductOptions, d *DirectOptions) { o.Values, d.Values = text, text }, "the expression" + what, "the expression" + what + steps},
		{"quiescent", func(_ *sim.Property, o *ProductOptions, d *DirectOptions) {
			o.Quiescent, d.Quiescent = func(v sim.View) { panics(v) }, func(v sim.View) { panics(v) }
		}, "Quiescent" + what, "Quiescent" + what + steps},
		{"stale", func(_ *sim.Property, o *ProductOptions, _ *DirectOptions) { o.Stale = panics }, "Stale" + what, ""},
	} {
		p := sim.Property{Name: "p", Violation: anything.Violation}
		var opts ProductOptions
		var direct DirectOptions
		c.change(&p, &opts, &direct)
		sys := tasks(p, map[string]func(func(string) string) string{
			"a": func(do func(string) string) string { do("put 1"); return "done" }, "b": puts("2"),
		})
		_, err := Product(context.Background(), sys, opts)
		checkPanic(t, c.name, err, c.product)
		_, err = Direct(context.Background(), sys, direct)
		checkPanic(t, c.name+", direct", err, c.direct)
		var e *ExecutionError
		if errors.As(err, &e) && (c.name == "violation" || c.name == "always" || c.name == "monitor") {
			_, err := Replay(sys, e.Schedule)
			checkPanic(t, c.name+", replay", err, c.direct)
		}
	}
}

func checkPanic(t *testing.T, name string, err error, want string) {
	t.Helper()
	var p *sim.PropertyError
	switch {
	case err == nil && want == "":
	case !errors.As(err, &p) || p.View.Results[0] != "done" || err.Error() != want:
		t.Errorf("%s: error %v, want %s", name, err, want)
	}
}

// A measure is asked in one state after the other.
func TestMeasurePanics(t *testing.T) {
	sys := tasks(anything, map[string]func(func(string) string) string{"a": puts("1")})
	m := Measure{"requests", func(sim.Step, sim.View) int { panic("none") }}
	_, err := Product(context.Background(), sys, ProductOptions{Measures: []Measure{m}})
	if err == nil || !strings.HasPrefix(err.Error(), "requests panics at ask_test.go:75: none; it was asked about register {value") {
		t.Errorf("error %v", err)
	}
}

// A replay asks in every state since when a violation stands. A property of the end need
// not have an answer before it.
func TestPropertyOfTheEndAlone(t *testing.T) {
	p := sim.Property{Name: "p", Violation: func(v sim.View) string { return "ends with " + strings.Split(v.Results[0], " ")[1] }}
	sys := tasks(p, map[string]func(func(string) string) string{"a": func(do func(string) string) string { return "got " + do("put 1") }})
	r, err := Product(context.Background(), sys, ProductOptions{})
	if err != nil || r.Verdict != Violated || r.Counterexample.Violation != "ends with 1" || r.Counterexample.Fatal != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
