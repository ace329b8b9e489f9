package redis

import (
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Commands that wait follow https://redis.io/docs/latest/commands/blpop. miniredis would
// wait for real, so each is executed as the command that does the same without waiting,
// and is blocked while that finds nothing. It is taken to reach the server when there is
// something: a request can travel for any time, so of several that wait any one may come
// first, also one that was sent last. Redis serves first who has waited longest, and no
// client can tell who that is. The timeout is a timer of the client.

// A waiting is what a command that waits is executed as.
type waiting struct {
	tries [][]string                       // until one finds something
	wrap  func(i int, reply string) string // makes its reply of that to a try; nil if it is the same
}

// empty says whether a try that is answered so has found nothing.
func empty(reply string) bool {
	return reply == null || reply == "$-1\r\n" || reply == "*0\r\n"
}

// wait executes a command that waits.
func (s *Store) wait(conn string, w waiting) (reply string, err error) {
	for i, try := range w.tries {
		reply, err = s.execute(conn, [][]string{try})
		switch {
		case err != nil || reply[0] == '-':
			return reply, err
		case empty(reply):
		case w.wrap == nil:
			return reply, nil
		default:
			return w.wrap(i, reply), nil
		}
	}
	return "", sim.ErrBlocked
}

const (
	notAFloat   = "ERR timeout is not a float or out of range"
	notANumber  = "ERR timeout is not an integer or out of range"
	isNegative  = "ERR timeout is negative"
	syntaxError = "ERR syntax error"
)

// waitingFor returns what a command that waits is executed as; ok is false if it does not
// wait. If Redis would not even look for what it waits for, it returns the error.
func waitingFor(cmd []string) (w waiting, ok bool, failure string) {
	name := strings.ToUpper(cmd[0])
	least, ok := fewest[name]
	if ok && (len(cmd) < least || len(cmd) > least && exactly[name]) {
		return w, false, "ERR wrong number of arguments for '" + strings.ToLower(name) + "' command"
	}
	_, waits := redisclient.TimeoutOf(cmd)
	block := redisclient.BlockAt(cmd)
	if !ok && block < 0 {
		return w, false, ""
	}
	if !waits {
		return w, false, timeoutFailure(name, cmd)
	}
	keys := cmd[1 : len(cmd)-1]
	switch name {
	case "XREAD", "XREADGROUP":
		w.tries = [][]string{withoutBlock(cmd)}
	case "BLPOP", "BRPOP":
		w.tries = each(name[1:], keys)
		w.wrap = func(i int, reply string) string {
			return "*2\r\n" + string(redisclient.AppendBulk(nil, keys[i])) + reply
		}
	case "BZPOPMIN", "BZPOPMAX":
		w.tries = each(name[1:], keys)
		w.wrap = func(i int, reply string) string {
			return "*3\r\n" + string(redisclient.AppendBulk(nil, keys[i])) + strings.TrimPrefix(reply, "*2\r\n")
		}
	case "BRPOPLPUSH":
		w.tries = [][]string{{"RPOPLPUSH", cmd[1], cmd[2]}}
	case "BLMOVE":
		if !isSide(cmd[3]) || !isSide(cmd[4]) {
			return w, false, syntaxError
		}
		w.tries = [][]string{{"LMOVE", cmd[1], cmd[2], cmd[3], cmd[4]}}
	case "BLMPOP", "BZMPOP":
		w.tries = [][]string{append([]string{name[1:]}, cmd[2:]...)}
	}
	return w, true, ""
}

// fewest is how many words a command that waits has at least.
var fewest = map[string]int{
	"BLPOP": 3, "BRPOP": 3, "BZPOPMIN": 3, "BZPOPMAX": 3, "BRPOPLPUSH": 4, "BLMOVE": 6, "BLMPOP": 5, "BZMPOP": 5,
}

// exactly are the commands that have no more words.
var exactly = map[string]bool{"BRPOPLPUSH": true, "BLMOVE": true}

func isSide(word string) bool {
	return redisclient.Is(word, "LEFT") || redisclient.Is(word, "RIGHT")
}

// each returns the command for each key.
func each(command string, keys []string) (cmds [][]string) {
	for _, key := range keys {
		cmds = append(cmds, []string{command, key})
	}
	return cmds
}

// timeoutFailure returns what Redis says about a timeout that is none.
func timeoutFailure(name string, cmd []string) string {
	failure, at := notAFloat, len(cmd)-1
	switch name {
	case "XREAD", "XREADGROUP":
		failure, at = notANumber, redisclient.BlockAt(cmd)+1
	case "BLMPOP", "BZMPOP":
		at = 1
	}
	if n, err := strconv.ParseFloat(cmd[at], 64); err == nil && n < 0 {
		return isNegative
	}
	return failure
}

// withoutBlock takes the option BLOCK out of a command that reads streams.
func withoutBlock(cmd []string) []string {
	i := redisclient.BlockAt(cmd)
	if i < 0 {
		return cmd
	}
	return slices.Delete(slices.Clone(cmd), i, i+2)
}
