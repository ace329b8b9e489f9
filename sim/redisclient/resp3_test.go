package redisclient

import (
	"reflect"
	"strings"
	"testing"
)

// What a command answers in RESP2 and in RESP3, as the reference of Redis has it. A blank
// ends a line here, and quotes are left out: $x is a bulk string.
func TestRESP3(t *testing.T) {
	for _, tt := range []struct{ cmd, resp2, resp3 string }{
		{"GET a", "$-1", "_"},
		{"GET a", "$x", "$x"},
		{"GET a", "-ERR", "-ERR"},
		{"BLPOP a 0", "*-1", "_"},
		{"MGET a b", "*2 $x $-1", "*2 $x _"},
		{"hgetall a", "*4 $f $1 $g $2", "%2 $f $1 $g $2"},
		{"HGETALL a", "*0", "%0"},
		{"HGETALL a", "-WRONGTYPE", "-WRONGTYPE"},
		{"SMEMBERS a", "*2 $x $y", "~2 $x $y"},
		{"ZSCORE a x", "$1.5", ",1.5"},
		{"ZSCORE a x", "$-1", "_"},
		{"ZINCRBY a 1 x", "$2", ",2"},
		{"ZADD a 1 x", ":1", ":1"},
		{"ZADD a INCR 1 x", "$2", ",2"},
		{"ZMSCORE a x y", "*2 $1 $-1", "*2 ,1 _"},
		{"ZPOPMIN a", "*2 $x $1", "*2 $x ,1"},
		{"ZPOPMIN a", "*0", "*0"},
		{"ZPOPMAX a 2", "*4 $x $1 $y $2", "*2 *2 $x ,1 *2 $y ,2"},
		{"BZPOPMIN a 0", "*3 $a $x $1", "*3 $a $x ,1"},
		{"ZMPOP 1 a MIN", "*2 $a *1 *2 $x $1", "*2 $a *1 *2 $x ,1"},
		{"BZMPOP 0 1 a MIN", "*-1", "_"},
		{"ZRANGE a 0 -1", "*1 $x", "*1 $x"},
		{"ZRANGE a 0 -1 WITHSCORES", "*4 $x $1 $y $2", "*2 *2 $x ,1 *2 $y ,2"},
		{"ZRANGE withscores 0 -1", "*2 $x $y", "*2 $x $y"},
		{"ZUNION 1 withscores", "*2 $x $y", "*2 $x $y"},
		{"ZUNION 1 a withscores", "*2 $x $1", "*1 *2 $x ,1"},
		{"ZRANK a x", ":0", ":0"},
		{"ZRANK a x WITHSCORE", "*2 :0 $1", "*2 :0 ,1"},
		{"GEOPOS a x y", "*2 *2 $1 $2 *-1", "*2 *2 ,1 ,2 _"},
		{"GEORADIUS a 1 1 9 km", "*1 $x", "*1 $x"},
		{"GEORADIUS a 1 1 9 km WITHDIST WITHCOORD", "*1 *3 $x $7 *2 $1 $2", "*1 *3 $x $7 *2 ,1 ,2"},
		{"XREAD STREAMS a 0", "*1 *2 $a *1 *2 $5-1 *2 $f $v", "%1 $a *1 *2 $5-1 *2 $f $v"},
		{"XREAD STREAMS a 0", "*-1", "_"},
		{"XRANGE a - +", "*1 *2 $5-1 *2 $f $v", "*1 *2 $5-1 *2 $f $v"},
		{"EVAL x 0", "*2 :1 $-1", "*2 :1 _"},
		{"MULTI;HGETALL a;ZSCORE a x;EXEC", "+OK +QUEUED +QUEUED *2 *2 $f $1 $2", "+OK +QUEUED +QUEUED *2 %1 $f $1 ,2"},
		{"MULTI;HGETALL a;EXEC", "+OK +QUEUED *-1", "+OK +QUEUED _"},
		{"MULTI;INCR;EXEC", "+OK -ERR -EXECABORT", "+OK -ERR -EXECABORT"},
		{"GET a", ">2 $invalidate *1 $b $x >2 $invalidate _", ">2 $invalidate *1 $b $x >2 $invalidate _"},
	} {
		body := ""
		for _, cmd := range strings.Split(tt.cmd, ";") {
			body += encode(strings.Fields(cmd)...)
		}
		got, err := resp3(body, lines(tt.resp2))
		if want := lines(tt.resp3); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", tt.cmd, got, err, want)
		}
	}
	for _, sent := range []string{"", "x", "*1\r\n", "$3\r\nab\r\n", "+OK\r\n+OK\r\n", ">1\r\n"} {
		if got, err := resp3(encode("PING"), sent); err == nil {
			t.Errorf("%q: got %q, want an error", sent, got)
		}
	}
	if got, err := pushes(lines("*3 $message $a $x *3 $subscribe $a :1")); err != nil || got != lines(">3 $message $a $x >3 $subscribe $a :1") {
		t.Errorf("got %q, %v", got, err)
	}
}

// lines writes replies out.
func lines(short string) string {
	var b []byte
	for _, word := range strings.Fields(short) {
		if word[0] == '$' && word != "$-1" {
			b = AppendBulk(b, word[1:])
		} else {
			b = append(append(b, word...), "\r\n"...)
		}
	}
	return string(b)
}

func TestHeader(t *testing.T) {
	for _, h := range []Header{{}, {Number: 7}, {Number: 7, RESP3: true}, {Number: 7, More: true}, {Tracks: true}, {Tracks: true, Caches: true, NoLoop: true, Target: "a\r\n#1"}} {
		if got, rest := Split(h.String() + encode("GET", "a")); got != h || rest != encode("GET", "a") {
			t.Errorf("got %+v and %q, want %+v", got, rest, h)
		}
	}
	for _, body := range []string{encode("GET", "a"), Receive, "", encode("@"), encode("@", "1", "2"), headerStart} {
		if h, rest := Split(body); h != (Header{}) || rest != body {
			t.Errorf("%q: got %+v and %q", body, h, rest)
		}
	}
	for _, p := range []Parcel{{}, {Number: 12, Parts: []Part{{true, "+OK\r\n"}, {false, "#1\r\n"}, {true, ""}}}} {
		if got, ok := ParseParcel(p.String()); !ok || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v and %v, want %+v", got, ok, p)
		}
	}
	for _, body := range []string{"", "+OK\r\n", "#\r\n", "#1", "#1\r\nr6\r\n+OK\r\n", "#1\r\nx1\r\na", "#1\r\nr-1\r\n", "#1\r\nr"} {
		if got, ok := ParseParcel(body); ok {
			t.Errorf("%q: got %+v", body, got)
		}
	}
}
