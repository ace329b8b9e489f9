package model

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:      "write-behind",
		Group:     TimeAndFaults,
		Summary:   "read: as naive; write: GET, on a miss SELECT, then SET and XADD to a queue in one block; a flusher takes an entry out of the queue, then UPDATE",
		Claim:     "fast writes",
		TTL:       productTTL,
		Deferred:  true,
		Uncreated: "what it queues is the new price of a row that is there",
		New:       func(d Deps) Service { return writeBehind{newNaive(d)} },
	})
}

const (
	writeQueue = "writes"
	flushers   = "flushers" // the consumer group of the queue
)

// writeBehind has a stream for a queue, since a read of it can wait, and reads it
// without acknowledgments: as with LPOP, what is taken out is gone.
type writeBehind struct{ naive }

func (s writeBehind) Write(ctx context.Context, id, price int64) error {
	p, err := s.get(ctx, id)
	if errors.Is(err, redis.Nil) {
		p, err = selectProduct(ctx, s.db, id)
	}
	if err != nil {
		return err
	}
	p.Price = price
	_, err = s.cache.TxPipelined(ctx, func(block redis.Pipeliner) error {
		block.Set(ctx, productKey(id), encode(p), s.ttl)
		block.XAdd(ctx, &redis.XAddArgs{Stream: writeQueue, Values: []any{"id", id, "price", price}})
		return nil
	})
	return err
}

// Background returns the flusher, one for all servers.
func (s writeBehind) Background() []Background {
	return []Background{{Name: "flusher", Apart: true, Boot: s.group, Round: s.flush}}
}

// group makes the consumer group, unless it is there.
func (s writeBehind) group(ctx context.Context) error {
	err := s.cache.XGroupCreateMkStream(ctx, writeQueue, flushers, "0").Err()
	if redis.HasErrorPrefix(err, "BUSYGROUP") {
		return nil
	}
	return err
}

func (s writeBehind) flush(ctx context.Context) error {
	streams, err := s.cache.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: flushers, Consumer: "flusher", Streams: []string{writeQueue, ">"}, Count: 1, NoAck: true,
	}).Result()
	if redis.HasErrorPrefix(err, "NOGROUP") {
		return s.group(ctx) // the queue was evicted
	}
	if err != nil {
		return err
	}
	entry := streams[0].Messages[0].Values
	id, err := strconv.ParseInt(entry["id"].(string), 10, 64)
	if err != nil {
		return err
	}
	price, err := strconv.ParseInt(entry["price"].(string), 10, 64)
	if err != nil {
		return err
	}
	return updatePrice(ctx, s.db, id, price)
}
