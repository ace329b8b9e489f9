package model

import (
	"context"
	"database/sql"
	"errors"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "outbox",
		Group:    LocalCaches,
		Summary:  "read: as naive; write: BEGIN, UPDATE, INSERT into the outbox, COMMIT; one relay: SELECT the oldest entry, DEL, DELETE the entry",
		Claim:    "no lost invalidation",
		Promises: true,
		Mode:     sqlite.WAL,
		Tables:   []string{createOutbox},
		TTL:      productTTL,
		New:      func(d Deps) Service { return outbox{newNaive(d)} },
	})
}

const createOutbox = "CREATE TABLE outbox (entry INTEGER PRIMARY KEY, product_id INTEGER NOT NULL)"

type outbox struct{ naive }

func (s outbox) Write(ctx context.Context, id, price int64) error {
	return transact(ctx, s.db, nil, func(tx *sql.Tx) error {
		if err := updatePrice(ctx, tx, id, price); err != nil {
			return err
		}
		return putOut(ctx, tx, id)
	})
}

// Background returns the relay.
func (s outbox) Background() []Background { return []Background{relay(s.db, s.del)} }

// putOut puts a change of the product into the outbox.
func putOut(ctx context.Context, tx *sql.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO outbox (product_id) VALUES (?)", id)
	return err
}

// relay has handle do something about every entry of the outbox, the oldest first,
// and then deletes it: if it ends in between, the entry is handled once more.
func relay(db *sql.DB, handle func(ctx context.Context, id int64) error) Background {
	return Background{Name: "relay", Apart: true, Polls: true, Round: func(ctx context.Context) error {
		var entry, id int64
		err := db.QueryRowContext(ctx, "SELECT entry, product_id FROM outbox ORDER BY entry LIMIT 1").Scan(&entry, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := handle(ctx, id); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, "DELETE FROM outbox WHERE entry = ?", entry)
		return err
	}}
}
