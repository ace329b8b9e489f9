package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
)

// What Redis answers to each command that waits, once there is something. While there is
// nothing it is blocked and changes nothing.
func TestBlocking(t *testing.T) {
	for _, tt := range []struct{ push, cmd, want, left string }{
		{"RPUSH b x y", "BLPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\nx\r\n", `b["y"]`},
		{"RPUSH b x y", "brpop a b 0", "*2\r\n$1\r\nb\r\n$1\r\ny\r\n", `b["x"]`},
		{"RPUSH b x y", "BLPOP b a 1.5", "*2\r\n$1\r\nb\r\n$1\r\nx\r\n", `b["y"]`},
		{"RPUSH b x y", "BRPOPLPUSH b c 0", "$1\r\ny\r\n", `b["x"]c["y"]`},
		{"RPUSH b x y", "BLMOVE b c left RIGHT 0", "$1\r\nx\r\n", `b["y"]c["x"]`},
		{"RPUSH b x y", "BLMPOP 0 2 a b RIGHT", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\ny\r\n", `b["x"]`},
		{"RPUSH b x y", "BLMPOP 7 1 b LEFT COUNT 5", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n", ""},
		{"ZADD b 1 x 2 y", "BZPOPMIN a b 0", "*3\r\n$1\r\nb\r\n$1\r\nx\r\n$1\r\n1\r\n", `b{"y":2}`},
		{"ZADD b 1 x 2 y", "BZPOPMAX a b 0", "*3\r\n$1\r\nb\r\n$1\r\ny\r\n$1\r\n2\r\n", `b{"x":1}`},
		{"ZADD b 1 x 2 y", "BZMPOP 0 2 a b MIN", "*2\r\n$1\r\nb\r\n*1\r\n*2\r\n$1\r\nx\r\n$1\r\n1\r\n", `b{"y":2}`},
		{"XADD b 5-1 f v", "XREAD BLOCK 100 STREAMS b 0", "*1\r\n*2\r\n$1\r\nb\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n", `b[5-1["f" "v"]]`},
	} {
		s := newStore(t)
		before := content(t, s).Key()
		if _, err := s.Execute(request(strings.Fields(tt.cmd)...)); err != sim.ErrBlocked {
			t.Errorf("%s: got %v, want it blocked", tt.cmd, err)
		}
		if got := content(t, s).Key(); got != before {
			t.Errorf("%s: a request that is blocked leaves %q", tt.cmd, got)
		}
		do(t, s, strings.Fields(tt.push)...)
		got := do(t, s, strings.Fields(tt.cmd)...)
		left := ""
		for _, it := range content(t, s) {
			left += it.Name + it.Value
		}
		if got != tt.want || left != tt.left {
			t.Errorf("%s: got %q and %s, want %q and %s", tt.cmd, got, left, tt.want, tt.left)
		}
	}
}

// What Redis finds wrong it says at once, and so does miniredis in what does not wait.
func TestBlockingFails(t *testing.T) {
	for cmd, want := range map[string]string{
		"BLPOP a":                     "-ERR wrong number of arguments for 'blpop' command\r\n",
		"BRPOPLPUSH a b":              "-ERR wrong number of arguments for 'brpoplpush' command\r\n",
		"BLMOVE a b LEFT RIGHT 0 x":   "-ERR wrong number of arguments for 'blmove' command\r\n",
		"BLPOP a x":                   "-ERR timeout is not a float or out of range\r\n",
		"BLPOP a NaN":                 "-ERR timeout is not a float or out of range\r\n",
		"BLPOP a -1":                  "-ERR timeout is negative\r\n",
		"BLMPOP -1 1 a LEFT":          "-ERR timeout is negative\r\n",
		"BLMPOP 0 0 a LEFT":           "-ERR numkeys should be greater than 0\r\n",
		"BLMOVE a b UP DOWN 0":        "-ERR syntax error\r\n",
		"BLPOP s 0":                   "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		"BLPOP a s 0":                 "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		"BZPOPMIN a s 0":              "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		"XREAD BLOCK -1 STREAMS a 0":  "-ERR timeout is negative\r\n",
		"XREAD BLOCK 1.5 STREAMS a 0": "-ERR timeout is not an integer or out of range\r\n",
	} {
		s := newStore(t, []string{"SET", "s", "1"})
		reply, err := s.Execute(request(strings.Fields(cmd)...))
		if err != nil || reply.Body != want {
			t.Errorf("%s: got %q, %v, want %q", cmd, reply.Body, err, want)
		}
	}
	s := newStore(t)
	for _, cmd := range []string{"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"} {
		body := encode("MULTI") + encode(cmd, "a", "0") + encode("EXEC")
		if _, err := s.Execute(sim.Request{Store: "cache", Body: body}); err == nil || !strings.Contains(err.Error(), cmd+" is not supported: "+isNested) {
			t.Errorf("%s in MULTI: %v", cmd, err)
		}
	}
}

// A coroutine has no timers, so a wait that ends by itself ends the run.
func TestBlockingForATime(t *testing.T) {
	s := newStore(t, []string{"RPUSH", "q", "x"})
	_, _, err := run(s, func(ctx context.Context, c *redis.Client) (string, error) {
		c.BLPop(ctx, time.Second, "q")
		return "", nil // whatever it does with the error
	})
	if err == nil || !strings.Contains(err.Error(), "a coroutine has no timers") {
		t.Errorf("got %v", err)
	}
	trace, _, err := run(s, func(ctx context.Context, c *redis.Client) (string, error) {
		return "", c.BLPop(ctx, 0, "q").Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	wantTrace(t, trace, "1: BLPOP q 0 -> [q x]")
}
