package redisclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"quiesce/sim"
)

// A stream is a connection on which requests and replies are on their way at the same
// time: for a client that reads on a goroutine of its own, and writes on while it waits.
// What is written at once is sent by one goroutine of the connection, one request when
// the one before has been answered, as a pipeline is; what is written meanwhile is sent by
// another. One more waits for messages.
//
// The store executes the requests in the order of their numbers. It numbers what it sends,
// and whatever arrives is read in this order. So a message that is sent behind a reply is
// never read before it, however late that arrives.
type stream struct {
	conn *conn
	ctx  context.Context // done when the connection is not used any more
	stop context.CancelFunc

	mu         sync.Mutex
	number     int // of the last request that was written
	batch      []job
	senders    []*sender // each has a goroutine
	listens    bool      // a goroutine waits for messages
	subscribes bool      // SUBSCRIBE was written

	next    int            // number of what is to be read next
	arrived map[int]parcel // that cannot be read yet
	aside   map[int]string // what is read behind the reply to a request, and was not sent
	answers int            // how many replies can be read
	out     []byte         // can be read
	failed  error          // is read behind that
	changed chan struct{}  // closed when something can be read
}

// A job is a request of a stream.
type job struct {
	req      sim.Request
	body     string // without the header
	number   int
	timeout  time.Duration // 0 is none
	channels string        // of SUBSCRIBE
	last     *sender       // whose last one it is; nil unless it is
}

// A parcel is what a store has sent at once.
type parcel struct {
	text    string
	replies bool // it has the reply to a request
}

// A sender sends what is written at once.
type sender struct {
	busy bool
	jobs chan []job
}

func newStream(c *conn) *stream {
	s := &stream{conn: c, next: 1, arrived: make(map[int]parcel), aside: make(map[int]string), changed: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.out = append(s.out, c.out...)
	c.out = nil
	return s
}

// write is Write of a connection with a stream.
func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed != nil {
		return len(b), nil // it is read
	}
	n, err := s.conn.write(b)
	s.dispatch()
	return n, err
}

// request takes a request that is written; the command is in c.args unless it is a block.
func (s *stream) request(body string, v Verb) {
	c := s.conn
	h := c.setup.header()
	p := c.client.host()
	j := job{body: body, req: sim.Request{Store: c.client.all.store, Conn: c.keep().name, Persists: p.Persists(c.client.all.store)}}
	switch v {
	case Plain:
		j.timeout, _ = TimeoutOf(c.args)
	case Subscribe:
		j.body, j.channels, j.req.Persists = c.client.subscribes(body, c.args[1:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	h.Number, j.number = s.number, s.number
	j.req.Body = h.String() + j.body
	s.subscribes = s.subscribes || v == Subscribe
	s.batch = append(s.batch, j)
}

// put has something read behind the replies to what was written.
func (s *stream) put(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers < s.number {
		s.aside[s.number] += answer
		return
	}
	s.out = append(s.out, answer...)
	s.wake()
}

// dispatch has the requests sent that were written at once.
func (s *stream) dispatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.batch) == 0 {
		return
	}
	var free *sender
	for _, w := range s.senders {
		if !w.busy {
			free = w
			break
		}
	}
	if free == nil {
		free = &sender{jobs: make(chan []job, 1)}
		s.senders = append(s.senders, free)
		go s.send(free)
	}
	free.busy = true
	free.jobs <- s.batch
	s.batch = nil
}

// send is the goroutine of a sender.
func (s *stream) send(w *sender) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case jobs := <-w.jobs:
			jobs[len(jobs)-1].last = w
			for _, j := range jobs {
				if !s.do(j) {
					return
				}
			}
		}
	}
}

// do has one request executed, and says whether the connection can be used on.
func (s *stream) do(j job) bool {
	reply, err := s.call(j)
	if err == nil && reply.Fault != "" {
		err = failure(reply.Fault, s.conn.state.Load())
	}
	if j.channels != "" && reply.Fault != "" || err == nil && j.channels != "" {
		s.conn.client.subscription(j.channels, err != nil)
	}
	if err == nil {
		err = s.arrive(j, reply.Body)
	}
	if err != nil {
		s.end(err)
	}
	return err == nil
}

// call calls the host. What has waited for too long is withdrawn, and answered in its
// turn: see [TimedOut].
func (s *stream) call(j job) (sim.Reply, error) {
	p := s.conn.client.host()
	if j.timeout == 0 {
		reply, err := p.CallUntil(s.ctx, j.req)
		return reply, broken(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, j.timeout)
	defer cancel()
	reply, err := p.CallUntil(ctx, j.req)
	if errors.Is(err, context.DeadlineExceeded) {
		h, _ := Split(j.req.Body)
		j.req.Body = h.String() + TimedOut
		reply, err = p.CallUntil(s.ctx, j.req)
	}
	return reply, broken(err)
}

// listen starts a goroutine that waits for messages.
func (s *stream) listen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listens {
		return
	}
	s.listens = true
	c := s.conn
	req := sim.Request{Store: c.client.all.store, Body: Receive, Conn: c.keep().name}
	go func() {
		for s.do(job{req: req, body: Receive}) {
		}
	}()
}

// arrive takes what a store has sent: the reply to a request, or to Receive a message.
// Whoever reads it may write at once, so its sender is free before that.
func (s *stream) arrive(j job, sent string) error {
	number, text := CutNumber(sent)
	if number == 0 {
		return fmt.Errorf("quiesce: a store answers %q on a connection whose replies are numbered", sent)
	}
	text, err := s.conn.inProtocol(j.body, text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.last != nil {
		j.last.busy = false
	}
	s.arrived[number] = parcel{text, j.body != Receive}
	for {
		p, ok := s.arrived[s.next]
		if !ok {
			break
		}
		delete(s.arrived, s.next)
		s.next++
		s.out = append(s.out, p.text...)
		if p.replies {
			s.answers++
			s.out = append(s.out, s.aside[s.answers]...)
			delete(s.aside, s.answers)
		}
	}
	s.wake()
	return nil
}

// wake lets whoever reads look again.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// read is Read of a connection with a stream. It waits until there is something.
func (s *stream) read(b []byte) (int, error) {
	for {
		s.mu.Lock()
		if len(s.out) > 0 {
			n := copy(b, s.out)
			s.out = s.out[n:]
			s.mu.Unlock()
			return n, nil
		}
		failed, changed := s.failed, s.changed
		s.mu.Unlock()
		if failed != nil {
			return 0, failed
		}
		<-changed
	}
}

// end makes the connection fail. What is still asked for is withdrawn.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return
	}
	s.failed = err
	s.stop()
	if st := s.conn.state.Load(); st != nil && !errors.Is(err, net.ErrClosed) {
		s.conn.drop(st)
	}
	s.wake()
}

// kept returns what a later request shows: see [conn.kept]. It is "" without a stream.
func (s *stream) kept() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("request %d, read %d, %s", s.number, s.next, strings.TrimSpace(string(s.out)))
}
