package redisclient

import (
	"strconv"
	"strings"
)

// A Header is what a request says of its connection, if the server keeps more for that
// than what it watches or is subscribed to. It stands before the commands as one more
// would, and no command has its name: see [Split].
type Header struct {
	// Number counts the requests of the connection, from 1, if several of them may be on
	// their way: the server executes them in this order, and each is blocked until the one
	// before has been executed. What is sent on such a connection, replies and messages,
	// is numbered by the server as well: see [CutNumber]. 0 is a connection whose
	// client reads one reply before it sends the next request.
	Number int

	// RESP3 says that the client tells messages from replies, so that any command may
	// follow SUBSCRIBE.
	RESP3 bool

	// Tracks says that the client wants to know when what it reads is changed: see
	// https://redis.io/docs/latest/develop/reference/client-side-caching.
	Tracks bool

	Caches bool   // it wants to know of the keys that this request reads
	NoLoop bool   // not of changes that it makes itself
	Target string // the connection to which it is told; "" is the same one
}

// headerName is the name of the header as a command.
const headerName = "@"

// String returns the header as it stands before the commands; "" for the zero value.
func (h Header) String() string {
	if h == (Header{}) {
		return ""
	}
	flags := ""
	for _, f := range []struct {
		is   bool
		flag string
	}{{h.RESP3, "3"}, {h.Tracks, "t"}, {h.Caches, "c"}, {h.NoLoop, "n"}} {
		if f.is {
			flags += f.flag
		}
	}
	b := AppendBulk([]byte("*4\r\n"), headerName)
	for _, s := range []string{strconv.Itoa(h.Number), flags, h.Target} {
		b = AppendBulk(b, s)
	}
	return string(b)
}

// Split returns the header of a request and what follows it.
func Split(body string) (h Header, rest string) {
	if !strings.HasPrefix(body, headerStart) {
		return h, body
	}
	args, n, err := nextCommand(make([]string, 0, 4), body)
	if err != nil || len(args) != 4 {
		return h, body
	}
	h.Number, _ = strconv.Atoi(args[1])
	has := func(flag string) bool { return strings.Contains(args[2], flag) }
	h.RESP3, h.Tracks, h.Caches, h.NoLoop = has("3"), has("t"), has("c"), has("n")
	h.Target = args[3]
	return h, body[n:]
}

const headerStart = "*4\r\n$1\r\n" + headerName + "\r\n"

// NumberReply puts the number before what the server sends on a connection whose requests
// are numbered.
func NumberReply(number int, sent string) string { return "#" + strconv.Itoa(number) + "\r\n" + sent }

// CutNumber returns the number before what the server has sent, from 1, and 0 if it has
// none.
func CutNumber(reply string) (number int, sent string) {
	line, rest, ok := strings.Cut(reply, "\r\n")
	if !ok || line == "" || line[0] != '#' {
		return 0, reply
	}
	number, err := strconv.Atoi(line[1:])
	if err != nil {
		return 0, reply
	}
	return number, rest
}
