package model

import (
	"context"
	"time"
)

func init() {
	register(Strategy{
		Name:     "delayed-double-delete",
		Group:    TimeAndFaults,
		Summary:  "read: as naive; write: DEL, UPDATE, a pause, DEL again",
		Claim:    "closes the window for a delay larger than a read",
		Promises: true,
		TTL:      productTTL,
		Delay:    2 * time.Second,
		New:      func(d Deps) Service { return delayedDoubleDelete{newNaive(d), d.Clock, d.Delay} },
	})
}

type delayedDoubleDelete struct {
	naive
	clock Clock
	delay time.Duration
}

func (s delayedDoubleDelete) Write(ctx context.Context, id, price int64) error {
	if err := s.del(ctx, id); err != nil {
		return err
	}
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	s.clock.Sleep(s.delay)
	return s.del(ctx, id)
}
