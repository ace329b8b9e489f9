package model

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "local-pubsub",
		Group:    LocalCaches,
		Summary:  "read: local cache, then as naive; write: UPDATE, drop the own local entry, DEL, PUBLISH; a listener on every server drops the local entry on a message",
		Claim:    "keeps the local caches of all servers in step",
		Promises: true,
		TTL:      productTTL,
		New: func(d Deps) Service {
			return &localPubSub{cacheAside: cacheAside{newNaive(d)}, products: map[int64]Product{}}
		},
	})
}

// changes is the channel, or the stream, on which the ID of a product is sent that
// has changed.
const changes = "changes"

type localPubSub struct {
	cacheAside
	products map[int64]Product
	messages *redis.PubSub
}

// Local returns the local cache.
func (s *localPubSub) Local() map[int64]Product { return s.products }

func (s *localPubSub) Read(ctx context.Context, id int64) (Product, error) {
	if p, ok := s.products[id]; ok {
		return p, nil
	}
	p, err := s.cacheAside.Read(ctx, id)
	if err == nil {
		s.products[id] = p
	}
	return p, err
}

func (s *localPubSub) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	delete(s.products, id)
	if err := s.del(ctx, id); err != nil {
		return err
	}
	return s.cache.Publish(ctx, changes, id).Err()
}

// Background returns the listener, which is subscribed before any server serves.
func (s *localPubSub) Background() []Background {
	return []Background{{Name: "listener", Boot: s.subscribe, Round: s.listen}}
}

// subscribe leaves no subscription behind if it fails: whoever tries again makes a new
// one, and nobody would read what the old one gets, which go-redis makes again.
func (s *localPubSub) subscribe(ctx context.Context) error {
	s.messages = s.cache.Subscribe(ctx, changes)
	_, err := s.messages.Receive(ctx)
	if err != nil {
		s.messages.Close()
	}
	return err
}

// listen drops what has changed. When the subscription has failed, go-redis makes it
// again by the next Receive; what was published meanwhile is unknown, so all is dropped.
func (s *localPubSub) listen(ctx context.Context) error {
	m, err := s.messages.Receive(ctx)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *redis.Subscription:
		clear(s.products)
	case *redis.Message:
		id, err := strconv.ParseInt(m.Payload, 10, 64)
		if err != nil {
			return err
		}
		delete(s.products, id)
	}
	return nil
}
