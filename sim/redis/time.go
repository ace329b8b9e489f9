package redis

import (
	"fmt"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// tickBody is what the request begins with that lets time pass.
const tickBody = "tick "

// isClock is why a command is refused while time passes.
const isClock = "while time passes a point in time would be a part of every state; use a duration"

// clocked are the commands that see what the time is.
var clocked = map[string]bool{
	"TIME": true, "EXPIREAT": true, "PEXPIREAT": true, "EXPIRETIME": true, "PEXPIRETIME": true,
}

// SetTimed says whether time passes. TTLs run out then; the clock of the server
// stands, so that commands which see what time it is are refused, and the ids of
// stream entries are as if no time had passed.
func (s *Store) SetTimed(timed bool) { s.timed = timed }

// Tick returns the request that lets time pass.
func (s *Store) Tick(d time.Duration) sim.Request {
	return sim.Request{Store: s.name, Body: tickBody + d.String()}
}

// Waits says whether the request waits for a message, as BLPOP does, or by [Await]; or
// for the request before it on its connection.
func (s *Store) Waits(req sim.Request) sim.Wait {
	if req.Body == redisclient.Receive || req.Awaits {
		return sim.ForNews
	}
	h, body := redisclient.Split(req.Body)
	cmds, err := redisclient.Commands(body)
	if err == nil && len(cmds) == 1 {
		if _, waits := redisclient.TimeoutOf(cmds[0]); waits {
			return sim.ForNews
		}
	}
	if h.Number > 1 {
		return sim.ForOthers
	}
	return sim.NoWait
}

// moment is by how much shorter a tick is for miniredis: so a key whose time has come
// is still there, with some moments left, up to its lapse or the next tick. All TTLs
// are whole milliseconds, and [sim.MostTicks] moments are far less, so no command sees
// them.
const moment = time.Nanosecond

// due says whether a key with that TTL, which is not 0, has reached its end.
func due(ttl time.Duration) bool { return ttl < time.Millisecond }

func (s *Store) tick(body string) error {
	d, err := time.ParseDuration(strings.TrimPrefix(body, tickBody))
	if err != nil {
		return err
	}
	if s.timed {
		if d%time.Millisecond != 0 { // which the content would not show
			return fmt.Errorf("quiesce: a tick of %s is not supported: TTLs are whole milliseconds; make every duration of the workload one of whole milliseconds", d)
		}
		d -= moment
	}
	s.redis.FastForward(d)
	if len(s.connections) == 0 {
		return nil
	}
	if err := s.age(); err != nil {
		return err
	}
	return s.probe() // a watched key may be gone
}
