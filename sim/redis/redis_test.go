package redis

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/redis/go-redis/v9"
)

// A task is client code for a test.
type task func(context.Context, *redis.Client) (string, error)

func newStore(t testing.TB, setup ...[]string) *Store {
	t.Helper()
	s, err := NewStore("cache", Options{Setup: setup})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func system(s *Store, tasks ...task) *sim.System {
	sys := &sim.System{Stores: []sim.Store{s}}
	for i, task := range tasks {
		sys.Programs = append(sys.Programs, sim.Program{
			Name: fmt.Sprintf("task-%d", i+1),
			New: func(p *sim.Process) []sim.Task {
				c := s.Client(p)
				return []sim.Task{func(ctx context.Context) (string, error) { return task(ctx, c) }}
			},
		})
	}
	return sys
}

// run runs the tasks, one step each in turn, and returns the trace, one line a step.
func run(s *Store, tasks ...task) (trace []string, results []string, err error) {
	e, err := system(s, tasks...).Start()
	if err != nil {
		return nil, nil, err
	}
	defer e.Stop()
	for stepped := true; stepped; {
		stepped = false
		for i := range tasks {
			if _, ok := e.Pending(i); ok {
				stepped = true
				if err := e.Step(i); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	for _, st := range e.Trace() {
		req, reply := s.Describe(st.Request, st.Reply)
		trace = append(trace, fmt.Sprintf("%d: %s -> %s", st.Task+1, req, reply))
	}
	v, err := e.View()
	return trace, v.Results, err
}

// do executes one command and returns the reply.
func do(t testing.TB, s *Store, args ...string) string {
	t.Helper()
	reply, err := s.Execute(request(args...))
	if err != nil {
		t.Fatal(err)
	}
	return reply.Body
}

func request(args ...string) sim.Request { return sim.Request{Store: "cache", Body: encode(args...)} }

func encode(args ...string) string {
	b := fmt.Sprintf("*%d\r\n", len(args))
	for _, a := range args {
		b += fmt.Sprintf("$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

func content(t testing.TB, s *Store) sim.Content {
	t.Helper()
	c, err := s.Content()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const compareAndDelete = `-- delete-if
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

func TestSteps(t *testing.T) {
	load := []string{"SCRIPT", "LOAD", compareAndDelete}
	script := redis.NewScript(compareAndDelete)
	tests := []struct {
		name  string
		setup [][]string
		task  task
		want  []string
	}{
		{"get", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			if err := c.Get(ctx, "a").Err(); err != redis.Nil {
				return "", fmt.Errorf("got %v", err)
			}
			return "", nil
		}, []string{"1: GET a -> (nil)"}},
		{"set", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			c.Set(ctx, "a", "1", time.Minute)
			c.Do(ctx, "SETEX", "b", 1, "x y")
			c.SetNX(ctx, "a", "2", 0)
			c.Del(ctx, "a", "z")
			return c.Get(ctx, "b").Result()
		}, []string{
			"1: set a 1 ex 60 -> OK", `1: setex b 1 'x y' -> OK`, "1: set a 2 nx -> (nil)", "1: del a z -> 1", "1: get b -> 'x y'",
		}},
		{"script", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			c.Set(ctx, "a", "1", 0)
			if n, err := script.Run(ctx, c, []string{"a"}, "1").Int(); n != 1 || err != nil {
				return "", fmt.Errorf("got %d, %v", n, err)
			}
			return "", script.Run(ctx, c, []string{"a"}, "1").Err()
		}, []string{
			"1: set a 1 -> OK",
			"1: evalsha " + script.Hash()[:8] + " 1 a 1 -> error: NOSCRIPT No matching script. Please use EVAL.", "1: eval (delete-if) 1 a 1 -> 1",
			"1: evalsha " + script.Hash()[:8] + " 1 a 1 -> error: NOSCRIPT No matching script. Please use EVAL.", "1: eval (delete-if) 1 a 1 -> 0",
		}},
		{"loaded script", [][]string{load}, func(ctx context.Context, c *redis.Client) (string, error) {
			return "", script.Run(ctx, c, []string{"a"}, "1").Err()
		}, []string{"1: evalsha (delete-if) 1 a 1 -> 0"}},
		{"transaction", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			cmds, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "a", "1", 0)
				p.Incr(ctx, "a")
				p.Get(ctx, "b")
				return nil
			})
			if err != redis.Nil || cmds[1].(*redis.IntCmd).Val() != 2 {
				return "", fmt.Errorf("got %v, %v", cmds, err)
			}
			return "", nil
		}, []string{"1: multi; set a 1; incr a; get b; exec -> [OK 2 (nil)]"}},
		{"pipeline", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "a", "1", 0)
				p.LPush(ctx, "a", "1")
				p.Get(ctx, "a")
				return nil
			})
			if cmds[2].(*redis.StringCmd).Val() != "1" {
				return "", fmt.Errorf("got %v, %v", cmds, err)
			}
			return "", nil
		}, []string{
			"1: set a 1 -> OK",
			"1: lpush a 1 -> error: WRONGTYPE Operation against a key holding the wrong kind of value",
			"1: get a -> 1",
		}},
		{"handshake", nil, func(ctx context.Context, c *redis.Client) (string, error) {
			if err := c.Do(ctx, "CLIENT", "SETNAME", "x").Err(); err != nil {
				return "", err
			}
			conn := c.Conn()
			defer conn.Close()
			return "", conn.Hello(ctx, 2, "", "", "").Err()
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, tt.setup...)
			for range 2 { // the second time with a client that has been used
				got, _, err := run(s, tt.task)
				if err != nil {
					t.Fatal(err)
				}
				want := strings.ToLower(strings.Join(tt.want, "\n"))
				if strings.ToLower(strings.Join(got, "\n")) != want {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
				}
			}
		})
	}
}

// A pipeline and a block that do not fit into one write of the client.
func TestLargeWrites(t *testing.T) {
	s := newStore(t)
	big := strings.Repeat("x", 3000)
	fill := func(p redis.Pipeliner) error {
		for i := range 20 {
			p.Set(context.Background(), fmt.Sprint("k", i), big+fmt.Sprint(i), 0)
		}
		return nil
	}
	for _, tt := range []struct {
		name  string
		steps int
		exec  func(*redis.Client) ([]redis.Cmder, error)
	}{
		{"pipeline", 20, func(c *redis.Client) ([]redis.Cmder, error) { return c.Pipelined(context.Background(), fill) }},
		{"transaction", 1, func(c *redis.Client) ([]redis.Cmder, error) { return c.TxPipelined(context.Background(), fill) }},
	} {
		trace, _, err := run(s, func(ctx context.Context, c *redis.Client) (string, error) {
			_, err := tt.exec(c)
			return "", err
		})
		if err != nil || len(trace) != tt.steps {
			t.Errorf("%s: %d steps, %v, want %d", tt.name, len(trace), err, tt.steps)
		}
		if v, _ := content(t, s).Lookup("k19"); v != big+"19" {
			t.Errorf("%s: last key is not there", tt.name)
		}
	}
}

func TestContent(t *testing.T) {
	// No two of these leave the same content.
	distinct := [][]string{
		{}, {"SET a 1"}, {"SET a 2"}, {"SET b 1"}, {"SET a 1 EX 60"}, {"SET a 1 PX 60001"}, {"SET a 1", "SET b 1"},
		{"HSET a f 1"}, {"HSET a f 2"}, {"HSET a f 1", "EXPIRE a 9"}, {"HSET a f 1 g 1"}, {`HSET a f 1"\x20"g":"1`},
		{"RPUSH a x y"}, {"RPUSH a y x"}, {"RPUSH a x"}, {`RPUSH a x"\x20"y`},
		{"SADD a x"}, {"SADD a x y"}, {`SADD a x"\x20"y`}, {"SADD a \xff"}, {"SADD a \xfe"}, {"SADD a \ufffd"},
		{"ZADD a 1 x"}, {"ZADD a 2 x"}, {"ZADD a 1 x 1 y"}, {"ZADD a 0.1 x"}, {"ZADD a inf x"},
		{"XADD a 1-1 f v"}, {"XADD a 1-2 f v"}, {"XADD a 1-1 f v", "XADD a * f v"}, {"XADD a 1-1 f w"},
	}
	// The first and the others leave the same content.
	same := [][][]string{
		{{"SET a 1", "SET b 2"}, {"SET b 2", "SET a 1"}, {"SET c 1", "SET b 2", "SET a 1", "DEL c"}, {"MSET a 1 b 2"}},
		{{}, {"SET a 1", "DEL a"}, {"EVAL return(1) 0"}, {"LPUSH a x", "LPOP a"}, {"GET a"}},
		{{"SADD a x y"}, {"SADD a y x"}}, {{"HSET a f 1 g 2"}, {"HSET a g 2 f 1"}}, {{"ZADD a 1 x 1 y"}, {"ZADD a 1 y 1 x"}},
		{{"SET a 1 EX 60"}, {"SET a 1", "EXPIRE a 60"}, {"SET a 1", "EXPIREAT a 1767225660"}},
	}
	s := newStore(t)
	key := func(cmds []string) string {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range cmds {
			args := strings.Fields(cmd)
			for i, a := range args {
				args[i] = strings.ReplaceAll(a, `\x20`, " ")
			}
			if reply := do(t, s, args...); reply[0] == '-' {
				t.Fatalf("%s: %s", cmd, reply)
			}
		}
		return content(t, s).Key()
	}
	seen := map[string][]string{}
	for _, cmds := range distinct {
		k := key(cmds)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q leave the same content", cmds, other)
		}
		seen[k] = cmds
	}
	for _, group := range same {
		for _, cmds := range group[1:] {
			if key(group[0]) != key(cmds) {
				t.Errorf("%q and %q leave different contents", group[0], cmds)
			}
		}
	}

	key([]string{"SET b 1 EX 60", "HSET a g 2 f 1", "EXPIRE a 1"})
	want := sim.Content{{Name: "a", Value: `{"f":"1" "g":"2"}`, Note: "hash, ttl 1s", TTL: time.Second}, {Name: "b", Value: "1", Note: "ttl 1m0s", TTL: time.Minute}}
	if got := content(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReset(t *testing.T) {
	s := newStore(t, []string{"SET", "a", "1"}, []string{"SCRIPT", "LOAD", compareAndDelete}, []string{"XADD", "s", "*", "f", "v"})
	first := content(t, s)
	for range 3 {
		do(t, s, "DEL", "a")
		do(t, s, "XADD", "s", "*", "f", "v")
		do(t, s, "SET", "b", "1")
		if content(t, s).Key() == first.Key() {
			t.Error("nothing has changed")
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, s); !reflect.DeepEqual(got, first) {
			t.Errorf("after Reset: %q, want %q", got, first)
		}
	}
	if got, want := do(t, s, "TIME"), "*2\r\n$10\r\n1767225600\r\n$1\r\n0\r\n"; got != want {
		t.Errorf("TIME is %q, want %q", got, want)
	}
}

// What a service does by the interface that is common to the clients of go-redis.
func TestUniversalClient(t *testing.T) {
	s := newStore(t, []string{"SET", "n", "1"})
	script := redis.NewScript(compareAndDelete)
	trace, results, err := run(s, func(ctx context.Context, base *redis.Client) (string, error) {
		var c redis.UniversalClient = base
		if _, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "a", "1", 0)
			return p.Get(ctx, "a").Err()
		}); err != nil {
			return "", err
		}
		if err := script.Run(ctx, c, []string{"a"}, "1").Err(); err != nil {
			return "", err
		}
		if err := c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "n").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "n", n+1, 0).Err() })
			return err
		}, "n"); err != nil {
			return "", err
		}
		ps := c.Subscribe(ctx, "events")
		defer ps.Close()
		if _, err := ps.Receive(ctx); err != nil {
			return "", err
		}
		if err := c.Publish(ctx, "events", "x").Err(); err != nil {
			return "", err
		}
		m, err := ps.ReceiveMessage(ctx)
		if err != nil {
			return "", err
		}
		if err := c.Get(ctx, "none").Err(); err != redis.Nil {
			return "", fmt.Errorf("got %v", err)
		}
		return m.Payload, nil
	})
	if err != nil || results[0] != "x" {
		t.Fatalf("%q, %v", results, err)
	}
	wantTrace(t, trace,
		"1: SET a 1 -> OK", "1: GET a -> 1",
		"1: EVALSHA "+script.Hash()[:8]+" 1 a 1 -> error: NOSCRIPT No matching script. Please use EVAL.", "1: EVAL (delete-if) 1 a 1 -> 1",
		"1: WATCH n -> OK", "1: GET n -> 1", "1: MULTI; SET n 2; EXEC -> [OK]",
		"1: SUBSCRIBE events -> subscribe events 1", "1: PUBLISH events x -> 1", "1: receive -> message events x",
		"1: GET none -> (nil)", "1: close -> ")
}

func TestSetupFails(t *testing.T) {
	for _, cmd := range [][]string{{}, {"INCR"}, {"SPOP", "a"}, {"SCRIPT", "LOAD", "if"}, {"SCRIPT", "LOAD", "return math.random()"}, {"SCRIPT", "FLUSH"}} {
		if _, err := NewStore("cache", Options{Setup: [][]string{cmd}}); err == nil {
			t.Errorf("%q: no error", cmd)
		}
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		args []string
		want string // "" if it is not refused
	}{
		{[]string{"spop", "a"}, "quiesce: SPOP is not supported: it is random"},
		{[]string{"EVAL", "return redis.call('SPOP', 'a')", "0"}, "quiesce: SPOP is not supported: it is random"},
		{[]string{"EVAL", "redis.pcall('spop', 'a') return 1", "0"}, "quiesce: SPOP is not supported: it is random"},
		{[]string{"EVAL", "return math.random(9)", "0"}, "quiesce: math.random in Lua is not supported: it is random"},
		{[]string{"EVAL", "return KEYS[1]", "1", "random"}, ""},
		{[]string{"SUNION", "a", "b"}, "quiesce: SUNION is not supported: " + isUnordered},
		{[]string{"SUNIONSTORE", "c", "a", "b"}, isEmpty},
		{[]string{"MULTI"}, "only a block"},
		{[]string{"EXEC"}, "only a block"},
		{[]string{"DISCARD"}, "only a block"},
		{[]string{"WATCH", "a"}, "quiesce: WATCH is not supported: " + isWatch},
		{[]string{"WAIT", "1", "0"}, isBlocking},
		{[]string{"EVAL", "return redis.call('BLPOP', 'a', '0')", "0"}, "BLPOP is not supported: " + isNested},
		{[]string{"XADD", "maxlen", "NOMKSTREAM", "*", "maxlen", "v"}, ""},
		{[]string{"SET", "a", "exat"}, ""},
		{[]string{"SET", "a", "1", "exat", "1"}, "SET EXAT"},
		{[]string{"PEXPIRE", "a", "1", "lt"}, "PEXPIRE LT"},
		{[]string{"SCRIPT", "LOAD", "return 1"}, isCache},
		{[]string{"LCS", "a", "b"}, "quiesce: LCS is not supported: miniredis does not know it"},
		{[]string{"INCR"}, ""}, // an error, but that of a real server
	}
	s := newStore(t)
	for _, tt := range tests {
		_, err := s.Execute(request(tt.args...))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: got %v, want %q", tt.args, err, tt.want)
		}
	}
	for _, body := range []string{"", "PING\r\n", "*1\r\n$4\r\nPING", "*0\r\n", "*-1\r\n",
		encode("GET", "a") + encode("GET", "a"), encode("MULTI") + encode("GET", "a"), encode("MULTI") + encode("MULTI") + encode("EXEC"),
		encode("MULTI") + encode("SPOP", "a") + encode("EXEC")} {
		if reply, err := s.Execute(sim.Request{Store: "cache", Body: body}); err == nil {
			t.Errorf("%q: got %q, want an error", body, reply)
		}
	}

	// A task that ignores errors does not get away with it.
	_, _, err := run(s, func(ctx context.Context, c *redis.Client) (string, error) {
		c.SPop(ctx, "a")
		return "", nil
	})
	if want := "task-1: cache: quiesce: SPOP is not supported: it is random"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, _, err = run(s, func(ctx context.Context, c *redis.Client) (string, error) {
		return "", c.PSubscribe(ctx, "a*").Close()
	})
	if err == nil || !strings.Contains(err.Error(), "PSUBSCRIBE") {
		t.Errorf("got %v", err)
	}
}

// A script that fails does not leave the connection in RESP3.
func TestSetResp(t *testing.T) {
	s := newStore(t, []string{"HSET", "h", "f", "v"})
	do(t, s, "EVAL", "redis.setresp(3) error('x')", "0")
	if got := do(t, s, "HGETALL", "h"); got[0] != '*' {
		t.Errorf("got %q after a failed script, want RESP2", got)
	}
}

func TestDescribe(t *testing.T) {
	s := newStore(t, []string{"SCRIPT", "LOAD", compareAndDelete})
	sha := redis.NewScript(compareAndDelete).Hash()
	long := "local a = 1\nreturn a"
	tests := []struct{ body, reply, wantReq, wantReply string }{
		{encode("SET", "product:1", `{"id":1}`, "EX", "60"), "+OK\r\n", `SET product:1 {"id":1} EX 60`, "OK"},
		{encode("SET", "a b", ""), "$0\r\n\r\n", `SET 'a b' ''`, `''`},
		{encode("GET", "\x00\xff"), "$-1\r\n", `GET "\x00\xff"`, "(nil)"},
		{encode("GET", `"x"`), "$5\r\n(nil)\r\n", `GET '"x"'`, `"(nil)"`},
		{encode("GET", `{"name":"Desk lamp"}`), "$8\r\nit's red\r\n", `GET '{"name":"Desk lamp"}'`, `"it's red"`},
		{encode("get", "naïve"), "$4\r\na\r\nb\r\n", "GET naïve", `"a\r\nb"`},
		{encode("LRANGE", "a", "0", "-1"), "*3\r\n$1\r\na\r\n*1\r\n:1\r\n*-1\r\n", "LRANGE a 0 -1", "[a [1] (nil)]"},
		{encode("KEYS", "*"), "*0\r\n", "KEYS *", "[]"},
		{encode("INCR", "a"), "-ERR no\r\n", "INCR a", "error: ERR no"},
		{encode("EVAL", compareAndDelete, "1", "a"), ":1\r\n", "EVAL (delete-if) 1 a", "1"},
		{encode("EVAL", "return 1", "0"), ":1\r\n", `EVAL 'return 1' 0`, "1"},
		{encode("EVAL", long, "0"), ":1\r\n", "EVAL (script " + redis.NewScript(long).Hash()[:8] + ") 0", "1"},
		{encode("EVALSHA", sha, "0"), ":1\r\n", "EVALSHA (delete-if) 0", "1"},
		{encode("EVALSHA", "0123456789abcdef", "0"), ":1\r\n", "EVALSHA 01234567 0", "1"},
		{encode("MULTI") + encode("SET", "a", "1") + encode("DEL", "b") + encode("EXEC"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n", "MULTI; SET a 1; DEL b; EXEC", "[OK 1]"},
		{encode("MULTI") + encode("DEL", "b") + encode("EXEC"), "+OK\r\n+QUEUED\r\n*-1\r\n", "MULTI; DEL b; EXEC", "(nil)"},
		{encode("WATCH", "product:1"), "+OK\r\n", "WATCH product:1", "OK"},
		{encode("SUBSCRIBE", "a"), "", "SUBSCRIBE a", ""},
		{encode("SUBSCRIBE", "a", "b"), confirmation("a", 1) + confirmation("b", 2),
			"SUBSCRIBE a b", "subscribe a 1; subscribe b 2"},
		{redisclient.Receive, message{channel: "invalidate", payload: "1"}.String(), "receive", "message invalidate 1"},
		{redisclient.Receive, message{channel: "a b", payload: "[1]"}.String(), "receive", "message 'a b' [1]"},
		{redisclient.Close, "", "close", ""},
		{"rubbish", "", `"rubbish"`, ""},
		{encode("PING"), "rubbish", "PING", `"rubbish"`},
	}
	for _, tt := range tests {
		req, reply := s.Describe(sim.Request{Store: "cache", Body: tt.body}, sim.Reply{Body: tt.reply})
		if req != tt.wantReq || reply != tt.wantReply {
			t.Errorf("got %s -> %s, want %s -> %s", req, reply, tt.wantReq, tt.wantReply)
		}
	}
}

// mixed uses everything, and calls the client again when it is abandoned.
func mixed(ctx context.Context, c *redis.Client) (string, error) {
	defer c.Del(ctx, "lock")
	c.Get(ctx, "a")
	c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "a")
		p.Incr(ctx, "a")
		return nil
	})
	c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "a")
		return nil
	})
	conn := c.Conn()
	defer conn.Close()
	return conn.Get(ctx, "a").Result()
}

func TestSameScheduleSameTrace(t *testing.T) {
	s := newStore(t)
	var want []string
	for i := range 5 {
		got, results, err := run(s, mixed, mixed, mixed)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, results...)
		if i == 0 {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// A task can be abandoned at each of its steps. Its client is not used again,
// and nothing is left behind.
func TestAbandoned(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newStore(t)
	for round := range 3 {
		for n := 0; ; n++ {
			e, err := system(s, mixed, mixed).Start()
			if err != nil {
				t.Fatal(err)
			}
			ended := false
			for range n {
				if _, ok := e.Pending(0); !ok {
					ended = true
					break
				}
				if err := e.Step(0); err != nil {
					t.Fatal(err)
				}
			}
			e.Stop()
			if ended {
				if n != 7 {
					t.Errorf("round %d: %d steps, want 6", round, n-1)
				}
				break
			}
		}
		if n := s.clients.Stats().Free; n != 1 {
			t.Errorf("round %d: %d free clients, want the one of the task that ended", round, n)
		}
	}
	if _, _, err := run(s, mixed, mixed); err != nil {
		t.Error(err)
	}
	s.Close()
	var after int
	for range 100 {
		if after = runtime.NumGoroutine(); after <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, %d after:\n%s", before, after, buf[:runtime.Stack(buf, true)])
}

func BenchmarkProcess(b *testing.B) {
	s := newStore(b, []string{"SET", "a", "1"})
	sys := system(s, func(ctx context.Context, c *redis.Client) (string, error) {
		if err := c.Get(ctx, "a").Err(); err != nil {
			return "", err
		}
		return "", c.Set(ctx, "a", "2", time.Minute).Err()
	})
	b.ReportAllocs()
	for b.Loop() {
		e, err := sys.Start()
		if err != nil {
			b.Fatal(err)
		}
		for range 2 {
			if err := e.Step(0); err != nil {
				b.Fatal(err)
			}
		}
		e.Stop()
	}
}

func BenchmarkExecute(b *testing.B) {
	s := newStore(b)
	req := request("SET", "a", "1", "EX", "60")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Execute(req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReset(b *testing.B) {
	s := newStore(b, []string{"SET", "a", "1"})
	b.ReportAllocs()
	for b.Loop() {
		s.Reset()
	}
}

func BenchmarkContent(b *testing.B) {
	s := newStore(b, []string{"SET", "a", "1"}, []string{"SET", "b", "1", "EX", "60"})
	b.ReportAllocs()
	for b.Loop() {
		s.Content()
	}
}
