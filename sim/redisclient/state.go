package redisclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
)

// A connState is what the server keeps for a connection, as far as the client
// knows. A connection without one is like any other, and its requests do not say
// on which they come.
type connState struct {
	name       string // the Conn of its requests
	number     int    // at its end
	watching   bool
	subscribed bool
	receiving  atomic.Bool // a task waits for a confirmation or a message
	kept       bool        // it has a state for as long as it is open
	channels   string
}

// A subscribing is a SUBSCRIBE that the client has written. go-redis does not wait
// for the server then, so that it is executed at some time before the task reads
// the confirmation. Until then the task is held, so that nobody can tell when.
type subscribing struct {
	body     string
	persists bool   // see [sim.Request]
	channels string // sorted, as one string
	release  func()
}

// ErrUnread ends a run in which a task goes on before it has read the confirmation of a
// subscription.
var ErrUnread = errors.New("quiesce: a task goes on after SUBSCRIBE, which the server may not have executed yet, and which go-redis sends by itself when a subscription has failed: call Receive on the subscription, or close it, before going on")

// receiveWeight is for how many requests a wait for a message counts that an abandoned
// task asks for in vain.
const receiveWeight = 25

// subscribed reports whether the server sends messages on the connection.
func (c *conn) subscribed() bool {
	st := c.state.Load()
	return st != nil && (st.subscribed || st.receiving.Load())
}

// open gives the connection a state.
func (c *conn) open() *connState {
	p := c.client.host()
	p.Turn()
	n := c.client.all.names.take(p)
	st := &connState{name: p.Name() + "#" + strconv.Itoa(n), number: n}
	c.client.stateful.Store(true)
	c.state.Store(st)
	return st
}

// keep gives the connection a state for as long as it is open.
func (c *conn) keep() *connState {
	st := c.state.Load()
	if st == nil {
		st = c.open()
	}
	st.kept = true
	return st
}

// listen is called when the server may send something at any time. If goroutines may call,
// one of the connection waits for it from now on.
func (c *conn) listen() {
	if !c.client.host().Goroutines() {
		return
	}
	if c.stream == nil {
		c.stream = newStream(c)
	}
	c.stream.listen()
}

// settle takes the state away if the server keeps nothing any more.
func (c *conn) settle(st *connState) {
	if !st.watching && !st.subscribed && !st.kept {
		c.drop(st)
	}
}

func (c *conn) drop(st *connState) {
	if c.state.CompareAndSwap(st, nil) {
		c.client.all.names.giveBack(c.client.host(), st.number)
	}
}

// ask has a request executed and keeps track of the state.
func (c *conn) ask(body string, v Verb) (sim.Reply, error) {
	req := sim.Request{Store: c.client.all.store, Body: body, Awaits: c.client.awaits(v)}
	p := c.client.host()
	req.Persists = p.Persists(c.client.all.store)
	req.Body = c.setup.header().String() + body
	st := c.state.Load()
	switch {
	case st != nil:
	case v == Watch:
		st = c.open()
	default:
		reply, err := c.call(p, req, v)
		c.checkFailed(reply)
		return reply, broken(err)
	}
	req.Conn = st.name
	if st.receiving.Load() {
		req = c.busy(st)
	}
	reply, err := c.call(p, req, v)
	if err != nil {
		c.settle(st)
		return reply, broken(err)
	}
	if c.checkFailed(reply) {
		return sim.Reply{}, nil
	}
	if failed := strings.HasPrefix(reply.Body, "-"); !failed || v == Exec {
		switch v {
		case Watch:
			st.watching = true
		case Unwatch, Exec:
			st.watching = false
		}
	}
	c.settle(st)
	return reply, nil
}

// call has a request executed, whose command is in c.args unless it is a block. A coroutine
// cannot wait for a time.
func (c *conn) call(p sim.Host, req sim.Request, v Verb) (sim.Reply, error) {
	if timeout, _ := c.timeout(v); timeout == 0 {
		return p.Call(req)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		return p.CallUntil(ctx, req)
	}
}

// timeout returns how long the command in c.args waits at the server, if that is what v
// says it is; 0 is for ever.
func (c *conn) timeout(v Verb) (d time.Duration, waits bool) {
	if v != Plain {
		return 0, false
	}
	return TimeoutOf(c.args)
}

// busy returns the request that ends the run, since another task receives on the
// connection.
func (c *conn) busy(st *connState) sim.Request {
	return sim.Request{Store: c.client.all.store, Body: Busy, Conn: st.name}
}

