package model

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "watch-marker",
		Group:    VersionsAndLeases,
		Summary:  "read: as watch; write: UPDATE, then MULTI, SET a marker, DEL, EXEC",
		Claim:    "the writer always changes the key, so EXEC fails",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return watchMarker{watch{cacheAside{newNaive(d)}}} },
	})
}

const markerTTL = time.Minute

type watchMarker struct{ watch }

func (s watchMarker) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	// A DEL of an absent key touches nothing; the SET before it always does.
	_, err := s.cache.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, productKey(id), "marker", markerTTL)
		pipe.Del(ctx, productKey(id))
		return nil
	})
	return err
}
