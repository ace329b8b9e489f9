package model

import (
	"context"
	"database/sql"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "counter-serializable",
		Group:    DatabaseRaces,
		Summary:  "BEGIN, SELECT the value, UPDATE it to what was read plus 1, COMMIT, in a database that locks what was read (a rollback journal)",
		Claim:    "the strictest isolation needs no other care",
		Promises: true,
		Mode:     sqlite.Rollback,
		Race:     counterRace(counterSerializable),
	})
}

// counterSerializable loses nothing, but two that have both read wait for each
// other for ever. A server would end one of them, who has to try again.
func counterSerializable(ctx context.Context, db *sql.DB, _ int) (string, error) {
	return toldCounted, countInTransaction(ctx, db, &sql.TxOptions{Isolation: sql.LevelSerializable})
}
