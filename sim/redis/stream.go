package redis

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/proto"

	"quiesce/sim/redisclient"
)

// Streams follow https://redis.io/docs/latest/develop/data-types/streams. They are
// those of miniredis, as far as it answers like Redis; streamForms is how far.

// streamForms are the forms of commands that are simulated, as they are typed and
// as an expression for their arguments: ID stands for 1-2 or 1, FULL for 1-2.
//
// In others miniredis differs. It ignores COUNT when it reads what is pending,
// takes COUNT 0 of a range for no limit, gives an entry away before it finds that
// the group of a second stream does not exist, compares the text of an ID that is
// acknowledged, takes any ID for a group, and generates another ID for 1-* where
// Redis answers with an error. "$" is the last ID when a request comes, and a
// blocked one is taken to come when it can be answered.
var streamForms = map[string]struct {
	typed string
	args  *regexp.Regexp
}{
	"XADD":       {"key [NOMKSTREAM] *|id field value ...", form(`\S+ (NOMKSTREAM )?(\*|ID)( \S+)*`)},
	"XRANGE":     {"key start end [COUNT n], n > 0", form(`\S+ \S+ \S+( COUNT [1-9]\d*)?`)},
	"XREVRANGE":  {"key end start [COUNT n], n > 0", form(`\S+ \S+ \S+( COUNT [1-9]\d*)?`)},
	"XREAD":      {"[COUNT n] [BLOCK ms] STREAMS key ... id ..., where no id is $ or +", form(`(COUNT \d+ )?STREAMS( [^$+\s]\S*)+`)},
	"XREADGROUP": {"GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key >, for one stream, or an id instead of > and no COUNT", form(`GROUP \S+ \S+ ((COUNT \d+ )?(NOACK )?STREAMS \S+ >|(NOACK )?STREAMS \S+ ID)`)},
	"XGROUP":     {"CREATE key group $|id [MKSTREAM]", form(`CREATE \S+ \S+ (\$|ID)( MKSTREAM)?`)},
	"XACK":       {"key group id ..., with whole ids", form(`\S+ \S+( FULL)+`)},
	"XPENDING":   {"key group [-|id +|id count [consumer]]", form(`\S+ \S+( (-|ID) (\+|ID) \d+( \S+)?)?`)},
}

func form(args string) *regexp.Regexp {
	args = strings.ReplaceAll(args, "ID", `\d+(-\d+)?`)
	args = strings.ReplaceAll(args, "FULL", `(0|[1-9]\d*)-(0|[1-9]\d*)`)
	return regexp.MustCompile("^(?i:" + args + ")$")
}

// notAWord is what cannot be in a word of a form.
var notAWord = regexp.MustCompile(`^$|\s`)

// streamRefusal is refusal for the commands of streams.
func streamRefusal(cmd string, args []string) (name, reason string) {
	f, ok := streamForms[cmd]
	if !ok {
		return "", ""
	}
	words := slices.Clone(args)
	for i, w := range words {
		if notAWord.MatchString(w) {
			words[i] = "_"
		}
	}
	switch {
	case f.args.MatchString(strings.Join(words, " ")):
		return "", ""
	case redisclient.BlockAt(append([]string{cmd}, args...)) >= 0:
		return cmd + " BLOCK", isNested
	}
	return cmd + " in this form", "use " + cmd + " " + f.typed
}

// groups returns the consumer groups of a stream in the order of their names: of
// each the last ID that was delivered, and of the entries that are pending the
// consumer and how often it got them.
//
// The time of a delivery is left out, for the clock stands still, and so is a
// consumer to whom nothing is pending, for no command that is simulated shows one.
func (s *Store) groups(key string) (string, error) {
	peer := s.newPeer()
	groups, err := rows(s.ask(peer, "XINFO", "GROUPS", key), 12)
	if err != nil {
		return "", err
	}
	texts := make([]string, 0, len(groups))
	for _, g := range groups {
		name := fmt.Sprint(g[1])
		pending, err := rows(s.ask(peer, "XPENDING", key, name, "-", "+", strconv.Itoa(1<<31-1)), 4)
		if err != nil {
			return "", err
		}
		b := strconv.AppendQuote([]byte{' '}, name)
		b = fmt.Appendf(b, " %v[", g[7])
		for i, p := range pending {
			b = appendQuoted(fmt.Appendf(b, "%v:", p[0]), 0, fmt.Sprint(p[1]))
			b = fmt.Appendf(b, ":%v", p[3])
			if i < len(pending)-1 {
				b = append(b, ' ')
			}
		}
		texts = append(texts, string(append(b, ']')))
	}
	slices.Sort(texts)
	return strings.Join(texts, ""), nil
}

// rows reads a reply that is a list of lists of the given length.
func rows(reply string, width int) (rows [][]any, err error) {
	v, err := proto.Parse(reply)
	list, ok := v.([]any)
	for _, elem := range list {
		row, isRow := elem.([]any)
		ok = ok && isRow && len(row) == width
		rows = append(rows, row)
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("quiesce: miniredis answers %q, which is not as expected", reply)
	}
	return rows, nil
}

// describeReadGroup returns XREADGROUP as key, group, consumer and id, in the order
// of XACK, and the options but for BLOCK. It leaves alone what is refused.
func describeReadGroup(cmd []string) []string {
	args := withoutBlock(cmd)
	if _, reason := streamRefusal("XREADGROUP", args[1:]); reason != "" {
		return cmd
	}
	n := len(args) // what follows group and consumer ends with STREAMS key id
	return slices.Concat(args[:1], args[n-2:n-1], args[2:4], args[n-1:], args[4:n-3])
}

// describeEntries returns the entries in a reply to a command that reads one stream.
func describeEntries(cmd, reply string) (text string, ok bool) {
	switch strings.ToUpper(cmd) {
	case "XREAD", "XREADGROUP":
		streams, err := rows(reply, 2)
		if err != nil || len(streams) != 1 {
			return "", false
		}
		return joinEntries(streams[0][1])
	case "XRANGE", "XREVRANGE":
		v, err := proto.Parse(reply)
		if err != nil {
			return "", false
		}
		return joinEntries(v)
	}
	return "", false
}

func joinEntries(v any) (text string, ok bool) {
	entries, ok := v.([]any)
	if ok && len(entries) == 0 {
		return "[]", true
	}
	texts := make([]string, 0, len(entries))
	for _, e := range entries {
		entry, _ := e.([]any)
		if len(entry) != 2 {
			return "", false
		}
		words := []string{fmt.Sprint(entry[0])}
		fields, _ := entry[1].([]any)
		for _, f := range fields {
			words = append(words, quoteReply(fmt.Sprint(f)))
		}
		texts = append(texts, strings.Join(words, " "))
	}
	return strings.Join(texts, "; "), ok
}
