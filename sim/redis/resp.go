package redis

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Requests are written in RESP as every client writes them: an array of bulk
// strings. Replies are RESP2.

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

// commands returns the commands that make up body.
func commands(body string) ([][]string, error) {
	cmds := make([][]string, 0, 1)
	for len(cmds) == 0 || body != "" {
		// Always a new slice: miniredis keeps arguments.
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

// is reports whether an argument is the given keyword, in any case.
func is[T string | []byte](arg T, keyword string) bool {
	return len(arg) == len(keyword) && strings.EqualFold(string(arg), keyword)
}

// nextReply cuts the first reply off s and writes it to text as a person would,
// if text is not nil. It returns false if s does not start with a whole reply.
func nextReply(text *strings.Builder, s string) (rest string, ok bool) {
	line, rest, ok := strings.Cut(s, "\r\n")
	if !ok || line == "" {
		return s, false
	}
	kind, line := line[0], line[1:]
	switch kind {
	case '+', ':':
		write(text, line)
		return rest, true
	case '-':
		write(text, "error: ")
		write(text, line)
		return rest, true
	}
	n, err := strconv.Atoi(line)
	switch {
	case err != nil || kind != '$' && kind != '*':
		return s, false
	case n < 0:
		write(text, "(nil)")
		return rest, true
	case kind == '$':
		if len(rest) < n+2 {
			return s, false
		}
		if text != nil {
			text.WriteString(quoteReply(rest[:n]))
		}
		return rest[n+2:], true
	}
	write(text, "[")
	for i := range n {
		if i > 0 {
			write(text, " ")
		}
		if rest, ok = nextReply(text, rest); !ok {
			return s, false
		}
	}
	write(text, "]")
	return rest, true
}

func write(text *strings.Builder, s string) {
	if text != nil {
		text.WriteString(s)
	}
}

// hello is the answer to the handshake, that of a server which speaks RESP2.
var hello = func() []byte {
	var b bytes.Buffer
	b.WriteString("*14\r\n")
	for _, s := range []string{"server", "redis", "version", "7.4.0", "proto", ":2", "id", ":1",
		"mode", "standalone", "role", "master", "modules", "*0"} {
		if s[0] == ':' || s[0] == '*' {
			b.WriteString(s + "\r\n")
			continue
		}
		b.WriteString("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n")
	}
	return b.Bytes()
}()
