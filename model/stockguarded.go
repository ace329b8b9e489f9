package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:     "stock-guarded",
		Group:    DatabaseRaces,
		Summary:  "UPDATE stock = stock - 1 where stock > 0",
		Claim:    "the guard is in the statement",
		Promises: true,
		Race:     stockRace(stockGuarded),
	})
}

func stockGuarded(ctx context.Context, db *sql.DB, _ int) (string, error) {
	r, err := db.ExecContext(ctx, "UPDATE stock SET stock = stock - 1 WHERE id = 1 AND stock > 0")
	if err != nil {
		return "", err
	}
	if changed, err := r.RowsAffected(); err != nil || changed == 0 {
		return toldSoldOut, err
	}
	return toldSold, nil
}
