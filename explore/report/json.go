package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"

	"quiesce/explore"
	"quiesce/sim"
)

// currentVersion is that of the JSON object; it changes when a reader of the object
// has to.
const currentVersion = 1

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
	Threshold      *jsonThreshold `json:"threshold,omitempty"`
	Metrics        *jsonMetrics   `json:"metrics,omitempty"`
	Values         *jsonValues    `json:"values,omitempty"`
	Caveats        []string       `json:"caveats,omitempty"`
	Counterexample object         `json:"counterexample"`
	Cause          *[]jsonOrder   `json:"cause,omitempty"`
	Closest        object         `json:"closest,omitempty"`
	Replay         object         `json:"replay,omitempty"`

	Reproduction *jsonReproduction `json:"reproduction,omitempty"`
	Claim        *jsonClaim        `json:"claim,omitempty"`
}

// A jsonOrder is an explore.Order by the numbers of the steps, from 1.
type jsonOrder struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// A jsonPause is an explore.Pause; its duration is as time.ParseDuration reads it.
type jsonPause struct {
	Task    string `json:"task"`
	After   int    `json:"after"`
	Before  int    `json:"before"`
	AtLeast string `json:"at_least"`
}

type jsonResult struct {
	Verdict       explore.Verdict `json:"verdict"`
	Interleavings string          `json:"interleavings"`
	Violating     string          `json:"violating"`
	States        int             `json:"states,omitempty"`
	Transitions   int             `json:"transitions,omitempty"`
	Premise       string          `json:"premise,omitempty"`
}

type jsonValues struct {
	Expression string      `json:"expression"`
	Of         []jsonValue `json:"of"`
}

type jsonValue struct {
	Value         string `json:"value"`
	Interleavings string `json:"interleavings"`
}

type jsonExecuted struct {
	Store int `json:"store"`
	Task  int `json:"task"`
}

// A jsonWorkload has the fields of a workload, and what came of it.
type jsonWorkload struct {
	workload Workload
	result   jsonResult
}

// MarshalJSON makes one object of two.
func (j jsonWorkload) MarshalJSON() ([]byte, error) {
	w, err := json.Marshal(j.workload)
	if err != nil {
		return nil, err
	}
	r, err := json.Marshal(j.result)
	return append(append(w[:len(w)-1], ','), r[1:]...), err
}

// A jsonReproduction is an explore.Reproduction without its trace.
type jsonReproduction struct {
	Outcome explore.Outcome `json:"outcome"`
	Step    int             `json:"step,omitempty"`
	Reason  string          `json:"reason,omitempty"`
}

type jsonClaim struct {
	Possible bool          `json:"possible"`
	Steps    []jsonClaimed `json:"steps"`
	Instead  []string      `json:"instead,omitempty"` // of the first that is impossible
}

// A jsonClaimed is a step of a claim: "possible", "impossible" or "not reached".
type jsonClaimed struct {
	Claimed string `json:"claimed"`
	Answer  string `json:"answer"`
	Step    int    `json:"step,omitempty"` // in the trace
}

// An object is a JSON object with its fields in this order.
type object []field

