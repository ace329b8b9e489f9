package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "double-delete",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: DEL, UPDATE, DEL",
		Claim:    "closes the window",
		Promises: true,
		New:      func(cache *redis.Client, db *sql.DB) Service { return doubleDelete{deleteFirst{newNaive(cache, db)}} },
	})
}

type doubleDelete struct{ deleteFirst }

func (s doubleDelete) Write(ctx context.Context, id, price int64) error {
	if err := s.deleteFirst.Write(ctx, id, price); err != nil {
		return err
	}
	return s.del(ctx, id)
}
