package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
)

// A transaction is one that is open, on a connection to the real database of its
// own.
type transaction struct {
	conn   *connection
	reads  bool  // has a snapshot, or the lock of a reader
	writes bool  // has the lock of the only writer
	seen   int64 // the version of the database in its snapshot

	// log holds the requests that could write. Whether they have changed a page
	// decides what COMMIT does to others, and is not visible where a page has
	// changed and changed back: then it depends on them, and on what is committed.
	log []byte
}

// A beginning says which transaction begins, by SQL that SQLite knows.
type beginning struct{ sqlclient.Beginning }

func (b beginning) sql() string {
	if b.Immediate {
		return "BEGIN IMMEDIATE"
	}
	return "BEGIN"
}

// String returns the beginning as a person would write it.
func (b beginning) String() string {
	text := b.sql()
	if b.Level != sql.LevelDefault {
		text += " ISOLATION LEVEL " + strings.ToUpper(b.Level.String())
	}
	if b.ReadOnly {
		text += " READ ONLY"
	}
	return text
}

// check returns why there is no such transaction, nil if there is.
func (b beginning) check(m Mode) error {
	switch {
	case m == InMemory:
		return noTransactions
	case b.ReadOnly && b.Immediate:
		return noReadOnlyLock
	case b.Level == sql.LevelDefault:
		return nil
	case b.Level == sql.LevelReadUncommitted:
		if m != SharedCache {
			return noReadUncommitted
		}
		return nil
	case m == SharedCache:
		return noIsolation
	case b.Level == sql.LevelSerializable || b.Level == sql.LevelSnapshot:
		return nil
	}
	return noLevel
}

// begin begins a transaction on the connection called name.
func (s *Store) begin(name string, b beginning) error {
	if err := b.check(s.mode); err != nil {
		return err
	}
	if s.transactions[name] != nil || name == "" {
		return fmt.Errorf("sqlite: BEGIN on the connection %q, which has a transaction or no name", name)
	}
	if b.Immediate {
		if err := s.keepCommitted(); err != nil {
			return err
		}
	}
	var c *connection
	if n := len(s.spare); n > 0 {
		c, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		var err error
		if c, err = s.join(); err != nil {
			return err
		}
	}
	if _, err := c.run(b.sql()); err != nil {
		s.spare = append(s.spare, c)
		return s.blocked(name, err)
	}
	t := &transaction{conn: c, reads: b.Immediate, writes: b.Immediate}
	if b.ReadOnly {
		if err := c.setReadOnly(true); err != nil {
			return err
		}
	}
	s.transactions[name] = t
	return nil
}

// setReadOnly says whether the connection refuses to write.
func (c *connection) setReadOnly(on bool) error {
	_, err := c.Exec(fmt.Sprintf("PRAGMA query_only=%v", on), nil)
	c.readOnly = on
	return err
}

// end ends a transaction by COMMIT or ROLLBACK.
func (s *Store) end(name string, sql string) error {
	t := s.transactions[name]
	if t == nil {
		return fmt.Errorf("sqlite: %s on the connection %q, which has no transaction", sql, name)
	}
	if s.mode == Rollback && t.writes && sql == commitSQL {
		// Not tried: SQLite would keep new readers out from then on.
		if holders := s.holders(name); len(holders) > 0 {
			return &sim.BlockedError{Holders: holders}
		}
	}
	if _, err := t.conn.run(sql); err != nil {
		return fmt.Errorf("sqlite: %s: %w", sql, err)
	}
	if t.writes && sql == commitSQL {
		s.committed = nil
	}
	return s.release(name)
}

// release puts the connection of a transaction that has ended away.
func (s *Store) release(name string) error {
	t := s.transactions[name]
	delete(s.transactions, name)
	s.spare = append(s.spare, t.conn)
	if t.conn.readOnly {
		return t.conn.setReadOnly(false)
	}
	return nil
}

