package model

import (
	"database/sql"

	"github.com/redis/go-redis/v9"
)

func init() {
	register(Strategy{
		Name:     "lease-shared-token",
		Group:    VersionsAndLeases,
		Summary:  "as lease, but every request has the same token",
		Claim:    "only the reader that holds the token fills the cache",
		Promises: true,
		New: func(cache *redis.Client, db *sql.DB) Service {
			return lease{cacheAside{newNaive(cache, db)}, leaseGet("'shop'")}
		},
	})
}
