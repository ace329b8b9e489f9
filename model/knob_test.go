package model

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
)

// everything is a workload in which every field is chosen, in one way that a flag allows.
// Nobody has readers and workers at once.
var everything = map[string]any{
	"Shoppers": 1, "Editors": 2, "Creators": 3,
	"Readers": 2, "Writers": 3, "Keys": 2, "Warm": true, "Servers": 2, "Workers": 4,
	"Faults": sim.Faults{sim.Crash: 1, sim.Expire: 2}, "Delay": 1500 * time.Millisecond, "TTL": NoExpiry, "MaxStall": time.Second, "MaxWait": time.Minute,
}

// Every field of a workload is a knob: whatever is chosen is in the JSON object, in the command
// and in the words, and is the same when it is read back.
func TestEveryFieldIsAKnob(t *testing.T) {
	kind := reflect.TypeFor[Workload]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		value, ok := everything[name]
		if !ok {
			t.Errorf("%s is a field that this test does not choose", name)
			continue
		}
		plain := Workload{Readers: 1, Writers: 1, Keys: 1}
		w := plain
		reflect.ValueOf(&w).Elem().Field(i).Set(reflect.ValueOf(value))
		data, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		var read Workload
		if err := json.Unmarshal(data, &read); err != nil || !reflect.DeepEqual(read, w) {
			t.Errorf("%s: %s is read as %+v, %v", name, data, read, err)
		}
		if w.String() == plain.String() {
			t.Errorf("%s: the words are %s", name, w)
		}
		if name == "Workers" {
			w = Workload{Workers: w.Workers}
		}
		args, given := w.Args(), Workload{}
		for len(args) > 0 {
			i := indexOfKnob(args[0])
			if i < 0 {
				t.Fatalf("%s: no knob %s", name, args[0])
			}
			if err := knobs[i].Value(&given).Set(args[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			args = args[2:]
		}
		if !reflect.DeepEqual(given, w) {
			t.Errorf("%s: %q gives %+v", name, w.Args(), given)
		}
	}
}

func indexOfKnob(flag string) int {
	for i, k := range knobs {
		if "-"+k.Name == flag {
			return i
		}
	}
	return -1
}

// What a file says of a workload is checked as what flags say.
func TestWorkloadThatIsRefused(t *testing.T) {
	for data, want := range map[string]string{
		`[]`:                      "cannot unmarshal array",
		`{"reader": 1}`:           `unknown field "reader"`,
		`{"readers": "1"}`:        "must be a whole number",
		`{"readers": 1.5}`:        `"readers" must be a whole number`,
		`{"readers": null}`:       "must be a whole number",
		`{"readers": 41}`:         "-readers 41: must be from 0 to 40",
		`{"workers": -1}`:         "-workers -1: must be from 1 to 40",
		`{"cache": "hot"}`:        `unknown cache "hot"; one of cold, warm`,
		`{"cache": 1}`:            "cannot unmarshal number",
		`{"ttl": "-1ns"}`:         "-ttl -1ns: must be whole milliseconds",
		`{"ttl": "ever"}`:         "must be a duration",
		`{"max_stall": "0s"}`:     "-max-stall 0s: must be more than 0",
		`{"faults": ""}`:          "-faults is empty",
		`{"faults": "crash=8"}`:   "-faults: 8 faults are too many",
		`{"faults": "crashes=1"}`: `-faults: unknown fault "crashes"; did you mean crash?`,
	} {
		var w Workload
		if err := json.Unmarshal([]byte(data), &w); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", data, err, want)
		}
	}
}
