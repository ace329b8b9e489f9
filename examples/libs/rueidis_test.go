package libs

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"quiesce"
)

// near is a service that keeps on its side what it reads from Redis.
type near struct {
	cache rueidis.Client
	db    *sql.DB
}

func (s near) price(ctx context.Context) (int64, error) {
	return s.cache.DoCache(ctx, s.cache.B().Get().Key("price:1").Cache(), time.Minute).AsInt64()
}

// changed says whether the price was changed, as the database has it.
func (s near) changed(ctx context.Context) (done bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT price = 7900 FROM products WHERE id = 1").Scan(&done)
	return done, err
}

// announced says so as Redis has it.
func (s near) announced(ctx context.Context) (bool, error) {
	n, err := s.cache.Do(ctx, s.cache.B().Exists().Key("changed").Build()).AsInt64()
	return n == 1, err
}

// TestRueidis caches in a client of rueidis, which Redis tells that a key was changed. That
// takes its time: who learns of the change in another way can be told the old price. It is
// not so by Redis itself, where the same connection has the invalidation before the reply.
func TestRueidis(t *testing.T) {
	service := func(changed func(near, context.Context) (bool, error)) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache, db := w.Redis("cache"), w.SQLite("db", schema)
			cache.Do("SET", "price:1", 9900)
			w.Server("shop", func(p *quiesce.Process) {
				s := near{connect(cache.Dialer(p)), db.Open(p)}
				p.GoResult("view", func(ctx context.Context) (any, error) {
					if _, err := s.price(ctx); err != nil {
						return nil, err
					}
					done, err := changed(s, ctx)
					if err != nil || !done {
						return nil, err
					}
					return s.price(ctx)
				})
			})
			w.Server("admin", func(p *quiesce.Process) {
				redis, db := cache.Client(p), db.Open(p)
				p.Go("reprice", func(ctx context.Context) error {
					if err := redis.MSet(ctx, "price:1", 7900, "changed", 1).Err(); err != nil {
						return err
					}
					_, err := db.ExecContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1")
					return err
				})
			})
			w.AtQuiescence("no old price after a change", func(v quiesce.View) error {
				var price int64
				if v.Result("view", &price) && price == 9900 {
					return fmt.Errorf("it is %d", price)
				}
				return nil
			})
		}
	}
	violated(t, service(near.changed), "it is 9900")
	holds(t, "", service(near.announced))
}

// connect makes a client that caches, and sends no PING while nothing is asked for: it would
// have no end.
func connect(dial func(context.Context, string, string) (net.Conn, error)) rueidis.Client {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{"cache:6379"},
		ForceSingleClient: true,
		Dialer:            net.Dialer{KeepAlive: -1},
		DialCtxFn: func(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return dial(ctx, "tcp", address)
		},
	})
	if err != nil {
		panic(err)
	}
	return c
}