type field struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(f.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(f.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSON writes the answer as one JSON object.
func (r Report) JSON(w io.Writer) error {
	about := r.subject()
	j := jsonReport{Version: currentVersion, Strategy: about.Strategy, Workload: about.workload, Property: about.Property}
	j.Verdict = r.Verdict()
	r.fill(&j)
	return writeJSON(w, j)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// fillTrace says what there is to say of one interleaving, or of none.
func (j *jsonReport) fillTrace(t *explore.Trace) {
	j.Interleavings, j.Violating = "0", "0"
	if t == nil {
		return
	}
	j.Interleavings, j.Replay = "1", jsonTrace(t)
	if t.Violation != "" {
		j.Violating = "1"
		j.Counterexample = j.Replay
	}
}

func (s *Search) fill(j *jsonReport) {
	res := s.result()
	j.Engine, j.jsonResult, j.Caveats = res.Engine, newJSONResult(res), s.caveats()
	if j.Verdict = s.Verdict(); j.Verdict != explore.Holds {
		j.Reason = res.Reason
	}
	if res.Engine != "direct" {
		j.Executed = &jsonExecuted{res.Statistics.StoreExecuted, res.Statistics.TaskRuns}
		j.Audit = &res.Audited
	}
	if res.Probability != nil && res.Verdict != explore.Incomplete {
		j.Probability, j.Fraction = decimal(res.Probability), res.Probability.RatString()
	}
	j.Threshold, j.Metrics = newJSONThreshold(s.Threshold), s.jsonMetrics()
	if s.Expression != "" {
		j.Values = &jsonValues{s.Expression, []jsonValue{}}
		for _, v := range res.Values {
			j.Values.Of = append(j.Values.Of, jsonValue{v.Value, v.Interleavings.String()})
		}
	}
	for i, res := range s.Results {
		j.Workloads = append(j.Workloads, jsonWorkload{s.workloads[i], newJSONResult(res)})
	}
	if t := res.Counterexample; t != nil {
		j.Counterexample = jsonTrace(t)
	}
	if s.Explained && res.Verdict == explore.Violated {
		j.Cause = jsonCause(res.Cause)
		if res.Closest != nil {
			j.Closest = jsonTrace(res.Closest)
		}
	}
}

// jsonCause keeps apart that every interleaving violates, which is an empty array,
// and that the cause is unknown, which is null.
func jsonCause(cause []explore.Order) *[]jsonOrder {
	var orders []jsonOrder
	if cause != nil {
		orders = []jsonOrder{}
	}
	for _, o := range cause {
		orders = append(orders, jsonOrder{o.Before + 1, o.After + 1})
	}
	return &orders
}

func newJSONResult(r *explore.Result) jsonResult {
	j := jsonResult{Verdict: r.Verdict, Interleavings: r.Interleavings.String(), Violating: r.Violating.String(), States: r.Statistics.States, Transitions: r.Statistics.Transitions}
	if r.Premise != nil {
		j.Premise = r.Premise.String()
	}
	return j
}

// decimal returns x with six significant digits at least.
func decimal(x *big.Rat) string {
	digits := 6
	for y := new(big.Rat).Abs(x); y.Sign() > 0 && y.Cmp(big.NewRat(1, 10)) < 0; digits++ {
		y.Mul(y, big.NewRat(10, 1))
	}
	return x.FloatString(digits)
}

// jsonTrace returns a trace as an object that has, beside its own fields, one
// for every store with the content at the end; in the same way each of its steps
// has the content after it.
func jsonTrace(t *explore.Trace) object {
	steps := []object{}
	for i, s := range t.Steps {
		step := object{{"step", i + 1}, {"task", s.Task}, {"store", s.Store}, {"request", s.Request}, {"reply", s.Reply}}
		if s.Fault != (sim.Fault{}) {
			step = append(step, field{"fault", s.Fault.String()})
		}
		steps = append(steps, append(step, jsonContents(t.Places, s.Contents)...))
	}
	o := object{{"schedule", t.Token}, {"steps", len(t.Steps)}, {"switches", t.Schedule.Switches()}, {"violation", t.Violation}}
	if t.Fatal > 0 {
		o = append(o, field{"fatal", t.Fatal})
	}
	if len(t.Pauses) > 0 {
		var all []jsonPause
		for _, p := range t.Pauses {
			all = append(all, jsonPause{p.Task, p.After, p.Before, p.AtLeast.String()})
		}
		o = append(o, field{"pauses", all})
	}
	return append(append(o, field{"trace", steps}), jsonContents(t.Places, t.Final())...)
}

// jsonContents returns one field for every place: its content as an object of
// item names and values.
func jsonContents(places []string, contents []sim.Content) object {
	var o object
	for i, name := range places {
		items := map[string]string{}
		for _, it := range contents[i] {
			items[it.Name] = it.Value
		}
		o = append(o, field{name, items})
	}
	return o
}
