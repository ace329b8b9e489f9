package model

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "lock-fill-only",
		Group:   TimeAndFaults,
		Summary: "read: GET, on a miss try the lock of the product, then SELECT, SET and release it; without the lock pause and read again, at last only SELECT; write: UPDATE, then DEL",
		Claim:   "prevents the stampede; the TTL is the upper bound on staleness",
		TTL:     productTTL,
		TTLs:    []time.Duration{lockLease},
		Delay:   lockPause,
		New:     func(d Deps) Service { return lockFillOnly{cacheAside{newNaive(d)}, newMutex(d)} },
	})
}

type lockFillOnly struct {
	cacheAside
	mutex mutex
}

func (s lockFillOnly) Read(ctx context.Context, id int64) (Product, error) {
	for range lockTries {
		p, err := s.get(ctx, id)
		if !errors.Is(err, redis.Nil) {
			return p, err
		}
		token, err := s.mutex.try(ctx, id)
		if err != nil {
			return Product{}, err
		}
		if token != "" {
			if p, err = selectProduct(ctx, s.db, id); err == nil {
				err = s.set(ctx, p)
			}
			return p, errors.Join(err, s.mutex.release(ctx, id, token))
		}
		s.mutex.clock.Sleep(s.mutex.pause)
	}
	return selectProduct(ctx, s.db, id)
}
