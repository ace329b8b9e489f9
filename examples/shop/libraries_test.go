package shop

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bsm/redislock"
	"github.com/cenkalti/backoff/v4"
	rediscache "github.com/go-redis/cache/v9"
	"github.com/go-redsync/redsync/v4"
	goredispool "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/jmoiron/sqlx"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlite"
)

func TestSqlx(t *testing.T) {
	w := newWorld(t, sqlite.WAL)
	w.check(oneOrder, w.apart(try("restock", func(ctx context.Context, s *Shop) error {
		db := sqlx.NewDb(s.Products.DB, "sqlite3")
		var products []Product
		if err := db.SelectContext(ctx, &products, "SELECT * FROM products WHERE price > ?", 0); err != nil {
			return err
		}
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		products[0].Stock++
		if _, err := tx.NamedExecContext(ctx, "UPDATE products SET stock = :stock WHERE id = :id", products[0]); err != nil {
			return err
		}
		if _, err := tx.NamedExecContext(ctx, "INSERT INTO orders (id, product_id, price) VALUES (1, :id, :price)", products[0]); err != nil {
			return err
		}
		return tx.Commit()
	}), discount)...).verdict(explore.Holds)
}

// A Listing is a product as GORM has it, with the time of its last change.
type Listing struct {
	ID, Price int64
	UpdatedAt time.Time
}

// TestGorm: a model with UpdatedAt reads the wall clock unless it is given another one,
// and the connection is opened by the task, since Open makes a request.
func TestGorm(t *testing.T) {
	open := func(s *Shop, now func() time.Time) (*gorm.DB, error) {
		return gorm.Open(gormsqlite.Dialector{Conn: s.Products.DB}, &gorm.Config{Logger: logger.Discard, NowFunc: now})
	}
	newListings := func() *world {
		return newWorld(t, sqlite.WAL, "CREATE TABLE listings (id INTEGER PRIMARY KEY, price INTEGER, updated_at DATETIME)", "INSERT INTO listings VALUES (1, 9900, NULL)")
	}
	programs := func(w *world, now func() time.Time) []sim.Program {
		return w.apart(try("read", func(ctx context.Context, s *Shop) error {
			db, err := open(s, now)
			if err != nil {
				return err
			}
			return db.WithContext(ctx).First(new(Listing), 1).Error
		}), try("write", func(ctx context.Context, s *Shop) error {
			db, err := open(s, now)
			if err != nil {
				return err
			}
			return db.WithContext(ctx).Model(&Listing{ID: 1}).Update("price", 7900).Error
		}))
	}
	w := newListings()
	fails[*explore.NondeterminismError](w.check(anything, programs(w, nil)...), "UPDATE `listings` SET", clock)
	// Two steps of the one, four of the other.
	w.check(anything, programs(w, func() time.Time { return sqlite.Epoch })...).holds(15)

	w.check(anything, w.serverOf(func(p *sim.Process) *Shop {
		s := w.shop(p)
		if _, err := open(s, nil); err != nil {
			panic(err)
		}
		return s
	}, view)).outside("after New has returned")
}

// TestRedisCache has go-redis/cache with its own singleflight, and a local cache.
func TestRedisCache(t *testing.T) {
	for _, local := range []func() rediscache.LocalCache{
		func() rediscache.LocalCache { return nil },
		func() rediscache.LocalCache { return rediscache.NewTinyLFU(100, time.Minute) },
	} {
		w := newWorld(t, sqlite.InMemory)
		once := try("view", func(ctx context.Context, s *Shop) error {
			c := rediscache.New(&rediscache.Options{Redis: s.Redis, LocalCache: local()})
			var p Product
			return c.Once(&rediscache.Item{Ctx: ctx, Key: cacheKey(1), Value: &p, TTL: time.Minute, Do: func(*rediscache.Item) (any, error) {
				return s.Products.Get(ctx, 1)
			}})
		})
		old := sim.Property{Name: "no old price is left", Violation: func(v sim.View) string {
			if cached, ok := v.Value("cache", cacheKey(1)); ok && hasNumber(cached, 9900) {
				return "the cache holds the old price"
			}
			return ""
		}}
		w.check(old, w.apart(once, discount)...).violated(race)
	}
}

