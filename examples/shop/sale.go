package shop

import (
	"context"
	"database/sql"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Sale is a job that one server does at a time: the one that holds a lock in Redis, which
// ends by itself if the server does.
type Sale struct {
	DB     *sql.DB
	Redis  *redis.Client
	Server string        // by which the lock is known
	Lock   time.Duration // how long it lasts

	// Fresh is how old the lock may be when the job begins, by the clock of the server.
	// The zero value means that nobody looks.
	Fresh time.Duration

	// Prepare comes before the job, and takes its time.
	Prepare func(context.Context) error
}

// Run does the job, unless another server does. The table of the jobs says who is at work.
func (s Sale) Run(ctx context.Context) error {
	begun := time.Now()
	if ok, err := s.Redis.SetNX(ctx, "lock:sale", s.Server, s.Lock).Result(); err != nil || !ok {
		return err
	}
	if err := s.Prepare(ctx); err != nil {
		return err
	}
	if s.Fresh > 0 && time.Since(begun) > s.Fresh {
		return nil // it may be another server's by now
	}
	if _, err := s.DB.ExecContext(ctx, "UPDATE jobs SET workers = workers + 1 WHERE name = 'sale'"); err != nil {
		return err
	}
	_, err := s.DB.ExecContext(ctx, "UPDATE jobs SET workers = workers - 1 WHERE name = 'sale'")
	return err
}
