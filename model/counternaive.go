package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:    "counter-naive",
		Group:   DatabaseRaces,
		Summary: "SELECT the value; UPDATE it to what was read plus 1",
		Claim:   "views are 3 to 7 of 10",
		Race:    counterRace(counterNaive),
	})
}

func counterNaive(ctx context.Context, db *sql.DB, _ int) (string, error) {
	var n int64
	if err := db.QueryRowContext(ctx, "SELECT value FROM counters WHERE id = 1").Scan(&n); err != nil {
		return "", err
	}
	_, err := db.ExecContext(ctx, "UPDATE counters SET value = ? WHERE id = 1", n+1)
	return toldCounted, err
}
