package redis

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Commands over two keys that reach every type and most corners of miniredis.
var anything = strings.Split(strings.TrimSpace(`
SET a 1|SET b 1 EX 9|SET a 2 KEEPTTL|SET b 2 XX GET|SETNX a 3|APPEND a 1|GETDEL a|GETEX a EX 5|GETEX a PERSIST|GETSET a 4
SETRANGE a 2 z|SETBIT a 3 1|INCR a|INCRBYFLOAT a 0.5|MSETNX a 1 b 2|GETRANGE a 0 1|STRLEN a|GET a|MGET a b
EXPIRE a 7|EXPIRE b -1|PEXPIREAT a 1|EXPIREAT b 1767225609|PERSIST a|TTL a|PTTL b|EXPIRETIME a
DEL a|UNLINK b|RENAME a b|RENAMENX b a|TYPE a|EXISTS a b|TOUCH a|KEYS *|SCAN 0|DBSIZE|FLUSHALL
HSET a f 1|HSET a g 2|HDEL a f|HDEL a g|HINCRBY a f 2|HINCRBYFLOAT a f 0.5|HSETNX a f 1|HGETALL a|HKEYS a|HVALS a|HSCAN a 0|HTTL a FIELDS 1 f
LPUSH a x|RPUSH a y z|RPUSH b w|LPOP a|RPOP b|LMOVE a b LEFT RIGHT|RPOPLPUSH b a|LTRIM a 1 1|LTRIM a 2 1|LINSERT a BEFORE y q|LREM a 0 y|LSET a 0 r|LRANGE a 0 -1|LPOS a y|LMPOP 2 a b LEFT|BLPOP a b 0|BRPOP b 1|BLMOVE a b LEFT RIGHT 0|BRPOPLPUSH b a 0|BLMPOP 0 2 a b LEFT
SADD a x y|SADD b y z|SREM a x y|SMOVE a b x|SMEMBERS a|SSCAN a 0|SINTERCARD 2 a b
ZADD a 1 x 1 y|ZADD a 2 x|ZINCRBY a 1 y|ZREM a x y|ZPOPMIN a|ZPOPMAX a|ZREMRANGEBYSCORE a 1 1|ZRANGE a 0 -1 WITHSCORES|ZUNION 2 a b|ZINTER 2 a b|ZSCAN a 0|BZPOPMIN a b 0|BZPOPMAX b 0|BZMPOP 0 2 a b MAX
GEOADD a 1 1 x 1 1 y 2 2 z|GEORADIUS a 1 1 9 km ASC|GEORADIUS a 1 1 9 km STORE b
XADD a * f v|XADD b 5-1 f v|XADD a 5 f v|XLEN a|XRANGE a - +|XREVRANGE a + -|XREAD STREAMS a b 0 0
`), "\n")

// Commands over streams with consumer groups.
var streams = strings.Split(strings.TrimSpace(`
XADD a * f v|XADD a 5 f v|XADD b 5-1 f v|XADD b * f v|DEL a|RENAME a b|XLEN a|XRANGE a - +|XRANGE b (5-0 +|XREAD STREAMS a b 0 0|XREAD BLOCK 0 STREAMS a 5|XREAD BLOCK 9 STREAMS a 5
XGROUP CREATE a g 0 MKSTREAM|XGROUP CREATE a g $|XGROUP CREATE b g $ MKSTREAM|XGROUP CREATE a h 5
XREADGROUP GROUP g c COUNT 1 STREAMS a >|XREADGROUP GROUP g c STREAMS b >|XREADGROUP GROUP g d BLOCK 0 STREAMS a >|XREADGROUP GROUP h c NOACK STREAMS a >
XREADGROUP GROUP g c STREAMS a 0|XREADGROUP GROUP g d STREAMS a 5|XREADGROUP GROUP h c STREAMS a 0
XACK a g 4-0 5-0|XACK a g 4-0|XACK a g 1767225600000-0|XACK b g 5-1 1767225600000-0|XACK a h 5-0
XPENDING a g|XPENDING b g|XPENDING a g - + 9|XPENDING a g - + 9 c|XPENDING a h - 5 1
`), "\n")

// Two stores that reach the same content in different ways answer the same to
// everything, and have the same content afterwards.
func TestSameContentSameReplies(t *testing.T) {
	t.Run("anything", func(t *testing.T) { sameContentSameReplies(t, anything, 3000, 12) })
	t.Run("streams", func(t *testing.T) {
		sameContentSameReplies(t, streams, 250, 25, strings.Fields("XGROUP CREATE a g 0 MKSTREAM"), strings.Fields("XADD a 4-0 f v"))
	})
}

