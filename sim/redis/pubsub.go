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

// Messages follow https://redis.io/docs/latest/develop/pubsub: PUBLISH hands a
// message to those that are subscribed at that moment, and what is sent on one
// connection arrives in order. miniredis takes no part in it, since it hands
// messages over from goroutines of its own.

// A message is what was published, or that a key was changed, which a client has in its
// cache.
type message struct {
	channel, payload string // the channel is "" for a key of the client on the same connection
	changed          change // not published
	reply            string // to a request, in RESP2, if that is what it is
}

// A change is what a message tells of a cache.
type change uint8

const (
	noChange change = iota
	oneKey
	allKeys // FLUSHALL
)

// String returns what the server sends.
func (m message) String() string {
	if m.changed != noChange {
		return m.invalidation()
	}
	b := redisclient.AppendBulk([]byte("*3\r\n"), "message")
	return string(redisclient.AppendBulk(redisclient.AppendBulk(b, m.channel), m.payload))
}

// part returns what the server sends in a version of the protocol.
func (m message) part(resp3 bool) redisclient.Part {
	if m.reply != "" {
		return redisclient.Part{Reply: true, Text: m.reply}
	}
	text := m.String()
	if resp3 {
		text = ">" + text[1:]
	}
	return redisclient.Part{Text: text}
}

// confirmation returns what the server sends to confirm SUBSCRIBE to a channel,
// the count-th of the connection.
func confirmation(channel string, count int) string { return confirm("subscribe", channel, count) }

// confirm returns what the server sends of a change to a subscription.
func confirm(change, channel string, count int) string {
	b := redisclient.AppendBulk(redisclient.AppendBulk([]byte("*3\r\n"), change), channel)
	return string(b) + ":" + strconv.Itoa(count) + "\r\n"
}

// subscribe executes SUBSCRIBE on a connection that has no state yet. The reply is
// the confirmations.
func (s *Store) subscribe(name string, channels []string) (reply string) {
	if len(channels) == 0 {
		return "-ERR wrong number of arguments for 'subscribe' command\r\n"
	}
	c := s.open(name)
	for _, ch := range channels {
		if i, is := slices.BinarySearch(c.channels, ch); !is {
			c.channels = slices.Insert(c.channels, i, ch)
		}
		reply += confirmation(ch, len(c.channels))
	}
	return reply
}

// unsubscribe executes UNSUBSCRIBE, from all channels if none is named, in the order of
// their names.
func (s *Store) unsubscribe(name string, channels []string) (reply string) {
	c := s.open(name)
	if len(channels) == 0 {
		channels = slices.Clone(c.channels)
	}
	for _, ch := range channels {
		if i, is := slices.BinarySearch(c.channels, ch); is {
			c.channels = slices.Delete(c.channels, i, i+1)
		}
		reply += confirm("unsubscribe", ch, len(c.channels))
	}
	if reply == "" {
		return "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
	}
	return reply
}

// publish sends a message and returns the number of connections that get it.
func (s *Store) publish(channel, payload string) (n int) {
	for _, c := range s.connections {
		if _, ok := slices.BinarySearch(c.channels, channel); ok {
			c.queue = append(c.queue, message{channel: channel, payload: payload})
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
	return sim.Reply{Body: c.send(m.part(c.resp3))}, nil
}

// appendConnections appends the items of connections, in the order of their names.
func (s *Store) appendConnections(content sim.Content) sim.Content {
	if len(s.connections) == 0 {
		return content
	}
	for _, name := range slices.Sorted(maps.Keys(s.connections)) {
		value, note := s.connections[name].describe()
		content = append(content, sim.Item{Name: name, Value: value, Note: note})
	}
	return content
}

// describe returns the value and the note of a connection.
func (c *connection) describe() (value, note string) {
	if c.broken {
		return "broken", "connection"
	}
	var values, notes []string
	switch {
	case c.touched:
		values, notes = append(values, "touched"), append(notes, "watch")
	case c.watches():
		values, notes = append(values, list(slices.Sorted(maps.Keys(c.probes)))), append(notes, "watch")
	}
	if c.subscribed() {
		values, notes = append(values, list(c.channels)), append(notes, "subscription")
	}
	if c.cache != nil {
		values, notes = append(values, c.cache.String()), append(notes, "cache")
	}
	for _, m := range c.queue {
		values = append(values, m.describe())
	}
	if c.requests > 0 {
		values, notes = append(values, fmt.Sprintf("%d requests, %d sent", c.requests, c.sent)), append(notes, "numbered")
	}
	if c.resp3 {
		notes = append(notes, "RESP3")
	}
	return strings.Join(values, ", "), strings.Join(notes, ", ")
}

// describe returns the message as it stands in the content.
func (m message) describe() string {
	switch {
	case m.reply != "":
		return "reply " + strconv.Quote(m.reply)
	case m.changed == noChange:
	case m.channel != "":
		return "message " + strconv.Quote(m.channel) + " " + m.what()
	default:
		return "changed " + m.what()
	}
	return "message " + strconv.Quote(m.channel) + " " + strconv.Quote(m.payload)
}

// what returns what was changed.
func (m message) what() string {
	if m.changed == allKeys {
		return "all"
	}
	return "[" + strconv.Quote(m.payload) + "]"
}

func list(elems []string) string {
	var b []byte
	for i, e := range elems {
		b = appendQuoted(b, i, e)
	}
	return "[" + string(b) + "]"
}
