package price_test

import (
	"context"
	"testing"

	"quiesce"
	"quiesce/testdata/price"
)

func TestPriceIsNeverStale(t *testing.T) {
	quiesce.Test(t, func(w *quiesce.World) {
		db, cache := w.SQLite("db", price.Schema), w.Redis("cache")
		w.Server("shop", func(p *quiesce.Process) {
			svc := price.New(cache.Client(p), db.Open(p)) // your constructor
			p.Go("view", func(ctx context.Context) error { _, err := svc.Product(ctx, 1); return err })
			p.Go("reprice", func(ctx context.Context) error { return svc.SetPrice(ctx, 1, 7900) })
		})
		w.Coherent("product:1", "products", 1)
	})
}
