// Package model holds what is explored: the strategies by which a service keeps
// a cache beside its database, the workloads that are put on them, and the
// properties that are asked of them.
//
// A strategy is one file. It is written as a production service would be, over
// a *redis.Client and a *sql.DB, and contains no scheduler call; it registers
// itself, so that a new strategy needs nothing else.
package model
