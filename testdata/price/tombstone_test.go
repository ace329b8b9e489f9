package price_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"quiesce"
	"quiesce/testdata/price"
)

// tombstone is a world in which nobody fills the cache for ten seconds after a change.
func tombstone(w *quiesce.World) {
	db, cache := w.SQLite("db", price.Schema), w.Redis("cache")
	w.Server("shop", func(p *quiesce.Process) {
		svc := price.New(cache.Client(p), db.Open(p))
		svc.Tombstone = 10 * time.Second
		p.Go("view", func(ctx context.Context) error { _, err := svc.Product(ctx, 1); return err })
		p.Go("reprice", func(ctx context.Context) error { return svc.SetPrice(ctx, 1, 7900) })
	})
	w.AtQuiescence("cache equals database", func(v quiesce.View) error {
		if text, ok := v.Redis("cache").String("product:1"); !ok || text == "" {
			return nil // nothing is cached
		}
		var cached, stored price.Product
		v.Redis("cache").JSON("product:1", &cached)
		if err := v.Row("db", "products", 1).Scan(&stored.ID, &stored.Name, &stored.Price); err != nil {
			return err
		}
		if cached != stored {
			return fmt.Errorf("the cache says %d, the database %d", cached.Price, stored.Price)
		}
		return nil
	})
}

func TestTombstone(t *testing.T) { quiesce.Test(t, tombstone) }

func TestTombstoneExpires(t *testing.T) {
	quiesce.Test(t, func(w *quiesce.World) {
		tombstone(w)
		w.Faults = quiesce.Faults{quiesce.Expire: 1}
	})
}

func TestTombstoneInTime(t *testing.T) {
	quiesce.Test(t, func(w *quiesce.World) {
		tombstone(w)
		w.Timing = &quiesce.Timing{MaxStall: time.Second}
	})
}
