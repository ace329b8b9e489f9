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
	// is numbered by the server as well: see [Parcel]. 0 is a connection whose
	// client reads one reply before it sends the next request.
	Number int

	// More says that the next request was written at once with this one. Its reply is not
	// answered to it, but sent like a message, in its turn: what has a number of 0 is not
	// read. So the next request is executed also before that arrives.
	More bool

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
	}{{h.More, "m"}, {h.RESP3, "3"}, {h.Tracks, "t"}, {h.Caches, "c"}, {h.NoLoop, "n"}} {
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
	h.More, h.RESP3, h.Tracks, h.Caches, h.NoLoop = has("m"), has("3"), has("t"), has("c"), has("n")
	h.Target = args[3]
	return h, body[n:]
}

const headerStart = "*4\r\n$1\r\n" + headerName + "\r\n"

// A Parcel is what the server sends at once on a connection whose requests are numbered.
type Parcel struct {
	Number int // from 1; 0 is not read
	Parts  []Part
}

// A Part is a message, or the replies to one request, in the order of the requests.
type Part struct {
	Reply bool
	Text  string
}

// String returns the parcel as the body of a reply.
func (p Parcel) String() string {
	b := append(strconv.AppendInt([]byte{'#'}, int64(p.Number), 10), "\r\n"...)
	for _, part := range p.Parts {
		kind := byte('m')
		if part.Reply {
			kind = 'r'
		}
		b = append(strconv.AppendInt(append(b, kind), int64(len(part.Text)), 10), "\r\n"...)
		b = append(b, part.Text...)
	}
	return string(b)
}

// ParseParcel returns the parcel that is the body of a reply, and false if it is none.
func ParseParcel(body string) (p Parcel, ok bool) {
	line, rest, ok := strings.Cut(body, "\r\n")
	if !ok || line == "" || line[0] != '#' {
		return p, false
	}
	var err error
	p.Number, err = strconv.Atoi(line[1:])
	for err == nil && rest != "" {
		if line, rest, ok = strings.Cut(rest, "\r\n"); !ok || line == "" {
			return p, false
		}
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 || n > len(rest) || line[0] != 'r' && line[0] != 'm' {
			return p, false
		}
		p.Parts = append(p.Parts, Part{line[0] == 'r', rest[:n]})
		rest = rest[n:]
	}
	return p, err == nil
}
