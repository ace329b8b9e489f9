package shop

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

// A Cache keeps products.
type Cache interface {
	// Product returns a product, which load returns if it is not in the cache.
	Product(ctx context.Context, id int64, load func() (Product, error)) (Product, error)

	// Forget is called when a product has changed.
	Forget(ctx context.Context, id int64) error
}

const (
	lifetime = time.Minute // of what is in Redis
	capacity = 128         // of what is in memory
)

func cacheKey(id int64) string { return "product:" + strconv.FormatInt(id, 10) }

// A PlainCache keeps products in the memory of the server and in Redis. Callers that want
// the same product at the same time wait for the first of them.
type PlainCache struct {
	redis   *redis.Client
	local   *lru.Cache[int64, Product]
	flights singleflight.Group
}

// NewPlainCache returns a cache with nothing in memory.
func NewPlainCache(r *redis.Client) *PlainCache {
	return &PlainCache{redis: r, local: newLocal()}
}

func newLocal() *lru.Cache[int64, Product] {
	local, err := lru.New[int64, Product](capacity)
	if err != nil {
		panic(err)
	}
	return local
}

// Local returns what the memory of the server has of a product.
func (c *PlainCache) Local(id int64) (Product, bool) { return c.local.Peek(id) }

// Product returns a product: see [Cache].
func (c *PlainCache) Product(ctx context.Context, id int64, load func() (Product, error)) (Product, error) {
	if p, ok := c.local.Get(id); ok {
		return p, nil
	}
	p, err, _ := c.flights.Do(cacheKey(id), func() (any, error) {
		p, err := c.fetch(ctx, id, load)
		if err == nil {
			c.local.Add(id, p)
		}
		return p, err
	})
	return p.(Product), err
}

// fetch returns a product from Redis, which is filled if it does not have it.
func (c *PlainCache) fetch(ctx context.Context, id int64, load func() (Product, error)) (p Product, err error) {
	data, err := c.redis.Get(ctx, cacheKey(id)).Bytes()
	if err == nil {
		return p, json.Unmarshal(data, &p)
	}
	if !errors.Is(err, redis.Nil) {
		return p, err
	}
	if p, err = load(); err != nil {
		return p, err
	}
	if data, err = json.Marshal(p); err != nil {
		return p, err
	}
	return p, c.redis.Set(ctx, cacheKey(id), data, lifetime).Err()
}

// Forget deletes a product: see [Cache].
func (c *PlainCache) Forget(ctx context.Context, id int64) error {
	c.local.Remove(id)
	return c.redis.Del(ctx, cacheKey(id)).Err()
}

// A LeasedCache is a [PlainCache] that is never filled with what has changed meanwhile.
// Whoever misses gets a lease, of which there is one for a product, and only who still has
// it may fill Redis. To forget a product ends its lease, and what is being loaded is not
// kept in memory.
type LeasedCache struct {
	redis   *redis.Client
	flights singleflight.Group

	mu      sync.Mutex
	local   *lru.Cache[int64, Product]
	forgets int // how often anything was forgotten
}

// NewLeasedCache returns a cache with nothing in memory.
func NewLeasedCache(r *redis.Client) *LeasedCache {
	return &LeasedCache{redis: r, local: newLocal()}
}

// Scripts of Redis: one returns what is there, or the number of a lease to fill it, and one
// fills unless the lease is over.
var (
	//go:embed lease.lua
	LeaseScript string
	//go:embed fill.lua
	FillScript string

	lease = redis.NewScript(LeaseScript)
	fill  = redis.NewScript(FillScript)
)

// leaseKeys are those of a product, of its lease, and of the number of the last one.
func leaseKeys(id int64) []string { return []string{cacheKey(id), "lease:" + cacheKey(id), "leases"} }

// Local returns what the memory of the server has of a product.
func (c *LeasedCache) Local(id int64) (Product, bool) { return c.local.Peek(id) }

// Product returns a product: see [Cache].
func (c *LeasedCache) Product(ctx context.Context, id int64, load func() (Product, error)) (Product, error) {
	if p, ok := c.local.Get(id); ok {
		return p, nil
	}
	p, err, _ := c.flights.Do(cacheKey(id), func() (any, error) {
		before := c.forgotten()
		p, err := c.fetch(ctx, id, load)
		if err == nil {
			c.keep(p, before)
		}
		return p, err
	})
	return p.(Product), err
}

func (c *LeasedCache) fetch(ctx context.Context, id int64, load func() (Product, error)) (p Product, err error) {
	seconds := int(lifetime.Seconds())
	found, err := lease.Run(ctx, c.redis, leaseKeys(id), seconds).Result()
	if err != nil {
		return p, err
	}
	number, missed := found.(int64)
	if !missed {
		return p, json.Unmarshal([]byte(found.(string)), &p)
	}
	if p, err = load(); err != nil {
		return p, err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	return p, fill.Run(ctx, c.redis, leaseKeys(id), number, data, seconds).Err()
}

// Forget deletes a product: see [Cache]. The deadline of the caller does not keep it from
// that. What is in memory goes last, since until then it may be read from Redis again.
func (c *LeasedCache) Forget(ctx context.Context, id int64) error {
	err := c.redis.Del(context.WithoutCancel(ctx), leaseKeys(id)[:2]...).Err()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgets++
	c.local.Remove(id)
	return err
}

func (c *LeasedCache) forgotten() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgets
}

// keep keeps a product unless anything was forgotten since it was asked for.
func (c *LeasedCache) keep(p Product, before int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgets == before {
		c.local.Add(p.ID, p)
	}
}

// A FreshCache is a [LeasedCache] in which nobody joins a flight that has begun before the
// product was forgotten.
type FreshCache struct{ *LeasedCache }

// NewFreshCache returns a cache with nothing in memory.
func NewFreshCache(r *redis.Client) FreshCache { return FreshCache{NewLeasedCache(r)} }

// Forget deletes a product: see [Cache].
func (c FreshCache) Forget(ctx context.Context, id int64) error {
	err := c.LeasedCache.Forget(ctx, id)
	c.flights.Forget(cacheKey(id))
	return err
}
