package redisclient

import (
	"slices"
	"sync"

	"quiesce/sim"
)

// names are the numbers of the connections with a state, by process. A connection
// takes one when it gets a state and gives it back when it has none any more, so
// that its name depends on nothing but what its process has done.
type names struct {
	mu   sync.Mutex
	used map[sim.Host][]bool
}

// take returns the lowest number that is free.
func (n *names) take(p sim.Host) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.Index(n.used[p], false)
	if i < 0 {
		i = len(n.used[p])
		n.used[p] = append(n.used[p], false)
	}
	n.used[p][i] = true
	return i
}

// has says whether a number is taken.
func (n *names) has(p sim.Host, i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return i >= 0 && i < len(n.used[p]) && n.used[p][i]
}

func (n *names) giveBack(p sim.Host, i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i < len(n.used[p]) {
		n.used[p][i] = false
	}
}

// processes returns how many processes have names.
func (n *names) processes() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.used)
}

// forget drops the names of a process that has ended.
func (n *names) forget(p sim.Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, p)
}
