package model

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "counter-snapshot",
		Group:    DatabaseRaces,
		Summary:  "BEGIN, SELECT the value, UPDATE it to what was read plus 1, COMMIT, on a snapshot (WAL); up to 3 tries if somebody has committed first",
		Claim:    "of two that have read the same, the first to commit wins and the other tries again",
		Promises: true,
		Mode:     sqlite.WAL,
		Race:     counterRace(counterSnapshot),
	})
}

func counterSnapshot(ctx context.Context, db *sql.DB, _ int) (string, error) {
	for range 3 {
		err := countInTransaction(ctx, db, &sql.TxOptions{Isolation: sql.LevelSnapshot})
		if !overtaken(err) {
			return toldCounted, err
		}
	}
	return toldGaveUp, nil
}

// overtaken says whether somebody has committed since the snapshot was taken.
func overtaken(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrBusySnapshot
}
