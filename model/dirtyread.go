package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:    "dirty-read",
		Group:   DatabaseRaces,
		Summary: "worker 1: BEGIN, UPDATE, ROLLBACK; the others: BEGIN at READ UNCOMMITTED, SELECT, COMMIT",
		Claim:   "may see what is never committed",
		Mode:    sqlite.SharedCache,
		Race:    readRace(sql.LevelReadUncommitted),
	})
}

// readRace is about the value that workers read while the first of them changes
// it and changes its mind.
func readRace(level sql.IsolationLevel) *Race {
	race := counterRace(func(ctx context.Context, db *sql.DB, worker int) (told string, err error) {
		if worker == 1 {
			return toldRolledBack, changeAndRollBack(ctx, db)
		}
		err = transact(ctx, db, &sql.TxOptions{Isolation: level}, func(tx *sql.Tx) error {
			var n int64
			err := tx.QueryRowContext(ctx, "SELECT value FROM counters WHERE id = 1").Scan(&n)
			told = fmt.Sprint(toldRead, n)
			return err
		})
		return told, err
	})
	race.Property = "no-dirty-read"
	race.Numbered = true
	return race
}

func changeAndRollBack(ctx context.Context, db *sql.DB) error {
	errMind := errors.New("changed my mind")
	err := transact(ctx, db, nil, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE counters SET value = 1 WHERE id = 1"); err != nil {
			return err
		}
		return errMind
	})
	if errors.Is(err, errMind) {
		return nil
	}
	return err
}
