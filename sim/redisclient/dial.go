package redisclient

import (
	"context"
	"net"

	"quiesce/sim"
)

// Dialer returns what a client dials with that a service makes itself: the Dialer of
// redis.Options, the DialContext of redigo, the DialCtxFn of rueidis. The network and
// the address do not matter. The client must be used by the process alone.
//
// In a process of goroutines the connection has goroutines of its own, so any client that
// speaks RESP2 or RESP3 may read while it writes, and write while it waits. A coroutine
// is suspended where it writes a request; there a client has to read the reply on the same
// goroutine, as go-redis and redigo do.
//
// Deadlines of the connection are none: no request fails because it has taken long. A client
// that asks by a timer whether the server is there would do so for ever; turn that off
// (KeepAlive: -1 in the net.Dialer of rueidis, WithChannelHealthCheckInterval(0) of go-redis).
// Give go-redis a numeric address, since it resolves a name.
func (all *Clients) Dialer(h sim.Host) func(ctx context.Context, network, address string) (net.Conn, error) {
	c := &client{all: all, lost: make(map[string]bool)}
	c.proc.Store(&h)
	h.Keep(c.kept)
	h.AtEnd(func(bool) { c.leave() })
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n, err := c.dial(ctx, network, address)
		if err == nil && h.Goroutines() {
			n.(*conn).stream = newStream(n.(*conn))
		}
		return n, err
	}
}

// errEnded is read on a stream when its process has ended.
var errEnded = broken(sim.ErrAbandoned)

// leave is called when the process has ended.
func (c *client) leave() {
	if c.stateful.Load() {
		c.all.names.forget(c.host())
		c.ended.Store(true)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.conns {
		if n.stream != nil {
			n.stream.end(errEnded)
		}
	}
}
