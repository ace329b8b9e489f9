package libs

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	goredispool "github.com/go-redsync/redsync/v4/redis/goredis/v9"

	"quiesce"
)

// leased sells while it has a lock by its own clock.
type leased struct {
	locks *redsync.Redsync
	db    *sql.DB
	spare time.Duration // that is to be left of the lock
}

func (s leased) sell(ctx context.Context) error {
	lock := s.locks.NewMutex("lock:1", redsync.WithExpiry(3*time.Second), redsync.WithTimeoutFactor(1))
	if err := lock.TryLockContext(ctx); err != nil {
		return redsync.ErrFailed
	}
	defer lock.UnlockContext(ctx)
	var stock int
	if err := s.db.QueryRowContext(ctx, "SELECT stock FROM products WHERE id = 1").Scan(&stock); err != nil {
		return err
	}
	if !time.Now().Add(s.spare).Before(lock.Until()) {
		return redsync.ErrFailed
	}
	_, err := s.db.ExecContext(ctx, "UPDATE products SET stock = ? - 1 WHERE id = 1", stock)
	return err
}

// TestRedsync has a lock of redsync, whose holder looks at its own clock before it writes.
// No call takes longer than a second, so it looks up to two seconds after it has asked for
// the lock, and what it writes is executed up to a second after that, when another may have
// the lock. Who leaves that second is late by no means.
func TestRedsync(t *testing.T) {
	overlaid(t) // the values are those of crypto/rand
	service := func(spare time.Duration) func(*quiesce.World) {
		return func(w *quiesce.World) {
			w.Timing = &quiesce.Timing{MaxStall: time.Second}
			cache, db := w.Redis("cache"), w.SQLite("db", schema, "UPDATE products SET stock = 5")
			w.Servers("shop", quiesce.PerTask, func(p *quiesce.Process) {
				s := leased{redsync.New(goredispool.NewPool(cache.Client(p))), db.Open(p), spare}
				p.Returns(redsync.ErrFailed)
				p.Go("ann", s.sell)
				p.Go("bob", s.sell)
			})
			w.AtQuiescence("what is sold is gone", sold)
		}
	}
	violated(t, service(0), "4 of 5 are left, and 2 are sold")
	holds(t, "", service(time.Second))
}
