package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/redis/go-redis/v9"
)

// timed returns a store in which time passes.
func timed(t testing.TB, setup ...[]string) *Store {
	s := newStore(t, setup...)
	s.SetTimed(true)
	return s
}

// pass lets a tick pass.
func pass(t testing.TB, s *Store, tick time.Duration) {
	t.Helper()
	if _, err := s.Execute(s.Tick(tick)); err != nil {
		t.Fatal(err)
	}
}

// lapsing returns the requests of what can lapse now, by key.
func lapsing(t testing.TB, s *Store) map[string]sim.Request {
	t.Helper()
	all, err := s.Incidents(sim.Lapse)
	if err != nil {
		t.Fatal(err)
	}
	requests := map[string]sim.Request{}
	for _, in := range all {
		requests[in.Target] = in.Request
	}
	return requests
}

// shown is the content as a person writes it, with what can lapse.
func shown(t testing.TB, s *Store) string {
	t.Helper()
	due := lapsing(t, s)
	var items []string
	for _, it := range content(t, s) {
		text := strings.TrimSpace(it.Name + "=" + it.Value + " " + it.Note)
		if _, ok := due[it.Name]; ok {
			text += ", lapses"
			delete(due, it.Name)
		}
		items = append(items, text)
	}
	if len(due) > 0 {
		t.Errorf("what is not there lapses: %v", due)
	}
	return strings.Join(items, "; ")
}

