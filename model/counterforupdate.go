package model

import (
	"context"
	"database/sql"

	"quiesce/sim/sqlite"
)

func init() {
	race := counterRace(counterForUpdate)
	race.Immediate = true
	register(Strategy{
		Name:     "counter-for-update",
		Group:    DatabaseRaces,
		Summary:  "BEGIN with the lock (SELECT ... FOR UPDATE), SELECT the value, UPDATE it to what was read plus 1, COMMIT",
		Claim:    "who has the lock is alone with the row",
		Promises: true,
		Mode:     sqlite.WAL,
		Race:     race,
	})
}

func counterForUpdate(ctx context.Context, db *sql.DB, _ int) (string, error) {
	return toldCounted, countInTransaction(ctx, db, nil)
}

// countInTransaction counts in one transaction.
func countInTransaction(ctx context.Context, db *sql.DB, opts *sql.TxOptions) error {
	return transact(ctx, db, opts, func(tx *sql.Tx) error {
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT value FROM counters WHERE id = 1").Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE counters SET value = ? WHERE id = 1", n+1)
		return err
	})
}
