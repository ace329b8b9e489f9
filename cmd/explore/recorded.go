package main

import (
	"fmt"
	"io"
	"os"
	"time"

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
	// What the strategy does not have stays at its default, as if by flags.
	w := rec.Workload
	o.workload.Servers = w.Servers
	if o.strategy.Race != nil {
		o.workload.Workers = w.Workers
	} else {
		o.workload.Readers, o.workload.Writers, o.workload.Keys = w.Readers, w.Writers, w.Keys
		o.workload.Warm = w.Cache == "warm"
	}
	for _, d := range []struct {
		from string
		into *time.Duration
	}{{w.Delay, &o.workload.Delay}, {w.TTL, &o.workload.TTL}, {w.MaxStall, &o.workload.MaxStall}, {w.MaxWait, &o.workload.MaxWait}} {
		if d.from == "" {
			continue
		}
		if *d.into, err = time.ParseDuration(d.from); err != nil {
			return nil, err
		}
	}
	if w.TTL != "" {
		if o.workload.TTL, err = productTTL(o.workload.TTL); err != nil {
			return nil, err
		}
	}
	if err := o.checkNumbers(); err != nil {
		return nil, err
	}
	if err := o.setTasks(nil); err != nil {
		return nil, err
	}
	given := map[string]bool{"delay": w.Delay != "", "ttl": w.TTL != "", "max-stall": w.MaxStall != "", "max-wait": w.MaxWait != ""}
	if err := o.setTime(given, w.Faults, ""); err != nil {
		return nil, err
	}
	now := words(o.workload)
	if now.Words = ""; now != w {
		return nil, fmt.Errorf("%s has no such workload: %d readers, %d writers, %d keys, cache %q, %d servers, %d workers",
			o.strategy.Name, w.Readers, w.Writers, w.Keys, w.Cache, w.Servers, w.Workers)
	}
	return rec.Trace, nil
}
