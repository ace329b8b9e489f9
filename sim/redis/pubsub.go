package redis

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quiesce/sim"
)

// Messages follow https://redis.io/docs/latest/develop/pubsub: PUBLISH hands a
// message to those that are subscribed at that moment, and what is sent on one
// connection arrives in order. miniredis takes no part in it, since it hands
// messages over from goroutines of its own.

// A message is what the server sends on a connection that is subscribed: what
// was published, or the confirmation of SUBSCRIBE or UNSUBSCRIBE.
type message struct {
	kind, channel string
	payload       string
	count         int  // of the channels, in a confirmation
	none          bool // it confirms that there was no channel to unsubscribe from
}

func (m message) String() string {
	b := appendBulk([]byte("*3\r\n"), m.kind)
	if m.none {
		b = append(b, "$-1\r\n"...)
	} else {
		b = appendBulk(b, m.channel)
	}
	if m.kind == "message" {
		return string(appendBulk(b, m.payload))
	}
	return string(b) + ":" + strconv.Itoa(m.count) + "\r\n"
}

func appendBulk(b []byte, s string) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(s)), 10)
	b = append(b, "\r\n"...)
	b = append(b, s...)
	return append(b, "\r\n"...)
}

// isMessage reports whether a reply is what was published, not a confirmation.
func isMessage(reply string) bool { return strings.HasPrefix(reply, "*3\r\n$7\r\nmessage\r\n") }

// subscribe executes SUBSCRIBE or UNSUBSCRIBE. The reply is the confirmations, or
// empty if they are received later, after the messages that wait already.
func (s *Store) subscribe(name string, v verb, args []string) (string, error) {
	c := s.connections[name]
	if c == nil {
		c = &connection{}
	}
	channels := args[1:]
	if len(channels) == 0 {
		switch {
		case v == subscribe:
			return "-ERR wrong number of arguments for 'subscribe' command\r\n", nil
		case len(c.channels) > 1:
			return "", errors.New("quiesce: UNSUBSCRIBE from all channels is not supported: Redis does so in random order; name them")
		}
		channels = slices.Clone(c.channels)
	}
	kind := strings.ToLower(args[0])
	var sent []message
	for _, ch := range channels {
		i, is := slices.BinarySearch(c.channels, ch)
		switch {
		case v == subscribe && !is:
			c.channels = slices.Insert(c.channels, i, ch)
		case v == unsubscribe && is:
			c.channels = slices.Delete(c.channels, i, i+1)
		}
		sent = append(sent, message{kind: kind, channel: ch, count: len(c.channels)})
	}
	if len(sent) == 0 {
		sent = []message{{kind: kind, none: true}}
	}
	reply := ""
	if len(c.queue) > 0 {
		c.queue = append(c.queue, sent...)
	} else {
		for _, m := range sent {
			reply += m.String()
		}
	}
	s.keep(name, c)
	return reply, nil
}

// publish sends a message and returns the number of connections that get it.
func (s *Store) publish(channel, payload string) (n int) {
	for _, c := range s.connections {
		if _, ok := slices.BinarySearch(c.channels, channel); ok {
			c.queue = append(c.queue, message{kind: "message", channel: channel, payload: payload})
			n++
		}
	}
	return n
}

// receive takes the next message of a connection. It is blocked if there is none.
func (s *Store) receive(name string) (sim.Reply, error) {
	c := s.connections[name]
	if c == nil || len(c.queue) == 0 {
		return "", sim.ErrBlocked
	}
	m := c.queue[0]
	c.queue = c.queue[1:]
	s.keep(name, c)
	return sim.Reply(m.String()), nil
}

// keep keeps a connection, unless nothing is left of its state.
func (s *Store) keep(name string, c *connection) {
	if len(c.channels) == 0 && len(c.queue) == 0 {
		delete(s.connections, name)
	} else {
		s.connections[name] = c
	}
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
		case c.touched:
			it.Note, it.Value = "watch", "touched"
		case c.peer != nil:
			it.Note, it.Value = "watch", list(slices.Sorted(maps.Keys(c.probes)))
		default:
			it.Value = list(c.channels)
			for _, m := range c.queue {
				it.Value += ", " + m.describe()
			}
		}
		content = append(content, it)
	}
	return content
}

// describe returns a message as it is shown in the content.
func (m message) describe() string {
	switch {
	case m.none:
		return m.kind
	case m.kind == "message":
		return m.kind + " " + strconv.Quote(m.channel) + " " + strconv.Quote(m.payload)
	}
	return m.kind + " " + strconv.Quote(m.channel) + " " + strconv.Itoa(m.count)
}

func list(elems []string) string {
	var b []byte
	for i, e := range elems {
		b = appendQuoted(b, i, e)
	}
	return "[" + string(b) + "]"
}
