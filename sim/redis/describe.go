package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Describe returns a request as it is typed in redis-cli, and the reply: that
// to EXEC alone for a block MULTI ... EXEC. A script is called by the comment
// "-- name" that it starts with. The wait for a message is called receive, and the
// end of a connection with a state close.
func (s *Store) Describe(req sim.Request, reply sim.Reply) (request, answer string) {
	if p, ok := redisclient.ParseParcel(reply.Body); ok {
		return s.describeParcel(req, p)
	}
	if req.Body == redisclient.Receive || req.Body == redisclient.Close || req.Body == redisclient.Busy {
		return req.Body, describeMessages(reply.Body)
	}
	if text, ok := describeEnvironment(req); ok {
		return text, ""
	}
	switch _, body := redisclient.Split(req.Body); body {
	case redisclient.TimedOut:
		return body, "(nil)"
	case redisclient.Close:
		return body, ""
	}
	cmds, err := redisclient.Commands(req.Body)
	if err != nil {
		request = strconv.Quote(req.Body)
	}
	lines := make([]string, 0, len(cmds))
	for _, args := range cmds {
		lines = append(lines, describeCommand(args, s.scripts))
	}
	if err == nil {
		request = strings.Join(lines, "; ")
	}
	if req.Awaits {
		request = "await " + request
	}
	if err == nil && redisclient.VerbOf(cmds[0][0]) == redisclient.Subscribe {
		return request, describeMessages(reply.Body)
	}
	if len(cmds) == 1 {
		if text, ok := describeEntries(cmds[0][0], reply.Body); ok {
			return request, text
		}
	}
	return request, describeReply(reply.Body)
}

// describeParcel is Describe where the server sends a parcel: the reply to the request is
// the last in it. Of what is received nobody knows to which request it is the reply.
func (s *Store) describeParcel(req sim.Request, p redisclient.Parcel) (request, answer string) {
	var texts []string
	for i, part := range p.Parts {
		text := describeMessages(part.Text)
		if part.Reply && !slices.ContainsFunc(p.Parts[i+1:], func(p redisclient.Part) bool { return p.Reply }) && req.Body != redisclient.Receive {
			_, text = s.Describe(req, sim.Reply{Body: part.Text})
		}
		texts = append(texts, text)
	}
	request, _ = s.Describe(req, sim.Reply{})
	return request, strings.Join(texts, "; ")
}

// describeReply returns the last reply of a block, or the one to a command, with the
// messages that were sent before and after it.
func describeReply(sent string) string {
	var before, after []string
	last := ""
	for rest := sent; rest != ""; {
		var text strings.Builder
		isPush, ok := rest[0] == '>', true
		if rest, ok = nextReply(&text, rest); !ok {
			return strconv.Quote(sent)
		}
		switch {
		case !isPush:
			last = text.String()
		case last == "":
			before = append(before, trimList(text.String()))
		default:
			after = append(after, trimList(text.String()))
		}
	}
	return strings.Join(append(append(before, last), after...), "; ")
}

// trimList returns the text of a list without its brackets.
func trimList(text string) string { return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]") }

// describeMessages returns messages without the brackets of lists.
func describeMessages(reply string) string {
	var texts []string
	for rest := reply; rest != ""; {
		var text strings.Builder
		var ok bool
		if rest, ok = nextReply(&text, rest); !ok {
			return strconv.Quote(reply)
		}
		texts = append(texts, trimList(text.String()))
	}
	return strings.Join(texts, "; ")
}

func describeCommand(args []string, scripts map[string]string) string {
	if redisclient.Is(args[0], "XREADGROUP") {
		args = describeReadGroup(args)
	}
	words := append(make([]string, 0, len(args)), strings.ToUpper(quote(args[0])))
	for i, arg := range args[1:] {
		i++ // the index in args
		script, isScript := "", false
		if i == 1 {
			switch strings.ToUpper(args[0]) {
			case "EVAL", "EVAL_RO":
				script, isScript = arg, true
			case "EVALSHA", "EVALSHA_RO":
				if script, isScript = scripts[strings.ToLower(arg)]; !isScript {
					words = append(words, quote(arg[:min(len(arg), 8)]))
					continue
				}
			}
		} else if i == 2 && redisclient.Is(args[0], "SCRIPT") && redisclient.Is(args[1], "LOAD") {
			script, isScript = arg, true
		}
		if isScript {
			words = append(words, describeScript(script))
		} else {
			words = append(words, quote(arg))
		}
	}
	return strings.Join(words, " ")
}

// describeScript returns the name of a script in parentheses, or the script
// itself if it is a short line, or the start of its SHA.
func describeScript(script string) string {
	first, _, more := strings.Cut(strings.TrimSpace(script), "\n")
	if name, ok := strings.CutPrefix(first, "--"); ok && strings.TrimSpace(name) != "" {
		return "(" + strings.TrimSpace(name) + ")"
	}
	if !more && len(first) <= 40 {
		return quote(first)
	}
	sha := sha1.Sum([]byte(script))
	return "(script " + hex.EncodeToString(sha[:4]) + ")"
}

// quote returns s, in quotes if it could not be typed otherwise: in single ones
// if that leaves it readable, as JSON is.
func quote(s string) string {
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
		return strconv.Quote(s)
	case s != "" && s[0] != '"' && s[0] != '\'' && !strings.Contains(s, " "):
		return s
	case strings.Contains(s, "'"):
		return strconv.Quote(s)
	}
	return "'" + s + "'"
}

// quoteReply is quote for a string in a reply, which must not look like none.
func quoteReply(s string) string {
	if s == "(nil)" {
		return strconv.Quote(s)
	}
	return quote(s)
}
