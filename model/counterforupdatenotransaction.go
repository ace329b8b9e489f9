package model

import (
	"context"
	"database/sql"

	"quiesce/sim/sqlite"
)

func init() {
	race := counterRace(counterForUpdateNoTransaction)
	race.Immediate = true
	register(Strategy{
		Name:     "counter-for-update-no-transaction",
		Group:    DatabaseRaces,
		Summary:  "SELECT ... FOR UPDATE that commits by itself: BEGIN with the lock, SELECT the value, COMMIT; then UPDATE it to what was read plus 1",
		Claim:    "the row is locked, so nobody else changes it",
		Promises: true,
		Mode:     sqlite.WAL,
		Race:     race,
	})
}

func counterForUpdateNoTransaction(ctx context.Context, db *sql.DB, _ int) (string, error) {
	var n int64
	err := transact(ctx, db, nil, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT value FROM counters WHERE id = 1").Scan(&n)
	})
	if err != nil {
		return "", err
	}
	_, err = db.ExecContext(ctx, "UPDATE counters SET value = ? WHERE id = 1", n+1)
	return toldCounted, err
}
