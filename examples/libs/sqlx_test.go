package libs

import (
	"context"
	"fmt"
	"testing"

	"github.com/jmoiron/sqlx"

	"quiesce"
)

// buyWith reads how many there are, and writes that there is one less.
func buyWith(ctx context.Context, db *sqlx.DB) error {
	var p product
	if err := db.GetContext(ctx, &p, "SELECT * FROM products WHERE id = ?", 1); err != nil {
		return err
	}
	p.Stock--
	_, err := db.NamedExecContext(ctx, "UPDATE products SET stock = :stock WHERE id = :id", p)
	return err
}

// buyAtOnce has the database count.
func buyAtOnce(ctx context.Context, db *sqlx.DB) error {
	_, err := db.NamedExecContext(ctx, "UPDATE products SET stock = stock - 1 WHERE id = :id", product{ID: 1})
	return err
}

// TestSqlx loses an update. Two tasks of five steps, which are a start and two statements
// with their arrivals, are 10 over 5 interleavings. Nothing is lost where the UPDATE of one
// comes before the SELECT of the other. Before that UPDATE are its three steps and none of
// the other, which leaves 6 orders of the rest, or the start of the other in one of 4 places,
// which leaves 5 each: 26, and as many the other way round. Of the fixed one, with three
// steps, there are 6 over 3.
func TestSqlx(t *testing.T) {
	service := func(buy func(context.Context, *sqlx.DB) error) func(*quiesce.World) {
		return func(w *quiesce.World) {
			db := w.SQLite("db", schema, "UPDATE products SET stock = 5")
			w.Server("shop", func(p *quiesce.Process) {
				db := sqlx.NewDb(db.Open(p), "sqlite3")
				p.Go("ann", func(ctx context.Context) error { return buy(ctx, db) })
				p.Go("bob", func(ctx context.Context) error { return buy(ctx, db) })
			})
			w.AtQuiescence("two are sold", func(v quiesce.View) error {
				var stock int64
				if err := v.Row("db", "products", 1).Columns("stock").Scan(&stock); err != nil || stock != 3 {
					return fmt.Errorf("%d of 5 are left, %v", stock, err)
				}
				return nil
			})
		}
	}
	violated(t, service(buyWith), "200 of 252 interleavings", "4 of 5 are left")
	holds(t, "20", service(buyAtOnce))
}
