// Package redis is Redis as a [sim.Store] in memory, over miniredis. Tasks talk to it by
// the unmodified go-redis of package redisclient, which says what a step is, how
// connections are named and which errors a task gets:
//
//	store, err := redis.NewStore("cache", redis.Options{})
//	c := store.Client(p) // a *redis.Client for the tasks of p
//
// # Connections
//
// The content has an item for every connection with a state: one that watches keys or is
// subscribed.
//
// EXEC on a connection that watches fails if a watched key has been touched since:
// by anyone, also by the connection itself and by a SET of the same value. What
// touches a key is what miniredis says, and whatever changes its value or TTL.
// While any connection watches, FLUSHALL and FLUSHDB are refused, of which
// miniredis tells nobody.
//
// PUBLISH appends a message to the queue of every connection that is subscribed at
// that moment. To take the first message out of the queue of a connection is the
// step "receive", which can be at any time later and is blocked while the queue
// is empty. So the order of messages is kept on one connection, and nothing is
// promised across connections. Closing a connection that has a state is the step "close". A
// real server notices that late: it may still count the connection in the reply to
// PUBLISH.
//
// A later SUBSCRIBE or UNSUBSCRIBE on a connection is refused: its place among the
// messages would be open. It is not where requests and replies are on their way at once: see
// below. A subscription that is still open when its process ends stays
// until the store is reset, as if the server listened on.
//
// [Store.Dialer] is for a client that a service makes itself. In a process of goroutines it
// may write while it waits, as rueidis does. Then the connection has a state from its first
// request on, which counts its requests and whatever was sent, so that the first are
// executed and the latter is read in its order; and all commands of RESP3 may follow
// SUBSCRIBE.
//
// # Client-side caching
//
// After CLIENT TRACKING ON the server remembers which keys a connection has read, and tells
// it once that one was changed: by a write of anyone, also of the same value, because the
// key has expired or was evicted, or by FLUSHALL. To be told is the step "receive", as with
// a message; and what was sent before a reply is read before it. OPTIN, OPTOUT, NOLOOP and
// REDIRECT to a connection that is subscribed are simulated, as is CLIENT CACHING; BCAST is
// refused. What is remembered for a connection, and what it is yet to be told, is part of
// the content.
//
// On one connection a message never overtakes a reply. With REDIRECT it does, and fills of a
// local cache with what was changed meanwhile are found.
//
// A request that reads a key which the client caches and changes the same key is refused,
// and so is a script that reads one and does not name it among its keys. In RESP2 without
// REDIRECT nobody can be told, as in production.
//
// # Streams
//
// Streams with consumer groups are the broker that delivers at least once: what is
// read with XREADGROUP and not acknowledged with XACK stays pending to its consumer,
// who reads it again with the id 0. XADD, XLEN, XRANGE, XREVRANGE, XREAD,
// XREADGROUP, XACK, XPENDING and XGROUP CREATE are simulated, in the forms in
// which miniredis answers like Redis; another form is refused with the one to use.
// The clock stands still, so the ids from "*" differ in their second part alone,
// and XPENDING says that everything was delivered just now.
//
// A read with BLOCK, which go-redis sends unless Block is -1, is a command that waits.
// XCLAIM and XAUTOCLAIM are refused, which look for entries that have been pending for
// long.
//
// # Waiting
//
// A command that waits at the server (BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP, BZPOPMIN,
// BZPOPMAX, BZMPOP, XREAD and XREADGROUP with BLOCK) is blocked while there is nothing for
// it, and is taken to reach the server when there is. A request travels for any time, so
// of several that wait any may be served next. Redis serves first who has waited longest,
// and no client can tell who that is; in a timed system, where it could, an order is
// explored that Redis does not have. Of several keys that one script or block fills, the
// first that the command names is taken, where Redis takes the first that was filled.
//
// A timeout is a timer of the client, which needs a process of goroutines: when it fires, the
// step "timeout" tells the server, and the request is answered nil unless there was something
// before. In a coroutine a timeout has to be 0, which is for ever.
//
// A lock that is tried for again and again makes executions without an end, and the
// search ends as incomplete. [Await] makes it one command that is blocked until it works.
//
// # Time
//
// The clock of the store stands still at [Epoch]. TTLs are part of the content
// and do not run out by themselves, unless the system is timed. Then every tick takes
// its time from each. A key that has come to the end of its TTL is there, with a TTL
// of 0, up to its lapse or the next tick, whichever comes first. A tick is a number of
// whole milliseconds. That time passes touches no watched key; that one goes away does.
//
// # Faults
//
// The store is [sim.Fallible]. With the connection that go-redis drops after a failure
// goes what the server keeps for it, at the same moment; a real server notices that
// later, which only the reply to PUBLISH can tell.
//
// When the server goes down the keys stay, and all connections break. A client
// learns about that by the next request on the connection, even if the server is up
// again: a broken WATCH or subscription stays in the content until then. A
// connection without a state is replaced unnoticed, since go-redis looks whether it
// is alive before it uses one. With TLS it does not look; then the first request after
// an outage can fail, which is a lost request here.
//
// A subscription that has failed is not refused a second time: it waits until the server
// is up. So it is with work that is supervised: see [sim.Host].
//
// A key that expires or is evicted is deleted. EXEC fails if it was watched: with
// Redis from 6.0.9 on, and with miniredis. Any message that waits in a queue can be
// lost, but for what a client is told of its cache, and no entry of a stream.
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
// in random order, in Redis or in miniredis; commands that wait, inside of scripts and
// blocks; other commands that change or show the state of one connection
// (MULTI that is not written together with its EXEC, SELECT, subscriptions to
// patterns) or of the server (INFO, SCRIPT, PUBSUB); and commands that leave
// something behind in miniredis that [Store.Content] cannot see. The tables in
// refuse.go and stream.go have the reason for each.
// There is one database, number 0.
package redis
