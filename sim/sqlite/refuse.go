package sqlite

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// A refusal says that a statement cannot be simulated, why, and what to do.
type refusal string

func (r refusal) Error() string { return "quiesce: " + string(r) }

const (
	noTransactions refusal = "transactions are not supported by a store in memory: there every statement commits by itself; set Options.Mode to sqlite.WAL"
	noBegin        refusal = "BEGIN, COMMIT, ROLLBACK and SAVEPOINT as statements are not supported: the connection that they would be executed on is any; use DB.BeginTx, Tx.Commit and Tx.Rollback"
	noDefinition   refusal = "CREATE, DROP and ALTER are not supported by a store with transactions: its schema does not change; put them into Options.Setup"
	noMany         refusal = "several statements in one request are not supported: another task may get in between them; execute them one by one"
	noStatement    refusal = "an empty statement is not supported: it is no step; leave it out"
	noRollback     refusal = "a constraint that rolls the transaction back is not supported: use ABORT, which undoes the statement alone, and roll the transaction back by Tx.Rollback"
	noRootPage     refusal = "sqlite_master.rootpage is not supported: the layout of the database is not part of its content; select other columns"
	noLocalTime    refusal = "the modifiers localtime and utc are not supported: they depend on the time zone of the machine; convert times in the service"

	noTime refusal = "while time passes a statement that does more with it than to write it into a column is not supported: the clock of the database stands; keep a duration in Redis, or sleep"

	noReadUncommitted refusal = "isolation level Read Uncommitted is not supported by this mode: it shows committed rows only; set Options.Mode to sqlite.SharedCache"
	noIsolation       refusal = "isolation above Read Uncommitted is not supported by the mode SharedCache: all transactions see what is not committed there; set Options.Mode to sqlite.WAL"
	noLevel           refusal = "isolation levels other than Read Uncommitted, Snapshot and Serializable are not supported: SQLite has none between them; use sql.LevelDefault"
	noReadOnlyLock    refusal = "a read only transaction of Store.OpenImmediate is not supported: it would take the lock of a writer; begin it on Store.Open"

	noRowLocks refusal = "FOR UPDATE and FOR SHARE are not supported: SQLite locks no rows; leave them out and open the database by Store.OpenImmediate, which locks all of it"

	noLastRowid refusal = "INSERT without a rowid into a table that has the rowid 9223372036854775807 is not supported: there is no next one, and SQLite draws one at random; give the rowid, or a smaller one to the last row"

	noAwaitRandom refusal = "random() and randomblob() are not supported with Await: a poll that finds nothing would change the content; leave them out"

	noSetupPragma refusal = "PRAGMA in Options.Setup, other than foreign_keys, is not supported by a store with transactions: it would be that of one connection; leave it out"

	noPragma  refusal = "PRAGMA is not supported: its effect is not part of the content; put it into Options.Setup"
	noAttach  refusal = "ATTACH and DETACH are not supported: the content is that of one database; give each database a store"
	noTemp    refusal = "temporary tables, indices, triggers and views are not supported: they belong to a connection, which other tasks use as well; use ordinary ones"
	noVirtual refusal = "virtual tables are not supported: what they keep in memory is not part of the content; use ordinary tables"
	noAnalyze refusal = "ANALYZE is not supported: statistics are not part of the content; leave it out"
	noLayout  refusal = "VACUUM, REINDEX and EXPLAIN are not supported: the layout of the database is not part of its content; leave them out"

	noMemory refusal = "last_insert_rowid(), changes() and total_changes() are not supported: they are about a statement before, perhaps that of another task; use RETURNING or the result of Exec"
	noSystem refusal = "load_extension(), sqlite_log() and sqlite_offset() are not supported: their results and effects are not part of the content; leave them out"

	noDeferred refusal = "deferred foreign keys are not supported: they are checked by a COMMIT, and every statement commits by itself; leave DEFERRABLE INITIALLY DEFERRED out"
	noRowid    refusal = "a table with columns named rowid, oid and _rowid_ is not supported: the order of its rows cannot be read; rename one of them"
)

// refusedVerbs are those that SQLite executes without asking the authorizer, or
// not at all inside the savepoint that Reset needs.
var refusedVerbs = map[string]refusal{
	"BEGIN":     noTransactions,
	"COMMIT":    noTransactions,
	"END":       noTransactions,
	"ROLLBACK":  noTransactions,
	"SAVEPOINT": noTransactions,
	"RELEASE":   noTransactions,
	"PRAGMA":    noPragma,
	"ATTACH":    noAttach,
	"DETACH":    noAttach,
	"ANALYZE":   noAnalyze,
	"VACUUM":    noLayout,
	"REINDEX":   noLayout,
	"EXPLAIN":   noLayout,
	"":          noStatement,
}

