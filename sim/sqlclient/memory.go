package sqlclient

import (
	"fmt"
	"strings"
)

// kept returns what the databases of a process keep for all its tasks, and a later
// request of any of them can show: which numbers of transactions are in use, and by
// whom, since the next one takes the lowest that is free. See [sim.Process.Keep].
//
// What else tasks share here makes no difference to them. A connection without a
// transaction has no state, so it does not matter which of them the pool hands out. How
// many statements are open is asked only when the process has ended. A limit of
// connections that a service sets makes a task wait for another one within a step,
// which hangs.
func (s *session) kept() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, t := range s.open {
		if t != nil {
			fmt.Fprintf(&b, "#%d %s\n", t.number, t.task)
		}
	}
	return b.String()
}
