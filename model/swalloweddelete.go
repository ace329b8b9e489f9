package model

import "context"

func init() {
	register(Strategy{
		Name:    "swallowed-delete",
		Group:   TimeAndFaults,
		Summary: "read: as naive; write: UPDATE, then DEL, whose error is ignored",
		Claim:   "the price is changed, so the caller is not bothered with the cache",
		TTL:     productTTL,
		New:     func(d Deps) Service { return swallowedDelete{newNaive(d)} },
	})
}

type swallowedDelete struct{ naive }

func (s swallowedDelete) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	_ = s.del(ctx, id) // which is the point
	return nil
}
