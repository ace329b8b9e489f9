package shop_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"quiesce"
	"quiesce/examples/shop"
)

// A local is a cache with something in memory.
type local interface {
	shop.Cache
	Local(id int64) (shop.Product, bool)
}

func plain(r *goredis.Client) local  { return shop.NewPlainCache(r) }
func leased(r *goredis.Client) local { return shop.NewLeasedCache(r) }
func fresh(r *goredis.Client) local  { return shop.NewFreshCache(r) }

// A server is what a test says of the shop.
type server struct {
	cache   func(*goredis.Client) local
	views   quiesce.UpTo
	filled  bool // Redis has the product
	timeout time.Duration
}

// race is a world in which views race with a change of the price, on one server.
func (s server) race(w *quiesce.World) {
	cache, db := stores(w)
	if s.filled {
		cache.Do("SET", "product:1", `{"id":1,"name":"Desk lamp","price":9900,"stock":1}`)
	}
	w.Server("shop", func(p *quiesce.Process) {
		products := s.cache(cache.Client(p))
		svc := shop.New(db.Open(p), products)
		svc.Timeout = s.timeout
		show(p, products)
		api := svc.Handler()
		p.Go("view", func(ctx context.Context) error { return ask(ctx, api, "GET", "/products/1", "") }, max(s.views, 1))
		p.Go("reprice", func(ctx context.Context) error { return ask(ctx, api, "PUT", "/products/1/price", "7900") })
	})
	w.Coherent("product:1", "products", 1)
	w.AtQuiescence("memory equals database", func(v quiesce.View) error { return remembers(v, "shop") })
}

// show shows what a cache has in memory.
func show(p *quiesce.Process, cache local) {
	p.Show(func() map[string]any {
		if p, ok := cache.Local(1); ok {
			return map[string]any{"product:1": p}
		}
		return nil
	})
}

// stores returns Redis, which knows the scripts, and the database of the shop.
func stores(w *quiesce.World) (*quiesce.Redis, *quiesce.Database) {
	cache, db := w.Redis("cache"), w.SQLite("db")
	cache.Do("SCRIPT", "LOAD", shop.LeaseScript)
	cache.Do("SCRIPT", "LOAD", shop.FillScript)
	db.Migrate(shop.Migrations, "migrations/*.up.sql")
	return cache, db
}

// remembers returns an error if the memory of a server holds another price than the database.
func remembers(v quiesce.View, server string) error {
	var p shop.Product
	var price int64
	if err := v.Row("db", "products", 1).Columns("price").Scan(&price); err != nil {
		return err
	}
	if v.Memory(server).JSON("product:1", &p) && p.Price != price {
		return fmt.Errorf("%s remembers %d, the database has %d", server, p.Price, price)
	}
	return nil
}

// TestPlain: Redis is not the only place that is filled too late.
func TestPlain(t *testing.T) {
	finds(t, server{cache: plain}.race, "2 of 2 properties do not hold", "violate coherent product:1", "violate memory equals database")
}

// TestLeased proves the fix, in the same workload and in one with more views.
func TestLeased(t *testing.T) { quiesce.Test(t, server{cache: leased, views: 2}.race) }

// TestDeadline: the price is written, and the deadline of the request comes before the old
// one is deleted. Whoever forgets after all is told.
func TestDeadline(t *testing.T) {
	finds(t, server{cache: plain, filled: true, timeout: time.Second}.race, "violate coherent product:1", "shop/clock", "schedule      view:3,reprice:2,shop/clock:1")
	quiesce.Test(t, server{cache: leased, filled: true, timeout: time.Second}.race)
}

// TestJoinedFlight: somebody changes the price, is told so, and looks at the product. The
// flight that this joins has begun before, and returns what it has read then. Neither Redis
// nor the memory of the server keeps that, so both are right: only callers can tell.
func TestJoinedFlight(t *testing.T) {
	joined := func(cache func(*goredis.Client) local) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cached, db := stores(w)
			w.Server("shop", func(p *quiesce.Process) {
				products := cache(cached.Client(p))
				svc := shop.New(db.Open(p), products)
				show(p, products)
				view := func(ctx context.Context) error {
					return p.Read("view", "product:1", func() (any, error) {
						product, err := svc.Product(ctx, 1)
						return product.Price, err
					})
				}
				p.Go("view", view)
				p.Go("admin", func(ctx context.Context) error {
					err := p.Write("reprice", "product:1", 7900, func() error { return svc.SetPrice(ctx, 1, 7900) })
					return errors.Join(err, view(ctx))
				})
			})
			w.Coherent("product:1", "products", 1)
			w.AtQuiescence("memory equals database", func(v quiesce.View) error { return remembers(v, "shop") })
			w.History(map[string]any{"product:1": 9900}).NoStaleRead(quiesce.Bound{})
		}
	}
	finds(t, joined(leased), "1 of 3 properties do not hold", "violate no-stale-read", "9900")
	quiesce.Test(t, joined(fresh))
}

