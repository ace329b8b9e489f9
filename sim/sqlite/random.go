package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/mattn/go-sqlite3"
)

// installRandom makes random and randomblob functions of a counter.
func (s *Store) installRandom(conn *sqlite3.SQLiteConn) error {
	if err := conn.RegisterFunc("random", func() int64 { return int64(s.draw()) }, false); err != nil {
		return err
	}
	blob := func(size any) ([]byte, error) {
		v, err := s.calc.eval("CAST(? AS INTEGER)", size)
		if err != nil {
			return nil, err
		}
		n, _ := v.(int64)
		if n > 1e9 {
			return nil, errors.New("string or blob too big")
		}
		n = max(n, 1)
		b := make([]byte, 0, n+8)
		for int64(len(b)) < n {
			b = binary.LittleEndian.AppendUint64(b, s.draw())
		}
		return b[:n], nil
	}
	return conn.RegisterFunc("randomblob", blob, false)
}

// draw returns the next number of SplitMix64 (Steele, Lea, Flood: Fast
// splittable pseudorandom number generators, figure 16).
func (s *Store) draw() uint64 {
	s.drawn++
	z := s.drawn * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// watchRowids watches the rows that are inserted. Behind the largest rowid that there
// is SQLite has no next one, and draws one that really is random
// (https://sqlite.org/autoinc.html).
func (s *Store) watchRowids(conn *sqlite3.SQLiteConn) {
	conn.RegisterUpdateHook(func(op int, database, table string, rowid int64) {
		if database != "main" || op == sqlite3.SQLITE_DELETE {
			return
		}
		s.lastRowid = s.lastRowid || rowid == math.MaxInt64
		if s.lastRowid {
			s.inserted = append(s.inserted, table+"/"+strconv.FormatInt(rowid, 10))
		}
	})
}

// rehearse executes a statement, undoes it and returns the rows that it has written. If
// it writes others when it is executed again, a rowid was drawn. Only a table that has,
// or has had, the largest rowid makes that necessary.
func (s *Store) rehearse(conn *connection, st *statement, args []driver.NamedValue) (written []string, err error) {
	begin, undo := "SAVEPOINT rehearsal", []string{"ROLLBACK TO rehearsal", "RELEASE rehearsal"}
	alone := conn.AutoCommit()
	if alone {
		begin, undo = "BEGIN", []string{"ROLLBACK"}
	}
	private := func(sql string) error {
		defer func(was guard) { s.guard = was }(s.guard)
		s.guard = private
		_, err := conn.run(sql)
		return err
	}
	if err := private(begin); err != nil {
		return nil, err
	}
	drawn := s.drawn
	s.inserted = nil
	_, _, failed := conn.query(st, args) // and so does what follows
	written, s.inserted = s.inserted, nil
	s.drawn, conn.marked = drawn, false
	if conn.AutoCommit() && failed != nil { // it has rolled everything back
		if !alone {
			return nil, noRollback
		}
		return written, nil
	}
	for _, sql := range undo {
		if err := private(sql); err != nil {
			return nil, err
		}
	}
	return written, nil
}

// drew says whether a statement may have drawn a rowid: it has written other rows than
// when it was rehearsed; or it was not, and has gone on behind the largest rowid.
func (s *Store) drew(rehearsed bool, rows []string) bool {
	defer func() { s.inserted = nil }()
	if rehearsed {
		return !slices.Equal(rows, s.inserted)
	}
	return len(s.inserted) > 1
}
