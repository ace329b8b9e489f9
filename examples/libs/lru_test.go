package libs

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"

	lru "github.com/hashicorp/golang-lru/v2"

	"quiesce"
)

// prices keeps in memory what it has read.
type prices struct {
	db      *sql.DB
	local   *lru.Cache[int64, int64]
	changes atomic.Int64
	guards  bool // it keeps nothing that was changed meanwhile
}

func (s *prices) view(ctx context.Context) error {
	if _, ok := s.local.Get(1); ok {
		return nil
	}
	before := s.changes.Load()
	var price int64
	err := s.db.QueryRowContext(ctx, "SELECT price FROM products WHERE id = 1").Scan(&price)
	if err == nil && !(s.guards && s.changes.Load() != before) {
		s.local.Add(1, price)
	}
	return err
}

func (s *prices) reprice(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1")
	s.changes.Add(1)
	s.local.Remove(1)
	return err
}

// TestLRU fills a golang-lru after it was invalidated. Both tasks have three steps, which
// are a start, a statement and its arrival: 6 over 3 are 20 interleavings. Those violate
// that end with UPDATE, the arrival of it and that of SELECT: the start of the one is then
// before, between or behind the two first steps of the other, so there are 3.
func TestLRU(t *testing.T) {
	service := func(guards bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			db := w.SQLite("db", schema)
			w.Server("shop", func(p *quiesce.Process) {
				local, _ := lru.New[int64, int64](100)
				s := &prices{db: db.Open(p), local: local, guards: guards}
				p.Go("view", s.view)
				p.Go("reprice", s.reprice)
				p.Show(func() map[string]any {
					shown := map[string]any{}
					if price, ok := local.Peek(1); ok {
						shown["1"] = price
					}
					return shown
				})
			})
			w.AtQuiescence("the memory has the price", func(v quiesce.View) error {
				var price int64
				if v.Memory("shop").JSON("1", &price) && price != 7900 {
					return fmt.Errorf("it has %d", price)
				}
				return nil
			})
		}
	}
	violated(t, service(false), "3 of 20 interleavings", "it has 9900", "view:2,reprice:3,view:1")
	holds(t, "20", service(true))
}