// refusedActions are those of the authorizer (https://sqlite.org/c3ref/c_alter_table.html).
var refusedActions = map[int]refusal{
	sqlite3.SQLITE_TRANSACTION:         noTransactions,
	sqlite3.SQLITE_SAVEPOINT:           noTransactions,
	sqlite3.SQLITE_PRAGMA:              noPragma, // also behind a table-valued function
	sqlite3.SQLITE_ATTACH:              noAttach,
	sqlite3.SQLITE_DETACH:              noAttach,
	sqlite3.SQLITE_CREATE_TEMP_INDEX:   noTemp,
	sqlite3.SQLITE_CREATE_TEMP_TABLE:   noTemp,
	sqlite3.SQLITE_CREATE_TEMP_TRIGGER: noTemp,
	sqlite3.SQLITE_CREATE_TEMP_VIEW:    noTemp,
	sqlite3.SQLITE_DROP_TEMP_INDEX:     noTemp,
	sqlite3.SQLITE_DROP_TEMP_TABLE:     noTemp,
	sqlite3.SQLITE_DROP_TEMP_TRIGGER:   noTemp,
	sqlite3.SQLITE_DROP_TEMP_VIEW:      noTemp,
	sqlite3.SQLITE_CREATE_VTABLE:       noVirtual,
	sqlite3.SQLITE_DROP_VTABLE:         noVirtual,
	sqlite3.SQLITE_ANALYZE:             noAnalyze,
}

// refusedAlways are refused in Options.Setup as well: Content would miss them.
var refusedAlways = map[refusal]bool{noAttach: true, noTemp: true, noVirtual: true}

var refusedFunctions = map[string]refusal{
	"last_insert_rowid": noMemory,
	"changes":           noMemory,
	"total_changes":     noMemory,
	"load_extension":    noSystem,
	"sqlite_log":        noSystem,
	"sqlite_offset":     noSystem,
}

// A guard says whose statements are being prepared.
type guard int

const (
	private guard = iota // those of the store itself
	setup                // those of Options.Setup
	client
)

// authorize is called by SQLite whenever a statement is prepared, which happens
// again when it is executed after a change of the schema.
func (s *Store) authorize(action int, a, b, database string) int {
	if s.guard == private {
		return sqlite3.SQLITE_OK
	}
	s.touched = s.touched || database == "main" || action == sqlite3.SQLITE_READ && b == "" && s.isTable(a)
	why, refused := refusedActions[action]
	if why == noTransactions && s.mode != InMemory {
		why = noBegin
	}
	switch {
	case s.guard == setup && s.mode != InMemory && action == sqlite3.SQLITE_PRAGMA && !strings.EqualFold(a, "foreign_keys"):
		why = noSetupPragma
	case action == sqlite3.SQLITE_INSERT && database == "temp":
		// CREATE TABLE temp.x is no SQLITE_CREATE_TEMP_TABLE.
		why, refused = noTemp, true
	case s.guard == setup:
		refused = refused && refusedAlways[why]
	case action == sqlite3.SQLITE_FUNCTION:
		why, refused = refusedFunctions[strings.ToLower(b)]
	case action == sqlite3.SQLITE_READ && strings.HasPrefix(strings.ToLower(a), "pragma_"):
		why, refused = noPragma, true
	case action == sqlite3.SQLITE_READ && (a == "sqlite_master" || a == "sqlite_schema") && b == "rootpage":
		// SQLite itself looks at it to change the schema.
		why, refused = noRootPage, !s.defining
	case database == "temp" && a == markTable:
		why, refused = noTemp, true
	}
	if !refused {
		return sqlite3.SQLITE_OK
	}
	s.refuse(why)
	return sqlite3.SQLITE_DENY
}

// isTable says whether a name is that of a table. A statement that takes no column of one,
// such as SELECT count(*), is not said to read it from any database.
func (s *Store) isTable(name string) bool {
	master := strings.EqualFold(name, "sqlite_master") || strings.EqualFold(name, "sqlite_schema")
	return master || slices.ContainsFunc(s.schema.tables, func(t *table) bool { return strings.EqualFold(t.name, name) })
}

// refuse records why the statement that is being executed is refused. It
// returns an error that ends its execution.
func (s *Store) refuse(why refusal) error {
	if s.refused == nil {
		s.refused = why
	}
	return why
}

var rowLock = regexp.MustCompile(`(?i)\bfor\s+((no\s+)?key\s+)?(update|share)\b`)

// foreign returns why a statement is refused that SQLite cannot read, nil if err is
// about something else. The server that SQLite stands for may well understand it, and a
// task that takes any error for an answer would not notice: SELECT ... FOR UPDATE under
// which nobody ever gets what is sold sells nothing twice.
func foreign(sql string, err error) error {
	text := err.Error()
	switch {
	case rowLock.MatchString(sql) && strings.HasSuffix(text, ": syntax error"):
		return noRowLocks
	case strings.HasSuffix(text, ": syntax error"), strings.HasPrefix(text, "unrecognized token: "),
		text == "incomplete input", strings.HasPrefix(text, "no such function: "):
		return refusal("SQLite does not understand the statement (" + text + "), and what your database does with it is not known here; write it as both read it")
	}
	return nil
}

// replaceRefused puts functions that refuse in the place of those that are
// refused. The authorizer does not see a function in the DEFAULT of a column.
func (s *Store) replaceRefused(conn *sqlite3.SQLiteConn) error {
	for name, why := range refusedFunctions {
		if why != noMemory {
			continue
		}
		if err := conn.RegisterFunc(name, func() (int64, error) { return 0, s.refuse(why) }, false); err != nil {
			return err
		}
	}
	return nil
}
