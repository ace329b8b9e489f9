package redisclient

import (
	"context"
	"strings"
	"testing"

	"quiesce/sim"
)

// talk writes lines to connections of one process, each of which has one more command, and
// returns what is read from each, and what was asked for. A line "0: GET a" is for the
// first connection, and "1: " alone reads once more there.
func talk(s *script, said ...string) (asked []string, read []string, err error) {
	asked, _, err = runIn(s, func(p *sim.Process) sim.Task {
		dial := s.Dialer(p)
		return func(ctx context.Context) (string, error) {
			conns := map[string]interface {
				Write([]byte) (int, error)
				Read([]byte) (int, error)
			}{}
			for _, line := range said {
				name, cmd, _ := strings.Cut(line, ": ")
				if conns[name] == nil {
					c, err := dial(ctx, "tcp", "cache:6379")
					if err != nil {
						return "", err
					}
					conns[name] = c
				}
				var b []byte
				for _, one := range strings.Split(cmd, ";") {
					if one != "" {
						b = append(b, encode(strings.Fields(one)...)...)
					}
				}
				if len(b) > 0 {
					if _, err := conns[name].Write(b); err != nil {
						return "", err
					}
				}
				buf := make([]byte, 4096)
				n, err := conns[name].Read(buf)
				if err != nil {
					return "", err
				}
				read = append(read, string(buf[:n]))
			}
			return "", nil
		}
	})
	return asked, read, err
}

func wantLines(t *testing.T, name string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got\n%q\nwant\n%q", name, got, want)
	}
}

const map3 = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n" +
	"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

