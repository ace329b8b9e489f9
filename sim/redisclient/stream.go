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

	"github.com/petermattis/goid"
)

// A stream is a connection on which requests and replies are on their way at the same
// time: for a client that reads on a goroutine of its own, and writes on while it waits.
// What is written at once is sent by one goroutine of the connection, one request when
// the one before was executed, and what is written meanwhile is sent by another. One more
// receives: messages, and the replies to all but the last of what was written at once. Those
// may be for several callers, unless whoever writes reads as well, and so waits for all.
//
// The store executes the requests in the order of their numbers. It numbers what it sends,
// and whatever arrives is read in this order. So a message that is sent behind a reply is
// never read before it, however late that arrives.
type stream struct {
	conn *conn
	ctx  context.Context // done when nothing is asked for on the connection any more
	stop context.CancelFunc

	waiting     context.Context // done when nobody waits for anything on it any more
	stopWaiting context.CancelFunc

	mu         sync.Mutex
	number     int // of the last request that was written
	batch      []job
	senders    []*sender  // each has a goroutine
	blocking   int        // requests that wait at the server
	waits      chan *wait // those of which the time ends; nil if there was none
	listens    bool       // a goroutine waits for messages
	subscribes bool       // SUBSCRIBE was written

	next       int            // number of what is to be read next
	arrived    map[int]Parcel // that cannot be read yet
	unanswered []job          // requests whose reply cannot be read yet
	aside      map[int]string // what is read behind the reply to a request, and was not sent
	answers    int            // how many replies can be read
	reader     int64          // the goroutine that has read last
	out        []byte         // can be read
	failed     error          // is read behind that
	changed    chan struct{}  // closed when something can be read
}

// A job is a request of a stream.
type job struct {
	req      sim.Request
	body     string // without the header
	header   Header
	waits    bool          // at the server
	timeout  time.Duration // of that; 0 is none
	channels string        // of SUBSCRIBE
	told     int           // replies that were read before
	last     *sender       // whose last one it is; nil unless it is
}

// A sender sends what is written at once.
type sender struct {
	busy bool
	jobs chan []job
}

func newStream(c *conn) *stream {
	s := &stream{conn: c, next: 1, arrived: make(map[int]Parcel), aside: make(map[int]string), changed: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.waiting, s.stopWaiting = context.WithCancel(s.ctx)
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
		return len(b), nil // the error is read
	}
	n, err := s.conn.write(b)
	s.dispatch()
	return n, err
}

