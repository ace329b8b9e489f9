package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"quiesce/sim"
	"quiesce/sim/redisclient"

	"github.com/redis/go-redis/v9"
)

// moves makes the moves of a script and returns the trace, one line a move: "1" is
// a step of task 1, "1!lost-reply" one that a fault strikes, and "!expire k" a step
// of the environment. Every fault is allowed once.
func moves(t testing.TB, sys *sim.System, script ...string) (trace []string, e *sim.Execution) {
	t.Helper()
	sys.Faults = sim.Faults{}
	for _, kind := range sim.FaultKinds {
		if kind != sim.RequestError {
			sys.Faults[kind] = 1
		}
	}
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	for _, line := range script {
		task, fault, _ := strings.Cut(line, "!")
		kind, target, _ := strings.Cut(fault, " ")
		m := sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.FaultKind(kind), Target: target}}
		if task != "" {
			m.Task = int(task[0] - '1')
		}
		all, _, err := e.Moves()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(all, m) {
			t.Fatalf("%s cannot be done after %q", line, trace)
		}
		text := line
		switch err := e.Do(m); err {
		case nil:
			if st := e.Trace()[len(e.Trace())-1]; task != "" {
				req, reply := sys.Describe(st.Request, st.Reply)
				text = fmt.Sprintf("%s: %s -> %s", task, req, reply)
			}
		case sim.ErrBlocked:
			text = task + ": blocked"
		default:
			t.Fatalf("after %q: %v", trace, err)
		}
		trace = append(trace, text)
	}
	return trace, e
}

// errs calls what the test does one after the other, whatever fails, and returns
// the errors.
func errs(calls ...func(context.Context, *redis.Client) error) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		var texts []string
		for _, call := range calls {
			text := "ok"
			var timeout net.Error
			switch err := call(ctx, c); {
			case err == nil:
			case errors.As(err, &timeout) && timeout.Timeout():
				text = "timeout"
			case errors.Is(err, syscall.ECONNREFUSED):
				text = "refused"
			case errors.Is(err, io.EOF):
				text = "EOF"
			default:
				text = err.Error()
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, ", "), nil
	}
}

func get(ctx context.Context, c *redis.Client) error { return c.Get(ctx, "k").Err() }
func set(ctx context.Context, c *redis.Client) error { return c.Set(ctx, "k", "w", 0).Err() }

// block is MULTI ... EXEC, and pipeline the same without. A failure is that of all
// commands.
func block(ctx context.Context, c *redis.Client) error {
	_, err := c.TxPipelined(ctx, three(ctx))
	return err
}

func pipeline(ctx context.Context, c *redis.Client) error {
	cmds, err := c.Pipelined(ctx, three(ctx))
	for i, cmd := range cmds {
		if cmd.Err() != err {
			return fmt.Errorf("command %d: %v", i, cmd.Err())
		}
	}
	return err
}

func three(ctx context.Context) func(redis.Pipeliner) error {
	return func(p redis.Pipeliner) error {
		for range 3 {
			p.Append(ctx, "k", "x")
		}
		return nil
	}
}

// watched reads and writes k in a transaction.
func watched(ctx context.Context, c *redis.Client) error {
	return c.Watch(ctx, func(tx *redis.Tx) error {
		if err := tx.Get(ctx, "k").Err(); err != nil {
			return err
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Append(ctx, "k", "x").Err() })
		return err
	}, "k")
}

func TestFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		task   task
		script string
		want   string // the errors, then k
	}{
		"no fault":      {errs(get, set), "1 1", "ok, ok w"},
		"lost request":  {errs(set, get), "1!lost-request 1", "timeout, ok v"},
		"lost reply":    {errs(set, get), "1!lost-reply 1", "timeout, ok w"},
		"twice":         {errs(set, set, get), "1!lost-reply 1!lost-request 1", "timeout, timeout, ok w"},
		"down":          {errs(set, set, get), "!outage 1 1 !recovery 1", "refused, refused, ok v"},
		"down and up":   {errs(get, set), "1 !outage !recovery 1", "ok, ok w"},
		"block":         {errs(block, get), "1!lost-reply 1", "timeout, ok vxxx"},
		"block lost":    {errs(block, get), "1!lost-request 1", "timeout, ok v"},
		"pipeline":      {errs(pipeline, get), "1 1!lost-reply 1", "timeout, ok vxx"},
		"pipeline lost": {errs(pipeline, get), "1 1!lost-request 1", "timeout, ok vx"},
		"pipeline down": {errs(pipeline, get), "1 !outage 1 !recovery 1", "refused, ok vx"},

		"watch":                    {errs(watched, get), "1 1 1 1", "ok, ok vx"},
		"watch, lost":              {errs(watched, get), "1!lost-request 1", "timeout, ok v"},
		"watch, lost reply":        {errs(watched, watched), "1!lost-reply 1 1 1", "timeout, ok vx"},
		"watch, GET lost":          {errs(watched, watched), "1 1!lost-request 1 1 1", "timeout, ok vx"},
		"watch, EXEC lost":         {errs(watched, watched), "1 1 1!lost-request 1 1 1", "timeout, ok vx"},
		"watch, EXEC without news": {errs(watched, watched), "1 1 1!lost-reply 1 1 1", "timeout, ok vxx"},
		"watch, down":              {errs(watched, watched), "1 1 !outage 1 !recovery 1 1 1", "EOF, ok vx"},
		"watch, down and up":       {errs(watched, watched), "1 1 !outage !recovery 1 1 1 1", "EOF, ok vx"},
		"watch, GET broken":        {errs(watched, watched), "1 !outage !recovery 1 1 1 1", "EOF, ok vx"},
		"watch, expired":           {errs(watched, get), "1 1 !expire k 1 1", "redis: transaction failed, redis: nil "},
		"watch, evicted":           {errs(watched, get), "1 1 !evict k 1 1", "redis: transaction failed, redis: nil "},
		"watch, other evicted":     {errs(watched, get), "1 1 !evict other 1 1", "ok, ok vx"},
	} {
		s := newStore(t, []string{"SET", "k", "v", "EX", "60"}, []string{"SET", "other", "v"})
		var script []string
		for _, word := range strings.Fields(tt.script) {
			if word == "k" || word == "other" { // the target of what is before
				script[len(script)-1] += " " + word
				continue
			}
			script = append(script, word)
		}
		trace, e := moves(t, system(s, tt.task), script...)
		v, err := e.View()
		k, _ := content(t, s).Lookup("k")
		if got := v.Results[0] + " " + k; err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q, after %q", name, got, err, tt.want, trace)
		}
		wantConnections(t, s)
		if clean := tt.want == "ok, ok w" || !strings.Contains(tt.want, "timeout") && !strings.Contains(tt.want, "refused") && !strings.Contains(tt.want, "EOF"); clean != (s.clients.Stats().Free == 1) {
			t.Errorf("%s: %d free clients", name, s.clients.Stats().Free)
		}
		if s.clients.Stats().Named != 0 {
			t.Errorf("%s: %d processes with names", name, s.clients.Stats().Named)
		}
	}
}

// listener receives for ever, whatever fails.
func listener(channels ...string) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		ps := c.Subscribe(ctx, channels...)
		defer ps.Close()
		for {
			ps.ReceiveMessage(ctx)
		}
	}
}

// go-redis subscribes again by itself, on a new connection.
func TestBrokenSubscription(t *testing.T) {
	down := []string{"1", "1", "2", "!outage"}
	for name, tt := range map[string]struct{ script, want []string }{
		"noticed while down": {
			[]string{"1", "1", "!recovery", "2", "1", "2", "1"},
			[]string{"1: receive -> connection refused", "1: blocked", "!recovery", "2: PUBLISH b 2 -> 0", "1: SUBSCRIBE a b -> subscribe a 1; subscribe b 2", "2: PUBLISH a 3 -> 1", "1: receive -> message a 3"},
		},
		"noticed later": {
			[]string{"!recovery", "2", "1", "1", "2", "1"},
			[]string{"!recovery", "2: PUBLISH b 2 -> 0", "1: receive -> connection refused", "1: SUBSCRIBE a b -> subscribe a 1; subscribe b 2", "2: PUBLISH a 3 -> 1", "1: receive -> message a 3"},
		},
		"the other fails": {
			[]string{"2", "2", "!recovery", "1", "1", "1"},
			[]string{"2: PUBLISH b 2 -> connection refused", "2: PUBLISH a 3 -> connection refused", "!recovery", "1: receive -> connection refused", "1: SUBSCRIBE a b -> subscribe a 1; subscribe b 2", "1: blocked"},
		},
		"and a lost request": {
			[]string{"!recovery", "1", "1!lost-request", "2", "1!lost-reply", "2", "1", "1"},
			[]string{"!recovery", "1: receive -> connection refused", "1: SUBSCRIBE a b -> timeout", "2: PUBLISH b 2 -> 0", "1: SUBSCRIBE a b -> timeout", "2: PUBLISH a 3 -> 0", "1: SUBSCRIBE a b -> subscribe a 1; subscribe b 2", "1: blocked"},
		},
	} {
		s := newStore(t)
		got, _ := moves(t, system(s, listener("b", "a"), publishAll("a 1", "b 2", "a 3")), slices.Concat(down, tt.script)...)
		if strings.Join(got[4:], "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s: got\n%s", name, strings.Join(got, "\n"))
		}
		if got[0] != "1: SUBSCRIBE b a -> subscribe b 1; subscribe a 2" {
			t.Errorf("%s: the first subscription is %s", name, got[0])
		}
		wantConnections(t, s, `subscription task-1#0 ["a" "b"]`)
	}
}

