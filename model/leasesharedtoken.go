package model

import "time"

import ()

func init() {
	register(Strategy{
		Name:     "lease-shared-token",
		Group:    VersionsAndLeases,
		Summary:  "as lease, but every request has the same token",
		Claim:    "only the reader that holds the token fills the cache",
		Promises: true,
		TTL:      productTTL,
		TTLs:     []time.Duration{tokenTTL},
		New:      func(d Deps) Service { return lease{cacheAside{newNaive(d)}, leaseGet("'shop'")} },
	})
}
