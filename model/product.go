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

func productKey(id int64) string { return fmt.Sprintf("product:%d", id) }

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

func updatePrice(ctx context.Context, db execer, id, price int64) error {
	_, err := db.ExecContext(ctx, setPrice+", updated_at = CURRENT_TIMESTAMP WHERE product_id = ?", price, id)
	return err
}

// updateVersion is updatePrice, and counts the version up.
func updateVersion(ctx context.Context, db execer, id, price int64) error {
	_, err := db.ExecContext(ctx,
		"UPDATE products SET price = ?, version = version + 1, updated_at = CURRENT_TIMESTAMP WHERE product_id = ?", price, id)
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
