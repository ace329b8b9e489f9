// Package sqlite is a SQL database as a [sim.Store]: SQLite behind it, and a
// real [database/sql.DB] in front of it for the tasks.
//
// # What a step is
//
// One SQL statement is one step, whether it is run by Exec, Query, QueryRow or
// a prepared statement. Its rows arrive with its reply, so reading and closing
// them is no step, and neither is opening a connection or preparing a statement.
// Nothing is executed before its step: an UPDATE given to Query is executed even
// if its rows are never read. Because preparing is no step, a syntax error shows
// when the statement is executed.
//
// Every statement commits by itself. There is one connection to the real
// database, and no statement ever waits for another, so [Store.Execute] never
// returns [sim.ErrBlocked].
//
// # What is virtual
//
// The clock stands at [Epoch] for date, time, datetime, julianday, strftime,
// unixepoch, timediff and CURRENT_TIMESTAMP and its relatives, in queries as in
// defaults and triggers. The functions random and randomblob draw from a
// counter, which is part of the content of the store once it was used. They are
// virtual during [Options].Setup as well.
//
// # What is refused
//
// The reply to a statement has to be a function of the statement and the content
// of the store: that is what makes states comparable. Whatever else it could
// depend on, that is the memory of the connection (transactions, PRAGMA, temporary
// tables, attached databases, last_insert_rowid, changes), its layout on disk
// (EXPLAIN, rootpage) and the machine (localtime, load_extension), is refused, and
// so are several statements in one request, since another task may get in between
// them. A refusal is an error of Execute, which ends the run, and not an error for
// the task, which might ignore it and look fine.
//
// For the same reason a result says 0 where SQLite would report something about
// an earlier statement: LastInsertId of a statement that inserted no row, and
// RowsAffected of one that is no INSERT, UPDATE or DELETE.
package sqlite
