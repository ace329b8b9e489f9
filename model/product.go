package model

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// A Product is a row of the shop's table and, as JSON, its copy in the cache.
type Product struct {
	ID        int64  `json:"product_id"`
	Name      string `json:"name"`
	Price     int64  `json:"price"` // in cents
	Stock     int64  `json:"stock"`
	UpdatedAt string `json:"updated_at"`
	Version   int64  `json:"version"` // changed only by strategies that use it
}

const (
	productTTL   = time.Minute
	initialPrice = 9900

	createProducts = `CREATE TABLE products (
		product_id INTEGER PRIMARY KEY,
		name       TEXT    NOT NULL,
		price      INTEGER NOT NULL,
		stock      INTEGER NOT NULL,
		updated_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP,
		version    INTEGER NOT NULL DEFAULT 0
	)`
	columns = "product_id, name, price, stock, updated_at, version"
)

func insertProduct(id int) string {
	return fmt.Sprintf("INSERT INTO products (product_id, name, price, stock) VALUES (%d, 'Desk lamp', %d, 7)", id, initialPrice)
}

// productKeys is how the keys of all products begin.
const productKeys = "product:"

func productKey(id int64) string { return fmt.Sprintf("%s%d", productKeys, id) }

func encode(p Product) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // a Product has nothing that JSON lacks
	}
	return string(b)
}

func decode(s string) (p Product, err error) {
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return p, fmt.Errorf("decode product: %w", err)
	}
	return p, nil
}

func scanProduct(row *sql.Row) (p Product, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Price, &p.Stock, &p.UpdatedAt, &p.Version)
	return p, err
}

// loadProduct loads one product: no other SELECT does.
const loadProduct = "SELECT " + columns + " FROM products WHERE product_id = ?"

func selectProduct(ctx context.Context, db *sql.DB, id int64) (Product, error) {
	return scanProduct(db.QueryRowContext(ctx, loadProduct, id))
}

// An execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// setPrice is how every UPDATE of a price begins.
const setPrice = "UPDATE products SET price = ?"

// creating is what the context of a write holds that adds its product.
type creating struct{}

// creates says whether a write adds its product, so that it is an INSERT.
func creates(ctx context.Context) bool { return ctx.Value(creating{}) != nil }

// setting returns the statement that sets a price and whatever else is given, such as
// countVersion, with its arguments: an UPDATE, or an INSERT if the product is added. If
// another was faster that is an UPDATE too.
func setting(ctx context.Context, id, price int64, more string) (query string, args []any) {
	if creates(ctx) {
		return "INSERT INTO products (product_id, name, price, stock) VALUES (?, 'Desk lamp', ?, 7) ON CONFLICT (product_id) DO UPDATE SET price = excluded.price" + more, []any{id, price}
	}
	return setPrice + more + ", updated_at = CURRENT_TIMESTAMP WHERE product_id = ?", []any{price, id}
}

// countVersion is what else a strategy sets that uses versions.
const countVersion = ", version = version + 1"

func updatePrice(ctx context.Context, db execer, id, price int64) error {
	query, args := setting(ctx, id, price, "")
	_, err := db.ExecContext(ctx, query, args...)
	return err
}

// updateVersion is updatePrice, and counts the version up.
func updateVersion(ctx context.Context, db execer, id, price int64) error {
	query, args := setting(ctx, id, price, countVersion)
	_, err := db.ExecContext(ctx, query, args...)
	return err
}

// transact calls do in a transaction, which it commits if do returns no error and
// rolls back otherwise.
func transact(ctx context.Context, db *sql.DB, opts *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
