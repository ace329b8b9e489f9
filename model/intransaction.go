package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "in-transaction",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: BEGIN, UPDATE, DEL, COMMIT",
		Claim:    "atomic, it is all in one transaction",
		Promises: true,
		Mode:     sqlite.WAL,
		New:      func(cache *redis.Client, db *sql.DB) Service { return inTransaction{newNaive(cache, db)} },
	})
}

type inTransaction struct{ naive }

func (s inTransaction) Write(ctx context.Context, id, price int64) error {
	return transact(ctx, s.db, nil, func(tx *sql.Tx) error {
		if err := updatePrice(ctx, tx, id, price); err != nil {
			return err
		}
		return s.del(ctx, id)
	})
}
