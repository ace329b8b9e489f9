package shop

import (
	"context"
	"database/sql"
	"errors"
)

// A Repository is the database.
type Repository struct{ DB *sql.DB }

// ErrSoldOut is the answer to somebody who comes too late.
var ErrSoldOut = errors.New("sold out")

// Get returns a product.
func (r Repository) Get(ctx context.Context, id int64) (p Product, err error) {
	err = r.DB.QueryRowContext(ctx, "SELECT id, price, stock FROM products WHERE id = ?", id).Scan(&p.ID, &p.Price, &p.Stock)
	return p, err
}

// SetPrice changes a price.
func (r Repository) SetPrice(ctx context.Context, id, price int64) error {
	_, err := r.DB.ExecContext(ctx, "UPDATE products SET price = ? WHERE id = ?", price, id)
	return err
}

// atomically runs f in a transaction.
func (r Repository) atomically(ctx context.Context, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := r.DB.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Checkout sells one product, and returns what is to be paid.
func (r Repository) Checkout(ctx context.Context, id int64) (price int64, err error) {
	err = r.atomically(ctx, nil, func(tx *sql.Tx) error {
		var stock int64
		if err := tx.QueryRowContext(ctx, "SELECT price, stock FROM products WHERE id = ?", id).Scan(&price, &stock); err != nil {
			return err
		}
		if stock < 1 {
			return ErrSoldOut
		}
		if _, err := tx.ExecContext(ctx, "UPDATE products SET stock = ? WHERE id = ?", stock-1, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (?, ?)", id, price)
		return err
	})
	return price, err
}

// Redeem orders a product unless somebody has, in one statement.
func (r Repository) Redeem(ctx context.Context, id int64) error {
	res, err := r.DB.ExecContext(ctx, "INSERT INTO orders (product_id, price) SELECT ?, 0 WHERE (SELECT count(*) FROM orders WHERE product_id = ?) < 1", id, id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrSoldOut
}

// Quote reads a price twice in one transaction.
func (r Repository) Quote(ctx context.Context, id int64) (listed, total int64, err error) {
	err = r.atomically(ctx, nil, func(tx *sql.Tx) error {
		for _, price := range []*int64{&listed, &total} {
			if err := tx.QueryRowContext(ctx, "SELECT price FROM products WHERE id = ?", id).Scan(price); err != nil {
				return err
			}
		}
		return nil
	})
	return listed, total, err
}
