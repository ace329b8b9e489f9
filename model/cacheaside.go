package model

import "context"

func init() {
	register(Strategy{
		Name:     "cache-aside",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: UPDATE, then DEL",
		Claim:    "strong consistency; always current data; the golden standard for critical data",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return cacheAside{newNaive(d)} },
	})
}

type cacheAside struct{ naive }

func (s cacheAside) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	return s.del(ctx, id)
}
