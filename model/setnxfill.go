package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "setnx-fill",
		Group:    FillAndInvalidate,
		Summary:  "read: GET, on a miss SELECT and SET NX with TTL; write: UPDATE, then DEL",
		Claim:    "a slow reader cannot overwrite",
		Promises: true,
		New:      func(cache *redis.Client, db *sql.DB) Service { return setnxFill{cacheAside{newNaive(cache, db)}} },
	})
}

type setnxFill struct{ cacheAside }

func (s setnxFill) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, func(ctx context.Context, p Product) error {
		// A false reply means that somebody else has filled the cache.
		return s.cache.SetNX(ctx, productKey(id), encode(p), productTTL).Err()
	})
}