// request takes a request that is written; the command is in c.args unless it is a block.
func (s *stream) request(body string, v Verb, told int) {
	c := s.conn
	h := c.setup.header()
	p := c.client.host()
	j := job{body: body, told: told, req: sim.Request{Store: c.client.all.store, Conn: c.keep().name, Persists: p.Persists(c.client.all.store)}}
	switch v {
	case Plain:
		j.timeout, j.waits = c.timeout(v)
	case Subscribe:
		j.body, j.channels, j.req.Persists = c.client.subscribes(body, c.args[1:])
	}
	if v == Subscribe {
		s.listen()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	h.Number, h.RESP3 = s.number, c.setup.resp3
	j.header = h
	s.unanswered = append(s.unanswered, j)
	s.subscribes = s.subscribes || v == Subscribe
	s.batch = append(s.batch, j)
	if j.waits {
		s.blocking++
	}
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
	several := len(s.batch) > 1 && s.reader != goid.Get()
	if several {
		s.receive()
	}
	for i := range s.batch {
		j := &s.batch[i]
		j.header.More = several && i < len(s.batch)-1
		j.req.Body = j.header.String() + j.body
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
	if errors.Is(err, context.Canceled) {
		return false // it was closed, or has failed, and this is withdrawn
	}
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

// call calls the host.
func (s *stream) call(j job) (sim.Reply, error) {
	p := s.conn.client.host()
	ctx := s.ctx
	switch {
	case j.timeout > 0:
		return s.callForATime(j)
	case j.waits || j.body == Receive:
		ctx = s.waiting
	}
	reply, err := p.CallUntil(ctx, j.req)
	return reply, broken(err)
}

// A wait is a request that waits at the server for a time.
type wait struct {
	req     sim.Request     // that tells the server when the time is over
	timer   context.Context // done then, or when there is a reply
	over    context.Context // done when there is a reply
	decide  context.CancelFunc
	timeout sim.Reply // the zero value unless the server has answered that the time was over
}

// callForATime calls the host for a request that waits for a time at the server. When that
// is over, another goroutine tells the server: see [TimedOut].
func (s *stream) callForATime(j job) (sim.Reply, error) {
	w := &wait{req: j.req}
	w.req.Body = j.header.String() + TimedOut
	w.over, w.decide = context.WithCancel(s.waiting)
	defer w.decide()
	timer, stop := context.WithTimeout(w.over, j.timeout)
	defer stop()
	w.timer = timer
	s.mu.Lock()
	if s.waits == nil {
		s.waits = make(chan *wait, 1)
		go s.timeOut()
	}
	s.mu.Unlock()
	s.waits <- w
	reply, err := s.conn.client.host().CallUntil(w.over, j.req)
	if err != nil && w.timeout != (sim.Reply{}) {
		return w.timeout, nil
	}
	return reply, broken(err)
}

// timeOut is the goroutine that tells the server when the time of a wait is over. If there
// was something just before, the server answers nothing, and that is on its way.
func (s *stream) timeOut() {
	for {
		var w *wait
		select {
		case <-s.ctx.Done():
			return
		case w = <-s.waits:
		}
		<-w.timer.Done()
		if w.over.Err() != nil {
			continue
		}
		reply, err := s.conn.client.host().CallUntil(w.over, w.req)
		if err == nil && reply != (sim.Reply{}) {
			w.timeout = reply
			w.decide()
		}
	}
}

// listen starts a goroutine that receives. The connection takes its name before the lock,
// since it may have to wait for its turn.
func (s *stream) listen() {
	s.conn.keep()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receive()
}

func (s *stream) receive() {
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

// arrive takes what a store has sent. Whoever reads it may write at once, so its sender is
// free before that.
func (s *stream) arrive(j job, sent string) error {
	p, ok := ParseParcel(sent)
	if !ok {
		return fmt.Errorf("quiesce: a store answers %q on a connection whose requests are numbered", sent)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.last != nil {
		j.last.busy = false
	}
	if j.waits {
		s.blocking--
	}
	if p.Number > 0 {
		s.arrived[p.Number] = p
	}
	for p, ok := s.arrived[s.next]; ok; p, ok = s.arrived[s.next] {
		delete(s.arrived, s.next)
		s.next++
		for _, part := range p.Parts {
			if err := s.add(part); err != nil {
				return err
			}
		}
	}
	s.wake()
	return nil
}

// add adds what can be read.
func (s *stream) add(part Part) error {
	if !part.Reply {
		s.out = append(s.out, part.Text...)
		return nil
	}
	if len(s.unanswered) == 0 {
		return fmt.Errorf("quiesce: a store answers %q to no request", part.Text)
	}
	j := s.unanswered[0]
	s.unanswered = s.unanswered[1:]
	text, err := s.conn.inProtocol(j.body, part.Text)
	s.out = append(s.out, untold(text, j.told)...)
	s.answers++
	s.out = append(s.out, s.aside[s.answers]...)
	delete(s.aside, s.answers)
	return err
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
			s.reader = goid.Get()
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
	s.stop()
	if s.failed != nil {
		return
	}
	s.failed = err
	if st := s.conn.state.Load(); st != nil {
		s.conn.drop(st)
	}
	s.wake()
}

// close closes the connection, and does not wait for the server. That executes what was
// written, and sees the end of the connection behind it; unless it waits for something,
// which it gives up then, with all that was written behind.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	st := c.state.Load()
	if s.failed != nil || st == nil || c.client.ended.Load() {
		s.stop()
	}
	if s.failed != nil {
		return
	}
	s.failed = net.ErrClosed
	s.wake()
	s.stopWaiting()
	if st == nil {
		return
	}
	if s.number == 0 {
		c.drop(st)
		return
	}
	h, ctx := Header{Number: s.number + 1}, s.ctx
	if s.blocking > 0 {
		s.stop()
		h, ctx = Header{}, context.Background()
	}
	req := sim.Request{Store: c.client.all.store, Body: h.String() + Close, Conn: st.name}
	go func() {
		_, _ = c.client.host().CallUntil(ctx, req)
		c.drop(st)
		s.stop()
	}()
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
