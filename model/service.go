package model

import "context"

// A Service reads and writes products through a cache and a database.
type Service interface {
	// Read returns the product, from the cache if it is there.
	Read(ctx context.Context, id int64) (Product, error)

	// Write sets the price of the product, in cents.
	Write(ctx context.Context, id, price int64) error
}

// A Raiser is a service whose writers change the price by an amount. They are
// called instead of Write.
type Raiser interface {
	// Raise adds that many cents to the price of the product.
	Raise(ctx context.Context, id, by int64) error
}

// A Creator is a service of products that are not there at first. Its writers create
// them: they call Create instead of Write.
type Creator interface {
	// Create adds the product, or sets its price if another was faster.
	Create(ctx context.Context, id, price int64) error
}

// A LocalCacher is a service that keeps products in the memory of its server.
type LocalCacher interface {
	// Local returns the cache itself. The properties see what is in it, and it is
	// filled from outside where a workload begins with a warm cache.
	Local() map[int64]Product
}

// A Backgrounder is a service that has to work beside its operations.
type Backgrounder interface {
	// Background returns what every server does, always the same list.
	Background() []Background
}

// Background is work that goes on in a task of its own, on every server.
type Background struct {
	Name   string // of the task, without the number of the server
	Rounds int    // how often Round is called; 0 means again and again

	// Round does the work once. An error ends the run, like that of any task.
	Round func(context.Context) error
}

func (b Background) run(ctx context.Context) (string, error) {
	for n := 0; b.Rounds == 0 || n < b.Rounds; n++ {
		if err := b.Round(ctx); err != nil {
			return "", err
		}
	}
	return "", nil
}

// background returns the work of a service, nil if there is none.
func background(s Service) []Background {
	if b, ok := s.(Backgrounder); ok {
		return b.Background()
	}
	return nil
}
