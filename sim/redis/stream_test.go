package redis

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

var relayGroup = []string{"XGROUP", "CREATE", "events", "relay", "0", "MKSTREAM"}

// add adds an entry for each value.
func add(values ...string) task {
	return func(ctx context.Context, c *redis.Client) (string, error) {
		var ids []string
		for _, v := range values {
			id, err := c.XAdd(ctx, &redis.XAddArgs{Stream: "events", Values: []string{"id", v}}).Result()
			if err != nil {
				return "", err
			}
			ids = append(ids, id)
		}
		return strings.Join(ids, " "), nil
	}
}

// read reads events for a consumer of the group relay, and returns the values.
func read(ctx context.Context, c *redis.Client, consumer, id string, more ...func(*redis.XReadGroupArgs)) (ids, values []string, err error) {
	a := &redis.XReadGroupArgs{Group: "relay", Consumer: consumer, Streams: []string{"events", id}}
	for _, f := range more {
		f(a)
	}
	streams, err := c.XReadGroup(ctx, a).Result()
	for _, s := range streams {
		for _, m := range s.Messages {
			ids = append(ids, m.ID)
			values = append(values, fmt.Sprint(m.Values["id"]))
		}
	}
	return ids, values, err
}

func one(a *redis.XReadGroupArgs)   { a.Count = 1 }
func never(a *redis.XReadGroupArgs) { a.Block = -1 }

// A consumer that ends before it acknowledges gets the entry once more.
func TestAtLeastOnce(t *testing.T) {
	s := newStore(t, relayGroup)
	crash := func(ctx context.Context, c *redis.Client) (string, error) {
		_, values, err := read(ctx, c, "relay-1", ">", one)
		return strings.Join(values, " "), err
	}
	again := func(ctx context.Context, c *redis.Client) (string, error) {
		ids, values, err := read(ctx, c, "relay-1", "0")
		if err != nil || len(ids) == 0 {
			return "none", err
		}
		if err := c.XAck(ctx, "events", "relay", ids...).Err(); err != nil {
			return "", err
		}
		_, left, err := read(ctx, c, "relay-1", "0")
		return fmt.Sprint(values, left), err
	}
	got, e := steps(t, system(s, add("7", "8"), crash, again), 1, 1, 2, 3, 3, 3)
	wantTrace(t, got,
		"1: XADD events * id 7 -> 1767225600000-0",
		"1: XADD events * id 8 -> 1767225600000-1",
		"2: XREADGROUP events relay relay-1 > count 1 -> 1767225600000-0 id 7",
		"3: XREADGROUP events relay relay-1 0 -> 1767225600000-0 id 7",
		"3: XACK events relay 1767225600000-0 -> 1",
		"3: XREADGROUP events relay relay-1 0 -> []")
	if v, err := e.View(); err != nil || v.Results[0] != "1767225600000-0 1767225600000-1" || v.Results[1] != "7" || v.Results[2] != "[7] []" {
		t.Errorf("results %q, %v", v.Results, err)
	}
	steps(t, system(s, add("7", "8"), crash, again), 1, 1, 2, 3)
	want := `[1767225600000-0["id" "7"] 1767225600000-1["id" "8"]] "relay" 1767225600000-0[1767225600000-0:"relay-1":2]`
	if got, _ := content(t, s).Lookup("events"); got != want {
		t.Errorf("content %s, want %s", got, want)
	}
}

// Every entry goes to one consumer of each group.
func TestGroups(t *testing.T) {
	s := newStore(t, relayGroup, []string{"XGROUP", "CREATE", "events", "audit", "0"}, []string{"XADD", "events", "5-1", "id", "7"}, []string{"XADD", "events", "5-2", "id", "8"})
	consume := func(group, consumer string) task {
		return func(ctx context.Context, c *redis.Client) (string, error) {
			_, values, err := read(ctx, c, consumer, ">", one, func(a *redis.XReadGroupArgs) { a.Group = group })
			return strings.Join(values, " "), err
		}
	}
	tasks := []task{consume("relay", "r1"), consume("relay", "r2"), consume("audit", "r1"), consume("audit", "r1")}
	for _, tt := range []struct {
		order []int
		want  string
	}{
		{[]int{1, 2, 3, 4}, "7 8 7 8"},
		{[]int{4, 2, 1, 3}, "8 7 8 7"},
	} {
		_, e := steps(t, system(s, tasks...), tt.order...)
		if v, err := e.View(); err != nil || strings.Join(v.Results, " ") != tt.want {
			t.Errorf("%v: results %q, %v, want %s", tt.order, v.Results, err, tt.want)
		}
	}
	if got := do(t, s, "XPENDING", "events", "relay"); got != "*4\r\n:2\r\n$3\r\n5-1\r\n$3\r\n5-2\r\n*2\r\n*2\r\n$2\r\nr1\r\n$1\r\n1\r\n*2\r\n$2\r\nr2\r\n$1\r\n1\r\n" {
		t.Errorf("pending %q", got)
	}
}

