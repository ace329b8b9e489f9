package redis

import (
	"strconv"
	"strings"
)

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
	case '_':
		write(text, "(nil)")
		return rest, true
	case '-':
		write(text, "error: ")
		write(text, line)
		return rest, true
	}
	n, err := strconv.Atoi(line)
	switch {
	case err != nil || kind != '$' && kind != '*' && kind != '>':
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
