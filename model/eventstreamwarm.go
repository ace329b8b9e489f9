package model

import (
	"context"
	"database/sql"
	"errors"
)

func init() {
	register(Strategy{
		Name:    "event-stream-warm",
		Group:   LocalCaches,
		Summary: "as event-stream, but the consumer warms the cache: XREADGROUP, SELECT, SET with TTL, XACK",
		Claim:   "decoupled; warms after invalidation",
		TTL:     productTTL,
		New:     func(d Deps) Service { return eventStreamWarm{eventStream{newNaive(d)}} },
	})
}

type eventStreamWarm struct{ eventStream }

// Background returns the consumer.
func (s eventStreamWarm) Background() []Background { return []Background{s.consumer(s.warm)} }

func (s eventStreamWarm) warm(ctx context.Context, id int64) error {
	p, err := selectProduct(ctx, s.db, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // of an UPDATE before the product was there
	}
	if err != nil {
		return err
	}
	return s.set(ctx, p)
}
