package model

import "context"

func init() {
	register(Strategy{
		Name:     "double-delete",
		Group:    FillAndInvalidate,
		Summary:  "read: as naive; write: DEL, UPDATE, DEL",
		Claim:    "closes the window",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return doubleDelete{deleteFirst{newNaive(d)}} },
	})
}

type doubleDelete struct{ deleteFirst }

func (s doubleDelete) Write(ctx context.Context, id, price int64) error {
	if err := s.deleteFirst.Write(ctx, id, price); err != nil {
		return err
	}
	return s.del(ctx, id)
}
