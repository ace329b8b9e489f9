package model

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "stale-while-revalidate",
		Group:   TimeAndFaults,
		Summary: "read: MGET the product and its mark \"fresh\", on a miss SELECT and SET both in one block; without the mark take the product as it is, then SELECT and SET both; write: UPDATE, then DEL both",
		Claim:   "no read waits for the database while an old value is there",
		TTL:     productTTL,
		TTLs:    []time.Duration{shortTTL},
		New:     func(d Deps) Service { return staleWhileRevalidate{newNaive(d)} },
	})
}

// staleWhileRevalidate follows RFC 5861. An entry is fresh as long as its mark is
// there, whose TTL is the shorter one. The reader that finds it gone refreshes the
// entry behind its answer.
type staleWhileRevalidate struct{ naive }

func freshKey(id int64) string { return productKey(id) + ":fresh" }

func (s staleWhileRevalidate) Read(ctx context.Context, id int64) (Product, error) {
	got, err := s.cache.MGet(ctx, productKey(id), freshKey(id)).Result()
	if err != nil {
		return Product{}, err
	}
	cached, hit := got[0].(string)
	if !hit {
		return s.load(ctx, id)
	}
	if got[1] == nil {
		_, _ = s.load(ctx, id) // the answer is there: nobody is told of an error
	}
	return decode(cached)
}

// load takes the row and fills it into the cache.
func (s staleWhileRevalidate) load(ctx context.Context, id int64) (Product, error) {
	p, err := selectProduct(ctx, s.db, id)
	if err != nil {
		return p, err
	}
	_, err = s.cache.TxPipelined(ctx, func(block redis.Pipeliner) error {
		block.Set(ctx, productKey(id), encode(p), s.ttl)
		block.Set(ctx, freshKey(id), 1, shortTTL)
		return nil
	})
	return p, err
}

func (s staleWhileRevalidate) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	return s.cache.Del(ctx, productKey(id), freshKey(id)).Err()
}