// TestPool: one request holds the only connection and joins the flight of another one, which
// waits for a connection.
func TestPool(t *testing.T) {
	pool := func(connections int) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache, db := stores(w)
			w.Server("shop", func(p *quiesce.Process) {
				conns, products := db.Open(p), shop.NewFreshCache(cache.Client(p))
				conns.SetMaxOpenConns(connections)
				svc := shop.New(conns, products)
				p.Go("view", func(ctx context.Context) error { _, err := svc.Product(ctx, 1); return err })
				p.Go("checkout", func(ctx context.Context) error { return checkout(ctx, conns, products) })
			})
			w.Coherent("product:1", "products", 1)
		}
	}
	finds(t, pool(1), "deadlock")
	quiesce.Test(t, pool(2))
}

// checkout is one in which the transaction begins before anything else, so that the price is
// read in it, unless the cache has that.
func checkout(ctx context.Context, db *sql.DB, cache shop.Cache) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	price := func() (p shop.Product, err error) {
		err = tx.QueryRowContext(ctx, "SELECT id, name, price, stock FROM products WHERE id = 1").Scan(&p.ID, &p.Name, &p.Price, &p.Stock)
		return p, err
	}
	p, err := cache.Product(ctx, 1, price)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (product_id, price) VALUES (1, ?)", p.Price); err != nil {
		return err
	}
	return tx.Commit()
}

// A delayed cache deletes once more after a while, for who has filled it meanwhile with what
// was read before.
type delayed struct {
	*shop.PlainCache
	after time.Duration
}

func (c delayed) Forget(ctx context.Context, id int64) error {
	time.AfterFunc(c.after, func() { c.PlainCache.Forget(context.WithoutCancel(ctx), id) })
	return c.PlainCache.Forget(ctx, id)
}

// TestDelayedDoubleDelete: untimed, a view may be slower than any delay. If no call takes
// longer than a second, it is not slower than some.
func TestDelayedDoubleDelete(t *testing.T) {
	twice := func(after time.Duration, timing *quiesce.Timing) func(*quiesce.World) {
		return func(w *quiesce.World) {
			w.Timing = timing
			server{cache: func(r *goredis.Client) local { return delayed{shop.NewPlainCache(r), after} }}.race(w)
		}
	}
	finds(t, twice(3*time.Second, nil), "2 of 2 properties do not hold", "schedule      view:5,reprice:5,shop/clock:1,shop/+1:2,view:2")
	quiesce.Test(t, twice(3*time.Second, &quiesce.Timing{MaxStall: time.Second}))
}

// TestSale: a server goes on though its lock has ended meanwhile, and another one has it. The
// one that looks at its clock does not.
func TestSale(t *testing.T) {
	sale := func(goodFor time.Duration) func(*quiesce.World) {
		return func(w *quiesce.World) {
			w.Timing = &quiesce.Timing{MaxStall: time.Second}
			cache, db := stores(w)
			for name, pause := range map[string]time.Duration{"slow": 5 * time.Second, "quick": 0} {
				w.Server(name+"-server", func(p *quiesce.Process) {
					s := shop.Sale{DB: db.Open(p), Redis: cache.Client(p), Server: name, Lock: 4 * time.Second, Fresh: goodFor}
					s.Prepare = func(context.Context) error { time.Sleep(pause); return nil }
					p.Go(name, s.Run)
				})
			}
			w.Always("one server is at work", func(v quiesce.View) error {
				var workers int
				if err := v.Row("db", "jobs", "sale").Columns("workers").Scan(&workers); err != nil || workers > 1 {
					return fmt.Errorf("%d are (%v)", workers, err)
				}
				return nil
			})
		}
	}
	finds(t, sale(0), "violate one server is at work", "2 are")
	quiesce.Test(t, sale(2*time.Second))
}
