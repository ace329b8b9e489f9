package model

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "lock",
		Group:    TimeAndFaults,
		Summary:  "read: GET, on a miss take the lock of the product, then as naive, and release it; without the lock only SELECT; write: take the lock, UPDATE, DEL, release it; without the lock give up",
		Claim:    "serialises, hence consistent",
		Promises: true,
		TTL:      productTTL,
		TTLs:     []time.Duration{lockLease},
		Delay:    lockPause,
		New:      func(d Deps) Service { return lock{cacheAside{newNaive(d)}, newMutex(d)} },
	})
}

type lock struct {
	cacheAside
	mutex mutex
}

func (s lock) Read(ctx context.Context, id int64) (Product, error) {
	p, err := s.get(ctx, id)
	if !errors.Is(err, redis.Nil) {
		return p, err
	}
	token, err := s.mutex.acquire(ctx, id)
	switch {
	case errors.Is(err, errGaveUp):
		return selectProduct(ctx, s.db, id)
	case err != nil:
		return Product{}, err
	}
	p, err = s.cacheAside.Read(ctx, id)
	return p, errors.Join(err, s.mutex.release(ctx, id, token))
}

func (s lock) Write(ctx context.Context, id, price int64) error {
	token, err := s.mutex.acquire(ctx, id)
	if err != nil {
		return err
	}
	err = s.cacheAside.Write(ctx, id, price)
	return errors.Join(err, s.mutex.release(ctx, id, token))
}
