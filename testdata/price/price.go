// Package price is a small service with a cache, as if package quiesce did not exist.
package price

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Schema is the text of the migrations.
//
//go:embed schema.sql
var Schema string

// A Product is a row of the database, and what the cache holds of it.
type Product struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Price int64  `json:"price"`
}

// A Service serves products from the cache, which readers fill.
type Service struct {
	// Tombstone is for how long nobody fills the cache with a product whose price has
	// changed. 0 means that it is just deleted there.
	Tombstone time.Duration

	cache *redis.Client
	db    *sql.DB
}

// New returns a service.
func New(cache *redis.Client, db *sql.DB) *Service { return &Service{cache: cache, db: db} }

func key(id int64) string { return fmt.Sprint("product:", id) }

// Product returns a product.
func (s *Service) Product(ctx context.Context, id int64) (p Product, err error) {
	cached, err := s.cache.Get(ctx, key(id)).Bytes()
	switch {
	case err == nil && len(cached) > 0:
		return p, json.Unmarshal(cached, &p)
	case err != nil && !errors.Is(err, redis.Nil):
		return p, err
	}
	row := s.db.QueryRowContext(ctx, "SELECT id, name, price FROM products WHERE id = ?", id)
	if err := row.Scan(&p.ID, &p.Name, &p.Price); err != nil {
		return p, err
	}
	fresh, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	if s.Tombstone > 0 {
		return p, s.cache.SetNX(ctx, key(id), fresh, time.Minute).Err()
	}
	return p, s.cache.Set(ctx, key(id), fresh, time.Minute).Err()
}

// SetPrice changes the price of a product.
func (s *Service) SetPrice(ctx context.Context, id, price int64) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE products SET price = ? WHERE id = ?", price, id); err != nil {
		return err
	}
	if s.Tombstone > 0 {
		return s.cache.Set(ctx, key(id), "", s.Tombstone).Err()
	}
	return s.cache.Del(ctx, key(id)).Err()
}
