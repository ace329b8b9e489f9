package sim

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A coroutine asks with a context that is never done as if there were none. With any
// other the run fails, whatever its task makes of the error, and nothing is executed.
func TestCallUntil(t *testing.T) {
	ask := func(ctx context.Context) (asked int, err error) {
		store := &counter{}
		e, err := (&System{Stores: []Store{store}, Programs: []Program{{Name: "a", New: func(p *Process) []Task {
			return []Task{func(context.Context) (string, error) {
				_, _ = p.CallUntil(ctx, Request{Store: "counter", Body: "x"})
				return "", nil
			}}
		}}}}).Start()
		if err == nil {
			defer e.Stop()
			err = e.Step(0)
		}
		return store.n, err
	}
	if n, err := ask(context.Background()); n != 1 || err != nil {
		t.Errorf("without an end: %d requests, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if n, err := ask(ctx); n != 0 || !errors.Is(err, errNoTimers) {
		t.Errorf("with a timeout: %d requests, %v", n, err)
	}

}
