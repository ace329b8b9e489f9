package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/alicebob/miniredis/v2/server"
)

// A connection is what the server keeps for one connection: it watches keys, it is
// subscribed to channels, its client caches what it reads, or its requests are numbered;
// or it was one of those and is broken.
type connection struct {
	// For a connection that watches.
	peer    *server.Peer
	probes  map[string]probe // of each watched key
	touched bool             // one of them was, so that EXEC will fail

	// The server has gone down, and the client does not know it yet.
	broken bool

	channels []string // sorted; of a connection that is subscribed
	queue    []message
	cache    *cache // nil unless its client caches what it reads

	// For a connection whose requests are numbered: how many were executed, and how many
	// times something was sent. 0 for any other.
	requests, sent int
	resp3          bool // what is sent is told from a reply
}

// watches says whether the connection watches keys, or did when one was touched.
func (c *connection) watches() bool { return c != nil && c.peer != nil }

// subscribed says whether messages are sent on the connection.
func (c *connection) subscribed() bool { return c != nil && len(c.channels) > 0 }

// A probe tells whether a key is touched.
type probe struct {
	peer *server.Peer // watches the key
	item sim.Item     // of the key when it was watched first, and as much older now
}

// watched reports whether any connection watches a key.
func (s *Store) watched() bool {
	for _, c := range s.connections {
		if c.watches() {
			return true
		}
	}
	return false
}

// open returns what is kept for a connection, from now on if it was nothing.
func (s *Store) open(name string) *connection {
	c := s.connections[name]
	if c == nil {
		c = &connection{}
		s.connections[name] = c
	}
	return c
}

// unwatch makes a connection watch nothing, and forgets it if there is nothing else to it.
func (s *Store) unwatch(name string) {
	c := s.connections[name]
	if c == nil {
		return
	}
	c.peer, c.probes, c.touched = nil, nil, false
	if !c.subscribed() && c.cache == nil && c.requests == 0 {
		delete(s.connections, name)
	}
}

// runOn executes a command or a block MULTI ... EXEC on a connection that has a
// state, or gets one.
func (s *Store) runOn(name string, cmds [][]string) (reply string, err error) {
	c := s.connections[name]
	verb := redisclient.VerbOf(cmds[0][0])
	if len(cmds) > 1 {
		verb = redisclient.Exec
	}
	switch {
	case redisclient.Is(cmds[0][0], "UNSUBSCRIBE") && s.reading.header.Number > 0:
		return s.unsubscribe(name, cmds[0][1:]), nil
	case c.subscribed() && !s.reading.header.RESP3 && (verb != redisclient.Subscribe || s.reading.header.Number == 0):
		command := strings.ToUpper(cmds[0][0])
		return "", fmt.Errorf("quiesce: %s is not supported on a connection that is subscribed%s", command, insteadOf[command])
	case verb == redisclient.Subscribe && c.watches():
		return "", errors.New("quiesce: SUBSCRIBE is not supported on a connection that watches keys")
	case verb == redisclient.Subscribe:
		return s.subscribe(name, cmds[0][1:]), nil
	case verb == redisclient.Watch:
		return s.watch(name, cmds[0])
	case verb == redisclient.Unwatch:
		s.watcher = s.peer // the others are dropped as a whole
		defer func() { s.watcher = nil }()
		if reply, err = s.run(s.peer, cmds); err == nil && reply[0] != '-' {
			s.unwatch(name)
		}
		return reply, err
	case verb == redisclient.Exec && c.watches():
		return s.execOn(name, c, cmds)
	}
	return s.run(s.peer, cmds)
}

// insteadOf says what to do instead of changing a subscription. The server may
// execute the change before or after it sends the messages that wait.
var insteadOf = map[string]string{
	"SUBSCRIBE":   ": subscribe to all channels in one call",
	"UNSUBSCRIBE": ": close it",
}

