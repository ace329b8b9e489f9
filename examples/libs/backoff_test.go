package libs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	goredis "github.com/redis/go-redis/v9"

	"quiesce"
)

// count counts a purchase, and does it again if that fails.
func count(ctx context.Context, cache *goredis.Client, pauses backoff.BackOff) error {
	_, err := backoff.Retry(ctx, func() (int64, error) { return cache.Incr(ctx, "sold").Result() }, backoff.WithBackOff(pauses), backoff.WithMaxTries(2))
	return err
}

// countOnce counts purchases by their numbers, so that to do it again changes nothing.
func countOnce(ctx context.Context, cache *goredis.Client, pauses backoff.BackOff) error {
	_, err := backoff.Retry(ctx, func() (int64, error) { return cache.SAdd(ctx, "sold", "order-7").Result() }, backoff.WithBackOff(pauses), backoff.WithMaxTries(2))
	return err
}

// TestBackoff does something again of which the reply was lost.
func TestBackoff(t *testing.T) {
	service := func(count func(context.Context, *goredis.Client, backoff.BackOff) error, want string) func(*quiesce.World) {
		return func(w *quiesce.World) {
			cache := w.Redis("cache")
			w.Faults = quiesce.Faults{quiesce.LostReply: 1}
			w.Server("shop", func(p *quiesce.Process) {
				client := cache.Client(p)
				p.Go("buy", func(ctx context.Context) error { return count(ctx, client, backoff.NewConstantBackOff(time.Second)) })
			})
			w.AtQuiescence("one is sold", func(v quiesce.View) error {
				if sold, _ := v.Redis("cache").String("sold"); sold != want {
					return fmt.Errorf("it is %s", sold)
				}
				return nil
			})
		}
	}
	violated(t, service(count, "1"), "it is 2", "buy!lost-reply")
	holds(t, "", service(countOnce, `{"order-7"}`))
}
