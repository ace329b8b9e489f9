package redis

import (
	"strings"
	"testing"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// on is a request with a header, of commands that are separated by semicolons.
func on(conn string, h redisclient.Header, commands string) sim.Request {
	body := h.String()
	for _, cmd := range strings.Split(commands, ";") {
		if cmd == redisclient.Receive || cmd == redisclient.Close || cmd == redisclient.TimedOut {
			body += cmd
			continue
		}
		body += encode(strings.Fields(cmd)...)
	}
	return sim.Request{Store: "cache", Conn: conn, Body: body}
}

// told is what is sent of a key.
func told(key string) string {
	return ">2\r\n$10\r\ninvalidate\r\n*1\r\n" + string(redisclient.AppendBulk(nil, key))
}

const toldAll = ">2\r\n$10\r\ninvalidate\r\n_\r\n"

// sent is a parcel of messages, and of replies, which begin with "r".
func sent(number int, parts ...string) string {
	p := redisclient.Parcel{Number: number}
	for _, text := range parts {
		reply, is := strings.CutPrefix(text, "r")
		p.Parts = append(p.Parts, redisclient.Part{Reply: is, Text: reply})
	}
	return p.String()
}

// caching is the header of a client that caches what it reads.
var caching = redisclient.Header{Tracks: true, Caches: true}

func execute(t testing.TB, s *Store, req sim.Request) string {
	t.Helper()
	reply, err := s.Execute(req)
	if err == sim.ErrBlocked {
		return "blocked"
	}
	if err != nil {
		t.Fatal(err)
	}
	return reply.Body
}

func wantReceived(t testing.TB, s *Store, conn, want string) {
	t.Helper()
	if got := execute(t, s, on(conn, redisclient.Header{}, redisclient.Receive)); got != want {
		t.Errorf("%s receives %q, want %q", conn, got, want)
	}
}

// Whatever changes a key that a client has read tells the client, once.
func TestInvalidation(t *testing.T) {
	for _, tt := range []struct {
		setup, read, change string
		told                []string
	}{
		{"SET a 1", "GET a", "SET a 2", []string{"a"}},
		{"SET a 1", "GET a", "SET a 1", []string{"a"}},
		{"SET a 1", "GET a", "DEL a", []string{"a"}},
		{"SET a 1", "GET a", "EXPIRE a 9", []string{"a"}},
		{"SET a 1", "GET a", "GETEX a EX 9", []string{"a"}},
		{"SET a 1", "GET a", "expire a", nil}, // it has no TTL
		{"SETEX a 9 1", "GET a", "expire a", []string{"a"}},
		{"SET a 1", "GET a", "evict a", []string{"a"}},
		{"SET a 1", "GET a", "GET a", nil},
		{"SET a 1", "GET a", "SET b 1", nil},
		{"SET a 1", "GET a", "DEL b", nil},
		{"SET b 1", "GET a", "SET a 1", []string{"a"}}, // that it was not there is known as well
		{"SET b 1", "GET a", "RENAME b a", []string{"a"}},
		{"SET a 1", "MGET a b", "MSET b 1 a 1", []string{"b", "a"}},
		{"SET a 1", "MGET a b", "EVAL return(redis.call('RENAME','a','b')) 0", []string{"a", "b"}},
		{"SET a 1", "MULTI;PTTL a;GET b;EXEC", "MULTI;SET b 1;SET a 1;SET b 2;EXEC", []string{"b", "a"}},
		{"SET a 1", "EVAL return(redis.call('GET',KEYS[1])) 2 a b", "MSET a 1 b 1", []string{"a"}},
		{"HSET a f 1 g 2", "HGET a f", "HDEL a g", []string{"a"}},
		{"RPUSH a x y", "LRANGE a 0 -1", "LPOP a", []string{"a"}},
		{"RPUSH a x y", "LRANGE a 0 -1", "BLPOP b a 0", []string{"a"}},
		{"ZADD a 1 x", "ZUNION 2 b a", "ZADD a 2 x", []string{"a"}},
		{"XADD a 1-1 f v", "XREAD STREAMS b a 0 0", "XADD a 2-1 f v", []string{"a"}},
		{"SET a 1", "GET a", "FLUSHALL", []string{""}},
		{"SET a 1", "GET b", "FLUSHDB", []string{""}},
		{"SET b x", "HGET b f", "SET b y", []string{"b"}}, // the wrong type was read
		{"SET a 1", "GET", "SET a 2", nil},
	} {
		s := newStore(t, strings.Fields(tt.setup))
		execute(t, s, on("p#0", caching, tt.read))
		req := on("", redisclient.Header{}, tt.change)
		if strings.HasPrefix(tt.change, "e") {
			req = sim.Request{Store: "cache"}
			kind, target, _ := strings.Cut(tt.change, " ")
			all, err := s.Incidents(sim.FaultKind(kind))
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range all {
				if in.Target == target {
					req = in.Request
				}
			}
		}
		if req.Body != "" {
			execute(t, s, req)
		}
		for _, key := range tt.told {
			want := told(key)
			if key == "" {
				want = toldAll
			}
			wantReceived(t, s, "p#0", want)
		}
		wantReceived(t, s, "p#0", "blocked")
		if len(tt.told) > 0 {
			execute(t, s, on("", redisclient.Header{}, "MSET a 3 b 3"))
			if got := execute(t, s, on("p#0", redisclient.Header{}, redisclient.Receive)); len(tt.told) > 1 && got != "blocked" || got == told(tt.told[0]) {
				t.Errorf("%s, %s: told again of %q", tt.read, tt.change, got)
			}
		}
	}
}

// What a client is told, and on which connection.
func TestCaching(t *testing.T) {
	noLoop := redisclient.Header{Tracks: true, Caches: true, NoLoop: true}
	s := newStore(t, []string{"SET", "a", "1"})

	// The keys that it has not asked to be told of are none.
	execute(t, s, on("p#0", redisclient.Header{Tracks: true}, "GET a"))
	wantConnections(t, s, "cache p#0 []")
	execute(t, s, on("", redisclient.Header{}, "SET a 2"))
	wantReceived(t, s, "p#0", "blocked")

	// What was changed before a reply comes before it, and what the request changes itself
	// after it.
	execute(t, s, on("p#0", caching, "MGET a b"))
	wantConnections(t, s, `cache p#0 ["a" "b"]`)
	execute(t, s, on("", redisclient.Header{}, "SET a 3"))
	wantConnections(t, s, `cache p#0 ["b"], changed ["a"]`)
	if got, want := execute(t, s, on("p#0", redisclient.Header{Tracks: true}, "SET b 1")), told("a")+"+OK\r\n"+told("b"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wantConnections(t, s, "cache p#0 []")

	// With NOLOOP it is not told of its own changes, and has to read again all the same.
	execute(t, s, on("p#0", noLoop, "GET a"))
	if got := execute(t, s, on("p#0", noLoop, "SET a 4")); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
	wantConnections(t, s, "cache p#0 [] noloop")
	execute(t, s, on("p#0", noLoop, "GET a"))
	execute(t, s, on("q#0", caching, "SET a 4"))
	wantReceived(t, s, "p#0", told("a"))

	// A connection that is closed is told nothing, and neither is one that is broken.
	execute(t, s, on("p#0", caching, "GET a"))
	execute(t, s, on("p#0", redisclient.Header{}, redisclient.Close))
	execute(t, s, on("q#0", caching, "GET a"))
	execute(t, s, s.Disconnect(""))
	execute(t, s, on("", redisclient.Header{}, "SET a 5"))
	wantConnections(t, s, "connection q#0 broken")
	if reply, err := s.Execute(on("q#0", caching, "GET a")); reply.Fault != sim.Outage || err != nil {
		t.Errorf("got %v, %v", reply, err)
	}
	wantConnections(t, s)
}

// With REDIRECT the client is told on another connection, which has its own order. That it
// is not told is nobody's concern if that does not listen.
func TestRedirect(t *testing.T) {
	s := newStore(t, []string{"SET", "a", "1"})
	to := redisclient.Header{Tracks: true, Caches: true, Target: "p#1"}
	execute(t, s, on("p#0", to, "GET a"))
	execute(t, s, on("", redisclient.Header{}, "SET a 2"))
	wantConnections(t, s, `cache p#0 [] to "p#1"`)

	execute(t, s, on("p#1", redisclient.Header{}, "SUBSCRIBE __redis__:invalidate"))
	execute(t, s, on("p#0", to, "GET a"))
	execute(t, s, on("", redisclient.Header{}, "SET a 3"))
	wantConnections(t, s, `cache p#0 [] to "p#1"`, `subscription p#1 ["__redis__:invalidate"], message "__redis__:invalidate" ["a"]`)
	wantReceived(t, s, "p#1", "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n")
	execute(t, s, on("", redisclient.Header{}, "FLUSHALL"))
	wantReceived(t, s, "p#1", "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*-1\r\n")
	if all, err := s.Incidents(sim.DropMessage); len(all) > 0 || err != nil {
		t.Errorf("%v can be lost, %v", all, err)
	}
}

// Requests with a number are executed in their order, and what is sent is numbered in its.
func TestNumbered(t *testing.T) {
	s := newStore(t, []string{"SET", "a", "1"})
	nth := func(n int, h redisclient.Header, cmd string) string {
		h.Number = n
		return execute(t, s, on("p#0", h, cmd))
	}
	receive := func() string { return execute(t, s, on("p#0", redisclient.Header{}, redisclient.Receive)) }
	for _, step := range []struct{ got, want string }{
		{nth(2, redisclient.Header{}, "GET a"), "blocked"},
		{receive(), "blocked"},
		{nth(1, caching, "GET a"), sent(1, "r$1\r\n1\r\n")},
		{nth(3, redisclient.Header{}, "GET a"), "blocked"},
		{do(t, s, "SET", "a", "2"), "+OK\r\n"},
		{receive(), sent(2, told("a"))},
		{nth(2, caching, "GET a"), sent(3, "r$1\r\n2\r\n")},
		{nth(3, redisclient.Header{}, "BLPOP q 1"), "blocked"},
		{nth(3, redisclient.Header{}, redisclient.TimedOut), sent(4, "r*-1\r\n")},
		{nth(3, redisclient.Header{}, redisclient.TimedOut), ""}, // it is answered
		{nth(3, redisclient.Header{}, "BLPOP q 1"), "blocked"},   // for ever
		{do(t, s, "DEL", "a"), ":1\r\n"},
		{nth(4, redisclient.Header{}, "PING"), sent(5, told("a"), "r+PONG\r\n")},
		{nth(5, redisclient.Header{}, "WATCH a"), sent(6, "r+OK\r\n")},
		{do(t, s, "SET", "a", "3"), "+OK\r\n"},
		{nth(6, caching, "MULTI;GET b;EXEC"), sent(7, "r+OK\r\n+QUEUED\r\n*-1\r\n")},
		// Of what is written at once all but the last is sent later, each in its turn.
		{nth(7, redisclient.Header{Tracks: true, Caches: true, More: true}, "GET a"), sent(0, "r$1\r\n3\r\n")},
		{do(t, s, "SET", "a", "4"), "+OK\r\n"},
		{nth(8, redisclient.Header{More: true}, "GET a"), sent(0, "r$1\r\n4\r\n")},
		{receive(), sent(8, "r$1\r\n3\r\n")},
		{nth(9, redisclient.Header{}, "GET b"), sent(9, told("a"), "r$1\r\n4\r\n", "r$-1\r\n")},
		{receive(), "blocked"},
	} {
		if step.got != step.want {
			t.Errorf("got %q, want %q", step.got, step.want)
		}
	}
	wantConnections(t, s, "cache, numbered p#0 [], 9 requests, 9 sent")
}

// On a connection with numbers a subscription can be changed, since its place among the
// messages is known, and in RESP3 any command may come between.
func TestNumberedSubscription(t *testing.T) {
	for _, resp3 := range []bool{false, true} {
		s := newStore(t)
		n := 0
		next := func(cmd string) string {
			n++
			reply := execute(t, s, on("p#0", redisclient.Header{Number: n, RESP3: resp3}, cmd))
			p, _ := redisclient.ParseParcel(reply)
			text := ""
			for _, part := range p.Parts {
				text += part.Text
			}
			return text
		}
		kind := map[bool]string{false: "*", true: ">"}[resp3]
		message := func(text string) string { return kind + message{channel: "c", payload: text}.String()[1:] }
		for _, step := range []struct{ got, want string }{
			{next("SUBSCRIBE c"), confirmation("c", 1)},
			{next("SUBSCRIBE d"), confirmation("d", 2)},
			{do(t, s, "PUBLISH", "c", "1"), ":1\r\n"},
			{do(t, s, "PUBLISH", "c", "2"), ":1\r\n"},
			{execute(t, s, on("p#0", redisclient.Header{}, redisclient.Receive)), sent(3, message("1"))},
			{next("UNSUBSCRIBE c"), message("2") + confirm("unsubscribe", "c", 1)},
			{do(t, s, "PUBLISH", "c", "3"), ":0\r\n"},
			{next("UNSUBSCRIBE"), confirm("unsubscribe", "d", 0)},
			{next("UNSUBSCRIBE"), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"},
			{next("GET a"), "$-1\r\n"},
			{next("SUBSCRIBE c"), confirmation("c", 1)},
		} {
			if step.got != step.want {
				t.Errorf("RESP3 %v: got %q, want %q", resp3, step.got, step.want)
			}
		}
		do(t, s, "PUBLISH", "c", "4")
		reply, err := s.Execute(on("p#0", redisclient.Header{Number: n + 1, RESP3: resp3}, "GET a"))
		if want := sent(9, message("4"), "r$-1\r\n"); resp3 && (reply.Body != want || err != nil) {
			t.Errorf("got %q, %v, want %q", reply.Body, err, want)
		}
		if !resp3 && err == nil {
			t.Errorf("RESP2: got %q", reply.Body)
		}
	}
}

// That time passes tells nobody, and that a key goes away by it does.
func TestInvalidationByTime(t *testing.T) {
	s := newStore(t, []string{"SET", "a", "1", "PX", "2000"})
	s.SetTimed(true)
	execute(t, s, on("p#0", caching, "GET a"))
	for _, want := range []string{"blocked", "blocked", told("a")} {
		if _, err := s.Execute(s.Tick(time.Second)); err != nil {
			t.Fatal(err)
		}
		wantReceived(t, s, "p#0", want)
	}
}

func TestCachingRefused(t *testing.T) {
	for cmd, want := range map[string]string{
		"MULTI;GET a;SET a 2;EXEC": `reads the key "a", which a client caches, and changes it`,
		"EVAL redis.call('INCR',KEYS[1])return(redis.call('GET',KEYS[1])) 1 a": `reads the key "a", which a client caches, and changes it`,
		"EVAL return(redis.call('GET','a')) 0":                                 `a script reads the key "a"`,
		"MULTI;FLUSHALL;EXEC":                                                  "FLUSHALL is not supported: " + isNestedFlush,
		"CLIENT TRACKING ON BCAST":                                             "CLIENT is not supported: " + isClient,
	} {
		s := newStore(t, []string{"SET", "a", "1"})
		execute(t, s, on("q#0", caching, "GET b"))
		if _, err := s.Execute(on("p#0", caching, cmd)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", cmd, err, want)
		}
	}
	s := newStore(t)
	if _, err := s.Execute(on("", caching, "GET a")); err == nil {
		t.Error("a header without a connection: no error")
	}
}

// Which commands only read is what miniredis says as well.
func TestReads(t *testing.T) {
	s := newStore(t)
	seen := 0
	for _, line := range append(append([]string(nil), anything...), streams...) {
		for _, cmd := range strings.Split(line, "|") {
			name := strings.Fields(cmd)[0]
			if _, ok := reads[name]; ok != s.server.IsReadOnlyCommand(name) {
				t.Errorf("%s only reads: %v, as miniredis says %v", name, ok, !ok)
			}
		}
	}
	for name := range reads {
		if s.server.IsRegisteredCommand(name) && !s.server.IsReadOnlyCommand(name) {
			t.Errorf("miniredis says that %s changes something", name)
		}
		seen++
	}
	if seen < 60 {
		t.Errorf("only %d commands", seen)
	}
	for cmd, want := range map[string]string{
		"GET a": "a", "MGET a b": "a b", "ZUNION 2 a b WEIGHTS 1 2": "a b", "XREAD COUNT 1 STREAMS a b 0 0": "a b",
		"KEYS a": "", "GET": "", "ZUNION x a": "", "XREAD COUNT": "", "SET a 1": "false", "XREADGROUP GROUP g c STREAMS a >": "false",
	} {
		words := strings.Fields(cmd)
		keys, ok := keysRead(words[0], words[1:])
		got := strings.Join(keys, " ")
		if !ok {
			got = "false"
		}
		if got != want {
			t.Errorf("%s reads %s, want %s", cmd, got, want)
		}
	}
}

func TestDescribeCaching(t *testing.T) {
	s := newStore(t)
	for _, tt := range []struct {
		req                sim.Request
		reply              string
		wantReq, wantReply string
	}{
		{on("p#0", caching, "GET a"), "$1\r\n1\r\n", "GET a", "1"},
		{on("p#0", redisclient.Header{Number: 3}, "SET a 2"), sent(5, told("b"), "r+OK\r\n", told("a")), "SET a 2", "invalidate [b]; OK; invalidate [a]"},
		{on("p#0", redisclient.Header{}, redisclient.Receive), sent(6, toldAll), "receive", "invalidate (nil)"},
		{on("p#0", redisclient.Header{Number: 3, More: true}, "GET a"), sent(0, "r$1\r\n1\r\n"), "GET a", "1"},
		{on("p#0", redisclient.Header{}, redisclient.Receive), sent(6, "r*1\r\n$1\r\n1\r\n"), "receive", "1"},
		{on("p#0", redisclient.Header{Number: 3}, "XRANGE s - +"), sent(6, "r*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"), "XRANGE s - +", "5-1 f v"},
		{on("p#0", redisclient.Header{Number: 4}, redisclient.TimedOut), sent(7, "r*-1\r\n"), "timeout", "(nil)"},
	} {
		req, reply := s.Describe(tt.req, sim.Reply{Body: tt.reply})
		if req != tt.wantReq || reply != tt.wantReply {
			t.Errorf("got %s -> %s, want %s -> %s", req, reply, tt.wantReq, tt.wantReply)
		}
	}
}
