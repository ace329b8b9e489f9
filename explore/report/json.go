package report

import (
	"encoding/json"
	"io"
	"math/big"

	"quiesce/explore"
	"quiesce/sim"
)

// version is that of the JSON object; it changes when a reader of the object
// has to.
const version = 1

type jsonReport struct {
	Version  int      `json:"version"`
	Strategy string   `json:"strategy"`
	Workload Workload `json:"workload"`
	Engine   string   `json:"engine"`
	Property string   `json:"property"`
	jsonResult
	Reason         string         `json:"reason,omitempty"`
	Executed       *jsonExecuted  `json:"executed,omitempty"`
	Probability    string         `json:"probability,omitempty"`
	Fraction       string         `json:"probability_fraction,omitempty"`
	Audit          *int           `json:"audit,omitempty"`
	Workloads      []jsonWorkload `json:"workloads,omitempty"`
	Counterexample *jsonTrace     `json:"counterexample"`
	Replay         *jsonTrace     `json:"replay,omitempty"`
}

type jsonResult struct {
	Verdict       explore.Verdict `json:"verdict"`
	Interleavings string          `json:"interleavings"`
	Violating     string          `json:"violating"`
	States        int             `json:"states,omitempty"`
	Transitions   int             `json:"transitions,omitempty"`
}

type jsonExecuted struct {
	Store int `json:"store"`
	Task  int `json:"task"`
}

type jsonWorkload struct {
	Workload
	jsonResult
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
	j := jsonReport{Version: version, Strategy: r.Strategy, Workload: r.workload(), Property: r.Property}
	if r.Replay != nil {
		r.jsonReplay(&j)
	} else {
		r.jsonSearch(&j)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(j)
}

func (r *Report) jsonReplay(j *jsonReport) {
	j.Engine = "replay"
	j.jsonResult = jsonResult{Verdict: r.Verdict(), Interleavings: "1", Violating: "0"}
	j.Replay = r.jsonTrace(r.Replay)
	if r.Replay.Violation != "" {
		j.Violating = "1"
		j.Counterexample = j.Replay
	}
}

func (r *Report) jsonSearch(j *jsonReport) {
	res := r.result()
	j.Engine, j.Reason, j.jsonResult = res.Engine, res.Reason, newJSONResult(res)
	if res.Probability != nil {
		j.Executed = &jsonExecuted{res.Statistics.StoreExecuted, res.Statistics.TaskRuns}
		j.Probability, j.Fraction = decimal(res.Probability), res.Probability.RatString()
		j.Audit = &res.Audited
	}
	for i, res := range r.Results {
		j.Workloads = append(j.Workloads, jsonWorkload{r.workloads[i], newJSONResult(res)})
	}
	if t := res.Counterexample; t != nil {
		j.Counterexample = r.jsonTrace(t)
	}
}

func newJSONResult(r *explore.Result) jsonResult {
	return jsonResult{r.Verdict, r.Interleavings.String(), r.Violating.String(), r.Statistics.States, r.Statistics.Transitions}
}

// decimal returns x with six significant digits at least.
func decimal(x *big.Rat) string {
	digits := 6
	for y := new(big.Rat).Abs(x); y.Sign() > 0 && y.Cmp(big.NewRat(1, 10)) < 0; digits++ {
		y.Mul(y, big.NewRat(10, 1))
	}
	return x.FloatString(digits)
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
	for i, name := range r.stores {
		items := map[string]string{}
		for _, it := range contents[i] {
			items[it.Name] = it.Value
		}
		m[name] = items
	}
	return m
}
