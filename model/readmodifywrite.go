package model

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:      "read-modify-write-from-cache",
		Group:     FillAndInvalidate,
		Summary:   "read: as naive; write: GET, on a miss SELECT, UPDATE to that price plus a raise, then DEL",
		Claim:     "the cached row is as good as the row to compute from",
		Promises:  true,
		Uncreated: "its writers raise the price that is there",
		TTL:       productTTL,
		New:       func(d Deps) Service { return readModifyWrite{cacheAside{newNaive(d)}} },
	})
}

type readModifyWrite struct{ cacheAside }

func (s readModifyWrite) Raise(ctx context.Context, id, by int64) error {
	p, err := s.get(ctx, id)
	if errors.Is(err, redis.Nil) {
		p, err = selectProduct(ctx, s.db, id)
	}
	if err != nil {
		return err
	}
	return s.Write(ctx, id, p.Price+by)
}
