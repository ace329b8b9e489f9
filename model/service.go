package model

import (
	"context"

	"quiesce/sim"
	"quiesce/sim/sqlite"
)

// A Service reads and writes products through a cache and a database.
type Service interface {
	// Read returns the product, from the cache if it is there.
	Read(ctx context.Context, id int64) (Product, error)

	// Write sets the price of the product, in cents. In the context of a creator it adds the
	// product, or sets its price if another was faster; all else is the same.
	Write(ctx context.Context, id, price int64) error
}

// A Raiser is a service whose writers change the price by an amount. They are
// called instead of Write.
type Raiser interface {
	// Raise adds that many cents to the price of the product.
	Raise(ctx context.Context, id, by int64) error
}

// A Keeper is a service that keeps something else in the memory of its server which its
// calls share and which changes. Two states of a server are one only if it is equal.
type Keeper interface {
	// Kept returns all of it, in one form for equal states.
	Kept() string
}

// A LocalCacher is a service that keeps products in the memory of its server.
type LocalCacher interface {
	// Local returns the cache itself. The properties see what is in it, and it is
	// filled from outside where a workload begins with a warm cache.
	Local() map[int64]Product
}

// A Backgrounder is a service that has to work beside its operations.
type Backgrounder interface {
	// Background returns the work, always the same list.
	Background() []Background
}

// Background is work that goes on in a task of its own, on every server. The zero
// value of whatever is not Name and Round asks for nothing more.
type Background struct {
	Name string // of the task, without the number of the server

	// Apart says that the work is done once, by a process of its own beside all
	// servers, such as a relay.
	Apart bool

	// Boot is what has to be in place before any server serves, such as a
	// subscription. It is called once, and then Round up to where that is blocked.
	Boot func(context.Context) error

	Rounds int // how often Round is called; 0 means again and again

	// Polls says that a round begins with a SELECT and does nothing if that has no
	// row. Such a round is never run: the SELECT is blocked instead, see
	// [sqlite.Await].
	Polls bool

	// Round does the work once. Boot and Round are supervised: what fails by a fault is
	// done again, see [sim.Process.Supervise]. Any other error ends the run.
	Round func(context.Context) error
}

// spec returns the task that does the work, called name.
func (b Background) spec(name string) sim.TaskSpec {
	return sim.TaskSpec{Name: name, Background: true, Boot: b.Boot != nil}
}

// in returns the task, in a process.
func (b Background) in(p *sim.Process) sim.Task {
	return func(ctx context.Context) (string, error) {
		if b.Boot != nil {
			if err := p.Supervise(func() error { return b.Boot(ctx) }); err != nil {
				return "", err
			}
		}
		round := func() error {
			if b.Polls {
				return b.Round(sqlite.Await(ctx))
			}
			return b.Round(ctx)
		}
		for n := 0; b.Rounds == 0 || n < b.Rounds; n++ {
			if err := p.Supervise(round); err != nil {
				return "", err
			}
		}
		return "", nil
	}
}

// background returns the work of a service that is done apart, or on every server;
// nil if there is none.
func background(s Service, apart bool) (work []Background) {
	if b, ok := s.(Backgrounder); ok {
		for _, b := range b.Background() {
			if b.Apart == apart {
				work = append(work, b)
			}
		}
	}
	return work
}
