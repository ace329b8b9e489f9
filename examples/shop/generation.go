package shop

import (
	"context"
	"sync"
)

// Prices are in the memory of a server, each unless something was invalidated since its
// row was read. Every method takes the lock, and Load does so twice.
type Prices struct {
	Products Repository
	Gap      func() // between the two locks of Load; nothing in production

	mu         sync.Mutex
	generation int
	prices     map[int64]int64
}

// Price returns what is known of a price.
func (c *Prices) Price(id int64) (price int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	price, ok = c.prices[id]
	return price, ok
}

// Load reads a price and keeps it.
func (c *Prices) Load(ctx context.Context, id int64) error {
	before := c.now()
	p, err := c.Products.Get(ctx, id)
	if err != nil || c.now() != before {
		return err
	}
	c.Gap()
	c.keep(id, p.Price)
	return nil
}

// Discount changes a price and forgets the old one.
func (c *Prices) Discount(ctx context.Context, id, price int64) error {
	err := c.Products.SetPrice(ctx, id, price)
	c.forget(id)
	return err
}

func (c *Prices) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

func (c *Prices) keep(id, price int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prices == nil {
		c.prices = make(map[int64]int64)
	}
	c.prices[id] = price
}

func (c *Prices) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	delete(c.prices, id)
}
