package sim

import "strconv"

// A SharedMemory is what is known of the memory that the tasks of a process share.
type SharedMemory struct {
	// Key is equal for equal memory: what [Process.Show] shows, and what [Process.Keep]
	// keeps.
	Key string

	// All says that the tasks share nothing else: see [Process.ShowsAll].
	All bool

	// Derivable says that somebody is sure of it: see [Process.Derivable].
	Derivable bool
}

// ShowsAll states that what [Process.Show] shows and [Process.Keep] keeps is all memory
// that tasks of the process share, and that none of it is shared with another process.
// The constructor calls it:
//
//	local := map[int64]string{}
//	p.Show(func() sim.Content { return contentOf(local) })
//	p.ShowsAll()
//
// If nothing is shown or kept, it states that the tasks share nothing that changes.
//
// A process of several tasks that states it is searched by memory and not by history: two
// orders in which its tasks were told the same, each with the same memory before it,
// are one if they leave the same memory. That is often the difference between seconds and
// hours. Of a process of one task it says nothing.
//
// It must not be said if two tasks reach something that changes and is not shown: a flag,
// a counter, a sync.Once, a buffered channel, a lock that is held across a request, an
// object to which one task keeps a pointer while another replaces it. A store's client
// is none of that: it keeps what it has to by itself. An exception is a WATCH that is left
// on a connection of go-redis when it goes back to its pool.
//
// The statement is checked: equal requests, replies and memory have to lead to equal
// requests and memory, in every order that is run, or the run ends with an error. A pass
// still rests on it, since not every order is run.
func (p *Process) ShowsAll() { p.memory.all = true }

// Derivable states that [Process.ShowsAll] is beyond doubt. What a task does next, and the
// memory then, are a function of what it was told, the reply and the memory, so they need
// not be found out by a run of the process once they are known. A part of what is
// derived is run all the same. Without ShowsAll it says nothing.
func (p *Process) Derivable() { p.memory.derivable = true }

// Keep is for a client, or a service, that keeps something for all tasks of the process
// which no property has to see, such as which names of connections are in use. f
// returns it in canonical form, "" if there is nothing, and is called only while no task
// runs.
func (p *Process) Keep(f func() string) { p.memory.kept = append(p.memory.kept, f) }

// Shared returns the memory that the tasks of the process share, as far as it is known.
func (p *coroutines) Shared() SharedMemory {
	p.watch.enter(p.name, nil, false)
	defer p.watch.leave()
	_, m := p.memory.look()
	return m
}

// A memory is what was said of that of a process.
type memory struct {
	shown     func() Content // what it holds; nil if nobody shows it
	kept      []func() string
	all       bool
	derivable bool
}

// look returns what is shown, which is nil if nothing is, and all that is known.
func (m *memory) look() (shown Content, all SharedMemory) {
	if m.shown != nil {
		if shown = m.shown(); shown == nil {
			shown = Content{}
		}
	}
	all = SharedMemory{Key: shown.Key(), All: m.all, Derivable: m.all && m.derivable}
	for _, f := range m.kept {
		all.Key += "\n" + strconv.Quote(f())
	}
	return shown, all
}