// What sets up a connection is answered at once and asks for nothing, and the requests
// after it say what it was.
func TestSetup(t *testing.T) {
	get, cached := encode("GET", "a"), Header{Tracks: true, Caches: true}
	uncached := Header{Tracks: true}
	for _, tt := range []struct {
		name        string
		said        []string
		asked, read []string
	}{
		{"RESP2", []string{"0: HELLO 2", "0: GET a", "0: HGETALL h"}, []string{get, encode("HGETALL", "h")},
			[]string{strings.Replace(strings.Replace(map3, "%7", "*14", 1), ":3", ":2", 1), "$-1\r\n", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"}},
		{"RESP3", []string{"0: HELLO 3 AUTH default x SETNAME y", "0: GET a", "0: HGETALL h", "0: HELLO 4", "0: HELLO 2", "0: GET a"}, []string{get, encode("HGETALL", "h"), get},
			[]string{map3, "_\r\n", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n", "-NOPROTO unsupported protocol version\r\n",
				strings.Replace(strings.Replace(map3, "%7", "*14", 1), ":3", ":2", 1), "$-1\r\n"}},
		// What rueidis says first, and then for a key that it is to cache, each in one write.
		{"rueidis", []string{
			"0: HELLO 3;CLIENT TRACKING ON OPTIN;CLIENT SETINFO LIB-NAME rueidis;CLIENT SETINFO LIB-VER 1.0.79",
			"0: CLIENT CACHING YES;MULTI;PTTL a;GET a;EXEC", "0: GET a", "0: CLIENT CACHING YES;GET a", "0: "},
			[]string{cached.String() + encode("MULTI") + encode("PTTL", "a") + get + encode("EXEC"), uncached.String() + get, cached.String() + get, Receive},
			[]string{map3 + ok + ok + ok, ok + ok + "+QUEUED\r\n+QUEUED\r\n*2\r\n:-1\r\n_\r\n", "_\r\n", ok + "_\r\n", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"}},
		{"default mode", []string{"0: HELLO 3;CLIENT TRACKING ON NOLOOP", "0: GET a"}, []string{Header{Tracks: true, Caches: true, NoLoop: true}.String() + get}, []string{map3 + ok, "_\r\n"}},
		{"optout", []string{"0: HELLO 3;CLIENT TRACKING ON OPTOUT", "0: GET a", "0: CLIENT CACHING NO;GET a", "0: GET a"}, []string{cached.String() + get, uncached.String() + get, cached.String() + get},
			[]string{map3 + ok, "_\r\n", ok + "_\r\n", "_\r\n"}},
		{"redirect", []string{"0: CLIENT ID", "1: CLIENT TRACKING ON REDIRECT 2", "1: GET a"}, []string{Header{Tracks: true, Caches: true, Target: "task#0"}.String() + get}, []string{":2\r\n", ok, "$-1\r\n"}},
		{"redirect to nobody", []string{"0: CLIENT TRACKING ON REDIRECT 2"}, nil, []string{noClient}},
		// The server would have no way to tell it.
		{"RESP2 without redirect", []string{"0: CLIENT TRACKING ON", "0: GET a"}, []string{get}, []string{ok, "$-1\r\n"}},
		{"caching without a mode", []string{"0: CLIENT CACHING YES", "0: HELLO 3;CLIENT TRACKING ON;CLIENT CACHING NO"}, nil, []string{noCaching, map3 + ok + noCaching}},
		{"caching in the wrong mode", []string{"0: HELLO 3;CLIENT TRACKING ON OPTIN;CLIENT CACHING NO", "1: HELLO 3;CLIENT TRACKING ON OPTOUT;CLIENT CACHING YES"}, nil, []string{map3 + ok + noOptOut, map3 + ok + noOptIn}},
		{"what is not simulated", []string{"0: HELLO 3;CLIENT TRACKING ON BCAST", "0: CLIENT LIST", "0: SELECT 0", "0: SELECT 1"}, []string{encode("CLIENT", "TRACKING", "ON", "BCAST"), encode("CLIENT", "LIST"), encode("SELECT", "1")},
			[]string{map3 + ok, ok, ok, ok}},
		// Whoever waits for the reply to each command of a block gets one, and the server
		// executes the block at once all the same.
		{"a block word by word", []string{"0: MULTI", "0: SET a 1", "0: GET a;GET a", "0: EXEC", "0: GET a"},
			[]string{encode("MULTI") + encode("SET", "a", "1") + get + get + encode("EXEC"), get},
			[]string{ok, "+QUEUED\r\n", "+QUEUED\r\n+QUEUED\r\n", "*3\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n", "$-1\r\n"}},
		{"a block that is discarded", []string{"0: MULTI", "0: SET a 1", "0: DISCARD", "0: GET a", "0: WATCH a", "0: MULTI", "0: DISCARD"},
			[]string{get, encode("WATCH", "a"), encode("UNWATCH")}, []string{ok, "+QUEUED\r\n", ok, "$-1\r\n", ok, ok, ok}},
		{"messages in RESP3", []string{"0: HELLO 3", "0: SUBSCRIBE c", "0: "}, []string{encode("SUBSCRIBE", "c"), Receive},
			[]string{map3, ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"}},
	} {
		s := newScript(t, map[string]string{
			encode("MULTI") + encode("SET", "a", "1") + get + get + encode("EXEC"): "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n",
			get: "$-1\r\n", encode("HGETALL", "h"): "*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
			cached.String() + get: "$-1\r\n", uncached.String() + get: "$-1\r\n",
			Header{Tracks: true, Caches: true, NoLoop: true}.String() + get:                "$-1\r\n",
			Header{Tracks: true, Caches: true, Target: "task#0"}.String() + get:            "$-1\r\n",
			cached.String() + encode("MULTI") + encode("PTTL", "a") + get + encode("EXEC"): "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:-1\r\n$-1\r\n",
			Receive:                  ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
			encode("SUBSCRIBE", "c"): "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
		})
		asked, read, err := talk(s, tt.said...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		wantLines(t, tt.name+", asked", asked, tt.asked)
		wantLines(t, tt.name+", read", read, tt.read)
		if s.Stats().Named != 0 {
			t.Errorf("%s: %d processes with names", tt.name, s.Stats().Named)
		}
	}
}
