package libs

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"golang.org/x/sync/singleflight"

	"quiesce"
)

// flights reads a price once for all who ask at the same time.
type flights struct {
	db      *sql.DB
	group   singleflight.Group
	forgets bool // nobody joins a flight from before a write
}

func (s *flights) view(ctx context.Context) (any, error) {
	price, err, _ := s.group.Do("1", func() (any, error) {
		var price int64
		err := s.db.QueryRowContext(ctx, "SELECT price FROM products WHERE id = 1").Scan(&price)
		return price, err
	})
	return price, err
}

func (s *flights) reprice(ctx context.Context) (any, error) {
	if _, err := s.db.ExecContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1"); err != nil {
		return nil, err
	}
	if s.forgets {
		s.group.Forget("1")
	}
	return s.view(ctx) // for the answer
}

// TestSingleflight joins a flight that has read before the write was done: whoever has
// changed the price is told the old one.
func TestSingleflight(t *testing.T) {
	service := func(forgets bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			db := w.SQLite("db", schema)
			w.Server("shop", func(p *quiesce.Process) {
				s := &flights{db: db.Open(p), forgets: forgets}
				p.GoResult("view", s.view)
				p.GoResult("reprice", s.reprice)
			})
			w.AtQuiescence("a writer reads its write", func(v quiesce.View) error {
				var price int64
				if v.Result("reprice", &price) && price != 7900 {
					return fmt.Errorf("it reads %d", price)
				}
				return nil
			})
		}
	}
	violated(t, service(false), "it reads 9900", "view:2,reprice:3,view:1")
	holds(t, "", service(true))
}
