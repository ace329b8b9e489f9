package redis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Faults. What the environment does to the content is a request as it is shown,
// such as "expire product:1"; no command begins with a letter.
const (
	downVerb  = "down"  // all connections break
	leaveVerb = "leave" // those of a process that has crashed go away
)

var _ sim.Fallible = (*Store)(nil)

// Fails says whether a fault can strike a request: it has to travel to the server,
// which the wait for a message, its end and that of a connection do not. The server can
// be down.
func (s *Store) Fails(kind sim.FaultKind, req sim.Request) bool {
	switch kind {
	case sim.LostRequest, sim.LostReply:
		_, body := redisclient.Split(req.Body)
		return body != redisclient.Receive && body != redisclient.Close && body != redisclient.Busy && body != redisclient.TimedOut
	}
	return kind == sim.Outage
}

// Retries says that a subscription which has failed is made again when the server is
// up. A listener that receives in a loop tries again for ever, as go-redis itself
// does for PubSub.Channel. A try while the server is down changes nothing at the
// server, and a listener can be as slow as it likes, so it is taken to try when
// that works. What it would do on a second error in a row is not explored. So it is
// with what supervised work asks again: see [sim.Host].
func (s *Store) Retries(req sim.Request) bool { return req.Persists }

// Cleanup closes the connection of the request, if that has a state: go-redis
// never uses one again after a failure. A real server notices that late. Until then
// it counts the connection in the reply to PUBLISH, and nothing else can tell.
func (s *Store) Cleanup(_ sim.FaultKind, req sim.Request) (sim.Request, bool) {
	return sim.Request{Store: s.name, Body: redisclient.Close, Conn: req.Conn}, req.Conn != ""
}

// Disconnect returns the request that takes away the connections of a process, or
// breaks all of them if process is "".
func (s *Store) Disconnect(process string) sim.Request {
	if process == "" {
		return sim.Request{Store: s.name, Body: downVerb}
	}
	return sim.Request{Store: s.name, Body: leaveVerb + " " + process}
}

// Incidents returns the keys with a TTL, each of which can expire; those that have
// reached its end, each of which lapses; all keys, each
// of which can be evicted; or the messages that are yet to be received, each of
// which can be lost. Of equal messages in a row the first stands for all. The
// entries of a stream are not lost, and neither is it that a key was changed which a client
// has in its cache: the server sends that as long as there is the connection.
func (s *Store) Incidents(kind sim.FaultKind) (all []sim.Incident, _ error) {
	db := s.redis.DB(0)
	switch kind {
	case sim.Expire, sim.Evict, sim.Lapse:
		for _, key := range db.Keys() {
			if ttl := db.TTL(key); kind == sim.Evict || ttl != 0 && (kind == sim.Expire || due(ttl)) {
				all = append(all, sim.Incident{Target: key, Request: sim.Request{Store: s.name, Body: string(kind) + " " + key}})
			}
		}
	case sim.DropMessage:
		for _, name := range slices.Sorted(maps.Keys(s.connections)) {
			queue := s.connections[name].queue
			for i, m := range queue {
				if m.changed == noChange && m.reply == "" && (i == 0 || m != queue[i-1]) {
					all = append(all, sim.Incident{
						Target:  fmt.Sprintf("%d of %s", i+1, name),
						Request: sim.Request{Store: s.name, Body: fmt.Sprintf("%s %d", kind, i+1), Conn: name},
					})
				}
			}
		}
	}
	return all, nil
}

// environment executes a request of the environment. It returns false if it is
// none.
func (s *Store) environment(req sim.Request) (ok bool, err error) {
	verb, arg, _ := strings.Cut(req.Body, " ")
	switch verb {
	case downVerb:
		for name := range s.connections {
			s.connections[name] = &connection{broken: true}
		}
	case leaveVerb:
		for name := range s.connections {
			// The name of a process may hold a # as well.
			if i := strings.LastIndexByte(name, '#'); i >= 0 && name[:i] == arg {
				delete(s.connections, name)
			}
		}
	case string(sim.DropMessage):
		i, err := strconv.Atoi(arg)
		c := s.connections[req.Conn]
		if err != nil || c == nil || i < 1 || i > len(c.queue) {
			return true, fmt.Errorf("quiesce: %s has no message %s", req.Conn, arg)
		}
		c.queue = slices.Delete(slices.Clone(c.queue), i-1, i)
	case string(sim.Expire), string(sim.Evict), string(sim.Lapse):
		// Both delete the key, and Redis tells those that watch it: EXEC fails, from
		// Redis 6.0.9 on also if the key has expired.
		if reply := s.ask(s.peer, "DEL", arg); reply != ":1\r\n" {
			return true, fmt.Errorf("quiesce: %s of key %q: miniredis answers %q", verb, arg, reply)
		}
		return true, s.probe()
	default:
		return false, nil
	}
	return true, nil
}

// describeEnvironment returns a request of the environment as a person reads it,
// and false if it is none.
func describeEnvironment(req sim.Request) (text string, ok bool) {
	verb, arg, _ := strings.Cut(req.Body, " ")
	switch verb {
	case downVerb, leaveVerb, string(sim.DropMessage):
		return req.Body, true
	case string(sim.Expire), string(sim.Evict), string(sim.Lapse):
		return verb + " " + quote(arg), true
	}
	return "", false
}