// checkFailed says whether the reply is none, because the request has failed. The
// client does not use the connection any more then. Whether a server that is down
// refuses a connection or drops it depends on whether it is known to be open.
func (c *conn) checkFailed(reply sim.Reply) bool {
	if reply.Fault == "" {
		return false
	}
	st := c.state.Load()
	c.failed = failure(reply.Fault, st)
	if st != nil {
		c.drop(st)
	}
	return true
}

// failure returns the error for a fault on a connection.
func failure(fault sim.FaultKind, st *connState) error {
	switch {
	case fault != sim.Outage:
		return &net.OpError{Op: "read", Net: "tcp", Addr: address, Err: os.ErrDeadlineExceeded}
	case st != nil && (st.watching || st.subscribed || st.kept):
		return io.EOF
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: address, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// subscribe keeps a SUBSCRIBE until the confirmation is read. If a subscription to
// the same channels has failed, it is made again. go-redis does that by itself, and
// names the channels in random order, so they are sorted then.
func (c *conn) subscribe(body string, args [][]byte) {
	u := &subscribing{}
	u.body, u.channels, u.persists = c.client.subscribes(body, args)
	u.release = c.client.host().Hold(ErrUnread)
	c.unread = u
}

// subscribes returns what is sent for SUBSCRIBE, its channels, and whether a subscription
// to the same ones has failed.
func (c *client) subscribes(body string, args [][]byte) (sent, channels string, again bool) {
	names := make([]string, len(args))
	for i, arg := range args {
		names[i] = string(arg)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	channels = fmt.Sprintf("%q", names)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lost[channels] {
		return body, channels, false
	}
	b := []byte("*" + strconv.Itoa(1+len(names)) + "\r\n")
	for _, s := range append([]string{"subscribe"}, names...) {
		b = AppendBulk(b, s)
	}
	return string(b), channels, true
}

// subscription records whether a subscription to channels has failed.
func (c *client) subscription(channels string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed {
		c.lost[channels] = true
	} else {
		delete(c.lost, channels)
	}
}

// receive waits for the confirmations of SUBSCRIBE or for the next message.
func (c *conn) receive() error {
	st := c.state.Load()
	if st == nil {
		st = c.open()
	}
	req := sim.Request{Store: c.client.all.store, Body: Receive, Conn: st.name}
	switch {
	case st.receiving.Load():
		req = c.busy(st)
	case c.unread != nil:
		req.Body, req.Persists, st.channels = c.unread.body, c.unread.persists, c.unread.channels
		c.unread.release()
	}
	st.receiving.Store(true)
	reply, err := c.client.host().Call(req)
	st.receiving.Store(false)
	if errors.Is(err, sim.ErrOutside) {
		// It is PubSub.Channel that asks, which tries again for ever after any
		// other error, and its task would wait for ever.
		return redis.ErrClosed
	}
	if err != nil {
		// go-redis dials for each try, and keeps what it has dialled.
		for range receiveWeight - 1 {
			_, _ = c.client.host().Call(req)
		}
		return broken(err)
	}
	subscribes := c.unread != nil
	c.unread = nil
	failed := c.checkFailed(reply)
	if st.channels != "" {
		c.client.subscription(st.channels, failed)
	}
	if failed {
		return nil
	}
	st.subscribed = st.subscribed || subscribes && !strings.HasPrefix(reply.Body, "-")
	sent, err := c.inProtocol(Receive, reply.Body)
	if err == nil {
		c.put(sent)
	}
	c.settle(st)
	return err
}

// hangUp tells the server that the connection is closed, unless that is what
// ends the process.
func (c *conn) hangUp() error {
	st := c.state.Load()
	if st == nil || c.client.ended.Load() {
		return nil
	}
	req := sim.Request{Store: c.client.all.store, Body: Close, Conn: st.name}
	if st.receiving.Load() {
		req = c.busy(st)
	}
	if c.client.host().Goroutines() {
		go c.part(st, req)
		return nil
	}
	return c.part(st, req)
}

// part tells the server. A client does not wait for that, and may hold a lock meanwhile.
func (c *conn) part(st *connState, req sim.Request) error {
	_, err := c.client.host().Call(req)
	c.drop(st)
	if errors.Is(err, sim.ErrAbandoned) {
		return nil // a broken connection can be closed
	}
	return err
}

// broken returns what the network makes of an error of a call of [sim.Host]: of an
// abandoned process, that of a broken connection. It is one for which go-redis does not
// try again, as it does for io.EOF, also in a client with retries that a task makes of
// this one's dialer.
func broken(err error) error {
	if errors.Is(err, sim.ErrAbandoned) {
		return &net.OpError{Op: "read", Net: "tcp", Addr: address, Err: err}
	}
	return err
}
