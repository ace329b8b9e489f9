package libs

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"quiesce"
)

// enter adds a random token to those who are there, as libraries of locks do.
func enter(cache *goredis.Client) task {
	return func(ctx context.Context) error {
		added, err := cache.SAdd(ctx, "tokens", rand.Text()).Result()
		if err != nil || added == 1 {
			return err
		}
		return cache.Set(ctx, "twice", true, 0).Err()
	}
}

// TestTokens draws tokens on servers with the same code, on one and after a crash: none
// twice. Without the overlay it is an error that says so.
func TestTokens(t *testing.T) {
	service := func(servers int, faults quiesce.Faults) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache := w.Redis("cache")
			w.Faults = faults
			w.Servers("shop", servers, func(p *quiesce.Process) {
				p.Go("enter", enter(cache.Client(p)), quiesce.UpTo(2))
				p.Background("work", enter(cache.Client(p)))
			})
			w.AtQuiescence("no token comes twice", func(v quiesce.View) error {
				if v.Redis("cache").Exists("tokens") && v.Redis("cache").Exists("twice") {
					return errors.New("one does")
				}
				return nil
			}).Premise = func(v quiesce.View) bool { return v.Redis("cache").Exists("tokens") }
		}
	}
	if !active(t) {
		violated(t, service(1, nil), "is not deterministic", "go run quiesce/cmd/explore overlay DIR")
		return
	}
	holds(t, "", service(1, nil))
	holds(t, "", service(2, nil))
	holds(t, "", service(1, quiesce.Faults{quiesce.Crash: 1}))
}
