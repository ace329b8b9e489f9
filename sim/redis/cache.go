package redis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Client-side caching follows https://redis.io/docs/latest/develop/reference/client-side-caching
// in its default mode: the server remembers which keys each connection has read, and tells
// it once that one was changed, or is gone. miniredis has nothing of it, so a key that is
// remembered has a probe, as one that is watched.

// A cache is what the server remembers for a client that caches what it reads on a
// connection.
type cache struct {
	keys   map[string]probe // that were read, and not touched since
	noLoop bool             // the client is not told of what it changes itself
	target string           // the connection on which it is told; "" is the same one
}

// probes returns those of the keys that are remembered.
func (c *cache) probes() map[string]probe {
	if c == nil {
		return nil
	}
	return c.keys
}

// String returns what is remembered as it stands in the content.
func (c *cache) String() string {
	text := list(slices.Sorted(maps.Keys(c.keys)))
	if c.noLoop {
		text += " noloop"
	}
	if c.target != "" {
		text += " to " + strconv.Quote(c.target)
	}
	return text
}

// invalidateChannel is on which a client is told of the keys of another connection.
const invalidateChannel = "__redis__:invalidate"

// invalidation returns what the server sends of a key that was changed: on the connection
// that has read it a push of RESP3, on another one a message.
func (m message) invalidation() string {
	keys := string(redisclient.AppendBulk([]byte("*1\r\n"), m.payload))
	if m.channel == "" {
		b := redisclient.AppendBulk([]byte(">2\r\n"), "invalidate")
		if m.changed == allKeys {
			keys = "_\r\n"
		}
		return string(b) + keys
	}
	b := redisclient.AppendBulk(redisclient.AppendBulk([]byte("*3\r\n"), "message"), m.channel)
	if m.changed == allKeys {
		keys = null
	}
	return string(b) + keys
}

// A reading is what is found out of a request while it is executed.
type reading struct {
	on      bool
	conn    string   // on which the request comes
	read    []string // keys, in the order of the commands
	written []string // arguments of commands that may change something
	flush   bool     // it is FLUSHALL or FLUSHDB, and nothing else

	header redisclient.Header
}

// caching says whether any client caches what it reads.
func (s *Store) caching() bool {
	for _, c := range s.connections {
		if c.cache != nil {
			return true
		}
	}
	return false
}

// look notes what a command is about that is to be executed.
func (r *reading) look(cmd string, args []string) {
	if !r.on || strings.HasPrefix(cmd, "EVAL") {
		return
	}
	if keys, ok := keysRead(cmd, args); ok {
		r.read = append(r.read, keys...)
	} else {
		r.written = append(r.written, args...)
	}
}

// candidates makes probes of the keys that commands may read.
func (s *Store) candidates(cmds [][]string) (map[string]probe, error) {
	all := make(map[string]probe)
	for _, cmd := range cmds {
		name, args := strings.ToUpper(cmd[0]), cmd[1:]
		keys, ok := keysRead(name, args)
		if strings.HasPrefix(name, "EVAL") {
			keys, ok = counted(args, 1)
		}
		for _, key := range keys {
			if _, is := all[key]; is || !ok {
				continue
			}
			p, err := s.newProbe(key)
			if err != nil {
				return nil, err
			}
			all[key] = p
		}
	}
	return all, nil
}

// remember adds the keys that a request has read to those of its connection. One that it
// has changed as well would be told of or not, depending on the order of the two.
func (s *Store) remember(c *cache, candidates map[string]probe) error {
	for _, key := range s.reading.read {
		p, ok := candidates[key]
		if !ok {
			return fmt.Errorf("quiesce: a script reads the key %q, which a client caches, and does not name it among its keys: name it", key)
		}
		touched, _, err := s.isTouched(key, p)
		if err != nil {
			return err
		}
		if touched {
			return fmt.Errorf("quiesce: a request that reads the key %q, which a client caches, and changes it is not supported: read it in a request of its own", key)
		}
		if _, known := c.keys[key]; !known {
			c.keys[key] = p
		}
	}
	return nil
}