// A read with BLOCK 0 is blocked until there is an entry, and changes nothing before.
func TestBlockedRead(t *testing.T) {
	s := newStore(t, relayGroup)
	before := content(t, s).Key()
	sys := system(s, func(ctx context.Context, c *redis.Client) (string, error) {
		_, _, err := read(ctx, c, "relay-1", ">", never)
		if err != redis.Nil {
			return "", fmt.Errorf("without BLOCK: %v", err)
		}
		_, values, err := read(ctx, c, "relay-1", ">")
		if err != nil {
			return "", err
		}
		streams, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{"events", "1767225600000-0"}, Count: 1}).Result()
		if err != nil {
			return "", err
		}
		return fmt.Sprint(values, streams[0].Messages), nil
	}, add("7", "8"))
	_, e := steps(t, sys, 1, 1, 1)
	if got := content(t, s).Key(); got != before {
		t.Errorf("content %q, want %q", got, before)
	}
	e.Stop()
	got, e := steps(t, sys, 1, 1, 2, 1, 1, 2, 1)
	wantTrace(t, got,
		"1: XREADGROUP events relay relay-1 > -> (nil)",
		"1: blocked",
		"2: XADD events * id 7 -> 1767225600000-0",
		"1: XREADGROUP events relay relay-1 > -> 1767225600000-0 id 7",
		"1: blocked",
		"2: XADD events * id 8 -> 1767225600000-1",
		"1: XREAD count 1 block 0 streams events 1767225600000-0 -> 1767225600000-1 id 8")
	if v, err := e.View(); err != nil || v.Results[0] != "[7] [{1767225600000-1 map[id:8] 0 0}]" {
		t.Errorf("results %q, %v", v.Results, err)
	}
}

// What a later reply can show is in the content.
func TestStreamContent(t *testing.T) {
	create := "XGROUP CREATE s g 0 MKSTREAM"
	two := create + "|XADD s 1-0 f v|XADD s 2-0 f v"
	distinct := []string{
		"", create, create + "|XGROUP CREATE s h 0", "XGROUP CREATE s h 0 MKSTREAM", "XGROUP CREATE s g 5 MKSTREAM",
		two, two + "|XREADGROUP GROUP g c COUNT 1 STREAMS s >", two + "|XREADGROUP GROUP g c STREAMS s >",
		two + "|XREADGROUP GROUP g d STREAMS s >",                                                                      // the consumer
		two + "|XREADGROUP GROUP g c STREAMS s >|XREADGROUP GROUP g c STREAMS s 0",                                     // how often
		two + "|XREADGROUP GROUP g c STREAMS s >|XREADGROUP GROUP g c STREAMS s 1",                                     // how often, of one
		two + "|XREADGROUP GROUP g c COUNT 1 STREAMS s >|XREADGROUP GROUP g d STREAMS s >",                             // who has which
		two + "|XREADGROUP GROUP g d COUNT 1 STREAMS s >|XREADGROUP GROUP g c STREAMS s >",                             //
		two + "|XREADGROUP GROUP g c STREAMS s >|XACK s g 1-0", two + "|XREADGROUP GROUP g c STREAMS s >|XACK s g 2-0", // what is left
		two + "|XREADGROUP GROUP g c COUNT 1 NOACK STREAMS s >", two + "|XREADGROUP GROUP g c NOACK STREAMS s >",
	}
	same := [][2]string{
		{two + "|XREADGROUP GROUP g c NOACK STREAMS s >", two + "|XREADGROUP GROUP g d STREAMS s >|XACK s g 1-0 2-0"},
		{create + "|XGROUP CREATE s h 0", "XGROUP CREATE s h 0 MKSTREAM|XGROUP CREATE s g 0"},
		{two, two + "|XREADGROUP GROUP g c STREAMS s 0|XACK s g 1-0|XLEN s|XPENDING s g|XRANGE s - +"},
		{"XADD s * f v|XADD s * f v", "XADD s 1767225600000-0 f v|XADD s 1767225600000-1 f v"},
	}
	s := newStore(t)
	key := func(cmds string) string {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range strings.Split(cmds, "|") {
			if cmd == "" {
				continue
			}
			if reply := do(t, s, strings.Fields(cmd)...); reply[0] == '-' {
				t.Fatalf("%s: %s", cmd, reply)
			}
		}
		return content(t, s).Key()
	}
	seen := map[string]string{}
	for _, cmds := range distinct {
		k := key(cmds)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q leave the same content", cmds, other)
		}
		seen[k] = cmds
	}
	for _, pair := range same {
		if key(pair[0]) != key(pair[1]) {
			t.Errorf("%q and %q leave different contents", pair[0], pair[1])
		}
	}
}

