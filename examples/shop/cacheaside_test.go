package shop

import (
	"context"
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// race is the classic one: the reader fills the cache with what it read before the
// writer invalidated it.
const race = "view:2,discount:2,view:1"

func TestCacheAside(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	got := w.check(coherent, w.apart(view, discount)...).violated(race)
	const want = `the cache holds {"id":1,"price":9900,"stock":1}, the database {"id":1,"price":7900,"stock":1}`
	if got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// TestCacheAsideOnOneServer is the same race, where starts and arrivals are steps.
func TestCacheAsideOnOneServer(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	w.check(coherent, w.server(view, discount)).violated("view:5,discount:5,view:2")
}

// TestWrapped is code around the same requests, which changes nothing about the race.
func TestWrapped(t *testing.T) {
	for _, o := range []operation{
		op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewBroken(ctx, 1) }),
		op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewOnce(ctx, 1) }),
		op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewAlone(ctx, 1) }),
		op("view", func(ctx context.Context, s *Shop) (Product, error) { return s.ViewCounted(ctx, 1) }),
		{"view", recovered(view.do)},
		{"view", func(ctx context.Context, s *Shop) (string, error) { // a goroutine without a request, that is waited for
			done := make(chan error)
			p, err := s.View(ctx, 1)
			go func() { done <- err }()
			return fmt.Sprint(p.ID), <-done
		}},
	} {
		w := newWorld(t, sqlite.InMemory)
		w.check(coherent, w.apart(o, discount)...).violated(race)
	}
}

// recovered answers 500 for a panic.
func recovered(do func(context.Context, *Shop) (string, error)) func(context.Context, *Shop) (string, error) {
	return func(ctx context.Context, s *Shop) (result string, err error) {
		defer func() {
			if recover() != nil {
				result, err = "500", nil
			}
		}()
		return do(ctx, s)
	}
}

// TestDeferredRequest has a request in a deferred call: a step like any other.
func TestDeferredRequest(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	counted := operation{"view", func(ctx context.Context, s *Shop) (string, error) {
		defer s.Redis.Incr(ctx, "views")
		return view.do(ctx, s)
	}}
	w.check(coherent, w.apart(counted, discount)...).violated("view:2,discount:2,view:2")
}

// TestDelayedDoubleDelete sleeps by the clock of the simulation: untimed, the reader can
// be slower than any delay.
func TestDelayedDoubleDelete(t *testing.T) {
	w := newWorld(t, sqlite.InMemory)
	twice := try("discount", func(ctx context.Context, s *Shop) error { return s.DiscountTwice(ctx, 1, 7900) })
	w.check(coherent, w.apart(view, twice)...).violated("view:2,discount:4,view:1")
}

// TestSessions is what one user sees: what it has bought at, and its own writes.
func TestSessions(t *testing.T) {
	shopping := operation{"customer", func(ctx context.Context, s *Shop) (string, error) {
		cart, err := s.View(ctx, 1)
		if err != nil {
			return "", err
		}
		if err := s.Redis.HSet(ctx, "cart:7", "1", cart.Price).Err(); err != nil {
			return "", err
		}
		paid, err := s.Products.Checkout(ctx, 1)
		if err != nil {
			return "500 " + err.Error(), nil
		}
		return fmt.Sprintf("%d in the cart, %d paid", cart.Price, paid), nil
	}}
	sameprice := sim.Property{Name: "what is in the cart is paid", Violation: func(v sim.View) string {
		var cart, paid int
		if n, _ := fmt.Sscanf(v.Results[0], "%d in the cart, %d paid", &cart, &paid); n == 2 && cart != paid {
			return v.Results[0]
		}
		return ""
	}}
	w := newWorld(t, sqlite.WAL)
	if got := w.check(sameprice, w.apart(shopping, discount)...).violated("customer:5,discount:2,customer:4"); got != "9900 in the cart, 7900 paid" {
		t.Error(got)
	}

	admin := operation{"admin", func(ctx context.Context, s *Shop) (string, error) {
		if err := s.Discount(ctx, 1, 7900); err != nil {
			return "", err
		}
		p, err := s.View(ctx, 1)
		return fmt.Sprint(p.Price), err
	}}
	own := sim.Property{Name: "the admin reads what it wrote", Violation: func(v sim.View) string {
		if r := v.Results[0]; r != "" && r != "7900" {
			return "reads " + r
		}
		return ""
	}}
	always := own
	always.Always = true
	for _, property := range []sim.Property{own, always} {
		w = newWorld(t, sqlite.InMemory)
		if got := w.check(property, w.apart(admin, view)...).violated("view:2,admin:2,view:1,admin:1"); got != "reads 9900" {
			t.Error(got)
		}
	}
}