// abandon rolls all transactions back.
func (s *Store) abandon() error {
	for _, name := range sortedKeys(s.transactions) {
		if c := s.transactions[name].conn; !c.AutoCommit() {
			if _, err := c.run(rollbackSQL); err != nil {
				return err
			}
		}
		if err := s.release(name); err != nil {
			return err
		}
	}
	return nil
}

const (
	commitSQL   = "COMMIT"
	rollbackSQL = "ROLLBACK"
)

// blocked returns what Execute returns for an error with which SQLite says that a
// request on the connection called name cannot be executed now, and err itself for
// any other. SQLite has left the transaction as it was: one that had no snapshot
// and no lock has none.
func (s *Store) blocked(name string, err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) || e.Code != sqlite3.ErrBusy && e.Code != sqlite3.ErrLocked || e.ExtendedCode == sqlite3.ErrBusySnapshot {
		return err
	}
	if holders := s.holders(name); len(holders) > 0 {
		return &sim.BlockedError{Holders: holders}
	}
	return fmt.Errorf("sqlite: no transaction is in the way, but: %w", err)
}

// holders returns who is in the way of a writer that is not called name: the
// other writer or else, with a rollback journal, all that have read.
func (s *Store) holders(name string) []string {
	var readers []string
	for _, other := range sortedKeys(s.transactions) {
		switch t := s.transactions[other]; {
		case other == name:
		case t.writes:
			return []string{other}
		case t.reads && s.mode == Rollback:
			readers = append(readers, other)
		}
	}
	return readers
}

// note records what a statement has done to its transaction, whether or not it has
// failed with err.
func (s *Store) note(t *transaction, st *statement, body string, drawn uint64, err error) error {
	var e sqlite3.Error
	if t.conn.readOnly && !st.reads || errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrBusySnapshot {
		return nil // it has failed before it took anything
	}
	if st.touches && !t.reads {
		// SQLite may have found that it need not look at the table.
		if _, err := t.conn.value(anchorSQL); err != nil {
			return err
		}
		var err error
		if t.seen, err = s.version(); err != nil {
			return err
		}
		t.reads = true
	}
	if !st.reads {
		t.writes = true
		t.log = fmt.Appendf(t.log, "%d %q ", drawn, body)
	}
	return nil
}

const anchorSQL = `SELECT count(*) FROM sqlite_master`

// version returns a number that is another one after every commit that has
// changed a page, which is what SQLite looks at in WAL mode when a transaction
// with a snapshot wants to write.
func (s *Store) version() (int64, error) {
	v, err := s.own.value(`PRAGMA data_version`)
	n, _ := v.(int64)
	return n, err
}

// keepCommitted makes sure that the committed rows are known before somebody
// writes. With a shared cache they cannot be read any more then.
func (s *Store) keepCommitted() error {
	_, err := s.rows()
	return err
}

// appendTransaction appends an item for an open transaction, and all rows that it
// sees if they are not the committed ones.
func (s *Store) appendTransaction(content sim.Content, name string, committed sim.Content) (sim.Content, error) {
	t := s.transactions[name]
	words := []string{"open"}
	for word, is := range map[string]bool{"read only": t.conn.readOnly, "reads": t.reads, "writes": t.writes} {
		if is {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	stale := false
	if s.mode == WAL && t.reads && !t.writes {
		version, err := s.version()
		if err != nil {
			return nil, err
		}
		if stale = version != t.seen; stale {
			words = append(words, "stale")
		}
	}
	var rows sim.Content
	note := ""
	if t.writes || stale {
		var err error
		if rows, err = s.read(t.conn); err != nil {
			return nil, err
		}
		if slices.Equal(rows, committed) {
			rows, note = nil, string(t.log)
		} else {
			words = append(words, "sees")
		}
	}
	content = append(content, sim.Item{Name: name, Value: strings.Join(words, ", "), Note: note})
	for _, it := range rows {
		it.Name = name + "/" + it.Name
		content = append(content, it)
	}
	return content, nil
}