// invalidate tells the clients that cache a key which was touched, in the order in which
// the request has changed them.
func (s *Store) invalidate() error {
	for _, name := range slices.Sorted(maps.Keys(s.connections)) {
		c := s.connections[name]
		if s.reading.flush && c.cache != nil {
			clear(c.cache.keys)
			s.tell(c, message{changed: allKeys})
			continue
		}
		var touched []string
		for _, key := range slices.Sorted(maps.Keys(c.cache.probes())) {
			is, _, err := s.isTouched(key, c.cache.keys[key])
			if err != nil {
				return err
			}
			if is {
				touched = append(touched, key)
			}
		}
		slices.SortStableFunc(touched, func(a, b string) int { return s.reading.place(a) - s.reading.place(b) })
		for _, key := range touched {
			delete(c.cache.keys, key)
			if !c.cache.noLoop || name != s.reading.conn {
				s.tell(c, message{payload: key, changed: oneKey})
			}
		}
	}
	return nil
}

// place returns where a key is first written; those of which that is not known are last.
func (r *reading) place(key string) int {
	if i := slices.Index(r.written, key); i >= 0 {
		return i
	}
	return len(r.written)
}

// tell queues a message about the keys of a connection. If it is for another one that does
// not listen, nobody is told.
func (s *Store) tell(c *connection, m message) {
	if c.cache.target != "" {
		m.channel = invalidateChannel
		if c = s.connections[c.cache.target]; !c.subscribed() {
			return
		}
	}
	c.queue = append(c.queue, m)
}

// flush returns what is to be sent on a connection, which then is sent.
func (c *connection) flush() (parts []redisclient.Part) {
	for _, m := range c.queue {
		parts = append(parts, m.part(c.resp3))
	}
	c.queue = nil
	return parts
}

// send returns what is sent at once: a parcel if the requests of the connection are
// numbered.
func (c *connection) send(parts ...redisclient.Part) string {
	if c.requests > 0 {
		c.sent++
		return redisclient.Parcel{Number: c.sent, Parts: parts}.String()
	}
	text := ""
	for _, p := range parts {
		text += p.Text
	}
	return text
}

// withHeader executes a request that says more of its connection.
func (s *Store) withHeader(conn string, h redisclient.Header, cmds [][]string) (sim.Reply, error) {
	executed := 0
	if c := s.connections[conn]; c != nil {
		executed = c.requests
	}
	switch {
	case conn == "":
		return sim.Reply{}, fmt.Errorf("quiesce: a request with a header comes on a connection with a name")
	case h.Number > executed+1:
		return sim.Reply{}, sim.ErrBlocked
	case h.Number > 0 && h.Number <= executed && len(cmds) == 0:
		return sim.Reply{}, nil // what it has waited for came before
	case h.Number > 0 && h.Number <= executed:
		return sim.Reply{}, sim.ErrBlocked // it was answered that its time was over
	}
	var candidates map[string]probe
	var err error
	if h.Caches {
		if candidates, err = s.candidates(cmds); err != nil {
			return sim.Reply{}, err
		}
	}
	reply, err := s.replyTo(conn, cmds)
	if err != nil {
		return sim.Reply{}, err
	}
	c := s.open(conn)
	if h.Number > 0 {
		c.requests, c.resp3 = h.Number, h.RESP3
	}
	if h.Tracks && c.cache == nil {
		c.cache = &cache{keys: make(map[string]probe)}
	}
	if h.Tracks {
		c.cache.noLoop, c.cache.target = h.NoLoop, h.Target
	}
	c.queue = append(c.queue, message{reply: reply})
	if err := s.probe(); err != nil {
		return sim.Reply{}, err
	}
	if h.Caches && !inVain(len(cmds), reply) {
		if err := s.remember(c.cache, candidates); err != nil {
			return sim.Reply{}, err
		}
	}
	if h.More { // it is sent later, and is shown with the request
		return sim.Reply{Body: redisclient.Parcel{Parts: []redisclient.Part{{Reply: true, Text: reply}}}.String()}, nil
	}
	return sim.Reply{Body: c.send(c.flush()...)}, nil
}

