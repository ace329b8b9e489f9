package model

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	lockLease = 10 * time.Second
	lockPause = time.Second // between two tries
	lockTries = 2
)

// errGaveUp is what the caller of an operation gets that has waited long enough, and
// has changed nothing.
var errGaveUp = errors.New("gave up")

// A mutex is the lock of one product in Redis: SET NX PX with a token, which is
// compared before it is deleted
// (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/). The
// tokens are counted, so each is larger than the one before; they are unique as long
// as their counter is there.
type mutex struct {
	cache *redis.Client
	clock Clock
	pause time.Duration
}

func newMutex(d Deps) mutex { return mutex{d.Cache, d.Clock, d.Delay} }

// acquireLock answers with a new token, which then is KEYS[1] for ARGV[1]
// milliseconds, or with "" if one is there. KEYS[2] counts the tokens.
var acquireLock = redis.NewScript(`-- lock
if redis.call('EXISTS', KEYS[1]) == 1 then
	return ''
end
local token = tostring(redis.call('INCR', KEYS[2]))
redis.call('SET', KEYS[1], token, 'NX', 'PX', ARGV[1])
return token`)

// releaseLock deletes KEYS[1] if it is still the token ARGV[1].
var releaseLock = redis.NewScript(`-- unlock
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('DEL', KEYS[1])`)

func lockKey(id int64) string { return productKey(id) + ":lock" }

// try returns the token of the lock, and "" if another task holds it.
func (m mutex) try(ctx context.Context, id int64) (token string, err error) {
	return acquireLock.Eval(ctx, m.cache, []string{lockKey(id), "tokens"}, lockLease.Milliseconds()).Text()
}

// acquire returns the token of the lock. It tries some times and pauses between them;
// then it returns errGaveUp.
func (m mutex) acquire(ctx context.Context, id int64) (token string, err error) {
	for n := range lockTries {
		if n > 0 {
			m.clock.Sleep(m.pause)
		}
		if token, err = m.try(ctx, id); err != nil || token != "" {
			return token, err
		}
	}
	return "", errGaveUp
}

func (m mutex) release(ctx context.Context, id int64, token string) error {
	return releaseLock.Eval(ctx, m.cache, []string{lockKey(id)}, token).Err()
}
