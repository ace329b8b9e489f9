package redisclient

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// timeoutAt is where a command that may wait at the server has its timeout: an index in
// its arguments, the last one if negative.
var timeoutAt = map[string]int{
	"BLPOP": -1, "BRPOP": -1, "BLMOVE": -1, "BRPOPLPUSH": -1, "BLMPOP": 1,
	"BZPOPMIN": -1, "BZPOPMAX": -1, "BZMPOP": 1,
}

// BlockAt returns the index of the option BLOCK in a command that reads streams, and -1
// if there is none.
func BlockAt[T string | []byte](args []T) int {
	i := 1
	switch {
	case len(args) == 0:
		return -1
	case Is(args[0], "XREADGROUP"):
		i = 4
	case !Is(args[0], "XREAD"):
		return -1
	}
	for i+1 < len(args) {
		switch {
		case Is(args[i], "BLOCK"):
			return i
		case Is(args[i], "COUNT"):
			i += 2
		case Is(args[i], "NOACK"):
			i++
		default:
			return -1
		}
	}
	return -1
}

// TimeoutOf returns the timeout of a command that waits at the server while there is
// nothing for it; 0 is for ever. ok is false if it is no such command, and if its timeout
// is none, which the server says.
func TimeoutOf[T string | []byte](args []T) (timeout time.Duration, ok bool) {
	if i := BlockAt(args); i >= 0 {
		ms, err := strconv.ParseInt(string(args[i+1]), 10, 64)
		return time.Duration(ms) * time.Millisecond, err == nil && ms >= 0 && ms <= maxTimeout.Milliseconds()
	}
	if len(args) < 3 || args[0][0]|0x20 != 'b' {
		return 0, false
	}
	i, ok := timeoutAt[strings.ToUpper(string(args[0]))]
	if !ok {
		return 0, false
	}
	if i < 0 {
		i = len(args) - 1
	}
	s, err := strconv.ParseFloat(string(args[i]), 64)
	// Redis rounds up to milliseconds.
	return time.Duration(math.Ceil(s*1000)) * time.Millisecond, err == nil && s >= 0 && s <= maxTimeout.Seconds()
}

// maxTimeout is the longest timeout that is taken for one.
const maxTimeout = 100 * 365 * 24 * time.Hour
