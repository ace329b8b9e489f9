package model

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:    "event-stream",
		Group:   LocalCaches,
		Summary: "read: as naive; write: UPDATE, then XADD to a stream; one consumer: XREADGROUP, DEL, XACK",
		Claim:   "decoupled; scales to many caches",
		TTL:     productTTL,
		New:     func(d Deps) Service { return eventStream{newNaive(d)} },
	})
}

type eventStream struct{ naive }

// The one consumer and its group.
const (
	consumerGroup = "caches"
	consumerName  = "consumer"
)

func (s eventStream) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	return s.cache.XAdd(ctx, &redis.XAddArgs{Stream: changes, Values: []any{"id", id}}).Err()
}

// Background returns the consumer. There is one for all servers, since all that it
// keeps in step is the cache that they share; consumers of one group would divide
// the entries among them.
func (s eventStream) Background() []Background { return []Background{s.consumer(s.del)} }

// consumer returns one that has handle do something about every change.
func (s eventStream) consumer(handle func(ctx context.Context, id int64) error) Background {
	const unacknowledged, fresh = "0", ">"
	from := unacknowledged // which it has got in an earlier life
	return Background{Name: consumerName, Apart: true, Boot: s.group, Round: func(ctx context.Context) error {
		err := s.consume(ctx, from, handle)
		from = fresh
		if err != nil {
			from = unacknowledged // which it has got before the error
		}
		return err
	}}
}

// group makes the group, unless it is there.
func (s eventStream) group(ctx context.Context) error {
	err := s.cache.XGroupCreateMkStream(ctx, changes, consumerGroup, "0").Err()
	if redis.HasErrorPrefix(err, "BUSYGROUP") {
		return nil
	}
	return err
}

// consume handles the entries that XREADGROUP has from that ID on.
func (s eventStream) consume(ctx context.Context, from string, handle func(ctx context.Context, id int64) error) error {
	args := redis.XReadGroupArgs{Group: consumerGroup, Consumer: consumerName, Streams: []string{changes, from}}
	if from != ">" {
		args.Block = -1 // what is pending is there or not
	}
	streams, err := s.cache.XReadGroup(ctx, &args).Result()
	if redis.HasErrorPrefix(err, "NOGROUP") {
		return s.group(ctx) // the stream was evicted
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for _, stream := range streams {
		for _, m := range stream.Messages {
			id, err := strconv.ParseInt(fmt.Sprint(m.Values["id"]), 10, 64)
			if err != nil {
				return err
			}
			if err := handle(ctx, id); err != nil {
				return err
			}
			if err := s.cache.XAck(ctx, changes, consumerGroup, m.ID).Err(); err != nil {
				return err
			}
		}
	}
	return nil
}
