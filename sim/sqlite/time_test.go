package sqlite

import (
	"errors"
	"testing"

	"quiesce/sim/sqlclient"
)

// While time passes a statement may write what time it is, and no more. A doubtful one
// is refused.
func TestTimeIsOnlyWritten(t *testing.T) {
	s := newStore(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, "until" TEXT, free INTEGER)`)
	s.SetTimed(true)
	for sql, refused := range map[string]bool{
		`INSERT INTO t (id) VALUES (1)`:                                                                false,
		`INSERT INTO t (id, at, "until") VALUES (2, CURRENT_TIMESTAMP, current_date)`:                  false,
		`UPDATE t SET at = CURRENT_TIMESTAMP, "until" = CURRENT_TIMESTAMP WHERE id = 1`:                false,
		`UPDATE t SET at = CURRENT_TIMESTAMP`:                                                          false,
		`SELECT at, "until" FROM t`:                                                                    false,
		`SELECT CURRENT_TIMESTAMP`:                                                                     true,
		`SELECT id FROM t WHERE at = CURRENT_TIMESTAMP`:                                                true,
		`SELECT id FROM t WHERE "until" < datetime('now')`:                                             true,
		`DELETE FROM t WHERE "until" < CURRENT_TIMESTAMP`:                                              true,
		`UPDATE t SET id = 3 WHERE "until" <= CURRENT_TIMESTAMP`:                                       true,
		`UPDATE t SET free = CURRENT_TIMESTAMP > "until"`:                                              true,
		`UPDATE t SET free = "until" < CURRENT_TIMESTAMP`:                                              true,
		`UPDATE t SET free = CASE WHEN "until" < CURRENT_TIMESTAMP THEN 1 END, at = CURRENT_TIMESTAMP`: true,
		`UPDATE t SET "until" = datetime('now', '+10 seconds')`:                                        true,
		`INSERT INTO t (id) SELECT 4 WHERE unixepoch() > 0`:                                            true,
	} {
		if _, err := do(s, sqlclient.Exec, sql); errors.Is(err, noTime) != refused || err != nil && !refused {
			t.Errorf("%s: %v", sql, err)
		}
	}
	s.SetTimed(false)
	if _, err := do(s, sqlclient.Query, `SELECT CURRENT_TIMESTAMP`); err != nil {
		t.Error(err)
	}
}
