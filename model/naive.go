package model

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "naive",
		Group:   FillAndInvalidate,
		Summary: "read: GET, on a miss SELECT and SET with TTL; write: UPDATE only",
		Claim:   "stale until the TTL",
		TTL:     productTTL,
		New:     func(d Deps) Service { return newNaive(d) },
	})
}

// naive leaves the cache alone when it writes. Its Read is that of every
// strategy which fills the cache in the same way.
type naive struct {
	cache *redis.Client
	db    *sql.DB
	ttl   time.Duration // 0 means that entries never expire
}

func newNaive(d Deps) naive { return naive{d.Cache, d.DB, d.TTL} }

func (s naive) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, s.set)
}

// readThrough returns the cached product. On a miss it takes the row and has it
// filled into the cache.
func (s naive) readThrough(ctx context.Context, id int64, fill func(context.Context, Product) error) (Product, error) {
	p, err := s.get(ctx, id)
	if !errors.Is(err, redis.Nil) {
		return p, err
	}
	if p, err = selectProduct(ctx, s.db, id); err != nil {
		return p, err
	}
	return p, fill(ctx, p)
}

func (s naive) Write(ctx context.Context, id, price int64) error {
	return updatePrice(ctx, s.db, id, price)
}

// get returns the cached product, or redis.Nil.
func (s naive) get(ctx context.Context, id int64) (Product, error) {
	cached, err := s.cache.Get(ctx, productKey(id)).Result()
	if err != nil {
		return Product{}, err
	}
	return decode(cached)
}

func (s naive) set(ctx context.Context, p Product) error {
	return s.cache.Set(ctx, productKey(p.ID), encode(p), s.ttl).Err()
}

func (s naive) del(ctx context.Context, id int64) error {
	return s.cache.Del(ctx, productKey(id)).Err()
}
