package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:     "counter-atomic",
		Group:    DatabaseRaces,
		Summary:  "UPDATE value = value + 1",
		Claim:    "one statement loses nothing",
		Promises: true,
		Race:     counterRace(counterAtomic),
	})
}

func counterAtomic(ctx context.Context, db *sql.DB, _ int) (string, error) {
	_, err := db.ExecContext(ctx, "UPDATE counters SET value = value + 1 WHERE id = 1")
	return toldCounted, err
}
