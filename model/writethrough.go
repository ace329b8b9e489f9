package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "write-through",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: UPDATE, SELECT the row, SET with TTL",
		Claim:    "database and cache atomically; cache always current; strong",
		Promises: true,
		New:      func(cache *redis.Client, db *sql.DB) Service { return writeThrough{newNaive(cache, db)} },
	})
}

type writeThrough struct{ naive }

func (s writeThrough) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	p, err := selectProduct(ctx, s.db, id)
	if err != nil {
		return err
	}
	return s.set(ctx, p)
}
