package explore

import (
	"fmt"
	"reflect"
	"testing"

	"quiesce/sim"
)

// TestFatal replays schedules whose steps are few enough to see which is fatal.
func TestFatal(t *testing.T) {
	is := func(value string, always bool) sim.Property {
		return sim.Property{Name: "no " + value, Always: always, Violation: func(v sim.View) string {
			if s, _ := v.Contents[0].Lookup("value"); s == value {
				return "it is " + value
			}
			return ""
		}}
	}
	code := map[string]func(func(string) string) string{"a": puts("bad", "good"), "b": puts("better", "better")}
	waiting := map[string]func(func(string) string) string{"a": func(do func(string) string) string { do("put x"); do("wait y"); return "" }, "b": puts("x")}
	for _, c := range []struct {
		name     string
		sys      *sim.System
		schedule string
		fatal    int
	}{
		{"always: the first step after which it is bad", tasks(is("bad", true), code), "b:1,a:2,b:1", 2},
		{"at quiescence it is good", tasks(is("bad", false), code), "b:2,a:2", 0},
		{"at quiescence: the last put that changes something", tasks(is("better", false), code), "a:2,b:2", 3},
		{"deadlock: the last step, though it changes nothing", tasks(is("bad", false), waiting), "a:1,b:1", 2},
		{"violated from the begin", tasks(is("", true), code), "a:2,b:2", 0},
	} {
		schedule, err := ParseSchedule(c.sys, c.schedule)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := Replay(c.sys, schedule)
		if err != nil {
			t.Fatal(err)
		}
		if trace.Fatal != c.fatal {
			t.Errorf("%s: step %d, want %d (%s)", c.name, trace.Fatal, c.fatal, trace.Violation)
		}
	}
}

// A judge that has seen a view takes none for it in which a request differs in any field.
func TestJudgeTellsRequestsApart(t *testing.T) {
	p := sim.Property{Name: "pending", Violation: func(v sim.View) string { return fmt.Sprintf("%+v", v.Pending[0]) }}
	sys := tasks(p, map[string]func(func(string) string) string{"a": puts("x")})
	j := newJudge(sys)
	request := reflect.ValueOf(&sim.Request{}).Elem()
	seen := map[string]bool{}
	for i := -1; i < request.NumField(); i++ {
		request.SetZero()
		if i >= 0 && request.Field(i).Kind() == reflect.Bool {
			request.Field(i).SetBool(true)
		} else if i >= 0 {
			request.Field(i).SetString("x")
		}
		text := j.violates(sim.View{Contents: []sim.Content{nil}, Results: []string{""}, Pending: []sim.Request{request.Interface().(sim.Request)}})
		if seen[text] {
			t.Errorf("with another field %d: still %q", i, text)
		}
		seen[text] = true
	}
}
