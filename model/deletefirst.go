package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "delete-first",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: DEL, then UPDATE",
		Claim:    "avoids serving the old value after the update",
		Promises: true,
		New:      func(cache *redis.Client, db *sql.DB) Service { return deleteFirst{newNaive(cache, db)} },
	})
}

type deleteFirst struct{ naive }

func (s deleteFirst) Write(ctx context.Context, id, price int64) error {
	if err := s.del(ctx, id); err != nil {
		return err
	}
	return updatePrice(ctx, s.db, id, price)
}
