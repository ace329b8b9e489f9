package report

import (
	"encoding/json"
	"io"

	"quiesce/explore"
	"quiesce/sim"
)

// version is that of the JSON object; it changes when a reader of the object
// has to.
const version = 1

type jsonReport struct {
	Version        int             `json:"version"`
	Strategy       string          `json:"strategy"`
	Workload       Workload        `json:"workload"`
	Engine         string          `json:"engine"`
	Property       string          `json:"property"`
	Verdict        explore.Verdict `json:"verdict"`
	Reason         string          `json:"reason,omitempty"`
	Interleavings  string          `json:"interleavings"`
	Violating      string          `json:"violating"`
	Counterexample *jsonTrace      `json:"counterexample"`
	Replay         *jsonTrace      `json:"replay,omitempty"`
}

// A jsonTrace has, beside its own fields, one for every store with the content
// at the end; in the same way each of its steps has the content after it.
type jsonTrace struct {
	Schedule  string
	Steps     int
	Switches  int
	Violation string
	Trace     []map[string]any
	Contents  map[string]any
}

func (t *jsonTrace) MarshalJSON() ([]byte, error) {
	m := map[string]any{"schedule": t.Schedule, "steps": t.Steps, "switches": t.Switches, "violation": t.Violation, "trace": t.Trace}
	for store, content := range t.Contents {
		m[store] = content
	}
	return json.Marshal(m)
}

// JSON writes the report as one JSON object.
func (r *Report) JSON(w io.Writer) error {
	j := jsonReport{
		Version:  version,
		Strategy: r.Strategy,
		Workload: r.Workload,
		Property: r.Property,
		Verdict:  r.Verdict(),
	}
	if r.Replay != nil {
		j.Engine, j.Interleavings, j.Violating = "replay", "1", "0"
		j.Replay = r.jsonTrace(r.Replay)
		if r.Replay.Violation != "" {
			j.Violating = "1"
			j.Counterexample = j.Replay
		}
	} else {
		j.Engine, j.Reason = r.Result.Engine, r.Result.Reason
		j.Interleavings, j.Violating = r.Result.Interleavings.String(), r.Result.Violating.String()
		if t := r.Result.Counterexample; t != nil {
			j.Counterexample = r.jsonTrace(t)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(j)
}

func (r *Report) jsonTrace(t *explore.Trace) *jsonTrace {
	j := &jsonTrace{
		Schedule:  t.Token,
		Steps:     len(t.Steps),
		Switches:  t.Schedule.Switches(),
		Violation: t.Violation,
		Trace:     []map[string]any{},
		Contents:  r.jsonContents(t.Final()),
	}
	for i, s := range t.Steps {
		step := r.jsonContents(s.Contents)
		step["step"], step["task"], step["store"], step["request"], step["reply"] = i+1, s.Task, s.Store, s.Request, s.Reply
		j.Trace = append(j.Trace, step)
	}
	return j
}

// jsonContents returns the content of every store as an object of item names
// and values.
func (r *Report) jsonContents(contents []sim.Content) map[string]any {
	m := map[string]any{}
	for i, name := range r.Stores {
		items := map[string]string{}
		for _, it := range contents[i] {
			items[it.Name] = it.Value
		}
		m[name] = items
	}
	return m
}
