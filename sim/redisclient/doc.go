// Package redisclient is the client of Redis through which the tasks of a process talk to
// a store: go-redis, unmodified, over a [net.Conn] that hands its requests to the
// process. It does not know which store answers, and imports none: package sim/redis
// is one that is in memory.
//
//	clients := redisclient.New("cache") // of the store with that name
//	c := clients.For(p)                 // a *redis.Client for the tasks of p
//	dial := clients.Dialer(p)           // for a client that a service makes itself
//
// # Steps
//
// One command is one request, and so one step. A Lua script is one command. A
// block MULTI ... EXEC is one request as well if the client writes it at once,
// as TxPipelined does: nobody can get in between. A plain pipeline is as many
// steps as it has commands, since Redis may serve others between them; the
// replies reach the task together, after the last one.
//
// What a client says to set up its connection (HELLO, AUTH, CLIENT SETINFO, CLIENT SETNAME,
// CLIENT ID, CLIENT TRACKING ON, CLIENT CACHING) is answered on the side and never is a step.
// The requests after it say what it was.
//
// # Requests and replies
//
// This is what a store has to understand, and all that it and the client say to each
// other. The body of a request is
//
//   - a command as every client writes it in RESP, an array of bulk strings, or the
//     commands of a block MULTI ... EXEC, one behind the other: see [Commands];
//   - [Receive], [Close], [TimedOut] or [Busy], on a connection with a name;
//
// with a [Header] before it, if the server keeps more for the connection. The body of a
// reply is in RESP2: to a command its reply, and to a block the replies to all its commands,
// one behind the other. Where the client caches what it reads, what it is told by then comes
// before that, and what its own request has changed after it, as pushes of RESP3. The client
// makes RESP3 of it all if that was asked for. To SUBSCRIBE it is the confirmations of all
// channels, to Receive one message, to Close "". An error of Redis is a reply like any
// other. To Busy a store answers with the error [ErrBusy], which ends the run.
//
// A request that awaits ([Await]) is one command, and blocked while its reply would be
// nil, 0 or an empty list. One that persists may be blocked while the server is down: it
// is a SUBSCRIBE to channels of which a subscription has failed, which names them in
// order then, or what supervised work asks again (see [sim.Host]).
//
// # Connections
//
// A connection that watches keys or is subscribed has a state at the server. Its
// name is that of the process and the lowest number that no other such connection
// of the process has, as in server-1#0, for as long as it has a state. Requests
// on it carry the name. WATCH and SUBSCRIBE are the first that do. A connection has no
// state any more after UNWATCH, EXEC, Close and a request that has failed.
//
// In a process of goroutines a connection has goroutines of its own, and then a name, as
// soon as the server may send something at any time: after SUBSCRIBE, CLIENT TRACKING ON, or
// a command that waits for a time; and one of Dialer has from the start. They ask for the
// requests, which are numbered, so its client may write while it waits, and receive on any
// goroutine. What follows is about a coroutine.
//
// Subscribe writes SUBSCRIBE and does not wait for the server, which may execute it
// much later. Here it is executed by the first Receive or ReceiveMessage, which
// returns its confirmation. As long as the task does nothing in between that others
// can see, nobody can tell that from any earlier moment. A task that asks for
// something else first, or returns, ends the run with an error ([ErrUnread]): in
// production it could miss messages that it never misses here. It may close the
// subscription instead. All channels of a connection are subscribed to at once.
//
// Use Receive and ReceiveMessage there. [redis.PubSub.Channel] receives on a goroutine
// of its own, which ends the run with [sim.ErrOutside]. A connection on which a
// task waits for a message must not be used or closed by another task.
//
// # Faults
//
// A task gets the errors that it would get from the network: for a request that an
// outage has refused ECONNREFUSED, or io.EOF on a connection with a state, and for any
// other fault a timeout. Retries are off. go-redis drops the connection. In a plain
// pipeline the commands before the one that fails are executed, those after it are not
// sent, and go-redis gives the error to all. A block MULTI ... EXEC fails as a whole.
//
// A Receive that fails subscribes again, as go-redis does by itself, and the task has
// to call Receive again, or Close, before it asks for anything else. A subscription to
// channels of which one has failed is not refused a second time: it waits until the
// server is up. A listener may so receive in a loop for ever, but what it would do on
// further errors of the same outage is not explored.
package redisclient
