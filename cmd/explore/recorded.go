package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"quiesce/explore"
	"quiesce/explore/report"
	"quiesce/model"
)

// openInput opens the file that a flag names for reading; "-" is stdin.
func openInput(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// open reads the trace file and makes the options those of the run that wrote it.
func (o *options) open() (*explore.Trace, error) {
	f, err := openInput(o.recorded)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rec, err := report.Read(f)
	if err != nil {
		return nil, err
	}
	if o.strategy, err = model.LookupStrategy(rec.Strategy); err != nil {
		return nil, err
	}
	if o.property, err = model.LookupProperty(rec.Property, o.strategy); err != nil {
		return nil, err
	}
	var w model.Workload
	if err := json.Unmarshal(rec.Workload, &w); err != nil {
		return nil, fmt.Errorf("%s has no such workload: %w", o.strategy.Name, err)
	}
	if !has(o.strategy, w) {
		return nil, fmt.Errorf("%s has no such workload: %d readers, %d writers, %d keys, cache %q, %d servers, %d workers",
			o.strategy.Name, w.Readers, w.Writers, w.Keys, w.Cache(), w.Servers, w.Workers)
	}
	if err := checkTasks(w); err != nil {
		return nil, err
	}
	o.workload = w
	return rec.Trace, o.refused(o.ofTime())
}

// has says whether a workload consists of tasks that the strategy has.
func has(s model.Strategy, w model.Workload) bool {
	if s.Race != nil {
		return w.Workers > 0 && w.Size() == w.Workers && w.Keys == 0 && !w.Warm
	}
	return w.Workers == 0 && w.Keys > 0
}
