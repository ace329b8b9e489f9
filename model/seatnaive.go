package model

import (
	"context"
	"database/sql"
)

func init() {
	register(Strategy{
		Name:     "seat-naive",
		Group:    DatabaseRaces,
		Summary:  "SELECT whether the seat is booked; if it is free UPDATE it",
		Claim:    "the check keeps a seat from being sold twice",
		Promises: true,
		Race:     seatRace(seatNaive),
	})
}

func seatNaive(ctx context.Context, db *sql.DB, worker int) (string, error) {
	var booked bool
	if err := db.QueryRowContext(ctx, "SELECT booked FROM seats WHERE id = 1").Scan(&booked); err != nil {
		return "", err
	}
	if booked {
		return toldTaken, nil
	}
	_, err := db.ExecContext(ctx, "UPDATE seats SET booked = 1, booked_by = ? WHERE id = 1", worker)
	return toldBooked, err
}
