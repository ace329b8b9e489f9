package model

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const tombstoneTTL = 10 * time.Second

func init() {
	register(Strategy{
		Name:     "versioned-tombstone",
		Group:    TimeAndFaults,
		Summary:  "read: GET, on a miss SELECT, and a script stores unless a newer version or its tombstone is there; write: UPDATE with version + 1, then a script DELs and leaves a tombstone with the version for 10 s",
		Claim:    "a fill that is older than the last write finds its tombstone",
		Promises: true,
		TTL:      productTTL,
		TTLs:     []time.Duration{tombstoneTTL},
		New:      func(d Deps) Service { return versionedTombstone{newNaive(d)} },
	})
}

// versionedTombstone keeps the version of the last write beside the entry that it
// deletes, for as long as a fill may be on its way.
type versionedTombstone struct{ naive }

// storeUnlessDead stores the product ARGV[1] as KEYS[1], with a TTL unless ARGV[2] is
// 0 milliseconds, if the cache holds no newer version of it nor, as KEYS[2], the
// tombstone of one.
var storeUnlessDead = redis.NewScript(`-- store-unless-dead
local version = cjson.decode(ARGV[1]).version
local dead = redis.call('GET', KEYS[2])
if dead and tonumber(dead) > version then
	return 0
end
local cached = redis.call('GET', KEYS[1])
if cached and cjson.decode(cached).version > version then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1`)

// bury deletes KEYS[1] and leaves its version ARGV[1] as KEYS[2] for ARGV[2]
// milliseconds unless a newer one is there.
var bury = redis.NewScript(`-- bury
redis.call('DEL', KEYS[1])
local dead = redis.call('GET', KEYS[2])
if dead and tonumber(dead) > tonumber(ARGV[1]) then
	return 0
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1`)

func (s versionedTombstone) keys(id int64) []string {
	return []string{productKey(id), productKey(id) + ":tombstone"}
}

func (s versionedTombstone) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, func(ctx context.Context, p Product) error {
		return storeUnlessDead.Eval(ctx, s.cache, s.keys(id), encode(p), s.ttl.Milliseconds()).Err()
	})
}

func (s versionedTombstone) Write(ctx context.Context, id, price int64) error {
	query, args := setting(ctx, id, price, countVersion)
	var version int64
	err := s.db.QueryRowContext(ctx, query+" RETURNING version", args...).Scan(&version)
	if err != nil {
		return err
	}
	return bury.Eval(ctx, s.cache, s.keys(id), version, tombstoneTTL.Milliseconds()).Err()
}
