package model

import (
	"context"
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "watch-marker",
		Group:    VersionsAndLeases,
		Summary:  "read: as watch; write: UPDATE, then MULTI, SET a marker, DEL, EXEC",
		Claim:    "the writer always changes the key, so EXEC fails",
		Promises: true,
		New: func(cache *redis.Client, db *sql.DB) Service {
			return watchMarker{watch{cacheAside{newNaive(cache, db)}}}
		},
	})
}

type watchMarker struct{ watch }

func (s watchMarker) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	// A DEL of an absent key touches nothing; the SET before it always does.
	_, err := s.cache.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, productKey(id), "marker", productTTL)
		pipe.Del(ctx, productKey(id))
		return nil
	})
	return err
}
