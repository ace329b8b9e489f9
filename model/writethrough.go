package model

import "context"

func init() {
	register(Strategy{
		Name:     "write-through",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: UPDATE, SELECT the row, SET with TTL",
		Claim:    "database and cache atomically; cache always current; strong",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return writeThrough{newNaive(d)} },
	})
}

type writeThrough struct{ naive }

func (s writeThrough) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	p, err := selectProduct(ctx, s.db, id)
	if err != nil {
		return err
	}
	return s.set(ctx, p)
}
