package model

import (
	"context"
	"database/sql"
)

// localCache keeps products in the memory of its server and nowhere else. Its
// Read is that of every strategy which does so.
type localCache struct {
	db       *sql.DB
	products map[int64]Product
}

func newLocalCache(d Deps) localCache { return localCache{d.DB, map[int64]Product{}} }

// Local returns the cache itself.
func (s localCache) Local() map[int64]Product { return s.products }

func (s localCache) Read(ctx context.Context, id int64) (Product, error) {
	if p, ok := s.products[id]; ok {
		return p, nil
	}
	p, err := selectProduct(ctx, s.db, id)
	if err == nil {
		s.products[id] = p
	}
	return p, err
}
