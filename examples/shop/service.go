// Package shop is a small shop as Go teams write them: products in a SQL database, a
// cache in Redis, and the usual libraries. Nothing in it knows that it is explored. Some
// of it is right and some is not; the tests say which.
package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
)

// A Product is a row of the table products, and a value in the cache.
type Product struct {
	ID    int64 `json:"id"`
	Price int64 `json:"price"`
	Stock int64 `json:"stock"`
}

// A Shop is one server.
type Shop struct {
	Products Repository
	Redis    redis.UniversalClient
	Sleep    func(time.Duration)
	NewToken func() string // of a lock

	local   *lru.Cache[int64, Product]
	breaker *gobreaker.CircuitBreaker
	flights singleflight.Group
	mu      sync.Mutex
	views   int // guarded by mu
}

// New returns a server as it is in production.
func New(db *sql.DB, rdb redis.UniversalClient) *Shop {
	local, err := lru.New[int64, Product](128)
	if err != nil {
		panic(err)
	}
	return &Shop{
		Products: Repository{db},
		Redis:    rdb,
		Sleep:    time.Sleep,
		NewToken: uuid.NewString,
		local:    local,
		breaker:  gobreaker.NewCircuitBreaker(gobreaker.Settings{Name: "cache"}),
	}
}

func cacheKey(id int64) string { return "product:" + strconv.FormatInt(id, 10) }

// View is cache-aside with a deadline.
func (s *Shop) View(ctx context.Context, id int64) (Product, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.load(ctx, id)
}

func (s *Shop) load(ctx context.Context, id int64) (Product, error) {
	if p, err := s.cached(ctx, id); !errors.Is(err, redis.Nil) {
		return p, err
	}
	p, err := s.Products.Get(ctx, id)
	if err != nil {
		return p, err
	}
	return p, s.fill(ctx, p)
}

func (s *Shop) cached(ctx context.Context, id int64) (p Product, err error) {
	data, err := s.Redis.Get(ctx, cacheKey(id)).Bytes()
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(data, &p)
}

func (s *Shop) fill(ctx context.Context, p Product) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.Redis.Set(ctx, cacheKey(p.ID), data, time.Minute).Err()
}

// Discount writes the price and invalidates the cache.
func (s *Shop) Discount(ctx context.Context, id, price int64) error {
	if err := s.Products.SetPrice(ctx, id, price); err != nil {
		return err
	}
	return s.Redis.Del(ctx, cacheKey(id)).Err()
}

// DiscountTwice invalidates the cache once more after a while: delayed double delete.
func (s *Shop) DiscountTwice(ctx context.Context, id, price int64) error {
	if err := s.Discount(ctx, id, price); err != nil {
		return err
	}
	s.Sleep(500 * time.Millisecond)
	return s.Redis.Del(ctx, cacheKey(id)).Err()
}

// DiscountAnyway takes the cache for best effort.
func (s *Shop) DiscountAnyway(ctx context.Context, id, price int64) error {
	err := s.Products.SetPrice(ctx, id, price)
	_ = s.Redis.Del(ctx, cacheKey(id)).Err()
	return err
}

// ViewBroken asks the cache through a circuit breaker, and the database while that is open.
func (s *Shop) ViewBroken(ctx context.Context, id int64) (Product, error) {
	v, err := s.breaker.Execute(func() (any, error) { return s.load(ctx, id) })
	if err != nil {
		return s.Products.Get(ctx, id)
	}
	return v.(Product), nil
}

// ViewOnce has goroutines that want the same product wait for the first of them.
func (s *Shop) ViewOnce(ctx context.Context, id int64) (Product, error) {
	v, err, _ := s.flights.Do(cacheKey(id), func() (any, error) { return s.load(ctx, id) })
	if err != nil {
		return Product{}, err
	}
	return v.(Product), nil
}

// ViewOnceUntil is ViewOnce for a caller that does not wait for ever.
func (s *Shop) ViewOnceUntil(ctx context.Context, id int64) (Product, error) {
	flight := s.flights.DoChan(cacheKey(id), func() (any, error) { return s.load(ctx, id) })
	select {
	case <-ctx.Done():
		return Product{}, ctx.Err()
	case r := <-flight:
		if r.Err != nil {
			return Product{}, r.Err
		}
		return r.Val.(Product), nil
	}
}

// ViewAlone lets one goroutine of the server load at a time.
func (s *Shop) ViewAlone(ctx context.Context, id int64) (Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(ctx, id)
}

// ViewCounted counts in a deferred call, under the lock that it has held meanwhile.
func (s *Shop) ViewCounted(ctx context.Context, id int64) (Product, error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.views++
	}()
	s.mu.Lock()
	p, err := s.load(ctx, id)
	s.mu.Unlock()
	return p, err
}

// ViewLocal keeps products in the memory of the server, too.
func (s *Shop) ViewLocal(ctx context.Context, id int64) (Product, error) {
	if p, ok := s.local.Get(id); ok {
		return p, nil
	}
	p, err := s.load(ctx, id)
	if err == nil {
		s.local.Add(id, p)
	}
	return p, err
}

// DiscountLocal is Discount for a server with ViewLocal.
func (s *Shop) DiscountLocal(ctx context.Context, id, price int64) error {
	err := s.Discount(ctx, id, price)
	s.local.Remove(id)
	return err
}

// ViewAll loads products at the same time.
func (s *Shop) ViewAll(ctx context.Context, ids ...int64) ([]Product, error) {
	products := make([]Product, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	for i, id := range ids {
		g.Go(func() (err error) {
			products[i], err = s.load(ctx, id)
			return err
		})
	}
	return products, g.Wait()
}

// Prefetch fills what is missing in the cache, in whatever order.
func (s *Shop) Prefetch(ctx context.Context, ids ...int64) error {
	gets := make(map[int64]*redis.StringCmd)
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			gets[id] = p.Get(ctx, cacheKey(id))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for id, get := range gets {
		if !errors.Is(get.Err(), redis.Nil) {
			continue
		}
		p, err := s.Products.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := s.fill(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ViewThenFill answers at once, and has the cache filled by later.
func (s *Shop) ViewThenFill(ctx context.Context, id int64, later func(func())) (Product, error) {
	if p, err := s.cached(ctx, id); !errors.Is(err, redis.Nil) {
		return p, err
	}
	p, err := s.Products.Get(ctx, id)
	if err == nil {
		later(func() { _ = s.fill(context.WithoutCancel(ctx), p) })
	}
	return p, err
}
