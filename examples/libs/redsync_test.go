package libs

import (
	"context"
	"database/sql"
	"fmt"
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
	lock := s.locks.NewMutex("lock:1", redsync.WithExpiry(4*time.Second), redsync.WithTimeoutFactor(0.25), redsync.WithDriftFactor(0))
	if err := lock.TryLockContext(ctx); err != nil {
		return redsync.ErrFailed
	}
	defer lock.UnlockContext(ctx)
	var stock int
	if err := s.db.QueryRowContext(ctx, "SELECT stock FROM products WHERE id = 1").Scan(&stock); err != nil {
		return err
	}
	if time.Now().Add(s.spare).After(lock.Until()) {
		return redsync.ErrFailed
	}
	_, err := s.db.ExecContext(ctx, "UPDATE products SET stock = ? - 1 WHERE id = 1", stock)
	return err
}