func sameContentSameReplies(t *testing.T, lines []string, rounds, length int, setup ...[]string) {
	var cmds [][]string
	for _, line := range lines {
		for _, cmd := range strings.Split(line, "|") {
			cmds = append(cmds, strings.Fields(cmd))
		}
	}
	s := newStore(t, setup...)
	rng := rand.New(rand.NewSource(1))
	known := map[string]string{}
	if testing.Short() {
		rounds /= 10
	}
	for range rounds {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		var path []int
		for range length {
			c, err := s.Content()
			if err != nil {
				t.Logf("%q: %v", history(cmds, path), err)
				break
			}
			before := c.Key()
			i := rng.Intn(len(cmds))
			reply, err := s.Execute(request(cmds[i]...))
			got := reply.Body
			if err == sim.ErrBlocked {
				got = "blocked"
			} else if err != nil { // miniredis answers XLEN of a wrong type twice
				break
			}
			path = append(path[:len(path):len(path)], i)
			if c, err = s.Content(); err == nil {
				got += c.Key()
			}
			k := before + "\x00" + strings.Join(cmds[i], " ")
			if want, ok := known[k]; ok && got != want {
				t.Fatalf("in content %q: %s answers and leaves\n%q after one history,\n%q after another, %q", before, cmds[i], want, got, history(cmds, path))
			}
			known[k] = got
		}
	}
	t.Logf("%d transitions", len(known))
}

func history(cmds [][]string, path []int) (lines []string) {
	for _, i := range path {
		lines = append(lines, strings.Join(cmds[i], " "))
	}
	return lines
}

