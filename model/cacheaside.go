package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "cache-aside",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: UPDATE, then DEL",
		Claim:    "strong consistency; always current data; the golden standard for critical data",
		Promises: true,
		New:      func(cache *redis.Client, db *sql.DB) Service { return cacheAside{newNaive(cache, db)} },
	})
}

type cacheAside struct{ naive }

func (s cacheAside) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	return s.del(ctx, id)
}