// TestPipeline: others get in between the commands of a pipeline, but not into MULTI.
func TestPipeline(t *testing.T) {
	both := sim.Property{Name: "both or none", Violation: func(v sim.View) string {
		if r := v.Results[1]; strings.Count(r, "nil") == 1 {
			return r
		}
		return ""
	}}
	read := operation{"read", func(ctx context.Context, s *Shop) (string, error) {
		values, err := s.Redis.MGet(ctx, "price", "stock").Result()
		return fmt.Sprintf("%v and %v", values[0], values[1]), err
	}}
	set := func(p goredis.Pipeliner) error {
		p.Set(context.Background(), "price", 1, 0)
		return p.Set(context.Background(), "stock", 1, 0).Err()
	}
	w := newWorld(t, sqlite.InMemory)
	w.check(both, w.apart(try("write", func(ctx context.Context, s *Shop) error {
		_, err := s.Redis.Pipelined(ctx, set)
		return err
	}), read)...).violated("write:1,read:1,write:1")
	w = newWorld(t, sqlite.InMemory)
	w.check(both, w.apart(try("write", func(ctx context.Context, s *Shop) error {
		_, err := s.Redis.TxPipelined(ctx, set)
		return err
	}), read)...).holds(2)
}

// TestReserve counts what is left by WATCH and MULTI.
func TestReserve(t *testing.T) {
	w := newWorldWith(t, redis.Options{Setup: [][]string{{"SET", "stock:1", "1"}}}, sqlite.Options{})
	reserve := func(name string) operation {
		return status(name, func(ctx context.Context, s *Shop) error { return s.Reserve(ctx, 1) })
	}
	one := sim.Property{Name: "one gets it", Labelled: true, Violation: func(v sim.View) string {
		if v.Results[0] == v.Results[1] || v.Results[0]+v.Results[1] != "200409" && v.Results[0]+v.Results[1] != "409200" {
			return fmt.Sprint(v.Results)
		}
		return ""
	}}
	w.check(one, w.apart(reserve("a"), reserve("b"))...).holds(20)
}

// TestFaults: whoever takes the invalidation for best effort serves the old price.
func TestFaults(t *testing.T) {
	w := newWorldWith(t, redis.Options{Setup: [][]string{{"SET", "product:1", `{"id":1,"price":9900,"stock":1}`}}}, sqlite.Options{Setup: []string{
		"CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER, stock INTEGER)", "INSERT INTO products VALUES (1, 9900, 1)"}})
	sys := w.system(coherent, w.apart(try("discount", func(ctx context.Context, s *Shop) error { return s.DiscountAnyway(ctx, 1, 7900) }))...)
	sys.Faults = sim.Faults{sim.LostRequest: 1}
	check(t, sys, explore.ProductOptions{}).violated("discount:1,discount!lost-request")
}

// TestBreaker opens after more than five failures in a row.
func TestBreaker(t *testing.T) {
	closed := sim.Property{Name: "closed", Violation: func(v sim.View) string {
		if v.Results[0] == "open" {
			return "the breaker is open"
		}
		return ""
	}}
	for views, schedule := range map[int]string{5: "", 6: "!outage,views:12,!recovery"} {
		w := newWorld(t, sqlite.InMemory)
		sys := w.system(closed, w.apart(operation{"views", func(ctx context.Context, s *Shop) (string, error) {
			for range views {
				if _, err := s.ViewBroken(ctx, 1); err != nil {
					return "", err
				}
			}
			return s.breaker.State().String(), nil
		}})...)
		sys.Faults = sim.Faults{sim.Outage: 1}
		if f := check(t, sys, explore.ProductOptions{}); schedule == "" {
			f.verdict(explore.Holds)
		} else {
			f.violated(schedule)
		}
	}
}
