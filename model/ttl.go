package model

import "time"

const shortTTL = 5 * time.Second

func init() {
	register(Strategy{
		Name:    "ttl",
		Group:   TimeAndFaults,
		Summary: "read: GET, on a miss SELECT and SET with a TTL of 5 s; write: UPDATE only",
		Claim:   "refreshed within the TTL; staleness at most 1 to 5 s",
		TTL:     shortTTL,
		New:     func(d Deps) Service { return newNaive(d) },
	})
}
