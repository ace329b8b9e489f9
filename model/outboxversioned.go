package model

import (
	"context"
	"database/sql"
	"errors"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "outbox-versioned",
		Group:    LocalCaches,
		Summary:  "read: as versioned; write: BEGIN, UPDATE with version + 1, INSERT into the outbox, COMMIT; one relay: SELECT the oldest entry, SELECT the row, store it by the script that keeps the newer version, DELETE the entry",
		Claim:    "no lost invalidation, and the last version wins",
		Promises: true,
		Mode:     sqlite.WAL,
		Tables:   []string{createOutbox},
		TTL:      productTTL,
		New:      func(d Deps) Service { return outboxVersioned{versioned{newNaive(d)}} },
	})
}

type outboxVersioned struct{ versioned }

func (s outboxVersioned) Write(ctx context.Context, id, price int64) error {
	return transact(ctx, s.db, nil, func(tx *sql.Tx) error {
		if err := updateVersion(ctx, tx, id, price); err != nil {
			return err
		}
		return putOut(ctx, tx, id)
	})
}

// Background returns the relay.
func (s outboxVersioned) Background() []Background { return []Background{relay(s.db, s.refresh)} }

func (s outboxVersioned) refresh(ctx context.Context, id int64) error {
	p, err := selectProduct(ctx, s.db, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // of an UPDATE before the product was there
	}
	if err != nil {
		return err
	}
	return s.storeNewer(ctx, p)
}
