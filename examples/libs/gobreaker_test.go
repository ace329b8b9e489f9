package libs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"quiesce"
)

// broken takes its cache for absent while a breaker is open.
type broken struct {
	cache   *goredis.Client
	db      *sql.DB
	breaker *gobreaker.CircuitBreaker[string]
	careful bool // it invalidates past the breaker
}

func (s broken) view(ctx context.Context) error {
	_, err := s.breaker.Execute(func() (string, error) { return s.cache.Get(ctx, "price:1").Result() })
	if err == nil {
		return nil
	}
	return s.db.QueryRowContext(ctx, "SELECT price FROM products WHERE id = 1").Scan(new(int64))
}

func (s broken) reprice(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1"); err != nil {
		return err
	}
	invalidate := func() (string, error) { return "", s.cache.Del(ctx, "price:1").Err() }
	if s.careful {
		_, err := invalidate()
		return err
	}
	if _, err := s.breaker.Execute(invalidate); !errors.Is(err, gobreaker.ErrOpenState) {
		return err
	}
	return nil // there is no cache now
}

// TestGobreaker opens a gobreaker by one failed request, and then a writer leaves out the
// invalidation of a cache that is well.
func TestGobreaker(t *testing.T) {
	service := func(careful bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache, db := w.Redis("cache"), w.SQLite("db", schema)
			cache.Do("SET", "price:1", 9900)
			w.Faults = quiesce.Faults{quiesce.LostRequest: 1}
			w.Server("shop", func(p *quiesce.Process) {
				trip := func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 0 }
				s := broken{cache.Client(p), db.Open(p), gobreaker.NewCircuitBreaker[string](gobreaker.Settings{ReadyToTrip: trip}), careful}
				p.Go("view", s.view)
				p.Go("reprice", s.reprice)
			})
			w.AtQuiescence("what is acknowledged is seen", func(v quiesce.View) error {
				if price, ok := v.Redis("cache").String("price:1"); v.Outcome("reprice") == nil && ok && price != "7900" {
					return fmt.Errorf("the cache has %s", price)
				}
				return nil
			})
		}
	}
	violated(t, service(false), "the cache has 9900", "view!lost-request")
	holds(t, "", service(true))
}