// closeInTurn closes a connection when all requests before that were executed. Of one that
// is gone there is nothing to close.
func (s *Store) closeInTurn(conn string, h redisclient.Header) (sim.Reply, error) {
	c := s.connections[conn]
	if c == nil && h.Number > 1 || c != nil && h.Number > c.requests+1 {
		return sim.Reply{}, sim.ErrBlocked
	}
	delete(s.connections, conn)
	return sim.Reply{}, nil
}

// inVain says whether a request of so many commands has read nothing: EXEC was not
// executed, or the server did not understand the command.
func inVain(n int, replies string) bool {
	last := replies
	for range n - 1 {
		last, _ = nextReply(nil, last)
	}
	return n > 1 && (last == null || last[0] == '-') || strings.HasPrefix(last, "-ERR")
}

// keysRead returns the keys that a command reads, and false if it is none that only reads.
func keysRead(cmd string, args []string) (keys []string, ok bool) {
	first, ok := reads[cmd]
	switch {
	case !ok:
		return nil, false
	case first == noKey || len(args) == 0:
		return nil, true
	case first == allAreKeys:
		return args, true
	case first == countedKeys:
		keys, _ = counted(args, 0)
		return keys, true
	case first == streamKeys:
		if i := slices.IndexFunc(args, func(s string) bool { return redisclient.Is(s, "STREAMS") }); i >= 0 {
			rest := args[i+1:]
			keys = rest[:len(rest)/2]
		}
		return keys, true
	}
	return args[:1], true
}

// counted returns the keys whose number is the argument at i.
func counted(args []string, i int) (keys []string, ok bool) {
	if len(args) <= i {
		return nil, false
	}
	n, err := strconv.Atoi(args[i])
	if rest := args[i+1:]; err == nil && n >= 0 && n <= len(rest) {
		return rest[:n], true
	}
	return nil, false
}

// Where a command that only reads has its keys.
const (
	oneKeyFirst = iota
	noKey
	allAreKeys
	countedKeys
	streamKeys
)

// reads are the commands that only read, as Redis flags them.
var reads = func() map[string]int {
	m := make(map[string]int)
	for where, names := range map[int]string{
		noKey:       "KEYS SCAN DBSIZE RANDOMKEY",
		allAreKeys:  "MGET EXISTS TOUCH SINTER SUNION SDIFF PFCOUNT",
		countedKeys: "ZUNION ZINTER ZDIFF ZINTERCARD SINTERCARD",
		streamKeys:  "XREAD",
		oneKeyFirst: `GET STRLEN GETRANGE SUBSTR GETBIT BITCOUNT BITPOS TTL PTTL TYPE EXPIRETIME PEXPIRETIME DUMP
			HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HSCAN HRANDFIELD HTTL HPTTL HEXPIRETIME HPEXPIRETIME
			LINDEX LLEN LPOS LRANGE SCARD SISMEMBER SMISMEMBER SMEMBERS SRANDMEMBER SSCAN
			ZCARD ZCOUNT ZLEXCOUNT ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE
			ZRANK ZREVRANK ZSCORE ZMSCORE ZSCAN ZRANDMEMBER GEODIST GEOPOS GEOHASH GEORADIUS_RO GEORADIUSBYMEMBER_RO
			GEOSEARCH XLEN XRANGE XREVRANGE XPENDING`,
	} {
		for _, name := range strings.Fields(names) {
			m[name] = where
		}
	}
	return m
}()
