package redisclient

import (
	"errors"
	"strconv"
	"strings"
)

// A Verb says what a command does to the state of its connection at the server.
type Verb int

const (
	Plain     Verb = iota // nothing
	Exec                  // a block MULTI ... EXEC: it watches nothing any more
	Watch                 // it watches keys
	Unwatch               // it watches nothing any more
	Subscribe             // it is sent messages
)

// VerbOf returns the verb of a command by its name. The block MULTI ... EXEC has none.
func VerbOf[T string | []byte](command T) Verb {
	switch {
	case Is(command, "WATCH"):
		return Watch
	case Is(command, "UNWATCH"):
		return Unwatch
	case Is(command, "SUBSCRIBE"):
		return Subscribe
	}
	return Plain
}

// Bodies of requests that are no command, and carry the name of a connection.
const (
	TimedOut = "timeout" // behind the header of a request that waits: it is answered nil, unless it was before
	Receive  = "receive" // waits for the next message
	Close    = "close"   // the client has closed the connection
	Busy     = "busy"    // two tasks use the connection: the store answers with ErrBusy
)

// ErrBusy is the error of a store for the request Busy.
var ErrBusy = errors.New("quiesce: a connection is used while another task receives on it, which is not supported")

var errProtocol = errors.New("quiesce: not a request in RESP: an array of bulk strings is expected")

// nextCommand appends the arguments of the first command in b to args and
// returns them with the size of the command. The size is 0 if the command is
// not complete. The arguments are parts of b.
func nextCommand[T string | []byte](args []T, b T) ([]T, int, error) {
	count, pos, err := header(b, 0, '*')
	if pos == 0 || err != nil {
		return args, 0, err
	}
	if count < 1 {
		return args, 0, errProtocol
	}
	for range count {
		size, start, err := header(b, pos, '$')
		if start == 0 || err != nil {
			return args, 0, err
		}
		end := start + size
		if end+2 > len(b) {
			return args, 0, nil
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return args, 0, errProtocol
		}
		args = append(args, b[start:end])
		pos = end + 2
	}
	return args, pos, nil
}

// header reads a line such as "*3\r\n" at pos and returns its number and the
// position after it, which is 0 if the line is not complete.
func header[T string | []byte](b T, pos int, kind byte) (n, end int, err error) {
	for i := pos; i < len(b); i++ {
		switch c := b[i]; {
		case i == pos:
			if c != kind {
				return 0, 0, errProtocol
			}
		case c >= '0' && c <= '9' && n < 1<<30:
			n = n*10 + int(c-'0')
		case c == '\r' && i > pos+1:
			if i+1 == len(b) {
				return 0, 0, nil
			}
			if b[i+1] != '\n' {
				return 0, 0, errProtocol
			}
			return n, i + 2, nil
		default:
			return 0, 0, errProtocol
		}
	}
	return 0, 0, nil
}

// Commands returns the commands of which the body of a request consists behind its
// header, each with its arguments. It is an error if the request is none of a command: see the constants, or of
// the environment.
func Commands(body string) ([][]string, error) {
	_, body = Split(body)
	cmds := make([][]string, 0, 1)
	for len(cmds) == 0 || body != "" {
		// Always a new slice: a server may keep arguments.
		args, n, err := nextCommand(make([]string, 0, 4), body)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errProtocol
		}
		cmds = append(cmds, args)
		body = body[n:]
	}
	return cmds, nil
}

// Is says whether an argument is the given keyword, in any case.
func Is[T string | []byte](arg T, keyword string) bool {
	return len(arg) == len(keyword) && strings.EqualFold(string(arg), keyword)
}

// AppendBulk appends a bulk string.
func AppendBulk(b []byte, s string) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(s)), 10)
	b = append(b, "\r\n"...)
	b = append(b, s...)
	return append(b, "\r\n"...)
}

// hello returns the answer to HELLO in a version of the protocol.
func hello(proto int) string {
	b := []byte("*14\r\n")
	if proto == 3 {
		b = []byte("%7\r\n")
	}
	for _, s := range []string{"server", "redis", "version", "7.4.0", "proto", ":" + strconv.Itoa(proto), "id", ":1",
		"mode", "standalone", "role", "master", "modules", "*0"} {
		if s[0] == ':' || s[0] == '*' {
			b = append(append(b, s...), "\r\n"...)
			continue
		}
		b = AppendBulk(b, s)
	}
	return string(b)
}
