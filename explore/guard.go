package explore

import (
	"context"
	"errors"
	"math/big"

	"quiesce/sim"
)

// guarded calls search, which runs tasks of the system, and ends with an error if one of
// them hangs: see [sim.System.Guard].
func guarded[T any](ctx context.Context, sys *sim.System, search func() (T, error)) (result T, err error) {
	err = sys.Guard(ctx, func() (err error) {
		result, err = untilKnown(search)
		return err
	})
	return result, err
}

// untilKnown calls work, and again for as long as a process of goroutines comes to places
// that were not known before: see [sim.PlaceError].
func untilKnown[T any](work func() (T, error)) (result T, err error) {
	for {
		var unknown *sim.PlaceError
		if result, err = work(); !errors.As(err, &unknown) {
			return result, err
		}
	}
}

// guardedSearch is guarded for a search that a canceled context ends with a verdict,
// about n properties: it does so also while a task hangs.
func guardedSearch(ctx context.Context, sys *sim.System, engine string, n int, search func() ([]*Result, error)) ([]*Result, error) {
	results, err := guarded(ctx, sys, search)
	var hang *sim.HangError
	if !errors.As(err, &hang) || hang.Interrupted == nil || errors.Is(err, sim.ErrOutside) {
		return results, err
	}
	for range n {
		r := &Result{Engine: engine, Reason: hang.Error(), Interleavings: new(big.Int), Violating: new(big.Int)}
		r.decide()
		results = append(results, r)
	}
	return results, nil
}
