package model

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "lease",
		Group:    VersionsAndLeases,
		Summary:  "read: a script returns the product, or a new token if none is out; with a token SELECT, and a script stores if the token is still out, without one only SELECT; write: UPDATE, then DEL product and token",
		Claim:    "a reader whose token was taken back by a write cannot fill the cache",
		Promises: true,
		TTL:      productTTL,
		TTLs:     []time.Duration{tokenTTL},
		New:      func(d Deps) Service { return lease{cacheAside{newNaive(d)}, leaseGet("redis.call('INCR', KEYS[3])")} },
	})
}

// lease is the lease of memcache (Nishtala et al., Scaling Memcache at Facebook,
// NSDI 2013, section 3.2.1). There a reader that finds a token out waits a moment
// and asks again; here it takes the row and leaves the cache to the other. Tokens
// are unique as long as their counter is there: if it can be evicted, a token may
// be given out twice, and that is lease-shared-token.
type lease struct {
	cacheAside
	acquire *redis.Script
}

// leaseGet returns a script that answers with the cached product KEYS[1] and no
// token, or with a token, which is then out as KEYS[2] for ARGV[1] milliseconds,
// or with neither. KEYS[3] counts the tokens.
func leaseGet(token string) *redis.Script {
	return redis.NewScript(strings.ReplaceAll(`-- lease-get
local cached = redis.call('GET', KEYS[1])
if cached then
	return {cached, ''}
end
if redis.call('EXISTS', KEYS[2]) == 1 then
	return {'', ''}
end
local token = tostring(NEW_TOKEN)
redis.call('SET', KEYS[2], token, 'PX', ARGV[1])
return {'', token}`, "NEW_TOKEN", token))
}

// leaseSet stores the product ARGV[1], with a TTL unless ARGV[2] is 0 milliseconds,
// if the token ARGV[3] is still out.
var leaseSet = redis.NewScript(`-- lease-set
if redis.call('GET', KEYS[2]) ~= ARGV[3] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('DEL', KEYS[2])
return 1`)

const tokenTTL = time.Minute

func tokenKey(id int64) string { return productKey(id) + ":token" }

func (s lease) Read(ctx context.Context, id int64) (Product, error) {
	keys := []string{productKey(id), tokenKey(id), "tokens"}
	got, err := s.acquire.Eval(ctx, s.cache, keys, tokenTTL.Milliseconds()).StringSlice()
	if err != nil {
		return Product{}, err
	}
	cached, token := got[0], got[1]
	if cached != "" {
		return decode(cached)
	}
	p, err := selectProduct(ctx, s.db, id)
	if err != nil || token == "" {
		return p, err
	}
	return p, leaseSet.Eval(ctx, s.cache, keys[:2], encode(p), s.ttl.Milliseconds(), token).Err()
}

func (s lease) Write(ctx context.Context, id, price int64) error {
	if err := updatePrice(ctx, s.db, id, price); err != nil {
		return err
	}
	return s.cache.Del(ctx, productKey(id), tokenKey(id)).Err()
}
