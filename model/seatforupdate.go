package model

import (
	"context"
	"database/sql"

	"quiesce/sim/sqlite"
)

func init() {
	race := seatRace(seatForUpdate)
	race.Immediate = true
	register(Strategy{
		Name:     "seat-for-update",
		Group:    DatabaseRaces,
		Summary:  "BEGIN with the lock (SELECT ... FOR UPDATE), SELECT whether the seat is booked, UPDATE it if it is free, COMMIT",
		Claim:    "who has the lock is alone with the seat",
		Promises: true,
		Mode:     sqlite.WAL,
		Race:     race,
	})
}

func seatForUpdate(ctx context.Context, db *sql.DB, worker int) (told string, err error) {
	err = transact(ctx, db, nil, func(tx *sql.Tx) error {
		var booked bool
		if err := tx.QueryRowContext(ctx, "SELECT booked FROM seats WHERE id = 1").Scan(&booked); err != nil {
			return err
		}
		if told = toldTaken; booked {
			return nil
		}
		told = toldBooked
		_, err := tx.ExecContext(ctx, "UPDATE seats SET booked = 1, booked_by = ? WHERE id = 1", worker)
		return err
	})
	return told, err
}
