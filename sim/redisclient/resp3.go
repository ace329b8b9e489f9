package redisclient

import (
	"errors"
	"strconv"
	"strings"
)

// A store answers in RESP2, and this file makes RESP3 of it for a client that has asked
// for that by HELLO 3, following https://redis.io/docs/latest/develop/reference/protocol-spec
// and the replies in the reference of each command. Whatever is not listed in shapes has
// the same reply in both, but for nil.

var errReply = errors.New("quiesce: not a reply in RESP2")

// A value is one reply.
type value struct {
	kind  byte   // as in RESP3: '_' is nil
	text  string // of what is no aggregate
	elems []value
}

// parseValue cuts the first value in RESP2, or the first push, off s.
func parseValue(s string) (v value, rest string, err error) {
	line, rest, ok := strings.Cut(s, "\r\n")
	if !ok || line == "" {
		return v, s, errReply
	}
	v.kind, v.text = line[0], line[1:]
	switch v.kind {
	case '+', '-', ':', '_':
		return v, rest, nil
	case '$', '*', '>':
	default:
		return v, s, errReply
	}
	n, err := strconv.Atoi(v.text)
	switch {
	case err != nil:
		return v, s, errReply
	case n < 0:
		return value{kind: '_'}, rest, nil
	case v.kind == '$' && len(rest) < n+2:
		return v, s, errReply
	case v.kind == '$':
		v.text = rest[:n]
		return v, rest[n+2:], nil
	}
	v.text = ""
	v.elems = make([]value, n)
	for i := range v.elems {
		if v.elems[i], rest, err = parseValue(rest); err != nil {
			return v, s, err
		}
	}
	return v, rest, nil
}

// append appends the value in RESP3.
func (v value) append(b []byte) []byte {
	switch v.kind {
	case '$':
		return AppendBulk(b, v.text)
	case '*', '~', '%', '>':
		n := len(v.elems)
		if v.kind == '%' {
			n /= 2
		}
		b = append(strconv.AppendInt(append(b, v.kind), int64(n), 10), "\r\n"...)
		for _, e := range v.elems {
			b = e.append(b)
		}
		return b
	}
	return append(append(append(b, v.kind), v.text...), "\r\n"...)
}

// A shape makes of the reply to a command in RESP2 that in RESP3. It is called for a reply
// that is neither nil nor an error.
type shape func(args []string, v value) value

var shapes = map[string]shape{
	"HGETALL":  asMap,
	"SMEMBERS": asSet, "SINTER": asSet, "SUNION": asSet, "SDIFF": asSet,

	"ZSCORE": asDouble, "ZINCRBY": asDouble,
	"ZADD": func(args []string, v value) value {
		if v.kind != '$' { // without INCR it is a number
			return v
		}
		return double(v)
	},
	"ZMSCORE": asDoubles, "GEOPOS": asPositions,
	"ZPOPMIN": asPopped, "ZPOPMAX": asPopped,
	"BZPOPMIN": asLastDouble, "BZPOPMAX": asLastDouble,
	"ZMPOP": asPoppedOf, "BZMPOP": asPoppedOf,
	"ZRANK": asRank, "ZREVRANK": asRank,

	"ZRANGE": withScores(4), "ZREVRANGE": withScores(4), "ZRANGEBYSCORE": withScores(4), "ZREVRANGEBYSCORE": withScores(4),
	"ZUNION": withScores(-1), "ZINTER": withScores(-1), "ZDIFF": withScores(-1),

	"GEORADIUS": asPlaces, "GEORADIUS_RO": asPlaces, "GEORADIUSBYMEMBER": asPlaces, "GEORADIUSBYMEMBER_RO": asPlaces, "GEOSEARCH": asPlaces,

	"XREAD": asStreams, "XREADGROUP": asStreams,
}

func asMap(_ []string, v value) value { v.kind = '%'; return v }

func asSet(_ []string, v value) value { v.kind = '~'; return v }

func asDouble(_ []string, v value) value { return double(v) }

func double(v value) value {
	if v.kind == '$' {
		v.kind = ','
	}
	return v
}

func asDoubles(_ []string, v value) value {
	for i := range v.elems {
		v.elems[i] = double(v.elems[i])
	}
	return v
}

