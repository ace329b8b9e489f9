// Package sqlite is SQLite as a [sim.Store]. Tasks talk to it by the real
// [database/sql.DB] of package sqlclient, which says what a step is and how transactions
// are named:
//
//	store, err := sqlite.NewStore("db", sqlite.Options{Mode: sqlite.WAL})
//	db := store.Open(p) // a *sql.DB for the tasks of p
//
// # Transactions
//
// There are transactions if the [Mode] of the store has them; outside of one every
// statement commits by itself. A transaction of [database/sql.DB.BeginTx] has a connection
// to the real database of its own. The content has an item for it, with all that it sees
// if that is not what is committed.
//
// SQLite is asked not to wait. What it answers with SQLITE_BUSY or SQLITE_LOCKED is
// blocked until whoever is in the way ends, as if it waited without a timeout, and
// the error names them: see [sim.BlockedError]. SQLITE_BUSY_SNAPSHOT is an error for
// the task, since no waiting helps. See [Mode] for who waits for whom, and
// [Store.OpenImmediate] for what stands for SELECT ... FOR UPDATE.
//
// The levels Default, Snapshot and Serializable are the same: BEGIN. Read
// Uncommitted is the only one of [SharedCache] and is refused elsewhere; there
// Default is the same. Others are refused. A read only transaction cannot write.
//
// [Await] stands for a loop that polls.
//
// # Errors
//
// An error of SQLite that a task gets has the text of the original, and unwraps to a
// [sqlite3.Error] with its codes:
//
//	var e sqlite3.Error
//	if errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintUnique {
//
// # Faults
//
// The store is [sim.Fallible]. A database error ([ErrDatabase]) can strike every
// statement, BEGIN and COMMIT, which are not executed then. A statement that fails
// leaves its transaction open, as long as the task does; one whose COMMIT fails is
// rolled back. A reply can be lost ([ErrNoAnswer]) after COMMIT and after a statement
// outside transactions: it is executed, and the task cannot know. A crash rolls back
// the open transactions of its process.
//
// # What is virtual
//
// The clock stands at [Epoch], also while time passes in a timed system, for date, time, datetime, julianday, strftime,
// unixepoch, timediff and CURRENT_TIMESTAMP and its relatives, in queries as in
// defaults and triggers. The functions random and randomblob draw from a
// counter, which is part of the content of the store once it was used. They are
// virtual during [Options].Setup as well. In a timed system a statement may write what
// time it is into a column, and is refused if it does more with it.
//
// # What is refused
//
// The reply to a statement has to be a function of the statement and the content
// of the store: that is what makes states comparable. Whatever else it could
// depend on, that is the memory of the connection (PRAGMA, temporary tables, attached databases, last_insert_rowid, changes), its layout on disk
// (EXPLAIN, rootpage) and the machine (localtime, load_extension), is refused, and
// so are several statements in one request, since another task may get in between
// them. With transactions the schema cannot change, either. Refused is also what SQLite does not
// understand, such as FOR UPDATE, NOW() or a syntax error: another database might. A refusal is an error of Execute, which ends the run, and not an error for
// the task, which might ignore it and look fine.
//
// For the same reason a result says 0 where SQLite would report something about
// an earlier statement: LastInsertId of a statement that inserted no row, and
// RowsAffected of one that is no INSERT, UPDATE or DELETE.
package sqlite