// What happens to the groups of a stream does not touch it, as in Redis.
func TestWatchStream(t *testing.T) {
	for between, want := range map[string]string{
		"XREADGROUP GROUP g c STREAMS a >": `["a"]`,
		"XACK a g 1-0":                     `["a"]`,
		"XGROUP CREATE a h 0":              `["a"]`,
		"XADD a 2-0 f v":                   "touched",
	} {
		s := newStore(t, strings.Fields("XADD a 1-0 f v"), strings.Fields("XGROUP CREATE a g 0"), strings.Fields("XREADGROUP GROUP g c COUNT 1 STREAMS a >"))
		steps(t, system(s, increment), 1)
		do(t, s, strings.Fields(between)...)
		wantConnections(t, s, "watch task-1#0 "+want)
	}
}

func TestStreamsRefused(t *testing.T) {
	s := newStore(t, relayGroup, []string{"SET", "a", "1"})
	for cmd, want := range map[string]string{
		"EVAL return(redis.call('XREAD','BLOCK','0','STREAMS','a','0')) 0": "quiesce: XREAD BLOCK is not supported: " + isNested,
		"XREAD BLOCK 0 STREAMS events $":                                   "use XREAD [COUNT n]",
		"XREADGROUP GROUP relay c COUNT 1 STREAMS events 0":                "quiesce: XREADGROUP in this form is not supported: use XREADGROUP GROUP group consumer",
		"XREADGROUP GROUP relay c STREAMS events a > >":                    "for one stream",
		"XREADGROUP COUNT 1 GROUP relay c STREAMS events >":                "use XREADGROUP GROUP",
		"XGROUP DESTROY events relay":                                      "use XGROUP CREATE",
		"XGROUP CREATE events g abc":                                       "use XGROUP CREATE",
		"XGROUP CREATE events g 0 ENTRIESREAD":                             "use XGROUP CREATE",
		"XACK events relay 5":                                              "with whole ids",
		"XACK events relay 05-0":                                           "with whole ids",
		"XPENDING events relay IDLE 5 - + 1":                               "use XPENDING",
		"XADD events 5-* f v":                                              "use XADD",
		"XADD events MAXLEN = 5 * f v":                                     "XADD MAXLEN is not supported: " + isTrim,
		"XRANGE events - + COUNT 0":                                        "n > 0",
		"XINFO GROUPS events":                                              "XINFO is not supported: " + isGroup,
		"XCLAIM events relay c 0 5-0":                                      "XCLAIM is not supported: " + isIdle,
		"XAUTOCLAIM events relay c 0 0":                                    "XAUTOCLAIM is not supported: " + isIdle,
		"XADD s nomkstream * block maxlen":                                 "",
		"XREAD STREAMS block 0":                                            "",
		"XREADGROUP GROUP block count STREAMS events 0":                    "",
		"XRANGE events (5 + COUNT 1":                                       "",
		"XPENDING events relay - + 5 c":                                    "",
		"XGROUP CREATE a g 0":                                              "", // an error, but that of a real server
		"XREADGROUP GROUP g c BLOCK 0 STREAMS nothing >":                   "",
	} {
		_, err := s.Execute(request(strings.Fields(cmd)...))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", cmd, err, want)
		}
	}
	block := func(cmd string) string { return encode("MULTI") + encode(strings.Fields(cmd)...) + encode("EXEC") }
	if _, err := s.Execute(sim.Request{Store: "cache", Body: block("XREAD BLOCK 0 STREAMS events 0")}); err == nil || !strings.Contains(err.Error(), isNested) {
		t.Errorf("BLOCK in MULTI: %v", err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	do(t, s, "XADD", "new", "0-0", "f", "v")
	if _, err := s.Content(); err == nil || !strings.Contains(err.Error(), "empty stream") {
		t.Errorf("an empty stream: %v", err)
	}
}

func TestDescribeStreams(t *testing.T) {
	s := newStore(t)
	entries := "*2\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$2\r\nid\r\n$3\r\na b\r\n*2\r\n$3\r\n5-2\r\n*2\r\n$2\r\nid\r\n$1\r\n8\r\n"
	of := func(streams ...string) string {
		b := fmt.Sprintf("*%d\r\n", len(streams))
		for _, name := range streams {
			b += fmt.Sprintf("*2\r\n$%d\r\n%s\r\n%s", len(name), name, entries)
		}
		return b
	}
	for _, tt := range []struct{ cmd, reply, wantReq, wantReply string }{
		{"XADD events * id 1", "$15\r\n1767225600000-0\r\n", "XADD events * id 1", "1767225600000-0"},
		{"xreadgroup group relay relay-1 count 1 block 0 noack streams events >", of("events"), "XREADGROUP events relay relay-1 > count 1 noack", "5-1 id 'a b'; 5-2 id 8"},
		{"XREADGROUP GROUP relay relay-1 STREAMS events 0", "*1\r\n*2\r\n$6\r\nevents\r\n*0\r\n", "XREADGROUP events relay relay-1 0", "[]"},
		{"XREADGROUP GROUP relay relay-1 STREAMS events >", null, "XREADGROUP events relay relay-1 >", "(nil)"},
		{"XREADGROUP GROUP relay", "-ERR no\r\n", "XREADGROUP GROUP relay", "error: ERR no"},
		{"XREADGROUP", "", "XREADGROUP", ""},
		{"XREAD STREAMS a b 0 0", of("a", "b"), "XREAD STREAMS a b 0 0", "[[a [[5-1 [id 'a b']] [5-2 [id 8]]]] [b [[5-1 [id 'a b']] [5-2 [id 8]]]]]"},
		{"XRANGE events - +", entries, "XRANGE events - +", "5-1 id 'a b'; 5-2 id 8"},
		{"XRANGE events - +", "*0\r\n", "XRANGE events - +", "[]"},
		{"XRANGE events - +", "-ERR no\r\n", "XRANGE events - +", "error: ERR no"},
		{"XACK events relay 5-1", ":1\r\n", "XACK events relay 5-1", "1"},
	} {
		req, reply := s.Describe(request(strings.Fields(tt.cmd)...), sim.Reply{Body: tt.reply})
		if req != tt.wantReq || reply != tt.wantReply {
			t.Errorf("got %s -> %s, want %s -> %s", req, reply, tt.wantReq, tt.wantReply)
		}
	}
}

// streamCommand draws a command about two streams, two groups and two consumers.
func streamCommand(t *rapid.T) []string {
	key := rapid.SampledFrom([]string{"s", "t"}).Draw(t, "key")
	group := rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group")
	consumer := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "consumer")
	id := rapid.SampledFrom([]string{"0-1", "5-0", "1767225600000-0", "1767225600000-1"}).Draw(t, "id")
	return strings.Fields(rapid.SampledFrom([]string{
		"XADD " + key + " * f " + consumer,
		"XADD " + key + " " + id + " f v",
		"XGROUP CREATE " + key + " " + group + " 0 MKSTREAM",
		"XGROUP CREATE " + key + " " + group + " $",
		"XREADGROUP GROUP " + group + " " + consumer + " COUNT 1 STREAMS " + key + " >",
		"XREADGROUP GROUP " + group + " " + consumer + " BLOCK 0 STREAMS " + key + " >",
		"XREADGROUP GROUP " + group + " " + consumer + " NOACK STREAMS " + key + " >",
		"XREADGROUP GROUP " + group + " " + consumer + " STREAMS " + key + " 0",
		"XREAD BLOCK 0 COUNT 1 STREAMS " + key + " 0",
		"XACK " + key + " " + group + " " + id,
		"XPENDING " + key + " " + group,
		"XPENDING " + key + " " + group + " - + 9 " + consumer,
		"XRANGE " + key + " - +",
		"XLEN " + key,
		"DEL " + key,
		"RENAME s t",
	}).Draw(t, "command"))
}

// TestStreamsReplay executes random commands twice. The second time is after
// Reset, and nobody looks at the content in between.
func TestStreamsReplay(t *testing.T) {
	s := newStore(t, relayGroup)
	play := func(t *rapid.T, cmds [][]string, look bool) (replies []string, key string) {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range cmds {
			reply, err := s.Execute(request(cmd...))
			if err != nil && err != sim.ErrBlocked {
				t.Fatal(err)
			}
			replies = append(replies, fmt.Sprint(reply.Body, err))
			if look {
				if _, err := s.Content(); err != nil {
					t.Fatal(err)
				}
			}
		}
		c, err := s.Content()
		if err != nil {
			t.Fatal(err)
		}
		return replies, c.Key()
	}
	rapid.Check(t, func(t *rapid.T) {
		cmds := rapid.SliceOfN(rapid.Custom(streamCommand), 1, 30).Draw(t, "commands")
		replies, key := play(t, cmds, true)
		again, keyAgain := play(t, cmds, false)
		if fmt.Sprint(replies) != fmt.Sprint(again) || key != keyAgain {
			t.Fatalf("%q and %q, then %q and %q", replies, key, again, keyAgain)
		}
	})
}
