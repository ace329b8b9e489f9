// Package redis is a [sim.Store] over miniredis, and the connection through
// which an unmodified go-redis client talks to it.
//
// # Steps
//
// One command is one request, and so one step. A Lua script is one command. A
// block MULTI ... EXEC is one request as well if the client writes it at once,
// as TxPipelined does: nobody can get in between. A plain pipeline is as many
// steps as it has commands, since Redis may serve others between them; the
// replies reach the task together, after the last one.
//
// What a client says to set up its connection (HELLO, AUTH, CLIENT SETINFO,
// CLIENT SETNAME) is answered on the side and never is a step.
//
// # Time
//
// The clock of the store stands still at [Epoch]. TTLs are part of the content
// and do not run out by themselves.
//
// # Scripts
//
// Redis documents its script cache as volatile: it may be empty at any time. So
// it is here, except for the scripts that the setup loads with SCRIPT LOAD,
// which are there always, as on a server that has been up for long. EVALSHA of
// any other script answers NOSCRIPT, even after an EVAL of the same script. The
// cache is therefore no state, and [redis.Script.Run] is EVALSHA and then EVAL,
// or EVALSHA alone if the setup has loaded the script.
//
// # What is refused
//
// A request that cannot be simulated faithfully ends the run with an error that
// says why. It does not answer with an error of Redis, which a task could
// ignore. Refused are, from Lua as well: commands whose reply is random or comes
// in random order, in Redis or in miniredis; commands that block; commands that
// change or show the state of one connection (WATCH, SELECT, subscriptions) or
// of the server (INFO, SCRIPT); and commands that leave something behind in
// miniredis that [Store.Content] cannot see. The table in refuse.go has the
// reason for each. There is one database, number 0.
package redis
