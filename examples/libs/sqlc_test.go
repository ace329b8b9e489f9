package libs

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"testing"

	"quiesce"
	"quiesce/examples/libs/shopdb"
)

//go:embed shopdb/schema.sql
var migrations embed.FS

var errSoldOut = errors.New("sold out")

// order sells the only piece, by what sqlc has generated: sqlc generate in shopdb does it again.
func order(ctx context.Context, db *sql.DB, within bool) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q := shopdb.New(db)
	if within {
		q = q.WithTx(tx)
	}
	n, err := q.CountOrders(ctx, 1)
	if err != nil {
		return err
	}
	if n > 0 {
		return errSoldOut
	}
	if err := q.CreateOrder(ctx, 1); err != nil {
		return err
	}
	return tx.Commit()
}

// TestSqlc forgets WithTx, by which the queries are part of the transaction that is open
// beside them. With it, who comes second sees the order, or is told that its snapshot is old.
func TestSqlc(t *testing.T) {
	service := func(within bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			db := w.SQLite("db")
			db.Migrate(migrations, "shopdb/schema.sql")
			w.Server("shop", func(p *quiesce.Process) {
				p.Returns(errSoldOut, quiesce.ErrSnapshot)
				db := db.Open(p)
				p.Go("ann", func(ctx context.Context) error { return order(ctx, db, within) })
				p.Go("bob", func(ctx context.Context) error { return order(ctx, db, within) })
			})
			w.AtQuiescence("one order", func(v quiesce.View) error {
				if n := len(v.Rows("db", "orders")); n != 1 {
					return fmt.Errorf("%d orders of one piece", n)
				}
				return nil
			})
		}
	}
	violated(t, service(false), "2 orders of one piece")
	holds(t, "", service(true))
}
