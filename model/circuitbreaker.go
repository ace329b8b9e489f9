package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "circuit-breaker",
		Group:   TimeAndFaults,
		Summary: "as cache-aside, but a request to Redis that fails opens the breaker of the server, which skips the next 2 and tries the one after; a read that gets nothing from Redis takes the row, a DEL that fails or is skipped is forgotten",
		Claim:   "cache down: works without the cache",
		TTL:     productTTL,
		New:     func(d Deps) Service { return &circuitBreaker{newNaive(d), breaker{}} },
	})
}

type circuitBreaker struct {
	naive
	breaker breaker
}

// A breaker is closed, open or half open, as that of github.com/sony/gobreaker. That
// one stays open for some time. This one counts what it skips, since nothing here may
// ask what time it is.
type breaker struct {
	skip    int  // how many calls to skip; more than 0 is open
	tripped bool // the last call failed; with nothing to skip that is half open
	trying  bool // half open, and a call is on its way
}

// skipped is how many calls an open breaker skips.
const skipped = 2

var errOpen = errors.New("the breaker is open")

// call calls f, unless the breaker is open, or half open with a call on its way.
func (b *breaker) call(f func() error) error {
	switch {
	case b.skip > 0:
		b.skip--
		return errOpen
	case b.trying:
		return errOpen
	}
	b.trying = b.tripped
	err := f()
	b.trying, b.tripped = false, err != nil && !errors.Is(err, redis.Nil)
	if b.tripped {
		b.skip = skipped
	}
	return err
}

// Kept returns the state of the breaker.
func (s *circuitBreaker) Kept() string { return fmt.Sprint(s.breaker) }

// Read takes whatever Redis does not answer for a miss.
func (s *circuitBreaker) Read(ctx context.Context, id int64) (p Product, err error) {
	if s.breaker.call(func() error { p, err = s.get(ctx, id); return err }) == nil {
		return p, nil
	}
	if p, err = selectProduct(ctx, s.db, id); err == nil {
		_ = s.breaker.call(func() error { return s.set(ctx, p) })
	}
	return p, err
}

func (s *circuitBreaker) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	_ = s.breaker.call(func() error { return s.del(ctx, id) })
	return nil
}
