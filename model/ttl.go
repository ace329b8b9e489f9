package model

import (
	"context"
	"database/sql"
	"time"

	"github.com/redis/go-redis/v9"
)

const shortTTL = 5 * time.Second

func init() {
	register(Strategy{
		Name:    "ttl",
		Group:   TimeAndFaults,
		Summary: "read: GET, on a miss SELECT and SET with a TTL of 5 s; write: UPDATE only",
		Claim:   "refreshed within the TTL; staleness at most 1 to 5 s",
		TTLs:    []time.Duration{shortTTL},
		New:     func(cache *redis.Client, db *sql.DB) Service { return ttl{newNaive(cache, db)} },
	})
}

type ttl struct{ naive }

func (s ttl) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, s.setShort)
}

func (s naive) setShort(ctx context.Context, p Product) error {
	return s.cache.Set(ctx, productKey(p.ID), encode(p), shortTTL).Err()
}
