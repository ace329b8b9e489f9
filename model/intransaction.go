package model

import (
	"context"
	"database/sql"

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
		TTL:      productTTL,
		New:      func(d Deps) Service { return inTransaction{newNaive(d)} },
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