// watch executes WATCH. Redis does not look again at a key that is watched
// already, which miniredis would forget to have been touched.
func (s *Store) watch(name string, args []string) (reply string, err error) {
	c := s.connections[name]
	if !c.watches() {
		c = &connection{peer: s.newPeer(), probes: make(map[string]probe)}
	}
	keys := slices.DeleteFunc(slices.Clone(args[1:]), func(key string) bool {
		_, ok := c.probes[key]
		return ok || c.touched
	})
	if len(args) > 1 && len(keys) == 0 {
		return "+OK\r\n", nil
	}
	s.watcher = c.peer
	defer func() { s.watcher = nil }()
	reply, err = s.run(c.peer, [][]string{append([]string{"WATCH"}, keys...)})
	if err != nil || reply[0] == '-' {
		return reply, err
	}
	for _, key := range keys {
		if _, ok := c.probes[key]; ok {
			continue // named twice
		}
		if c.probes[key], err = s.newProbe(key); err != nil {
			return "", err
		}
	}
	o := s.open(name)
	o.peer, o.probes, o.touched = c.peer, c.probes, c.touched
	return reply, nil
}

// execOn executes MULTI ... EXEC on a connection that watches. EXEC has to agree
// with the probes.
func (s *Store) execOn(name string, c *connection, cmds [][]string) (string, error) {
	reply, err := s.run(c.peer, cmds)
	if err != nil {
		return "", err
	}
	last := reply
	for range cmds[1:] {
		last, _ = nextReply(nil, last)
	}
	if last[0] != '-' && (last == null) != c.touched {
		return "", fmt.Errorf("quiesce: EXEC answers %q, but the probes of the watched keys say that touched is %v", last, c.touched)
	}
	s.unwatch(name)
	return reply, nil
}

// null is the reply to an EXEC that is not executed.
const null = "*-1\r\n"

// probe finds out which watched keys have been touched. miniredis counts the
// changes of each key, and the counts are neither visible nor part of the state:
// all that can be told of them later is whether EXEC fails. So each watched key
// is watched by one more connection, on which an empty block is tried. So it is with keys
// that a client has in its cache.
//
// miniredis does not count every change: GETEX and HDEL, for example, leave EXEC
// succeed, where Redis fails. So the keys are compared with what they were as
// well, after every request: only a block that undoes its own change by such
// commands goes unnoticed.
func (s *Store) probe() error {
	for name, c := range s.connections {
		for key, p := range c.probes {
			touched, quiet, err := s.isTouched(key, p)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !touched {
				continue
			}
			c.touched = true
			if quiet {
				s.touch(c)
			}
			clear(c.probes)
			break
		}
	}
	return s.invalidate()
}

// newProbe returns a probe of a key from now on.
func (s *Store) newProbe(key string) (p probe, err error) {
	p.peer = s.newPeer()
	if p.item, err = s.item(key); err == nil {
		s.ask(p.peer, "WATCH", key)
	}
	return p, err
}

// isTouched says whether a key was touched since its probe was made, and whether that was
// by a change that miniredis does not count.
func (s *Store) isTouched(key string, p probe) (touched, quiet bool, err error) {
	s.ask(p.peer, "MULTI")
	switch reply := s.ask(p.peer, "EXEC"); reply {
	case null:
		return true, false, nil
	case "*0\r\n":
		s.ask(p.peer, "WATCH", key)
	default:
		return false, false, fmt.Errorf("quiesce: the probe of key %q is answered %q", key, reply)
	}
	it, err := s.item(key)
	changed := err == nil && it != p.item
	return changed, changed, err
}

// age takes the shorter TTLs of the keys with a probe that are still there after a tick
// for what they were: that time passes touches no key.
func (s *Store) age() error {
	for _, c := range s.connections {
		for _, probes := range []map[string]probe{c.probes, c.cache.probes()} {
			for key, p := range probes {
				it, err := s.item(key)
				if err != nil {
					return err
				}
				if it != (sim.Item{}) {
					p.item = it
					probes[key] = p
				}
			}
		}
	}
	return nil
}

// item returns the item of a key, and the zero value if it does not exist.
func (s *Store) item(key string) (sim.Item, error) {
	db := s.redis.DB(0)
	if !db.Exists(key) {
		return sim.Item{}, nil
	}
	return item(db, key)
}

// touch makes EXEC fail on a connection, by a key that is gone again afterwards.
func (s *Store) touch(c *connection) {
	const key = "quiesce: touched"
	s.ask(c.peer, "WATCH", key)
	other := s.newPeer()
	s.ask(other, "SETNX", key, "")
	s.ask(other, "DEL", key)
}

// ask executes a command of a probe.
func (s *Store) ask(p *server.Peer, args ...string) string {
	s.probing = true
	defer func() { s.probing = false }()
	s.reply.Reset()
	s.server.Dispatch(p, args)
	p.Flush()
	return s.reply.String()
}