// publishAll is publisher, whatever fails.
func publishAll(messages ...string) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		for _, m := range messages {
			publisher(m)(ctx, c)
		}
		return "", nil
	}
}

// A listener may give up as well, or subscribe by itself, which has to wait too.
func TestSubscriptionGivenUp(t *testing.T) {
	s := newStore(t)
	sys := system(s, subscriber(9, "a"), func(ctx context.Context, c *redis.Client) (string, error) {
		for {
			ps := c.Subscribe(ctx, "b")
			if m, err := ps.ReceiveMessage(ctx); err == nil {
				return m.Payload, nil
			}
			if err := ps.Close(); err != nil {
				return "", err
			}
		}
	}, publisher("b 1"))
	got, e := moves(t, sys, "1", "2", "!outage", "1", "2", "2", "!recovery", "2", "3", "2")
	wantTrace(t, got, "1: SUBSCRIBE a -> subscribe a 1", "2: SUBSCRIBE b -> subscribe b 1", "!outage",
		"1: receive -> connection refused", "2: receive -> connection refused", "2: blocked", "!recovery",
		"2: SUBSCRIBE b -> subscribe b 1", "3: PUBLISH b 1 -> 1", "2: receive -> message b 1")
	v, err := e.View()
	if want := []string{sim.Failed, "1", ""}; err != nil || !slices.Equal(v.Results, want) {
		t.Errorf("results %q, %v, want %q", v.Results, err, want)
	}
}

// What a process keeps at the server goes with it, and with none that has a name
// like its own.
func TestCrash(t *testing.T) {
	s := newStore(t)
	sys := &sim.System{Stores: []sim.Store{s}}
	for _, name := range []string{"server-1", "server-10", "server-1#0"} {
		sys.Programs = append(sys.Programs, program(s, name, listener("a")))
	}
	sys.Programs = append(sys.Programs, program(s, "p", publisher("a 1", "a 2")))
	moves(t, sys, "1", "2", "3", "4", "!crash server-1", "4")
	wantConnections(t, s,
		`subscription server-1#0#0 ["a"], message "a" "1", message "a" "2"`,
		`subscription server-10#0 ["a"], message "a" "1", message "a" "2"`)
	moves(t, sys, "1", "2", "3", "4", "!crash server-1", "1", "4")
	wantConnections(t, s,
		`subscription server-1#0 ["a"], message "a" "2"`,
		`subscription server-1#0#0 ["a"], message "a" "1", message "a" "2"`,
		`subscription server-10#0 ["a"], message "a" "1", message "a" "2"`)
}

// program is a process with one task, which is in the background.
func program(s *Store, name string, do task) sim.Program {
	return sim.Program{Name: name, Tasks: []sim.TaskSpec{{Name: name, Background: true}}, New: func(p *sim.Process) []sim.Task {
		c := s.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) { return do(ctx, c) }}
	}}
}

