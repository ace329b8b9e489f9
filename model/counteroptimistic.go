package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:     "counter-optimistic",
		Group:    DatabaseRaces,
		Summary:  "SELECT value and version; UPDATE where the version is the same; up to 3 tries",
		Claim:    "a conflict is noticed and tried again",
		Promises: true,
		Race:     counterRace(counterOptimistic),
	})
}

func counterOptimistic(ctx context.Context, db *sql.DB, _ int) (string, error) {
	for range 3 {
		var n, version int64
		if err := db.QueryRowContext(ctx, "SELECT value, version FROM counters WHERE id = 1").Scan(&n, &version); err != nil {
			return "", err
		}
		r, err := db.ExecContext(ctx, "UPDATE counters SET value = ?, version = version + 1 WHERE id = 1 AND version = ?", n+1, version)
		if err != nil {
			return "", err
		}
		if changed, err := r.RowsAffected(); err != nil || changed == 1 {
			return toldCounted, err
		}
	}
	return toldGaveUp, nil
}
