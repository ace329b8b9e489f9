package sim

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// An error that the protocol expects is what has become of the task, with or without a
// fault before it. Any other one is a failure.
func TestOutcomes(t *testing.T) {
	soldOut, gone := errors.New("sold out"), errors.New("gone")
	wrapped := fmt.Errorf("checkout of 1: %w", soldOut)
	for _, c := range []struct {
		name     string
		outcomes []error
		result   string
		err      error
		struck   bool
		want     string // the result; "" if the run ends with the error
	}{
		{"declared", []error{gone, soldOut}, "", soldOut, false, "sold out"},
		{"wrapped", []error{soldOut}, "", wrapped, false, "sold out"},
		{"with a result", []error{soldOut}, "409", wrapped, false, "409"},
		{"after a fault", []error{soldOut}, "", wrapped, true, "sold out"},
		{"another", []error{soldOut}, "409", gone, false, ""},
		{"another after a fault", []error{soldOut}, "409", gone, true, Failed},
		{"none declared", nil, "", soldOut, false, ""},
		{"no error", []error{soldOut}, "200", nil, false, "200"},
	} {
		returned := 0
		s := &System{Stores: []Store{&counter{}}, Programs: []Program{{Name: "a", Outcomes: c.outcomes, New: func(p *Process) []Task {
			p.AtReturn(func(string) error { returned++; return nil })
			return []Task{func(context.Context) (string, error) {
				p.Call(Request{Store: "counter", Body: "x"})
				return c.result, c.err
			}}
		}}}}
		p, err := s.Process(0)
		if err != nil {
			t.Fatal(err)
		}
		reply := Reply{Body: "x"}
		if c.struck {
			reply = Reply{Fault: LostRequest}
		}
		err = p.Deliver(Place{}, reply)
		result, finished := p.Result(0)
		switch {
		case c.want == "" && (!errors.Is(err, c.err) || returned > 0):
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		case c.want != "" && (err != nil || result != c.want || !finished || returned != 1):
			t.Errorf("%s: %q, %v, want %q", c.name, result, err, c.want)
		}
		p.Stop()
	}
}

// Work that is supervised has no caller to be told of an outcome.
func TestNoOutcomeOfSupervisedWork(t *testing.T) {
	soldOut := errors.New("sold out")
	s := &System{Programs: []Program{{Name: "a", Outcomes: []error{soldOut}, New: func(p *Process) []Task {
		return []Task{func(context.Context) (string, error) {
			return "", p.Supervise(func() error { return soldOut })
		}}
	}}}}
	if _, err := s.Process(0); err == nil || err.Error() != "a: sold out" {
		t.Errorf("error %v", err)
	}
}

// What a task is told while it boots is in no trace, unless that is where it fails.
func TestBootError(t *testing.T) {
	s := &System{Stores: []Store{&counter{}}, Programs: []Program{{Name: "a", Tasks: []TaskSpec{{Name: "a", Background: true, Boot: true}}, New: func(p *Process) []Task {
		return []Task{func(context.Context) (string, error) {
			for {
				p.Call(Request{Store: "counter", Body: "x"})
			}
		}}
	}}}}
	var e *BootError
	if _, err := s.Start(); !errors.As(err, &e) || len(e.Trace) != maxBoot+1 || e.Trace[0].Request.Body != "x" {
		t.Errorf("error %v", err)
	}
}
