package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "swallowed-delete",
		Group:   TimeAndFaults,
		Summary: "read: as naive; write: UPDATE, then DEL, whose error is ignored",
		Claim:   "the price is changed, so the caller is not bothered with the cache",
		New:     func(cache *redis.Client, db *sql.DB) Service { return swallowedDelete{newNaive(cache, db)} },
	})
}

type swallowedDelete struct{ naive }

func (s swallowedDelete) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	_ = s.del(ctx, id) // which is the point
	return nil
}
