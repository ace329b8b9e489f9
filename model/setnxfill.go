package model

import "context"

func init() {
	register(Strategy{
		Name:     "setnx-fill",
		Group:    FillAndInvalidate,
		Summary:  "read: GET, on a miss SELECT and SET NX with TTL; write: UPDATE, then DEL",
		Claim:    "a slow reader cannot overwrite",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return setnxFill{cacheAside{newNaive(d)}} },
	})
}

type setnxFill struct{ cacheAside }

func (s setnxFill) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, func(ctx context.Context, p Product) error {
		// A false reply means that somebody else has filled the cache.
		return s.cache.SetNX(ctx, productKey(id), encode(p), s.ttl).Err()
	})
}
