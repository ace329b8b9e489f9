package sqlite

import (
	"time"

	"quiesce/sim"
)

// SetTimed changes nothing: the clock of the database stands at [Epoch], or a point in
// time would be a part of every state. What compares it with a row is not simulated.
func (s *Store) SetTimed(bool) {}

// Tick returns no request.
func (s *Store) Tick(time.Duration) sim.Request { return sim.Request{} }

// Waits says whether the request may have to wait, for a transaction or for a row.
func (s *Store) Waits(req sim.Request) bool {
	c, err := decodeCall(req.Body)
	return err == nil && (s.mode != InMemory || c.mode == modeAwait)
}
