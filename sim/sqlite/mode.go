package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
)

// A Mode says where the database is, and so what transactions see of each other.
type Mode int

const (
	// InMemory has no transactions: BEGIN is refused. It is the quickest.
	InMemory Mode = iota

	// WAL is a file with a write-ahead log (https://sqlite.org/wal.html). A
	// transaction sees a snapshot, which is taken when it first reads or writes. A
	// reader waits for nobody. There is one writer at a time: the others wait for it
	// to end. To write after a commit that the snapshot does not show is the error
	// SQLITE_BUSY_SNAPSHOT.
	WAL

	// Rollback is a file with a rollback journal
	// (https://sqlite.org/lockingv3.html). What a transaction has read nobody
	// commits a change of before it ends: COMMIT waits for all that have read, and
	// two transactions that have read and want to write wait for each other. In
	// SQLite a COMMIT that waits keeps new readers out; here it does not.
	Rollback

	// SharedCache is a database in memory whose connections share one cache
	// (https://sqlite.org/sharedcache.html), with PRAGMA read_uncommitted=1 on all
	// of them: every transaction and every single statement sees what others have
	// not committed yet. There is one writer at a time.
	SharedCache
)

// String returns the name of the constant.
func (m Mode) String() string {
	switch m {
	case InMemory:
		return "InMemory"
	case WAL:
		return "WAL"
	case Rollback:
		return "Rollback"
	case SharedCache:
		return "SharedCache"
	}
	return fmt.Sprintf("Mode(%d)", int(m))
}

// memoryBacked is a directory that is in memory where the system has it.
const memoryBacked = "/dev/shm"

// shared numbers the databases with a shared cache: their names belong to the
// whole program.
var shared atomic.Int64

// place makes room for the database and returns the name under which SQLite opens
// it. dir is the directory to remove afterwards, "" if there is none.
func (m Mode) place() (dsn, dir string, err error) {
	query := url.Values{"_busy_timeout": {"0"}, "_synchronous": {"OFF"}}
	switch m {
	case WAL:
		query.Set("_journal_mode", "WAL")
	case Rollback:
		query.Set("_journal_mode", "DELETE")
	case SharedCache:
		query.Set("mode", "memory")
		query.Set("cache", "shared")
		name := fmt.Sprintf("quiesce-%d", shared.Add(1))
		return "file:" + name + "?" + query.Encode(), "", nil
	default:
		return "", "", fmt.Errorf("there is no %v", m)
	}
	if dir, err = os.MkdirTemp(memoryBacked, "quiesce-"); err != nil {
		if dir, err = os.MkdirTemp("", "quiesce-"); err != nil {
			return "", "", err
		}
	}
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(filepath.Join(dir, "db")), RawQuery: query.Encode()}
	return file.String(), dir, nil
}

// openPlace opens the database of a mode with transactions. What the setup has
// made is copied into it.
func (s *Store) openPlace() (err error) {
	if s.dsn, s.dir, err = s.mode.place(); err != nil {
		return err
	}
	if s.own, err = s.join(); err != nil {
		return err
	}
	if err := s.restore(); err != nil {
		return err
	}
	s.auto, err = s.join()
	return err
}

// join opens one more connection to the database.
func (s *Store) join() (*connection, error) {
	c, err := s.connect(s.dsn)
	if err != nil {
		return nil, err
	}
	// Without a spill of its cache a transaction needs no further lock before
	// COMMIT, and it writes nothing into the log before.
	pragmas := `PRAGMA cache_spill=0;`
	if s.enforce {
		pragmas += `PRAGMA foreign_keys=ON;`
	}
	if s.mode == SharedCache {
		pragmas += `PRAGMA read_uncommitted=1;`
	}
	if _, err := c.Exec(pragmas, nil); err != nil {
		return nil, err
	}
	return c, s.furnish(c)
}

// restore makes the database what it was after the setup, byte for byte, apart
// from the counter by which the connections notice.
func (s *Store) restore() error {
	b, err := s.own.Backup("main", s.pristine.SQLiteConn, "main")
	if err != nil {
		return err
	}
	done, err := b.Step(-1)
	if err := errors.Join(err, b.Finish()); err != nil {
		return err
	}
	if !done {
		return errors.New("the database could not be restored: it is locked")
	}
	return nil
}
