package sqlite

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim/sqlclient"
)

// What a task gets for a statement that a fault has struck: see package sqlclient.
var (
	ErrDatabase = sqlclient.ErrDatabase
	ErrNoAnswer = sqlclient.ErrNoAnswer
)

// ErrSnapshot is what a transaction gets, as by errors.Is, that writes after a commit which
// its snapshot does not show: SQLITE_BUSY_SNAPSHOT. It stands for the error 40001 of
// PostgreSQL at REPEATABLE READ.
var ErrSnapshot error = sqlite3.Error{Code: sqlite3.ErrBusy, ExtendedCode: sqlite3.ErrBusySnapshot}

// appendError appends a reply that is an error of SQLite. Its code is both of those that
// SQLite has, as in "19 2067".
func appendError(b []byte, err error) []byte {
	code := ""
	var e sqlite3.Error
	if errors.As(err, &e) {
		code = fmt.Sprintf("%d %d", e.Code, e.ExtendedCode)
	}
	return sqlclient.AppendError(b, code, err.Error())
}

// cause returns the error of go-sqlite3 with a code, nil for "".
func cause(code string) error {
	var e sqlite3.Error
	if n, _ := fmt.Sscanf(code, "%d %d", &e.Code, &e.ExtendedCode); n < 2 {
		return nil
	}
	return e
}
