package model

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "watch",
		Group:    VersionsAndLeases,
		Summary:  "read: WATCH, GET, on a miss SELECT and MULTI, SET, EXEC; write: UPDATE, then DEL",
		Claim:    "EXEC fails if anyone touched the key",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return watch{cacheAside{newNaive(d)}} },
	})
}

type watch struct{ cacheAside }

func (s watch) Read(ctx context.Context, id int64) (p Product, err error) {
	err = s.cache.Watch(ctx, func(tx *redis.Tx) error {
		cached, err := tx.Get(ctx, productKey(id)).Result()
		if err == nil {
			p, err = decode(cached)
			return err
		}
		if !errors.Is(err, redis.Nil) {
			return err
		}
		if p, err = selectProduct(ctx, s.db, id); err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			return pipe.Set(ctx, productKey(id), encode(p), s.ttl).Err()
		})
		if errors.Is(err, redis.TxFailedErr) {
			return nil // the row is fresh enough to be returned, but not to be kept
		}
		return err
	}, productKey(id))
	return p, err
}
