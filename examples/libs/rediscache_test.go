package libs

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	rediscache "github.com/go-redis/cache/v9"

	"quiesce"
)

// cached keeps products in a cache of go-redis/cache.
type cached struct {
	cache  *rediscache.Cache
	db     *sql.DB
	writes bool // whoever changes a product writes it, and a reader replaces nothing
}

func (s cached) view(ctx context.Context) error {
	return s.cache.Once(&rediscache.Item{Ctx: ctx, Key: "product:1", Value: new(product), SetNX: s.writes, Do: func(*rediscache.Item) (any, error) {
		var p product
		err := s.db.QueryRowContext(ctx, "SELECT * FROM products WHERE id = 1").Scan(&p.ID, &p.Price, &p.Stock)
		return p, err
	}})
}

func (s cached) reprice(ctx context.Context) error {
	var p product
	err := s.db.QueryRowContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1 RETURNING *").Scan(&p.ID, &p.Price, &p.Stock)
	if err != nil {
		return err
	}
	if s.writes {
		return s.cache.Set(&rediscache.Item{Ctx: ctx, Key: "product:1", Value: p})
	}
	return s.cache.Delete(ctx, "product:1")
}

// TestRedisCache fills the cache after the invalidation. That it writes instead helps as
// long as one writes at a time.
func TestRedisCache(t *testing.T) {
	service := func(writes bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache, db := w.Redis("cache"), w.SQLite("db", schema)
			w.Server("shop", func(p *quiesce.Process) {
				s := cached{rediscache.New(&rediscache.Options{Redis: cache.Client(p)}), db.Open(p), writes}
				p.Go("view", s.view, quiesce.UpTo(2)) // in one flight, or one after the other
				p.Go("reprice", s.reprice)
			})
			codec := rediscache.New(&rediscache.Options{})
			w.AtQuiescence("the cache has the price", func(v quiesce.View) error {
				text, ok := v.Redis("cache").String("product:1")
				var p product
				if err := codec.Unmarshal([]byte(text), &p); ok && (err != nil || p.Price != 7900) {
					return fmt.Errorf("it has %v, %v", p, err)
				}
				return nil
			})
		}
	}
	violated(t, service(false), "of 1 view, 1 reprice", "it has {1 9900 1}")
	holds(t, "", service(true))
}
