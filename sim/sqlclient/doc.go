// Package sqlclient is the client of a SQL database through which the tasks of a process
// talk to a store: a real [database/sql.DB], over a driver that hands its requests to the
// process. It does not know which store answers, and imports none: package sim/sqlite is
// one that is in memory.
//
//	databases := sqlclient.New("db", sqlclient.Options{Transactions: true}) // of the store with that name
//	db := databases.Open(p, false)                                          // a *sql.DB for the tasks of p
//
// # What a step is
//
// One SQL statement is one step, whether it is run by Exec, Query, QueryRow or
// a prepared statement. Its rows arrive with its reply, so reading and closing
// them is no step, and neither is opening a connection or preparing a statement.
// Nothing is executed before its step: an UPDATE given to Query is executed even
// if its rows are never read. Because preparing is no step, that a statement cannot
// be read shows when it is executed. BEGIN, COMMIT and ROLLBACK are steps, too.
//
// # Requests and replies
//
// This is what a store has to understand, and all that it and the client say to each
// other. The body of a request is a [Call], encoded: its kind, the length of the SQL text,
// the text, and the arguments up to the end. Of Begin the arguments are a [Beginning].
// The body of a reply starts with its kind:
//
//	'x' id changes                         the result of an Exec
//	'q' columns {name type} {'r' value*}   the rows of a Query, then
//	    'z' | 'e' code text                how they end
//	'e' code text                          the statement was not executed
//	'd'                                    the transaction has begun or ended
//
// A store makes one by [AppendResult], [AppendColumns] with what follows, [AppendError],
// or takes [DoneReply]; a [Reader] takes it apart.
//
// A request that awaits ([Await]) is a Query outside a transaction, and blocked while it
// would have no row.
//
// # Transactions
//
// The requests of a transaction carry the name of the process and the lowest number that
// no other open transaction of the process has, as in worker-1#0; those on no transaction
// carry no name. A transaction has ended when COMMIT or ROLLBACK has been asked for,
// whatever the answer.
//
// Begin a transaction with the context of the task. database/sql starts a goroutine
// for each, which ends with that context, and not at all if the context never ends
// and the task is abandoned without a Rollback. In an abandoned process every request
// returns [sim.ErrAbandoned], for which database/sql does not try again.
//
// # Faults
//
// For a statement that a fault has struck a task gets [ErrDatabase] if it was not
// executed, and [ErrNoAnswer] if nobody knows whether it was. An error of the database
// itself is an [Error].
package sqlclient
