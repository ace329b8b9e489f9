package model

import (
	"context"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "versioned",
		Group:    VersionsAndLeases,
		Summary:  "read: GET, on a miss SELECT; write: UPDATE with version + 1; both store by a script that keeps the newer version",
		Claim:    "last version wins",
		Promises: true,
		TTL:      productTTL,
		New:      func(d Deps) Service { return versioned{newNaive(d)} },
	})
}

type versioned struct{ naive }

// storeNewer stores the product ARGV[1], with a TTL unless ARGV[2] is 0
// milliseconds, if the cache holds no newer version of it.
var storeNewer = redis.NewScript(`-- store-newer
local cached = redis.call('GET', KEYS[1])
if cached and cjson.decode(cached).version > cjson.decode(ARGV[1]).version then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1`)

func (s versioned) Read(ctx context.Context, id int64) (Product, error) {
	return s.readThrough(ctx, id, s.storeNewer)
}

func (s versioned) Write(ctx context.Context, id, price int64) error {
	query, args := setting(ctx, id, price, countVersion)
	p, err := scanProduct(s.db.QueryRowContext(ctx, query+" RETURNING "+columns, args...))
	if err != nil {
		return err
	}
	return s.storeNewer(ctx, p)
}

func (s versioned) storeNewer(ctx context.Context, p Product) error {
	return storeNewer.Eval(ctx, s.cache, []string{productKey(p.ID)}, encode(p), s.ttl.Milliseconds()).Err()
}