// Each line is a command, a tick of a second, or a lapse, then its reply, and what is
// there after it.
func TestTTLs(t *testing.T) {
	for name, script := range map[string]string{
		"a tick, and a lapse": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses
			GET k            -> v       : k=v ttl 0s, lapses
			PTTL k           -> 0       : k=v ttl 0s, lapses
			EXISTS k         -> 1       : k=v ttl 0s, lapses
			lapse k          ->         :
			GET k            -> (nil)   :
			tick             ->         :`,
		"a tick, and no lapse before the next": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses
			tick             ->         :
			PTTL k           -> -2      :`,
		"several ticks": `
			SET k v PX 3000  -> OK      : k=v ttl 3s
			tick             ->         : k=v ttl 2s
			PTTL k           -> 2000    : k=v ttl 2s
			TTL k            -> 2       : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses`,
		"none": `
			SET k v          -> OK      : k=v
			tick             ->         : k=v
			PTTL k           -> -1      : k=v`,
		"shortened": `
			SET k v EX 9     -> OK      : k=v ttl 9s
			tick             ->         : k=v ttl 8s
			PEXPIRE k 1000   -> 1       : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses`,
		"lengthened": `
			SET k v EX 2     -> OK      : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			PEXPIRE k 2000   -> 1       : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses`,
		"lengthened at the end": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses
			PEXPIRE k 2000   -> 1       : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses`,
		"shortened to nothing": `
			SET k v EX 2     -> OK      : k=v ttl 2s
			PEXPIRE k 0      -> 1       :`,
		"given later": `
			SET k v          -> OK      : k=v
			tick             ->         : k=v
			EXPIRE k 1       -> 1       : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses`,
		"only if longer": `
			SET k v EX 3     -> OK      : k=v ttl 3s
			tick             ->         : k=v ttl 2s
			EXPIRE k 2 GT    -> 0       : k=v ttl 2s
			EXPIRE k 3 GT    -> 1       : k=v ttl 3s`,
		"persists": `
			SET k v EX 2     -> OK      : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			PERSIST k        -> 1       : k=v
			tick             ->         : k=v
			tick             ->         : k=v`,
		"persists at the end": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses
			PERSIST k        -> 1       : k=v
			tick             ->         : k=v`,
		"set without": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			SET k w          -> OK      : k=w
			tick             ->         : k=w
			tick             ->         : k=w`,
		"set without, at the end": `
			SET k v EX 1     -> OK      : k=v ttl 1s
			tick             ->         : k=v ttl 0s, lapses
			SET k w          -> OK      : k=w
			tick             ->         : k=w`,
		"kept": `
			SET k v EX 2     -> OK      : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			SET k w KEEPTTL  -> OK      : k=w ttl 1s
			APPEND k x       -> 2       : k=wx ttl 1s
			tick             ->         : k=wx ttl 0s, lapses`,
		"a lock": `
			SET k a NX PX 2000 -> OK    : k=a ttl 2s
			tick             ->         : k=a ttl 1s
			SET k b NX PX 2000 -> (nil) : k=a ttl 1s
			tick             ->         : k=a ttl 0s, lapses
			SET k b NX PX 2000 -> (nil) : k=a ttl 0s, lapses
			lapse k          ->         :
			SET k b NX PX 2000 -> OK    : k=b ttl 2s
			tick             ->         : k=b ttl 1s`,
		"a lock that is given up": `
			SET k a NX PX 1000 -> OK    : k=a ttl 1s
			tick             ->         : k=a ttl 0s, lapses
			DEL k            -> 1       :
			SET k b NX PX 1000 -> OK    : k=b ttl 1s`,
		"several": `
			SET a v EX 1     -> OK      : a=v ttl 1s
			SET b v EX 1     -> OK      : a=v ttl 1s; b=v ttl 1s
			SET c v EX 2     -> OK      : a=v ttl 1s; b=v ttl 1s; c=v ttl 2s
			tick             ->         : a=v ttl 0s, lapses; b=v ttl 0s, lapses; c=v ttl 1s
			lapse b          ->         : a=v ttl 0s, lapses; c=v ttl 1s
			tick             ->         : c=v ttl 0s, lapses`,
		"another type": `
			HSET h f v       -> 1       : h={"f":"v"} hash
			EXPIRE h 1       -> 1       : h={"f":"v"} hash, ttl 1s
			tick             ->         : h={"f":"v"} hash, ttl 0s, lapses
			HGET h f         -> v       : h={"f":"v"} hash, ttl 0s, lapses
			lapse h          ->         :`,
		"of another name": `
			SET k v EX 2     -> OK      : k=v ttl 2s
			tick             ->         : k=v ttl 1s
			RENAME k l       -> OK      : l=v ttl 1s
			tick             ->         : l=v ttl 0s, lapses`,
	} {
		s := timed(t)
		for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
			head, want, _ := strings.Cut(line, " : ")
			if want == "" {
				head = strings.TrimSuffix(strings.TrimSpace(head), ":")
			}
			command, wantReply, _ := strings.Cut(head, "->")
			args := strings.Fields(command)
			req := request(args...)
			switch args[0] {
			case "tick":
				req = s.Tick(time.Second)
			case "lapse":
				req = lapsing(t, s)[args[1]]
			}
			reply, err := s.Execute(req)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, command, err)
			}
			text := ""
			if reply.Body != "" {
				_, text = s.Describe(req, reply)
			}
			if got := shown(t, s); got != strings.TrimSpace(want) || text != strings.TrimSpace(wantReply) {
				t.Errorf("%s: %s: replies %q, and there is %q; want %q, %q", name, strings.TrimSpace(command), text, got, strings.TrimSpace(wantReply), strings.TrimSpace(want))
			}
		}
	}
}

// After so many ticks a key has that many less, counted by the test, up to the most
// that there may be: nothing adds up.
func TestMostTicks(t *testing.T) {
	s := timed(t)
	do(t, s, "SET", "k", "v", "PX", strconv.Itoa(sim.MostTicks))
	for left := sim.MostTicks; left > 0; left-- {
		if got, want := shown(t, s), fmt.Sprintf("k=v ttl %s", time.Duration(left)*time.Millisecond); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if reply := do(t, s, "PTTL", "k"); reply != fmt.Sprintf(":%d\r\n", left) {
			t.Fatalf("with %d ms left PTTL replies %q", left, reply)
		}
		pass(t, s, time.Millisecond)
	}
	if got := shown(t, s); got != "k=v ttl 0s, lapses" {
		t.Errorf("at the end there is %q", got)
	}
}

// In whichever ways a key has come to the time that it has left: the content is the
// same, and so is all that follows.
func TestSameTimeLeft(t *testing.T) {
	ways := [][]string{{"SET k v EX 2"}, {"SET k v EX 4", "tick", "tick"}, {"SET k v EX 1", "tick", "EXPIRE k 3", "tick"}}
	for _, then := range []string{
		"TTL k", "PTTL k", "EXPIRE k 2 GT", "EXPIRE k 3 GT", "EXPIRE k 1 GT", "EXPIRE k 2 XX", "EXPIRE k 2 NX",
		"SET k w KEEPTTL", "GETEX k EX 1", "tick", "tick, tick", "tick, tick, tick", "tick, tick, PTTL k", "tick, tick, TTL k",
		"tick, tick, PEXPIRE k 1 GT",
	} {
		var first string
		for i, way := range ways {
			s := timed(t)
			var replies []sim.Reply
			run := func(line string) {
				req := s.Tick(time.Second)
				if line != "tick" {
					req = request(strings.Fields(line)...)
				}
				reply, err := s.Execute(req)
				if err != nil {
					t.Fatal(err)
				}
				replies = append(replies, reply)
			}
			for _, line := range way {
				run(line)
			}
			if got := shown(t, s); got != "k=v ttl 2s" {
				t.Fatalf("after %q there is %q", way, got)
			}
			replies = nil
			for line := range strings.SplitSeq(then, ", ") {
				run(line)
			}
			got := fmt.Sprintf("%q %s", replies, shown(t, s))
			if i == 0 {
				first = got
			}
			if got != first {
				t.Errorf("after %q, %s: %s, want %s", way, then, got, first)
			}
		}
	}
}

// A watched key that lapses, or goes with a tick, fails the EXEC of whoever watches
// it; that it is due does not yet.
func TestWatchedKeyLapses(t *testing.T) {
	for name, tt := range map[string]struct {
		script string // t is a tick, l a lapse, and s a step of the task
		want   string
	}{
		"due":           {"s t s s", "ok"},
		"lapsed":        {"s t s l s", "redis: transaction failed"},
		"gone":          {"s t s t s", "redis: transaction failed"},
		"lapsed before": {"t l s s s", "redis: nil"},
	} {
		s := timed(t)
		sys := system(s, errs(watched))
		sys.Setup = []sim.Request{request("SET", "k", "v", "PX", "1000")}
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: 3 * time.Second}
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		for _, c := range strings.Fields(strings.ReplaceAll(tt.script, "s", "s s")) { // and the reply arrives
			m := map[string]sim.Move{
				"s": {Task: 0},
				"t": {Task: sim.Environment, Fault: sim.Fault{Kind: sim.Tick}},
				"l": {Task: sim.Environment, Fault: sim.Fault{Kind: sim.Lapse, Target: "k"}},
			}[c]
			moves, certain, err := e.Moves()
			if err != nil {
				t.Fatal(err)
			}
			// What lapses need not happen.
			if at := slices.Index(moves, m); at < 0 || (at < certain) != (c != "l") {
				t.Fatalf("%s: %s is number %d of %v, of which %d are certain", name, c, at, moves, certain)
			}
			if err := e.Do(m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		v, err := e.View()
		if err != nil || v.Results[0] != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, v.Results, err, tt.want)
		}
	}
}

// What sees the time of the clock is refused while time passes, also from a script,
// and so is a tick that the TTLs of the content could not show.
func TestTimedRefusals(t *testing.T) {
	for _, args := range [][]string{
		{"TIME"}, {"EXPIREAT", "k", "1798761600"}, {"PEXPIREAT", "k", "1798761600000"}, {"EXPIRETIME", "k"}, {"PEXPIRETIME", "k"},
		{"EVAL", "return redis.call('TIME')", "0"},
	} {
		for _, is := range []bool{false, true} {
			s := newStore(t, []string{"SET", "k", "v", "EX", "9"})
			s.SetTimed(is)
			if _, err := s.Execute(request(args...)); (err != nil) != is || is && !strings.Contains(err.Error(), isClock) {
				t.Errorf("timed %v: %q: %v", is, args, err)
			}
		}
	}
	for tick, refused := range map[time.Duration]bool{time.Second: false, time.Millisecond: false, 500 * time.Microsecond: true, 1500 * time.Microsecond: true} {
		s := timed(t, []string{"SET", "k", "v", "EX", "3"})
		if _, err := s.Execute(s.Tick(tick)); (err != nil) != refused || refused && !strings.Contains(err.Error(), "TTLs are whole milliseconds") {
			t.Errorf("a tick of %s: %v", tick, err)
		}
	}
}

// A message and an entry of a stream can be late, and nothing else waits.
func TestWaits(t *testing.T) {
	s := timed(t)
	for _, tt := range []struct {
		req  sim.Request
		want sim.Wait
	}{
		{sim.Request{Store: "cache", Body: redisclient.Receive, Conn: "task-1#0"}, sim.ForNews},
		{request("XREAD", "BLOCK", "0", "STREAMS", "s", "0"), sim.ForNews},
		{request("XREAD", "BLOCK", "9", "STREAMS", "s", "0"), sim.ForNews},
		{request("BLPOP", "q", "0"), sim.ForNews},
		{request("bzmpop", "2.5", "1", "q", "MIN"), sim.ForNews},
		{request("BLPOP", "q", "-1"), sim.NoWait}, // an error
		{request("LPOP", "q"), sim.NoWait},
		{on("p#0", redisclient.Header{Number: 1}, "GET k"), sim.NoWait},
		{on("p#0", redisclient.Header{Number: 2}, "GET k"), sim.ForOthers},
		{on("p#0", redisclient.Header{Number: 2}, redisclient.Close), sim.ForOthers},
		{on("p#0", redisclient.Header{Number: 2}, "BLPOP q 0"), sim.ForNews},
		{request("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"), sim.ForNews},
		{sim.Request{Store: "cache", Body: request("XREAD", "BLOCK", "0", "STREAMS", "s", "0").Body, Persists: true}, sim.ForNews},
		{sim.Request{Store: "cache", Body: request("GET", "k").Body, Awaits: true}, sim.ForNews},
		{request("XREAD", "STREAMS", "s", "0"), sim.NoWait},
		{request("GET", "k"), sim.NoWait},
		{request("SET", "k", "v", "NX", "PX", "1000"), sim.NoWait},
		{sim.Request{Store: "cache", Body: redisclient.Close, Conn: "task-1#0"}, sim.NoWait},
	} {
		if got := s.Waits(tt.req); got != tt.want {
			t.Errorf("%q: %v", tt.req.Body, got)
		}
	}
}

// Untimed, ticks are only to find out when a TTL was set. They go back: nothing lapses,
// no watched key is touched, no command sees one, and what is beyond a whole
// millisecond is by how many.
func TestTicksUntimed(t *testing.T) {
	s := newStore(t, []string{"SET", "k", "v", "EX", "9"})
	watching := request("WATCH", "k")
	watching.Conn = "task-1#0"
	if _, err := s.Execute(watching); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pass(t, s, -time.Microsecond)
	}
	for command, want := range map[string]string{"TTL": ":9\r\n", "PTTL": ":9000\r\n"} {
		if got, err := s.Execute(request(command, "k")); err != nil || got.Body != want {
			t.Errorf("%s answers %q, %v, want %q", command, got, err, want)
		}
	}
	if c := content(t, s); c[0].TTL != 9*time.Second+3*time.Microsecond || len(lapsing(t, s)) > 0 {
		t.Errorf("there is %+v", c)
	}
	wantConnections(t, s, `watch task-1#0 ["k"]`)
}

// The lease of a lock runs out in the middle of the work: of a client that holds one
// for a tick, as both see it.
func TestLeaseRunsOut(t *testing.T) {
	acquire := func(token string) func(context.Context, *redis.Client) error {
		return func(ctx context.Context, c *redis.Client) error {
			if ok, err := c.SetNX(ctx, "lock", token, time.Second).Result(); err != nil || !ok {
				return fmt.Errorf("taken: %v", err)
			}
			return nil
		}
	}
	check := func(ctx context.Context, c *redis.Client) error {
		owner, err := c.Get(ctx, "lock").Result()
		return fmt.Errorf("owner %q, %v", owner, err)
	}
	s := timed(t)
	sys := system(s, errs(acquire("1"), check), errs(acquire("2"), acquire("2")))
	sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	for _, m := range []sim.Move{
		{Task: 0}, {Task: 0}, {Task: sim.Environment, Fault: sim.Fault{Kind: sim.Tick}},
		{Task: 1}, {Task: 1}, {Task: sim.Environment, Fault: sim.Fault{Kind: sim.Lapse, Target: "lock"}},
		{Task: 1}, {Task: 1}, {Task: 0}, {Task: 0},
	} {
		if err := e.Do(m); err != nil {
			t.Fatal(err)
		}
	}
	v, err := e.View()
	if want := []string{`ok, owner "2", <nil>`, "taken: <nil>, ok"}; err != nil || !slices.Equal(v.Results, want) {
		t.Errorf("results %q, %v, want %q", v.Results, err, want)
	}
}
