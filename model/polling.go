package model

import "context"

func init() {
	register(Strategy{
		Name:    "polling",
		Group:   LocalCaches,
		Summary: "read: local cache, on a miss SELECT; write: UPDATE with version + 1; a poller on every server SELECTs the versions, twice, and drops what has changed",
		Claim:   "simplest, wasteful, late",
		New:     func(d Deps) Service { return polling{newLocalCache(d)} },
	})
}

type polling struct{ localCache }

func (s polling) Write(ctx context.Context, id, price int64) error {
	return updateVersion(ctx, s.db, id, price)
}

// Background returns the poller. A poller that never ends would never leave the
// servers at rest, so it has two rounds: what changes after them is not noticed.
func (s polling) Background() []Background {
	return []Background{{Name: "poller", Rounds: 2, Round: s.poll}}
}

func (s polling) poll(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "SELECT product_id, version FROM products")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, version int64
		if err := rows.Scan(&id, &version); err != nil {
			return err
		}
		if p, ok := s.products[id]; ok && p.Version != version {
			delete(s.products, id)
		}
	}
	return rows.Err()
}
