package model

import (
	"context"
	"time"
)

// refreshWithin is how near its end an entry has to be to be refreshed.
const refreshWithin = 2 * time.Second

func init() {
	register(Strategy{
		Name:      "refresh-ahead",
		Group:     TimeAndFaults,
		Summary:   "read: GET, on a miss SELECT and SET with a TTL of 5 s, on a hit PTTL, and in its last 2 s SELECT and SET again; write: UPDATE, then DEL",
		Claim:     "no miss for hot keys",
		TTL:       shortTTL,
		Durations: []time.Duration{refreshWithin},
		New:       func(d Deps) Service { return refreshAhead{cacheAside{newNaive(d)}} },
	})
}

// refreshAhead is cache-aside as long as no time passes: a TTL is far from its end
// then.
type refreshAhead struct{ cacheAside }

func (s refreshAhead) Read(ctx context.Context, id int64) (Product, error) {
	hit := true
	p, err := s.readThrough(ctx, id, func(ctx context.Context, p Product) error {
		hit = false
		return s.set(ctx, p)
	})
	if err == nil && hit {
		s.refresh(ctx, id)
	}
	return p, err
}

// refresh works behind an answer that is there, so nobody is told of its errors.
func (s refreshAhead) refresh(ctx context.Context, id int64) {
	left, err := s.cache.PTTL(ctx, productKey(id)).Result()
	if err != nil || left < 0 || left > refreshWithin { // less than 0: the entry is gone, or never expires
		return
	}
	if p, err := selectProduct(ctx, s.db, id); err == nil {
		_ = s.set(ctx, p)
	}
}
