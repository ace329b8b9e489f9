package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:     "stock-naive",
		Group:    DatabaseRaces,
		Summary:  "SELECT the stock; if there is some UPDATE stock = stock - 1",
		Claim:    "the check keeps the stock from being oversold",
		Promises: true,
		Race:     stockRace(stockNaive),
	})
}

func stockNaive(ctx context.Context, db *sql.DB, _ int) (string, error) {
	var left int64
	if err := db.QueryRowContext(ctx, "SELECT stock FROM stock WHERE id = 1").Scan(&left); err != nil {
		return "", err
	}
	if left <= 0 {
		return toldSoldOut, nil
	}
	_, err := db.ExecContext(ctx, "UPDATE stock SET stock = stock - 1 WHERE id = 1")
	return toldSold, err
}