func TestIncidents(t *testing.T) {
	s := newStore(t, []string{"SET", "b c", "v", "EX", "60"}, []string{"SET", "a", "v"}, []string{"HSET", "h", "f", "v"}, []string{"EXPIRE", "h", "9"})
	moves(t, system(s, listener("c"), listener("c", "d"), publisher("c 1", "c 1", "d 1", "c 1", "c 2")), "1", "2", "3", "3", "3", "3", "3")
	for kind, want := range map[sim.FaultKind]string{
		sim.Expire: "b c, h",
		sim.Evict:  "a, b c, h",
		// c1 c1 c1 c2 and c1 c1 d1 c1 c2
		sim.DropMessage: "1 of task-1#0, 4 of task-1#0, 1 of task-2#0, 3 of task-2#0, 4 of task-2#0, 5 of task-2#0",
	} {
		all, err := s.Incidents(kind)
		if err != nil {
			t.Fatal(err)
		}
		var targets []string
		for _, in := range all {
			targets = append(targets, in.Target)
		}
		if got := strings.Join(targets, ", "); got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	for _, tt := range []struct {
		req       sim.Request
		text, key string
	}{
		{sim.Request{Store: "cache", Body: "expire b c"}, "expire 'b c'", "b c"},
		{sim.Request{Store: "cache", Body: "evict a"}, "evict a", "a"},
		{sim.Request{Store: "cache", Body: "drop-message 3", Conn: "task-2#0"}, "drop-message 3", ""},
		{s.Disconnect(""), "down", ""},
		{s.Disconnect("task-1"), "leave task-1", ""},
	} {
		if text, _ := s.Describe(tt.req, sim.Reply{}); text != tt.text {
			t.Errorf("%v is described as %s", tt.req, text)
		}
		if _, err := s.Execute(tt.req); err != nil {
			t.Fatal(err)
		}
		if _, ok := content(t, s).Lookup(tt.key); ok {
			t.Errorf("%s: %q is still there", tt.text, tt.key)
		}
		if tt.req.Conn != "" {
			wantConnections(t, s, `subscription task-1#0 ["c"], message "c" "1", message "c" "1", message "c" "1", message "c" "2"`,
				`subscription task-2#0 ["c" "d"], message "c" "1", message "c" "1", message "c" "1", message "c" "2"`)
		}
	}
	wantConnections(t, s, "connection task-2#0 broken")
	for _, body := range []string{"expire a", "evict a"} {
		if _, err := s.Execute(sim.Request{Store: "cache", Body: body}); err == nil {
			t.Errorf("%s: the key is not there", body)
		}
	}
}

// The wait for a message and a close do not travel.
func TestFails(t *testing.T) {
	s := newStore(t)
	for _, kind := range sim.FaultKinds {
		travels := kind == sim.LostRequest || kind == sim.LostReply || kind == sim.Outage
		if got := s.Fails(kind, request("GET", "k")); got != travels {
			t.Errorf("%s of GET: %v", kind, got)
		}
		for _, body := range []string{redisclient.Receive, redisclient.Close} {
			if got := s.Fails(kind, sim.Request{Store: "cache", Body: body, Conn: "p#0"}); got != (kind == sim.Outage) {
				t.Errorf("%s of %s: %v", kind, body, got)
			}
		}
	}
}

// After a failure go-redis has written SUBSCRIBE again, which the task has to take
// notice of.
func TestUnconfirmedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(context.Context, *redis.Client, *redis.PubSub) error
		want bool // an error
	}{
		"receive": {func(ctx context.Context, _ *redis.Client, ps *redis.PubSub) error {
			_, err := ps.Receive(ctx)
			return err
		}, false},
		"close":    {func(ctx context.Context, c *redis.Client, ps *redis.PubSub) error { ps.Close(); return get(ctx, c) }, false},
		"return":   {func(context.Context, *redis.Client, *redis.PubSub) error { return nil }, true},
		"an error": {func(context.Context, *redis.Client, *redis.PubSub) error { return io.EOF }, true},
		"go on":    {func(ctx context.Context, c *redis.Client, _ *redis.PubSub) error { return get(ctx, c) }, true},
	} {
		s := newStore(t)
		_, e := moves(t, system(s, func(ctx context.Context, c *redis.Client) (string, error) {
			ps := subscribed(ctx, c)
			if _, err := ps.Receive(ctx); err != io.EOF {
				return "", fmt.Errorf("got %v", err)
			}
			return "", tt.then(ctx, c, ps)
		}), "1", "!outage", "!recovery")
		if err := e.Step(0); errors.Is(err, redisclient.ErrUnread) != tt.want || (err != nil) != tt.want {
			t.Errorf("%s: got %v", name, err)
		}
		e.Stop()
	}
}
