package quiesce_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"quiesce"
)

// random runs a random test of that name.
func random(t *testing.T, build func(*quiesce.World)) *recorder {
	t.Helper()
	t.Chdir(t.TempDir())
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.seed", "1")
	set(t, "rapid.shrinktime", "2s")
	r := &recorder{T: t, name: "TestRandom"}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		quiesce.Random(r, build)
	}()
	<-ended
	return r
}

// rush is many views beside two changes of the price, whose states nobody wants to wait for.
func rush(w *quiesce.World) {
	s := newShop(w)
	w.Server("shop", func(p *quiesce.Process) {
		c := s.catalogue(p)
		p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err }, 4)
		p.Go("reprice", func(ctx context.Context) error { return c.reprice(ctx, 7900) }, 2)
	})
	w.Coherent("product:1", "products", 1)
}

// TestRandom finds the race, and shrinks it for as long as it may.
func TestRandom(t *testing.T) {
	r := random(t, rush)
	wants(t, r.failed, "[rapid] failed after ", " violates coherent product:1: product:1: the cache holds ")
	wants(t, r.log(), "[rapid] draw step: ", "replayed      ", "schedule      ", "replay        go test -run '^TestRandom$' -quiesce.schedule=")
	set(t, "quiesce.schedule", "view:5,reprice:5,view:2")
	wants(t, random(t, rush).failed, "This schedule of 1 view, 1 reprice violates coherent product:1")
}

// TestRandomPasses where nothing is wrong, and fails where nothing is looked at.
func TestRandomPasses(t *testing.T) {
	build := func(key string) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Faults = quiesce.Faults{quiesce.Evict: 1, quiesce.LostRequest: 1}
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err }, 4)
			})
			w.Coherent(key, "products", 1)
		}
	}
	wants(t, random(t, build("product:1")).passes(), "[rapid] OK, passed 100 tests")
	wants(t, random(t, build("products:1")).failed, `coherent products:1 is vacuous: it looked up "products:1" in cache, which no state of the interleavings that were drawn holds`)
	r := random(t, func(w *quiesce.World) {
		race(w).AtQuiescence("asked", func(v quiesce.View) error { v.Redis("cach"); return nil })
	})
	wants(t, r.failed, `asked: there is no Redis called "cach"; there is cache`)
}

// TestDrawn draws the world as well: of some prices one is wrong.
func TestDrawn(t *testing.T) {
	t.Chdir(t.TempDir())
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.shrinktime", "100ms")
	check := func(test func(quiesce.T, func(*quiesce.World))) *recorder {
		r := &recorder{T: t, name: "TestDrawn"}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rapid.Check(r, func(rt *rapid.T) {
				price := rapid.Int64Range(0, 1000).Draw(rt, "price")
				test(rt, func(w *quiesce.World) {
					s := newShop(w)
					w.Server("shop", func(p *quiesce.Process) {
						c := s.catalogue(p)
						p.Go("reprice", func(ctx context.Context) error { return c.write(ctx, price) })
					})
					w.AtQuiescence("cheap", func(v quiesce.View) error {
						var price int
						if v.Row("db", "products", 1).Columns("price").Scan(&price); price > 700 {
							return errors.New("it is not")
						}
						return nil
					})
				})
			})
		}()
		<-ended
		return r
	}
	for name, test := range map[string]func(quiesce.T, func(*quiesce.World)){"Test": quiesce.Test, "Random": quiesce.Random} {
		r := check(test)
		wants(t, r.failed, "violates cheap")
		wants(t, r.log(), "[rapid] draw price: ")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// FuzzRace is a fuzz test over interleavings: its seeds say nothing, so none violates.
func FuzzRace(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		quiesce.Random(t, func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				c := s.catalogue(p)
				p.Go("view", func(ctx context.Context) error { _, err := c.view(ctx); return err }, 2)
			})
			w.Coherent("product:1", "products", 1)
		})
	}))
}
