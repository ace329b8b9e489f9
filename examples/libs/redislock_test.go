package libs

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/bsm/redislock"

	"quiesce"
)

// seller sells under a lock.
type seller struct {
	locks *redislock.Client
	db    *sql.DB
	ttl   time.Duration
	fence bool // it does not write over what it has not read
}

func (s seller) sell(ctx context.Context) error {
	lock, err := s.locks.Obtain(ctx, "lock:1", s.ttl, nil)
	if err != nil {
		return err
	}
	defer lock.Release(ctx)
	var stock int
	if err := s.db.QueryRowContext(ctx, "SELECT stock FROM products WHERE id = 1").Scan(&stock); err != nil {
		return err
	}
	update := "UPDATE products SET stock = ?1 - 1 WHERE id = 1"
	if s.fence {
		update += " AND stock = ?1"
	}
	result, err := s.db.ExecContext(ctx, update, stock)
	if err != nil {
		return err
	}
	if n, _ := result.RowsAffected(); n == 0 {
		return redislock.ErrLockNotHeld
	}
	return nil
}

// sold wants as many to be left of 5 as ann and bob have not been sold.
func sold(v quiesce.View) error {
	n, left := 0, 0
	for _, name := range []string{"ann", "bob"} {
		if v.Outcome(name) == nil {
			n++
		}
	}
	if err := v.Row("db", "products", 1).Columns("stock").Scan(&left); err != nil || left != 5-n {
		return fmt.Errorf("%d of 5 are left, and %d are sold, %v", left, n, err)
	}
	return nil
}

// TestRedislock has a lock of redislock that expires while its holder works. No call takes
// longer than a second, so UPDATE is executed at most 3 seconds after the lock was taken:
// its reply arrives after one, SELECT after two. A lock of 3 seconds may lapse just before
// that, and one of 4 cannot.
func TestRedislock(t *testing.T) {
	overlaid(t) // the tokens are those of crypto/rand
	service := func(ttl time.Duration, fence bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			w.Timing = &quiesce.Timing{MaxStall: time.Second}
			cache, db := w.Redis("cache"), w.SQLite("db", schema, "UPDATE products SET stock = 5")
			w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
				s := seller{redislock.New(cache.Client(p)), db.Open(p), ttl, fence}
				p.Returns(redislock.ErrNotObtained, redislock.ErrLockNotHeld)
				p.Go("ann", s.sell)
				p.Go("bob", s.sell)
			})
			w.AtQuiescence("what is sold is gone", sold)
		}
	}
	violated(t, service(3*time.Second, false), "4 of 5 are left, and 2 are sold")
	holds(t, "", service(3*time.Second, true))
	holds(t, "", service(4*time.Second, false))
}
