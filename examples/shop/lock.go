package shop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrBusy says that somebody else holds the lock.
var ErrBusy = errors.New("busy")

// unlock deletes a lock unless it is somebody else's by now.
var unlock = redis.NewScript(`-- unlock
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)

// Locked runs f under a lock of the product, for which it tries so many times, and for
// ever if that is 0.
func (s *Shop) Locked(ctx context.Context, id int64, tries int, f func() error) error {
	key, token := "lock:"+cacheKey(id), s.NewToken()
	for try := 1; ; try++ {
		ok, err := s.Redis.SetNX(ctx, key, token, 5*time.Second).Result()
		if err != nil {
			return err
		}
		if ok {
			break
		}
		if try == tries {
			return ErrBusy
		}
		s.Sleep(10 * time.Millisecond)
	}
	defer unlock.Run(ctx, s.Redis, []string{key}, token)
	return f()
}

// Reserve takes one of a stock that is kept in Redis, optimistically.
func (s *Shop) Reserve(ctx context.Context, id int64) error {
	key := fmt.Sprint("stock:", id)
	for range 3 {
		err := s.Redis.Watch(ctx, func(tx *redis.Tx) error {
			stock, err := tx.Get(ctx, key).Int()
			if err != nil {
				return err
			}
			if stock < 1 {
				return ErrSoldOut
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, key, stock-1, 0)
				return nil
			})
			return err
		}, key)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
	return redis.TxFailedErr
}
