package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"quiesce/explore"
	"quiesce/sim"
)

// maxTraceFile is the largest trace file that is read, in bytes.
const maxTraceFile = 10 << 20

// A Recorded is the counterexample of an earlier run, and what it is one of.
type Recorded struct {
	Strategy string
	Property string
	Workload json.RawMessage // as it was written: whoever knows its type decodes it

	// Trace has no Schedule, since that depends on the system, and no Initial
	// contents; explore.Reproduce needs neither. Places are in the order of
	// their names, and the items have no notes.
	Trace *explore.Trace
}

// Read reads what [Report.JSON] has written of a violation. It takes nothing else:
// another version, an unknown field, a step that is missing, more than 10 MiB, or
// anything after the object is an error. All errors are one line. What is in the workloads
// it does not know.
func Read(r io.Reader) (*Recorded, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTraceFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxTraceFile {
		return nil, fmt.Errorf("not a trace file: it is larger than %d MiB", maxTraceFile>>20)
	}
	rec, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("not a trace file: %w", err)
	}
	return rec, nil
}

// A readReport is a jsonReport whose workload and traces are not decoded yet.
type readReport struct {
	jsonReport
	Workload       json.RawMessage `json:"workload"`
	Workloads      json.RawMessage `json:"workloads"`
	Counterexample json.RawMessage `json:"counterexample"`
	Closest        json.RawMessage `json:"closest"`
	Replay         json.RawMessage `json:"replay"`
}

func read(data []byte) (*Recorded, error) {
	var version struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, oneLine(err)
	}
	switch {
	case version.Version == nil:
		return nil, errors.New("it has no version; explore -format json writes one")
	case *version.Version != currentVersion:
		return nil, fmt.Errorf("its version is %d; this program reads version %d", *version.Version, currentVersion)
	}
	var j readReport
	if err := decode(data, &j); err != nil {
		return nil, err
	}
	if raw := bytes.TrimSpace(j.Counterexample); len(raw) == 0 || string(raw) == "null" {
		return nil, fmt.Errorf("it has no counterexample; its verdict is %q", j.Verdict)
	}
	t, err := readTrace(j.Counterexample)
	if err != nil {
		return nil, fmt.Errorf("counterexample: %w", err)
	}
	return &Recorded{j.Strategy, j.Property, j.Workload, t}, nil
}

// readTrace is the inverse of jsonTrace.
func readTrace(data json.RawMessage) (*explore.Trace, error) {
	var head struct {
		Schedule, Violation string
		Steps, Switches     int
		Fatal               int
		Pauses              []jsonPause // that follow from the steps: not read
		Trace               []json.RawMessage
	}
	final, err := readObject(data, map[string]any{
		"schedule": &head.Schedule, "steps": &head.Steps, "switches": &head.Switches, "violation": &head.Violation, "trace": &head.Trace,
	}, map[string]any{"fatal": &head.Fatal, "pauses": &head.Pauses})
	if err != nil {
		return nil, err
	}
	if head.Violation == "" {
		return nil, errors.New("it violates nothing")
	}
	if len(head.Trace) != head.Steps {
		return nil, fmt.Errorf("it has %d steps and says that it has %d", len(head.Trace), head.Steps)
	}
	if head.Fatal < 0 || head.Fatal > head.Steps {
		return nil, fmt.Errorf("step %d cannot be fatal: it has %d", head.Fatal, head.Steps)
	}
	t := &explore.Trace{Token: head.Schedule, Violation: head.Violation, Fatal: head.Fatal, Places: slices.Sorted(maps.Keys(final))}
	for i, raw := range head.Trace {
		var s explore.TraceStep
		var number int
		var fault string
		contents, err := readObject(raw, map[string]any{
			"step": &number, "task": &s.Task, "store": &s.Store, "request": &s.Request, "reply": &s.Reply,
		}, map[string]any{"fault": &fault})
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		kind, target, _ := strings.Cut(fault, " ")
		s.Fault = sim.Fault{Kind: sim.FaultKind(kind), Target: target}
		if number != i+1 {
			return nil, fmt.Errorf("step %d has the number %d", i+1, number)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(contents)), t.Places) {
			return nil, fmt.Errorf("step %d shows other stores than the end", i+1)
		}
		for _, name := range t.Places {
			s.Contents = append(s.Contents, contents[name])
		}
		t.Steps = append(t.Steps, s)
	}
	return t, nil
}

// readObject decodes the fields of an object, which all have to be there unless they
// are optional, and returns all others: what places hold.
func readObject(data json.RawMessage, fields, optional map[string]any) (map[string]sim.Content, error) {
	var all map[string]json.RawMessage
	if err := decode(data, &all); err != nil {
		return nil, err
	}
	known := maps.Clone(fields)
	maps.Copy(known, optional)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		raw, ok := all[name]
		if !ok && optional[name] != nil {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%q is missing", name)
		}
		if err := decode(raw, known[name]); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	places := map[string]sim.Content{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if known[name] != nil {
			continue
		}
		var items map[string]string
		if err := decode(all[name], &items); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		if items == nil {
			return nil, fmt.Errorf("%q is null", name)
		}
		c := sim.Content{}
		for _, item := range slices.Sorted(maps.Keys(items)) {
			c = append(c, sim.Item{Name: item, Value: items[item]})
		}
		places[name] = c
	}
	return places, nil
}

// decode decodes one value without unknown fields and with nothing after it.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return oneLine(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after the object")
	}
	return nil
}

// oneLine returns an error of package json without its prefix and in one line: a
// name from the file may stand in it.
func oneLine(err error) error {
	return errors.New(printable(strings.TrimPrefix(err.Error(), "json: ")))
}
