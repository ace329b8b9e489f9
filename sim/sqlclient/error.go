package sqlclient

import (
	"errors"
	"fmt"
	"os"

	"quiesce/sim"
)

// What a task gets for a statement that a fault has struck. The database has not
// executed it, or has executed it and nobody knows.
var (
	ErrDatabase = errors.New("database error (injected)")
	ErrNoAnswer = fmt.Errorf("no answer from the database (injected): %w", os.ErrDeadlineExceeded)
)

// failure returns the error of a request that a fault has struck, nil if none has.
func failure(reply sim.Reply) error {
	switch reply.Fault {
	case "":
		return nil
	case sim.RequestError:
		return ErrDatabase
	}
	return ErrNoAnswer
}

// An Error is one of the database as a task gets it, with the text of the original. It
// unwraps to an error of the own driver of the database, if the store knows one with its
// code. A type assertion to that does not work, since its text cannot be set from here.
type Error struct {
	Code string // in the form of the store
	Text string

	cause error
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return e.cause }
