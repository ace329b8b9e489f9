package redisclient

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kept returns what the client keeps for all tasks of its process, and a later request
// of any of them can show: which names of connections are in use, since the next
// connection with a state takes the lowest that is free, and to which channels a
// subscription has failed, since the next one is made again. See [sim.Process.Keep].
//
// What else tasks share here makes no difference to them. Connections without a state are
// equal, so it does not matter which of them the pool hands out, nor how many there are;
// what is half written or read on one is so only within a step. The pool has more of them
// than all tasks use at once, so nobody waits for one. A WATCH that is left on a
// connection when it goes back to the pool, as by [redis.Conn], can come to another task,
// depending on the order in the pool, which is not kept: two orders that differ in that
// look equal here, and are an error once their requests differ.
//
// What is known of a task and of no other, such as how many of its requests have failed
// in a row, and whether it is held or tries again, follows from what it was told.
func (c *client) kept() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, n := range c.conns {
		if n.multi != "" {
			all = append(all, "in a block "+n.multi)
		}
		if st := n.state.Load(); st != nil {
			all = append(all, fmt.Sprintf("#%d watching %v subscribed %v to %s kept %v %+v %s", st.number, st.watching, st.subscribed || st.receiving.Load(), st.channels, st.kept, n.setup, n.stream.kept()))
		}
	}
	slices.Sort(all)
	for _, channels := range slices.Sorted(maps.Keys(c.lost)) {
		all = append(all, "lost "+channels)
	}
	return strings.Join(all, "\n")
}
