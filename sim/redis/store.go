package redis

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// Epoch is the time at which the clock of a store stands: what TIME answers and
// what EXPIREAT compares with.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Options says what a store holds. The zero value is an empty Redis.
type Options struct {
	// Setup holds the commands that make the initial content, each with its
	// arguments. Scripts that it loads with SCRIPT LOAD are always there.
	Setup [][]string
}

// A Store is a simulated Redis server. It is used from one goroutine at a time.
type Store struct {
	name    string
	setup   [][]string        // without SCRIPT LOAD
	scripts map[string]string // body of each loaded script by SHA
	loading bool              // SCRIPT LOAD is allowed

	redis   *miniredis.Miniredis
	server  *server.Server
	peer    *server.Peer // for requests on any connection
	reply   bytes.Buffer // what peers write to
	refused error        // by the command that is being executed
	watcher *server.Peer // may send WATCH and UNWATCH now
	probing bool         // what is being executed is no request

	connections map[string]*connection // those with a state, by name
	reading     reading                // of the request that is being executed

	clients *redisclient.Clients

	timed bool // see SetTimed
}

var _ sim.Store = (*Store)(nil)

// NewStore returns a store in its initial content. It fails if a command of the
// setup is refused or answers with an error.
func NewStore(name string, opts Options) (*Store, error) {
	s := &Store{name: name, scripts: make(map[string]string), redis: miniredis.NewMiniRedis(), connections: make(map[string]*connection), clients: redisclient.New(name)}
	// The first connection starts the server, without a listener.
	c, err := s.redis.Dial()
	if err != nil {
		return nil, err
	}
	c.Close()
	for s.redis.CurrentConnectionCount() > 0 {
		runtime.Gosched()
	}
	s.redis.SetTime(Epoch)
	s.server = s.redis.Server()
	s.server.SetPreHook(s.refuse)
	s.peer = s.newPeer()

	if err := s.load(opts.Setup); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.Reset(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) newPeer() *server.Peer { return server.NewPeer(bufio.NewWriter(&s.reply)) }

// load loads the scripts of the setup and keeps its other commands.
func (s *Store) load(setup [][]string) error {
	s.loading = true
	defer func() { s.loading = false }()
	for _, args := range setup {
		switch {
		case len(args) == 0:
			return errors.New("setup: a command is empty")
		case len(args) == 3 && redisclient.Is(args[0], "SCRIPT") && redisclient.Is(args[1], "LOAD"):
			reply, err := s.prepare(args)
			if err != nil {
				return err
			}
			var sha strings.Builder
			nextReply(&sha, reply)
			s.scripts[sha.String()] = args[2]
		default:
			s.setup = append(s.setup, args)
		}
	}
	return nil
}

// prepare runs one command of the setup.
func (s *Store) prepare(args []string) (reply string, err error) {
	// A copy: miniredis keeps arguments, and changes them.
	reply, err = s.run(s.peer, [][]string{append([]string(nil), args...)})
	if err == nil && reply[0] == '-' {
		err = errors.New(strings.TrimSpace(reply[1:]))
	}
	if err != nil {
		return "", fmt.Errorf("setup: %s: %w", describeCommand(args, s.scripts), err)
	}
	return reply, nil
}

// Name returns the name of the store.
func (s *Store) Name() string { return s.name }

// Client returns a client of the store for the tasks of a process: see [redisclient.Clients].
func (s *Store) Client(p *sim.Process) *redis.Client { return s.clients.For(p) }

// Dialer returns what a client of the store dials with that a service makes itself, of
// whichever library: see [redisclient.Clients.Dialer].
//
//	rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"cache:6379"}, DialCtxFn:
//		func(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
//			return dial(ctx, "tcp", address)
//		}})
func (s *Store) Dialer(h sim.Host) func(ctx context.Context, network, address string) (net.Conn, error) {
	return s.clients.Dialer(h)
}

// Close frees the clients that are kept for later processes and ends the
// server. The store must not be used afterwards, except by clients.
func (s *Store) Close() error {
	s.clients.Close()
	s.redis.Close()
	return nil
}

// Reset makes the content what the setup says.
func (s *Store) Reset() error {
	s.redis.FlushAll()
	s.peer.Ctx = nil
	clear(s.connections)
	for _, args := range s.setup {
		if _, err := s.prepare(args); err != nil {
			return err
		}
	}
	return nil
}

// Execute executes a command, or a block MULTI ... EXEC, whose reply is the
// replies to all its commands. The wait for a message is blocked if there is none,
// and so is a command that waits at the server, such as BLPOP. The first request on a connection that
// has broken fails. It returns an error if a command is refused, even if it was
// called by a script.
func (s *Store) Execute(req sim.Request) (sim.Reply, error) {
	c := s.connections[req.Conn]
	switch {
	case req.Body == redisclient.Busy:
		return sim.Reply{}, redisclient.ErrBusy
	case strings.HasPrefix(req.Body, tickBody):
		return sim.Reply{}, s.tick(req.Body)
	case req.Body == redisclient.Close && req.Conn != "":
		delete(s.connections, req.Conn)
		return sim.Reply{}, nil
	case c != nil && c.broken:
		delete(s.connections, req.Conn)
		return sim.Reply{Fault: sim.Outage}, nil
	case req.Body == redisclient.Receive && req.Conn != "":
		return s.receive(req.Conn)
	}
	if ok, err := s.environment(req); ok {
		return sim.Reply{}, err
	}
	if req.Awaits {
		return s.await(req)
	}
	return s.command(req)
}

// command executes a request of a task that is one or more commands.
func (s *Store) command(req sim.Request) (sim.Reply, error) {
	h, body := redisclient.Split(req.Body)
	switch body {
	case redisclient.TimedOut:
		return s.withHeader(req.Conn, h, nil)
	case redisclient.Close:
		return s.closeInTurn(req.Conn, h)
	}
	cmds, err := redisclient.Commands(body)
	if err != nil {
		return sim.Reply{}, err
	}
	for i, args := range cmds {
		if opens, closes := redisclient.Is(args[0], "MULTI"), redisclient.Is(args[0], "EXEC"); opens != (len(cmds) > 1 && i == 0) ||
			closes != (len(cmds) > 1 && i == len(cmds)-1) || redisclient.Is(args[0], "DISCARD") {
			return sim.Reply{}, fmt.Errorf("quiesce: %s is not supported: only a block MULTI ... EXEC that is written at once, as TxPipelined does, is a request", strings.ToUpper(args[0]))
		}
	}
	if h == (redisclient.Header{}) && len(s.connections) == 0 {
		reply, err := s.replyTo(req.Conn, cmds)
		return sim.Reply{Body: reply}, err
	}
	s.reading = reading{on: h.Tracks || s.caching(), conn: req.Conn, flush: len(cmds) == 1 && isFlushing(cmds[0][0]), header: h}
	defer func() { s.reading = reading{} }()
	if h != (redisclient.Header{}) {
		return s.withHeader(req.Conn, h, cmds)
	}
	reply, err := s.replyTo(req.Conn, cmds)
	if err == nil {
		err = s.probe()
	}
	return sim.Reply{Body: reply}, err
}

// isFlushing says whether a command deletes all keys.
func isFlushing(cmd string) bool {
	return redisclient.Is(cmd, "FLUSHALL") || redisclient.Is(cmd, "FLUSHDB")
}

// replyTo returns the reply to a request on the connection with that name. A command that
// waits is blocked while there is nothing for it.
func (s *Store) replyTo(conn string, cmds [][]string) (reply string, err error) {
	if len(cmds) == 0 { // it has waited for long enough
		return null, nil
	}
	if len(cmds) == 1 {
		if w, waits, failure := waitingFor(cmds[0]); failure != "" {
			return "-" + failure + "\r\n", nil
		} else if waits {
			return s.wait(conn, w)
		}
	}
	return s.execute(conn, cmds)
}

// execute executes commands on the connection with that name; "" is any.
func (s *Store) execute(conn string, cmds [][]string) (reply string, err error) {
	if conn != "" || redisclient.VerbOf(cmds[0][0]) == redisclient.Unwatch {
		return s.runOn(conn, cmds)
	}
	return s.run(s.peer, cmds)
}

// run executes commands on a connection and returns their replies.
func (s *Store) run(peer *server.Peer, cmds [][]string) (replies string, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.redis.TryLock() // it panics with the lock held, or without
			s.redis.Unlock()
			err = fmt.Errorf("quiesce: miniredis panics: %v", v)
		}
	}()
	s.reply.Reset()
	s.refused = nil
	for _, args := range cmds {
		if len(args) > 1 && (redisclient.Is(args[0], "EVALSHA") || redisclient.Is(args[0], "EVALSHA_RO")) {
			args[1] = strings.ToLower(args[1])
			if _, ok := s.scripts[args[1]]; !ok {
				args[1] = "" // miniredis may know it from an EVAL
			}
		}
		if len(cmds) > 1 && len(args) == 3 && redisclient.Is(args[0], "PUBLISH") {
			// The hook sees a command when it is queued, but those of a script
			// when they are executed.
			args = []string{"EVAL", "return redis.call('PUBLISH', ARGV[1], ARGV[2])", "0", args[1], args[2]}
		}
		peer.Resp3 = false // a script that fails after redis.setresp leaves it on
		s.server.Dispatch(peer, args)
		peer.Flush()
		if s.refused != nil {
			return "", s.refused
		}
	}
	replies = s.reply.String()
	rest, ok := replies, true
	for range cmds {
		if rest, ok = nextReply(nil, rest); !ok {
			break
		}
	}
	if !ok || rest != "" {
		return "", fmt.Errorf("quiesce: miniredis sent %q, which is not one reply in RESP2 to each command", replies)
	}
	return replies, nil
}

