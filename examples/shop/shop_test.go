package shop_test

import (
	"context"
	"testing"

	"quiesce"
	"quiesce/examples/shop"
)

// TestStaleFill is the smallest test of all. A view that has read the old price fills the
// cache after the new one was written, and after the old one was deleted there.
func TestStaleFill(t *testing.T) {
	finds(t, func(w *quiesce.World) { // quiesce.Test(t, func(w *quiesce.World) {
		cache, db := w.Redis("cache"), w.SQLite("db")
		db.Migrate(shop.Migrations, "migrations/*.up.sql")
		w.Server("shop", func(p *quiesce.Process) {
			api := shop.New(db.Open(p), shop.NewPlainCache(cache.Client(p))).Handler()
			p.Go("view", func(ctx context.Context) error { return ask(ctx, api, "GET", "/products/1", "") })
			p.Go("reprice", func(ctx context.Context) error { return ask(ctx, api, "PUT", "/products/1/price", "7900") })
		})
		w.Coherent("product:1", "products", 1)
	}, "68 of 792 interleavings of 1 view, 1 reprice violate coherent product:1")
}
