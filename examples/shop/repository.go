package shop

import (
	"context"
	"database/sql"
	"embed"
	"errors"
)

// Migrations are the schema of the database.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Errors by which the shop answers.
var (
	ErrUnknown = errors.New("no such product")
	ErrSoldOut = errors.New("sold out")
)

// A Product is a row of the table products.
type Product struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Price int64  `json:"price"` // in cents
	Stock int64  `json:"stock"`
}

// A querier is the database, or a transaction of it.
type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

// A Repository is the database, or what a transaction sees of it.
type Repository struct{ db querier }

// Product returns a product.
func (r Repository) Product(ctx context.Context, id int64) (p Product, err error) {
	row := r.db.QueryRowContext(ctx, "SELECT id, name, price, stock FROM products WHERE id = ?", id)
	if err = row.Scan(&p.ID, &p.Name, &p.Price, &p.Stock); errors.Is(err, sql.ErrNoRows) {
		return p, ErrUnknown
	}
	return p, err
}

// SetPrice changes the price of a product.
func (r Repository) SetPrice(ctx context.Context, id, price int64) error {
	return r.change(ctx, ErrUnknown, "UPDATE products SET price = ? WHERE id = ?", price, id)
}

// Sell takes a piece out of the stock, and keeps the order.
func (r Repository) Sell(ctx context.Context, id, price int64) error {
	if err := r.change(ctx, ErrSoldOut, "UPDATE products SET stock = stock - 1 WHERE id = ? AND stock > 0", id); err != nil {
		return err
	}
	_, err := r.db.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (?, ?)", id, price)
	return err
}

// change executes an update, and returns the error if there is no row to update.
func (r Repository) change(ctx context.Context, none error, query string, args ...any) error {
	result, err := r.db.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return none
}
