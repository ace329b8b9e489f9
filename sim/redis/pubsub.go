package redis

import (
	"maps"
	"slices"
	"strconv"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

// Messages follow https://redis.io/docs/latest/develop/pubsub: PUBLISH hands a
// message to those that are subscribed at that moment, and what is sent on one
// connection arrives in order. miniredis takes no part in it, since it hands
// messages over from goroutines of its own.

// A message is what was published.
type message struct{ channel, payload string }

// String returns what the server sends.
func (m message) String() string {
	b := redisclient.AppendBulk([]byte("*3\r\n"), "message")
	return string(redisclient.AppendBulk(redisclient.AppendBulk(b, m.channel), m.payload))
}

// confirmation returns what the server sends to confirm SUBSCRIBE to a channel,
// the count-th of the connection.
func confirmation(channel string, count int) string {
	b := redisclient.AppendBulk(redisclient.AppendBulk([]byte("*3\r\n"), "subscribe"), channel)
	return string(b) + ":" + strconv.Itoa(count) + "\r\n"
}

// subscribe executes SUBSCRIBE on a connection that has no state yet. The reply is
// the confirmations.
func (s *Store) subscribe(name string, channels []string) (reply string) {
	if len(channels) == 0 {
		return "-ERR wrong number of arguments for 'subscribe' command\r\n"
	}
	c := &connection{}
	for _, ch := range channels {
		if i, is := slices.BinarySearch(c.channels, ch); !is {
			c.channels = slices.Insert(c.channels, i, ch)
		}
		reply += confirmation(ch, len(c.channels))
	}
	s.connections[name] = c
	return reply
}

// publish sends a message and returns the number of connections that get it.
func (s *Store) publish(channel, payload string) (n int) {
	for _, c := range s.connections {
		if _, ok := slices.BinarySearch(c.channels, channel); ok {
			c.queue = append(c.queue, message{channel, payload})
			n++
		}
	}
	return n
}

// receive takes the next message of a connection. It is blocked if there is none.
func (s *Store) receive(name string) (sim.Reply, error) {
	c := s.connections[name]
	if c == nil || len(c.queue) == 0 {
		return sim.Reply{}, sim.ErrBlocked
	}
	m := c.queue[0]
	c.queue = c.queue[1:]
	return sim.Reply{Body: m.String()}, nil
}

// appendConnections appends the items of connections, in the order of their names.
func (s *Store) appendConnections(content sim.Content) sim.Content {
	if len(s.connections) == 0 {
		return content
	}
	for _, name := range slices.Sorted(maps.Keys(s.connections)) {
		c := s.connections[name]
		it := sim.Item{Name: name, Note: "subscription"}
		switch {
		case c.broken:
			it.Note, it.Value = "connection", "broken"
		case c.touched:
			it.Note, it.Value = "watch", "touched"
		case c.peer != nil:
			it.Note, it.Value = "watch", list(slices.Sorted(maps.Keys(c.probes)))
		default:
			it.Value = list(c.channels)
			for _, m := range c.queue {
				it.Value += ", message " + strconv.Quote(m.channel) + " " + strconv.Quote(m.payload)
			}
		}
		content = append(content, it)
	}
	return content
}

func list(elems []string) string {
	var b []byte
	for i, e := range elems {
		b = appendQuoted(b, i, e)
	}
	return "[" + string(b) + "]"
}