// TestSameContentSameRepliesOnConnections is the same with connections that
// watch and that are subscribed, and with faults, which can happen in equal contents
// alike. Whatever changes a watched key touches it.
func TestSameContentSameRepliesOnConnections(t *testing.T) {
	on := func(conn string, cmds ...string) (reqs []sim.Request) {
		for _, cmd := range cmds {
			body := cmd
			if cmd != redisclient.Receive && cmd != redisclient.Close {
				body = ""
				for _, c := range strings.Split(cmd, ";") {
					body += encode(strings.Fields(c)...)
				}
			}
			reqs = append(reqs, sim.Request{Store: "cache", Body: body, Conn: conn})
		}
		return reqs
	}
	var data, state []sim.Request
	for _, line := range anything {
		data = append(data, on("", strings.Split(line, "|")...)...)
	}
	for _, conn := range []string{"p#0", "q#0"} {
		state = append(state, on(conn, "WATCH a", "WATCH a b", "WATCH b", "UNWATCH", "MULTI;INCR a;EXEC", "MULTI;GET a;PUBLISH c 3;EXEC")...)
	}
	for _, conn := range []string{"p#1", "q#1"} {
		state = append(state, on(conn, "SUBSCRIBE c", "SUBSCRIBE d c", redisclient.Receive, redisclient.Receive, redisclient.Close)...)
	}
	for _, conn := range []string{"p#2", "q#2"} {
		for _, h := range []redisclient.Header{caching, {Tracks: true}, {Tracks: true, Caches: true, NoLoop: true}, {Tracks: true, Caches: true, Target: "p#1"}} {
			for _, req := range on(conn, "GET a", "MGET a b", "MULTI;PTTL a;GET b;EXEC", "SET a 2", "EVAL return(redis.call('GET',KEYS[1])) 1 b") {
				req.Body = h.String() + req.Body
				state = append(state, req)
			}
		}
		state = append(state, on(conn, redisclient.Receive, redisclient.Receive, redisclient.Receive, redisclient.Close)...)
	}
	state = append(state, on("", "PUBLISH c 1", "PUBLISH d 2", "EVAL return(redis.call('PUBLISH','c',2)) 0")...)

	numbered := on("", "GET a", "SET b 3", "MGET b a", "WATCH a", "MULTI;GET a;EXEC", "PUBLISH c 4", "SUBSCRIBE d c", "UNSUBSCRIBE d", "UNSUBSCRIBE", redisclient.Receive, redisclient.Receive, redisclient.Close)
	numbered = append(numbered, sim.Request{Store: "cache", Body: redisclient.TimedOut})

	s := newStore(t)
	rng := rand.New(rand.NewSource(1))
	known := map[string]string{}
	changes, told := 0, 0
	faults := 0
	rounds := 4000
	if testing.Short() {
		rounds = 600
	}
	for range rounds {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		var path []string
		for range 15 {
			before, err := s.Content()
			if err != nil {
				break
			}
			req := state[rng.Intn(len(state))]
			if rng.Intn(2) == 0 {
				req = data[rng.Intn(len(data))]
			}
			// A connection whose requests are numbered: the next one, or the one after that.
			if rng.Intn(4) == 0 {
				name := []string{"p#3", "q#3"}[rng.Intn(2)]
				h := []redisclient.Header{{}, caching, {RESP3: true}, {More: true}}[rng.Intn(4)]
				h.Number = 1 + rng.Intn(2)
				if c := s.connections[name]; c != nil {
					h.Number += c.requests
				}
				req = numbered[rng.Intn(len(numbered))]
				req.Conn = name
				if req.Body != redisclient.Receive && req.Body != redisclient.Close {
					req.Body = h.String() + req.Body
				}
			}
			strikes := incidents(t, s)
			if k, list := "incidents in "+before.Key(), fmt.Sprint(strikes); known[k] == "" {
				known[k] = list
			} else if known[k] != list {
				t.Fatalf("in content %q: the incidents are %s and %s", before, known[k], list)
			}
			strikes = append(strikes, s.Disconnect(""), s.Disconnect("p"))
			if rng.Intn(8) == 0 {
				req = strikes[rng.Intn(len(strikes))]
				faults++
			}
			name, _ := s.Describe(req, sim.Reply{})
			path = append(path, req.Conn+" "+name)
			reply, err := s.Execute(req)
			got := reply.Body
			if err == sim.ErrBlocked {
				got = "blocked"
			} else if err != nil {
				break
			}
			after, err := s.Content()
			if err == nil {
				got += after.Key()
			}
			if err == nil {
				told += cached(t, path, req, before, after)
			}
			if err == nil && req.Conn == "" {
				for _, it := range before {
					for _, key := range []string{"a", "b"} {
						watched, _, _ := strings.Cut(it.Value, "]") // they come first
						if !strings.Contains(it.Note, "watch") || !strings.Contains(watched, strconv.Quote(key)) || find(before, key) == find(after, key) {
							continue
						}
						changes++
						if v, _ := after.Lookup(it.Name); !strings.HasPrefix(v, "touched") {
							t.Errorf("%q changes %s but does not touch it", path, key)
						}
					}
				}
			}
			k := before.Key() + "\x00" + req.Conn + "\x00" + req.Body
			if want, ok := known[k]; ok && got != want {
				t.Fatalf("in content %q: %s answers and leaves\n%q after one history,\n%q after another, %q", before, name, want, got, path)
			}
			known[k] = got
		}
	}
	if changes < 30 {
		t.Errorf("only %d changes of watched keys", changes)
	}
	if told < 100 {
		t.Errorf("only %d changes of keys in a cache", told)
	}
	t.Logf("%d transitions, %d changes of watched keys, %d of keys in a cache, %d faults", len(known), changes, told, faults)
}

// cached counts the keys that a client has in its cache and which a request has changed,
// and wants them to be remembered no more.
func cached(t *testing.T, path []string, req sim.Request, before, after sim.Content) (n int) {
	for _, it := range before {
		now := find(after, it.Name)
		for _, key := range []string{"a", "b"} {
			if !remembers(it, key) || find(before, key) == find(after, key) {
				continue
			}
			n++
			if req.Conn != it.Name && remembers(now, key) {
				t.Errorf("%q changes %s but does not tell %s", path, key, it.Name)
			}
		}
	}
	return n
}

// remembers says whether the item of a connection has a key as one that is in a cache.
func remembers(it sim.Item, key string) bool {
	if !strings.Contains(it.Note, "cache") || strings.Contains(it.Note, "watch") || strings.Contains(it.Note, "subscription") {
		return false
	}
	keys, _, _ := strings.Cut(it.Value, "]")
	return strings.Contains(keys, strconv.Quote(key))
}

// incidents returns the requests of all faults in the content.
func incidents(t *testing.T, s *Store) (reqs []sim.Request) {
	t.Helper()
	for _, kind := range []sim.FaultKind{sim.DropMessage, sim.Evict, sim.Expire} {
		all, err := s.Incidents(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range all {
			reqs = append(reqs, in.Request)
		}
	}
	return reqs
}

// find returns the item of a key.
func find(c sim.Content, key string) sim.Item {
	for _, it := range c {
		if it.Name == key {
			return it
		}
	}
	return sim.Item{}
}