// asPositions is for a list of which each element is nil or a longitude and a latitude.
func asPositions(_ []string, v value) value {
	for i := range v.elems {
		v.elems[i] = asDoubles(nil, v.elems[i])
	}
	return v
}

// scored makes pairs of members and scores, which are flat in RESP2.
func scored(v value) value {
	var pairs []value
	for i := 0; i+1 < len(v.elems); i += 2 {
		pairs = append(pairs, value{kind: '*', elems: []value{v.elems[i], double(v.elems[i+1])}})
	}
	v.elems = pairs
	return v
}

func asPopped(args []string, v value) value {
	if len(args) > 2 { // with a count
		return scored(v)
	}
	return asLastDouble(args, v)
}

func asLastDouble(_ []string, v value) value {
	if n := len(v.elems); n > 0 {
		v.elems[n-1] = double(v.elems[n-1])
	}
	return v
}

// asPoppedOf is for a key and what was popped there, which is pairs in RESP2 as well.
func asPoppedOf(_ []string, v value) value {
	if len(v.elems) == 2 {
		for i, pair := range v.elems[1].elems {
			v.elems[1].elems[i] = asLastDouble(nil, pair)
		}
	}
	return v
}

func asRank(args []string, v value) value { return asLastDouble(args, v) }

// withScores is for a command with the option WITHSCORES, which is no earlier than at an
// index in its arguments: behind the keys, that are counted, if negative.
func withScores(from int) shape {
	return func(args []string, v value) value {
		at := from
		if at < 0 {
			n, _ := strconv.Atoi(args[1])
			at = 2 + n
		}
		for _, arg := range args[min(at, len(args)):] {
			if Is(arg, "WITHSCORES") {
				return scored(v)
			}
		}
		return v
	}
}

// asPlaces is for what is found near a place: of each, coordinates are the last.
func asPlaces(args []string, v value) value {
	for i, place := range v.elems {
		if n := len(place.elems); n > 0 && place.elems[n-1].kind == '*' {
			place.elems[n-1] = asDoubles(nil, place.elems[n-1])
		}
		v.elems[i] = place
	}
	return v
}

// asStreams is for a list of streams with their entries.
func asStreams(_ []string, v value) value {
	flat := value{kind: '%'}
	for _, stream := range v.elems {
		flat.elems = append(flat.elems, stream.elems...)
	}
	return flat
}

// resp3 returns what a store has sent for the commands of a request, which are replies in
// RESP2 and pushes before and after them, in RESP3.
func resp3(body, sent string) (string, error) {
	cmds, err := Commands(body)
	if err != nil {
		return "", err
	}
	b, rest, err := cutPushes(nil, sent)
	for _, args := range cmds {
		if err != nil {
			return "", err
		}
		var v value
		if v, rest, err = parseValue(rest); err != nil {
			return "", err
		}
		if len(cmds) > 1 && Is(args[0], "EXEC") && v.kind == '*' {
			for i := range v.elems {
				v.elems[i] = shaped(cmds[1+i], v.elems[i])
			}
		} else {
			v = shaped(args, v)
		}
		b = v.append(b)
	}
	if b, rest, err = cutPushes(b, rest); err == nil && rest != "" {
		err = errReply
	}
	return string(b), err
}

// shaped returns the reply to one command.
func shaped(args []string, v value) value {
	if s := shapes[strings.ToUpper(args[0])]; s != nil && v.kind != '_' && v.kind != '-' && v.kind != '+' {
		return s(args, v)
	}
	return v
}

// cutPushes appends the pushes at the start of what was sent.
func cutPushes(b []byte, sent string) (_ []byte, rest string, err error) {
	for strings.HasPrefix(sent, ">") {
		var v value
		if v, sent, err = parseValue(sent); err != nil {
			return b, sent, err
		}
		b = v.append(b)
	}
	return b, sent, nil
}

// pushes returns messages or confirmations of the server as they are in RESP3.
func pushes(messages string) (string, error) {
	var b []byte
	for messages != "" {
		var v value
		var err error
		if v, messages, err = parseValue(messages); err != nil {
			return "", err
		}
		if v.kind == '*' {
			v.kind = '>'
		}
		b = v.append(b)
	}
	return string(b), nil
}
