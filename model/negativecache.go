package model

import (
	"context"
	"database/sql"
	"errors"

	"github.com/redis/go-redis/v9"
)

// noProduct is what the cache holds of a product that is not there.
const noProduct = "none"

func init() {
	register(Strategy{
		Name:    "negative-cache",
		Group:   TimeAndFaults,
		Summary: "no product is there at first; read: as naive, but SET NX \"none\" if there is no row; write: INSERT, then DEL",
		Claim:   "protects the database against reads of what is not there",
		TTL:     productTTL,
		Absent:  true,
		New:     func(d Deps) Service { return negativeCache{cacheAside{newNaive(d)}} },
	})
}

type negativeCache struct{ cacheAside }

// Read returns the zero value for a product that is not there.
func (s negativeCache) Read(ctx context.Context, id int64) (Product, error) {
	cached, err := s.cache.Get(ctx, productKey(id)).Result()
	switch {
	case err == nil && cached == noProduct:
		return Product{}, nil
	case err == nil:
		return decode(cached)
	case !errors.Is(err, redis.Nil):
		return Product{}, err
	}
	p, err := selectProduct(ctx, s.db, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Product{}, s.cache.SetNX(ctx, productKey(id), noProduct, s.ttl).Err()
	}
	if err != nil {
		return p, err
	}
	return p, s.set(ctx, p)
}
