package quiesce_test

import (
	"context"
	"sync"
	"testing"

	"quiesce"
)

// A flight has reads that come while one goes on share its result, as package singleflight
// does.
type flight struct {
	mu   sync.Mutex
	call *flightCall
}

type flightCall struct {
	done  chan struct{}
	price int64
	err   error
}

func (f *flight) do(read func() (int64, error)) (int64, error) {
	f.mu.Lock()
	c := f.call
	if c != nil {
		f.mu.Unlock()
		<-c.done
		return c.price, c.err
	}
	c = &flightCall{done: make(chan struct{})}
	f.call = c
	f.mu.Unlock()
	c.price, c.err = read()
	f.mu.Lock()
	f.call = nil
	f.mu.Unlock()
	close(c.done)
	return c.price, c.err
}

// TestHistory has a read of the database that joins one which began before a write has
// returned: nothing is cached, so nothing is incoherent, and yet the caller is told the
// price from before a write that was acknowledged. Without the flight no read is stale.
func TestHistory(t *testing.T) {
	build := func(shared bool) func(*quiesce.World) {
		return func(w *quiesce.World) {
			s := newShop(w)
			w.Server("shop", func(p *quiesce.Process) {
				db, f := s.db.Open(p), new(flight)
				read := func(ctx context.Context) (price int64, err error) {
					err = db.QueryRowContext(ctx, "SELECT price FROM products WHERE id = 1").Scan(&price)
					return price, err
				}
				view := func(ctx context.Context) error {
					return p.Read("view", "product:1", func() (any, error) {
						if !shared {
							return read(ctx)
						}
						return f.do(func() (int64, error) { return read(ctx) })
					})
				}
				p.Go("view", view)
				p.Go("session", func(ctx context.Context) error {
					err := p.Write("reprice", "product:1", 7900, func() error {
						_, err := db.ExecContext(ctx, "UPDATE products SET price = 7900 WHERE id = 1")
						return err
					})
					if err != nil {
						return err
					}
					return view(ctx)
				})
			})
			h := w.History(map[string]any{"product:1": 9900})
			h.NoStaleRead(quiesce.Bound{})
			h.ReadYourWrites()
			h.Linearizable()
		}
	}
	alone := once(t, build(false)).passes()
	wants(t, alone, "no-stale-read holds", "read-your-writes holds", "linearizable holds")
	joined := once(t, build(true))
	wants(t, joined.failed, `violate no-stale-read, such as this one: view returned "9900" of product:1`, "yield", "-quiesce.schedule=")
	wants(t, joined.failed, "violate read-your-writes")
}
