package model_test

import (
	"context"
	"flag"
	"fmt"
	"reflect"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

var twins = flag.Duration("twins", 0, "for how long TestMemory searches what is told apart by history; 0 leaves out what takes longer than a moment")

// TestMemory explores every strategy with all its tasks on one server, by memory and by
// history. Nothing but the number of states may differ.
func TestMemory(t *testing.T) {
	compared, fewer := 0, 0
	for _, s := range model.Strategies() {
		loads := []model.Workload{
			{Readers: 1, Writers: 1},
			{Readers: 1, Writers: 1, Faults: sim.Faults{sim.LostReply: 1}},
			{Readers: 1, Writers: 1, MaxStall: 5 * time.Second, Delay: 10 * time.Second},
			{Readers: 1, Writers: 1, Warm: true},
			{Readers: 1, Writers: 1, Faults: sim.Faults{sim.AnyFault: 1}},
			{Readers: 2, Writers: 1},
			{Readers: 1, Writers: 2},
		}
		if *twins == 0 {
			loads = loads[:3]
		}
		if s.Race != nil {
			loads = []model.Workload{{Workers: 2}, {Workers: 2, Faults: sim.Faults{sim.AnyFault: 1}}, {Workers: 3}}
		}
		for _, load := range loads {
			load.Servers = 1
			t.Run(s.Name+"/"+load.String(), func(t *testing.T) {
				slow := searched(t, s, load, true)
				if slow == nil {
					t.Skip("too many histories")
				}
				fast := searched(t, s, load, false)
				if fast.Statistics.States < slow.Statistics.States {
					fewer++
				}
				compared++
				if slow.Cause == nil {
					fast.Cause = nil // which a search by history gives up
				}
				if got, want := found(fast), found(slow); !reflect.DeepEqual(got, want) {
					t.Errorf("by memory\n%v\nby history\n%v", got, want)
				}
			})
		}
	}
	if fewer < compared/2 {
		t.Errorf("only %d of %d explorations have fewer states by memory", fewer, compared)
	}
}

// searched returns the result of a workload; nil if there is too much to search.
func searched(t *testing.T, s model.Strategy, load model.Workload, byHistory bool) *explore.Result {
	t.Helper()
	w, err := model.NewWorld(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p, err := model.LookupProperty("", s)
	if err != nil {
		t.Fatal(err)
	}
	sys, err := w.System(load, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, opts := context.Background(), explore.ProductOptions{NoMerge: byHistory, Explain: true, Values: contents, Audit: 10}
	switch {
	case !byHistory:
	case *twins > 0:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *twins)
		defer cancel()
	default:
		opts.LimitStates = 1500
	}
	r, err := explore.Product(ctx, sys, opts)
	if err != nil {
		t.Fatal(err)
	}
	if byHistory && r.Verdict == explore.Incomplete {
		return nil
	}
	return r
}

// contents is the expression of what the stores hold.
func contents(v sim.View) (all string) {
	for _, c := range v.Contents {
		all += fmt.Sprintf("%q", c.Key())
	}
	return all
}

// found returns all that a result says but for the states.
func found(r *explore.Result) []any {
	all := []any{r.Verdict, r.Interleavings.String(), r.Violating.String(), r.Premise, r.Values, r.Caveats}
	if r.Probability != nil {
		all = append(all, r.Probability.String())
	}
	if r.Counterexample != nil {
		all = append(all, *r.Counterexample, r.Cause)
	}
	if r.Closest != nil {
		all = append(all, *r.Closest)
	}
	return all
}