// refuse is called by miniredis before every command, those of scripts too. It
// refuses what is not supported, and answers PUBLISH.
func (s *Store) refuse(p *server.Peer, cmd string, args ...string) bool {
	if s.probing || p == s.watcher && (cmd == "WATCH" || cmd == "UNWATCH") {
		return false
	}
	if cmd == "PUBLISH" && len(args) == 2 {
		p.WriteInt(s.publish(args[0], args[1]))
		return true
	}
	name, reason := refusal(cmd, args)
	switch {
	case s.loading && cmd == "SCRIPT":
		name, reason = refusal("EVAL", args[1:])
	case reason == "" && !s.server.IsRegisteredCommand(cmd):
		name, reason = cmd, "miniredis does not know it"
	case isFlushing(cmd) && s.watched():
		name, reason = cmd, isFlush
	case isFlushing(cmd) && !s.reading.flush && s.caching():
		name, reason = cmd, isNestedFlush
	}
	if reason == "" && s.timed && clocked[cmd] {
		name, reason = cmd, isClock
	}
	if reason == "" {
		s.reading.look(cmd, args)
		return false
	}
	err := fmt.Errorf("quiesce: %s is not supported: %s", name, reason)
	if s.refused == nil {
		s.refused = err
	}
	p.WriteError("ERR " + err.Error())
	return true
}