// hasNumber says whether data in msgpack has the number as an int64.
func hasNumber(data string, n uint64) bool {
	return strings.Contains(data, string(binary.BigEndian.AppendUint64([]byte{0xd3}, n)))
}

// TestRedislock: its tokens are random, unless they are given.
func TestRedislock(t *testing.T) {
	locked := func(name, token string) operation {
		return operation{name, func(ctx context.Context, s *Shop) (string, error) {
			lock, err := redislock.New(s.Redis).Obtain(ctx, "lock:1", time.Second, &redislock.Options{Token: token})
			if errors.Is(err, redislock.ErrNotObtained) {
				return "busy", nil
			}
			if err != nil {
				return "", err
			}
			defer lock.Release(ctx)
			return "", s.Discount(ctx, 1, 7900)
		}}
	}
	w := newWorld(t, sqlite.InMemory)
	w.differs([]string{"EVALSHA", chance}, locked("a", ""), locked("b", ""))
	w.check(anything, w.apart(locked("a", "1234567890123456789012"), locked("b", "abcdefghijklmnopqrstuv"))...).verdict(explore.Holds)
}

// TestRedsync asks all its servers at the same time, each on a goroutine, and waits for a
// while, of real time, before it does so again.
func TestRedsync(t *testing.T) {
	for delay, more := range map[time.Duration]string{time.Millisecond: "", time.Minute: "has asked for nothing for 1s"} {
		w := newWorld(t, sqlite.InMemory)
		sys := w.system(anything, w.apart(try("a", func(ctx context.Context, s *Shop) error {
			m := redsync.New(goredispool.NewPool(s.Redis)).NewMutex("lock:1", redsync.WithTries(2), redsync.WithRetryDelay(delay),
				redsync.WithGenValueFunc(func() (string, error) { return "a", nil }))
			return m.LockContext(ctx)
		}))...)
		sys.Patience = time.Second
		check(t, sys, explore.ProductOptions{}).outside("redsync/v4.(*Mutex).actOnPoolsAsync", more)
	}
}

func TestBackoff(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(coherent, w.apart(try("view", func(ctx context.Context, s *Shop) error {
		retries := backoff.WithMaxRetries(backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Millisecond)), 2)
		return backoff.Retry(func() error { _, err := s.View(ctx, 1); return err }, retries)
	}), discount)...).violated(race)
}

// TestRueidis talks through the connection of the simulation, first on the goroutine of
// the task. Others ping, and read and write when it is closed.
func TestRueidis(t *testing.T) {
	set := func(closes bool) operation {
		return try("a", func(ctx context.Context, s *Shop) error {
			c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"cache:6379"}, DisableCache: true, ForceSingleClient: true,
				DialFn: func(dst string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
					return s.Redis.(*goredis.Client).Options().Dialer(ctx, "tcp", dst)
				}})
			if err != nil {
				return err
			}
			if closes {
				defer c.Close()
			}
			return c.Do(ctx, c.B().Set().Key("x").Value("1").Build()).Error()
		})
	}
	w := newWorld(t, sqlite.InMemory)
	w.check(anything, w.apart(set(true), discount)...).outside("rueidis.(*pipe)._background")
	w.check(anything, w.apart(set(false), discount)...).outside("rueidis.(*pipe).backgroundPing")
}

// TestOwnClient makes another client: through the connection of the given one, which works,
// or past it, of which the tool knows nothing but that the task makes no request.
func TestOwnClient(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(anything, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		own := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379", Dialer: s.Redis.(*goredis.Client).Options().Dialer})
		defer own.Close()
		return own.Set(ctx, "x", 1, 0).Err()
	}), discount)...).holds(3)

	goredis.SetLogger(silent{})
	w.check(anything, w.apart(try("a", func(ctx context.Context, s *Shop) error {
		own := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}, MaxRetries: -1, DialerRetries: 1})
		defer own.Close()
		_ = own.Set(ctx, "x", 1, 0).Err() // best effort
		return nil
	}), discount)...).holds(1, "a makes no request in any interleaving")
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
