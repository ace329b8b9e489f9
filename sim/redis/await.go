package redis

import (
	"context"
	"fmt"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Await returns a context for one command: see [redisclient.Await].
func Await(ctx context.Context) context.Context { return redisclient.Await(ctx) }

// nothing says whether a reply is one for which a command that waits is blocked.
func nothing(reply string) bool {
	return reply == "$-1\r\n" || reply == null || reply == ":0\r\n" || reply == "*0\r\n"
}

// await executes a command that waits. It is blocked if there is nothing for it.
func (s *Store) await(req sim.Request) (sim.Reply, error) {
	before, err := s.Content()
	if err != nil {
		return sim.Reply{}, err
	}
	reply, err := s.command(req)
	if err != nil || !nothing(reply.Body) {
		return reply, err
	}
	after, err := s.Content()
	switch {
	case err != nil:
		return sim.Reply{}, err
	case after.Key() != before.Key():
		return sim.Reply{}, fmt.Errorf("quiesce: an awaited command answers %q and has changed something: await one that changes nothing while it finds nothing", reply.Body)
	}
	return sim.Reply{}, sim.ErrBlocked
}
