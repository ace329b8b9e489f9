package model

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "lock-fenced",
		Group:    TimeAndFaults,
		Summary:  "as lock, whose token counts up and is a fence: reader and writer leave it in the row and change nothing there if a newer one is there, and so do the scripts that SET and DEL in the cache",
		Claim:    "a fence makes a lock safe whose lease has run out",
		Promises: true,
		TTL:      productTTL,
		TTLs:     []time.Duration{lockLease},
		Delay:    lockPause,
		Tables:   []string{"ALTER TABLE products ADD COLUMN fence INTEGER NOT NULL DEFAULT 0"},
		New:      func(d Deps) Service { return lockFenced{newNaive(d), newMutex(d)} },
	})
}

// lockFenced has fencing tokens (Kleppmann, How to do distributed locking, 2016).
//
// A reader leaves its fence in the row as well. If it only looked, a writer with an
// older fence could come between its SELECT and its SET: the database has not seen
// the newer fence, and the cache takes the row of the reader, since its fence is the
// newest.
type lockFenced struct {
	naive
	mutex mutex
}

// fencedSet stores the product ARGV[2] as KEYS[1], with a TTL unless ARGV[3] is 0
// milliseconds, if no fence newer than ARGV[1] was seen, which is KEYS[2].
var fencedSet = redis.NewScript(`-- fenced-set
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[1]) then
	return 0
end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[3] ~= '0' then
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1`)

// fencedDel deletes KEYS[1], whatever was seen, and keeps the fence ARGV[1] as
// KEYS[2] if it is the newest.
var fencedDel = redis.NewScript(`-- fenced-del
if tonumber(redis.call('GET', KEYS[2]) or '0') < tonumber(ARGV[1]) then
	redis.call('SET', KEYS[2], ARGV[1])
end
return redis.call('DEL', KEYS[1])`)

func (s lockFenced) keys(id int64) []string {
	return []string{productKey(id), productKey(id) + ":fence"}
}

func (s lockFenced) Read(ctx context.Context, id int64) (Product, error) {
	p, err := s.get(ctx, id)
	if !errors.Is(err, redis.Nil) {
		return p, err
	}
	fence, err := s.mutex.acquire(ctx, id)
	switch {
	case errors.Is(err, errGaveUp):
		return selectProduct(ctx, s.db, id)
	case err != nil:
		return Product{}, err
	}
	if p, err = s.get(ctx, id); errors.Is(err, redis.Nil) {
		p, err = s.load(ctx, id, fence)
	}
	return p, errors.Join(err, s.mutex.release(ctx, id, fence))
}

// load takes the row, leaves the fence in it, and fills the cache. Where a newer fence
// is, the lock is lost, and it only takes the row.
func (s lockFenced) load(ctx context.Context, id int64, fence string) (Product, error) {
	p, err := scanProduct(s.db.QueryRowContext(ctx,
		"UPDATE products SET fence = ? WHERE product_id = ? AND fence < ? RETURNING "+columns, fence, id, fence))
	if errors.Is(err, sql.ErrNoRows) {
		return selectProduct(ctx, s.db, id)
	}
	if err != nil {
		return p, err
	}
	return p, fencedSet.Eval(ctx, s.cache, s.keys(id), fence, encode(p), s.ttl.Milliseconds()).Err()
}

func (s lockFenced) Write(ctx context.Context, id, price int64) error {
	fence, err := s.mutex.acquire(ctx, id)
	if err != nil {
		return err
	}
	err = s.update(ctx, id, price, fence)
	return errors.Join(err, s.mutex.release(ctx, id, fence))
}

func (s lockFenced) update(ctx context.Context, id, price int64, fence string) error {
	query, args := "UPDATE products SET price = ?, updated_at = CURRENT_TIMESTAMP, fence = ? WHERE product_id = ? AND fence < ?", []any{price, fence, id, fence}
	if creates(ctx) {
		query, args = "INSERT INTO products (product_id, name, price, stock, fence) VALUES (?, 'Desk lamp', ?, 7, ?) ON CONFLICT (product_id) DO UPDATE SET price = excluded.price, fence = excluded.fence WHERE fence < excluded.fence", []any{id, price, fence}
	}
	done, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errGaveUp)
	}
	return fencedDel.Eval(ctx, s.cache, s.keys(id), fence).Err()
}
