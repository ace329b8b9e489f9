package model

import "context"

func init() {
	register(Strategy{
		Name:     "event-bus",
		Group:    LocalCaches,
		Summary:  "read: local cache, on a miss SELECT; write: UPDATE, then publish to the subscribers in the same process, which drop the local entry",
		Claim:    "the next request bypasses the cache and fetches fresh data",
		Promises: true,
		New: func(d Deps) Service {
			s := &eventBus{localCache: newLocalCache(d)}
			s.changed.subscribe(func(id int64) { delete(s.products, id) })
			return s
		},
	})
}

type eventBus struct {
	localCache
	changed bus
}

func (s *eventBus) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	s.changed.publish(id)
	return nil
}

// A bus hands the ID of a product to its subscribers at once.
type bus struct{ subscribers []func(id int64) }

func (b *bus) subscribe(f func(id int64)) { b.subscribers = append(b.subscribers, f) }

func (b *bus) publish(id int64) {
	for _, f := range b.subscribers {
		f(id)
	}
}
