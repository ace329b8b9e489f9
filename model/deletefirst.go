package model

import "context"

func init() {
	register(Strategy{
		Name:     "delete-first",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: DEL, then UPDATE",
		Claim:    "avoids serving the old value after the update",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return deleteFirst{newNaive(d)} },
	})
}

type deleteFirst struct{ naive }

func (s deleteFirst) Write(ctx context.Context, id, price int64) error {
	if err := s.del(ctx, id); err != nil {
		return err
	}
	return updatePrice(ctx, s.db, id, price)
}
