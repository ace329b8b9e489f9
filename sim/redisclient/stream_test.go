package redisclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// A host is a process of goroutines that is driven by hand: a request is executed when the
// test says so, and its reply arrives when it says so.
type host struct {
	t     *testing.T
	store *redis.Store
	mu    sync.Mutex
	asks  []*ask
	atEnd []func(bool)
	over  bool
}

// An ask is a request on its way.
type ask struct {
	req   sim.Request
	text  string
	sent  sim.Reply
	done  bool // it was executed
	reply chan sim.Reply
}

func (h *host) Name() string     { return "server" }
func (h *host) Running() string  { return "" }
func (h *host) Goroutines() bool { return true }
func (h *host) Outside() error   { return nil }
func (h *host) Abandoned() bool  { return h.over }
func (h *host) Hold(error) func() {
	panic("a client that reads on a goroutine of its own holds nobody")
}
func (h *host) Turn()                                 {}
func (h *host) Persists(string) bool                  { return false }
func (h *host) Context() context.Context              { return context.Background() }
func (h *host) AtReturn(func(string) error)           {}
func (h *host) AtEnd(f func(bool))                    { h.atEnd = append(h.atEnd, f) }
func (h *host) Keep(func() string)                    {}
func (h *host) Isolation() *sim.Isolation             { return nil }
func (h *host) Call(r sim.Request) (sim.Reply, error) { return h.CallUntil(context.Background(), r) }

func (h *host) CallUntil(ctx context.Context, r sim.Request) (sim.Reply, error) {
	text, _ := h.store.Describe(r, sim.Reply{})
	a := &ask{req: r, text: text, reply: make(chan sim.Reply)}
	h.mu.Lock()
	h.asks = append(h.asks, a)
	h.mu.Unlock()
	select {
	case reply := <-a.reply:
		return reply, nil
	case <-ctx.Done():
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asks = slices.DeleteFunc(h.asks, func(b *ask) bool { return a == b })
		return sim.Reply{}, ctx.Err()
	}
}

// pending returns what is asked for and not executed, in any order, and what is executed
// and on its way, in brackets.
func (h *host) pending() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts []string
	for _, a := range h.asks {
		if text := a.text; a.done {
			texts = append(texts, "["+text+"]")
		} else {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

// find returns the request with that text that has been executed, or has not.
func (h *host) find(text string, done bool) *ask {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.asks {
		if a.text == text && a.done == done {
			return a
		}
	}
	h.t.Fatalf("nobody waits for %s", text)
	return nil
}

// execute has the store execute a request, and says whether it is blocked.
func (h *host) execute(text string) (blocked bool) {
	h.t.Helper()
	a := h.find(text, false)
	reply, err := h.store.Execute(a.req)
	if errors.Is(err, sim.ErrBlocked) {
		return true
	}
	if err != nil {
		h.t.Fatal(err)
	}
	a.sent, a.done = reply, true
	return false
}

// arrive has the reply to a request arrive that was executed.
func (h *host) arrive(text string) {
	h.t.Helper()
	a := h.find(text, true)
	h.deliver(a, a.sent)
}

func (h *host) deliver(a *ask, reply sim.Reply) {
	h.mu.Lock()
	h.asks = slices.DeleteFunc(h.asks, func(b *ask) bool { return a == b })
	h.mu.Unlock()
	a.reply <- reply
	synctest.Wait()
}

// step has a request executed, and its reply arrive.
func (h *host) step(text string) {
	h.t.Helper()
	if h.execute(text) {
		h.t.Fatalf("%s is blocked", text)
	}
	h.arrive(text)
}

// end ends the process.
func (h *host) end() {
	h.over = true
	for _, f := range slices.Backward(h.atEnd) {
		f(true)
	}
	synctest.Wait()
}

// inBubble runs a test in a bubble of its own, with a host of a store.
func inBubble(t *testing.T, f func(t *testing.T, h *host)) {
	store, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "a", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	synctest.Test(t, func(t *testing.T) { f(t, &host{t: t, store: store}) })
}

// A reader reads lines on a goroutine of its own.
type reader struct {
	net.Conn
	mu    sync.Mutex
	lines []string
	err   error
}

func (h *host) dial() *reader {
	h.t.Helper()
	conn, err := h.store.Dialer(h)(context.Background(), "tcp", "cache:6379")
	if err != nil {
		h.t.Fatal(err)
	}
	r := &reader{Conn: conn}
	go func() {
		for in := bufio.NewReader(conn); ; {
			line, err := in.ReadString('\n')
			r.mu.Lock()
			if r.err = err; err != nil {
				r.mu.Unlock()
				return
			}
			r.lines = append(r.lines, strings.TrimSpace(line))
			r.mu.Unlock()
		}
	}()
	return r
}

// close closes a connection, of which the server is told.
func (h *host) close(c *reader) {
	go c.Close()
	h.step("close")
	synctest.Wait()
	if !errors.Is(c.err, net.ErrClosed) {
		h.t.Errorf("the reader gets %v", c.err)
	}
}

// write writes commands at once.
func (r *reader) write(t *testing.T, commands ...string) {
	t.Helper()
	text := ""
	for _, cmd := range commands {
		words := strings.Fields(cmd)
		text += fmt.Sprintf("*%d\r\n", len(words))
		for _, w := range words {
			text += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
		}
	}
	if _, err := r.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// read returns what was read since it was called last.
func (r *reader) read() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.lines, " ")
	r.lines = nil
	return text
}

func (h *host) want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// A write does not wait for the reply to the one before. The server executes them in their
// order, and the replies are read in it, whichever arrives first.
func TestStream(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "GET a")
		c.write(t, "SET a 2", "GET a")
		h.want(t, "asked", h.pending(), "GET a, SET a 2, receive")
		if !h.execute("SET a 2") {
			t.Error("the second request is not blocked")
		}
		h.execute("GET a")
		h.step("SET a 2")
		h.want(t, "asked", h.pending(), "GET a, [GET a], receive")
		h.want(t, "read", c.read(), "")
		h.execute("GET a")
		for _, number := range []string{"#2", "#1"} { // the later one first
			for _, a := range slices.Clone(h.asks) {
				if strings.HasPrefix(a.sent.Body, number) {
					h.deliver(a, a.sent)
				}
			}
		}
		h.want(t, "read", c.read(), "$1 1 +OK $1 2")
		h.want(t, "asked", h.pending(), "receive")

		// Of what was written at once, which may be for several callers, the first reply
		// arrives before the second request is executed, or after that and before the second
		// reply.
		for _, early := range []bool{true, false} {
			c.write(t, "SET a 3", "GET a")
			h.step("SET a 3")
			h.execute("receive")
			if early {
				h.arrive("receive")
				h.want(t, "read", c.read(), "+OK")
			}
			h.execute("GET a")
			if !early {
				h.want(t, "read", c.read(), "")
				h.arrive("receive")
				h.want(t, "read", c.read(), "+OK")
			}
			h.arrive("GET a")
			h.want(t, "read", c.read(), "$1 3")
		}
		h.close(c)
		h.end()
	})
}

// Whoever writes and reads waits for all replies to what was written at once, so each
// is answered to its request.
func TestStreamOfOneCaller(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		conn, err := h.store.Dialer(h)(context.Background(), "tcp", "cache:6379")
		if err != nil {
			t.Fatal(err)
		}
		c := &reader{Conn: conn}
		go func() {
			in := bufio.NewReader(conn)
			for _, commands := range [][]string{{"HELLO 4"}, {"GET a", "GET b"}} {
				c.write(t, commands...)
				for range commands {
					if line, err := in.ReadString('\n'); err != nil || line[0] == '$' && line[1] != '-' {
						in.ReadString('\n')
					}
				}
			}
			conn.Close()
		}()
		h.want(t, "asked", h.pending(), "GET a")
		h.step("GET a")
		h.want(t, "asked", h.pending(), "GET b")
		h.step("GET b")
		h.step("close")
		h.end()
	})
}

// A block is one request, in whatever pieces it is written.
func TestStreamOfABlock(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "HELLO 3", "CLIENT TRACKING ON")
		c.read()
		c.write(t, "GET a")
		h.step("GET a")
		c.read()
		c.write(t, "MULTI")
		h.want(t, "read", c.read(), "+OK")
		c.write(t, "HGETALL a")
		c.write(t, "GET b")
		h.want(t, "read", c.read(), "+QUEUED +QUEUED")
		h.want(t, "asked", h.pending(), "receive")
		set(t, h, "2")
		c.write(t, "EXEC", "MULTI", "DISCARD")
		h.step("MULTI; HGETALL a; GET b; EXEC")
		h.step("UNWATCH")
		h.want(t, "read", c.read(), ">2 $10 invalidate *1 $1 a *2 -WRONGTYPE Operation against a key holding the wrong kind of value _ +OK +OK")
		h.close(c)
		h.end()
	})
}

// The places of a connection are as few as what is written at once, and one for what it
// receives.
func TestStreamIsPipelined(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		for range 3 {
			c.write(t, "HELLO 3", "INCR n", "HELLO 2", "INCR n", "PING")
			for _, text := range []string{"INCR n", "INCR n", "PING"} {
				h.want(t, "asked", h.pending(), text+", receive")
				h.step(text)
			}
			got := c.read()
			i, j := strings.Index(got, "%7"), strings.Index(got, "*14")
			if i != 0 || j < strings.Index(got, ":") || !strings.HasSuffix(got, "+PONG") {
				t.Errorf("read %q, where each answer is in its place", got)
			}
		}
		h.close(c)
		h.end()
	})
}

// On one connection an invalidation is never read before a reply that was sent before it,
// and never after one that was sent after it, whatever arrives first.
func TestInvalidationInOrder(t *testing.T) {
	const told, value = ">2 $10 invalidate *1 $1 a", "$1 1"
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "HELLO 3", "CLIENT TRACKING ON OPTIN")
		c.read()
		c.write(t, "CLIENT CACHING YES", "GET a")
		h.want(t, "asked", h.pending(), "GET a, receive")
		h.want(t, "read", c.read(), "+OK")

		// The message overtakes the reply that was sent before it.
		h.execute("GET a")
		set(t, h, "2")
		h.step("receive")
		h.want(t, "read before the reply", c.read(), "")
		h.arrive("GET a")
		h.want(t, "read", c.read(), value+" "+told)

		// The reply overtakes the message that was sent before it.
		c.write(t, "CLIENT CACHING YES", "GET a")
		h.step("GET a")
		set(t, h, "3")
		h.execute("receive")
		c.write(t, "GET b")
		h.step("GET b")
		h.want(t, "read before the message", c.read(), "+OK $1 2")
		h.arrive("receive")
		h.want(t, "read", c.read(), told+" _")

		// It is sent with the reply that comes next if nobody has received it.
		c.write(t, "CLIENT CACHING YES", "GET a")
		h.step("GET a")
		c.read()
		set(t, h, "4")
		c.write(t, "GET b")
		h.step("GET b")
		h.want(t, "read", c.read(), told+" _")
		h.close(c)
		h.want(t, "asked", h.pending(), "")
		h.end()
	})
}

func set(t *testing.T, h *host, value string) {
	t.Helper()
	if _, err := h.store.Execute(sim.Request{Store: "cache", Body: "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n" + value + "\r\n"}); err != nil {
		t.Fatal(err)
	}
}

// When the time of a request is over that waits, the server is told and answers nil, unless
// there was something just before. What was written behind it waits for that.
func TestStreamTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		for i := range 3 { // by the same goroutines
			c.write(t, "BLPOP q 2")
			c.write(t, "GET a")
			h.want(t, "asked", h.pending(), "BLPOP q 2, GET a")
			if !h.execute("GET a") || !h.execute("BLPOP q 2") {
				t.Error("something is not blocked")
			}
			time.Sleep(3 * time.Second)
			h.want(t, "asked", h.pending(), "BLPOP q 2, GET a, timeout")
			h.execute("timeout")
			if !h.execute("BLPOP q 2") {
				t.Error("it is executed after its time")
			}
			h.step("GET a")
			h.arrive("timeout")
			h.want(t, "read", c.read(), "*-1 $1 1")
			h.want(t, "asked", h.pending(), "")

			// The time is over while the reply is on its way.
			c.write(t, "BRPOP q 2")
			push(t, h, fmt.Sprint(i))
			h.execute("BRPOP q 2")
			time.Sleep(3 * time.Second)
			h.want(t, "asked", h.pending(), "[BRPOP q 2], timeout")
			if i == 1 {
				h.step("timeout")
			}
			h.arrive("BRPOP q 2")
			h.want(t, "read", c.read(), fmt.Sprintf("*2 $1 q $1 %d", i))
			h.want(t, "asked", h.pending(), "")
		}
		c.write(t, "BLPOP a 2") // of the wrong type
		h.step("BLPOP a 2")
		h.want(t, "read", c.read()[:10], "-WRONGTYPE")

		c.write(t, "BLPOP q 2")
		time.Sleep(3 * time.Second)
		h.deliver(h.find("timeout", false), sim.Reply{Fault: sim.Outage})
		c.read()
		if c.err != io.EOF {
			t.Errorf("the reader gets %v", c.err)
		}
		h.want(t, "asked", h.pending(), "")
		h.end()
	})
}

func push(t *testing.T, h *host, value string) {
	t.Helper()
	if _, err := h.store.Execute(sim.Request{Store: "cache", Body: "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\n" + value + "\r\n"}); err != nil {
		t.Fatal(err)
	}
}

// The server executes what was written before the connection was closed, also if nobody
// reads the replies, and does not what waits.
func TestStreamIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "SET a 2")
		c.write(t, "SET b 2")
		c.Close()
		h.want(t, "asked", h.pending(), "SET a 2, SET b 2, close")
		if !h.execute("close") {
			t.Error("it is closed before what was written is executed")
		}
		h.step("SET a 2")
		h.step("SET b 2")
		h.step("close")
		h.want(t, "read", c.read(), "")

		c = h.dial()
		c.write(t, "SET a 3", "BLPOP q 0")
		c.write(t, "SET a 4")
		h.step("SET a 3")
		c.Close()
		h.want(t, "asked", h.pending(), "close")
		h.step("close")

		c = h.dial()
		c.write(t, "GET a")
		c.Close()
		h.deliver(h.find("GET a", false), sim.Reply{Fault: sim.Outage})
		h.want(t, "asked", h.pending(), "")
		h.dial().Close() // of which the server does not know
		h.want(t, "asked", h.pending(), "")
		h.end()
	})
}

// A fault breaks the connection: what was read up to then is, and nothing after it.
func TestStreamFails(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "HELLO 3", "CLIENT TRACKING ON")
		c.read()
		c.write(t, "GET a")
		c.write(t, "GET b")
		h.step("GET a")
		h.deliver(h.find("GET b", false), sim.Reply{Fault: sim.LostRequest})
		h.want(t, "read", c.read(), "$1 1")
		var network net.Error
		if !errors.As(c.err, &network) || !network.Timeout() {
			t.Errorf("the reader gets %v", c.err)
		}
		h.want(t, "asked", h.pending(), "")
		c.write(t, "GET c") // into the void
		h.want(t, "asked", h.pending(), "")
		c.Close() // of which the server is not told
		h.end()
	})
}

// Two connections have orders of their own, so with REDIRECT a message overtakes the reply:
// the known race of client-side caching.
func TestInvalidationOvertakes(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		listener, c := h.dial(), h.dial()
		listener.write(t, "CLIENT ID")
		h.want(t, "the ID", listener.read(), ":2")
		listener.write(t, "SUBSCRIBE __redis__:invalidate")
		h.step("SUBSCRIBE __redis__:invalidate")
		listener.read()
		c.write(t, "CLIENT TRACKING ON REDIRECT 2", "GET a")
		h.want(t, "asked", h.pending(), "GET a, receive")
		h.execute("GET a")
		set(t, h, "2")
		h.step("receive")
		h.want(t, "read", listener.read()+", "+c.read(), "*3 $7 message $20 __redis__:invalidate *1 $1 a, +OK")
		h.arrive("GET a")
		h.want(t, "read", c.read(), "$1 1")
		h.close(listener)
		h.close(c)
		h.end()
	})
}

// The goroutines of the connections end with their process, also if nobody closes them.
func TestStreamEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		c := h.dial()
		c.write(t, "HELLO 3", "CLIENT TRACKING ON", "GET a")
		h.step("GET a")
		c.read()
		h.end()
		if c.err == nil || !errors.Is(c.err, sim.ErrAbandoned) {
			t.Errorf("the reader gets %v", c.err)
		}
	}) // else the bubble does not end
}

// PubSub.Channel of go-redis receives on a goroutine of its own, and its task goes on.
func TestChannel(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379", Dialer: h.store.Dialer(h), Protocol: 2, DisableIdentity: true, MaxRetries: -1})
		ctx := context.Background()
		ps := client.Subscribe(ctx, "c")
		got := ps.Channel(goredis.WithChannelHealthCheckInterval(0))
		var pushed []string
		go func() {
			for m := range got {
				pushed = append(pushed, m.Payload)
			}
		}()
		go client.Set(ctx, "b", "1", 0)
		h.want(t, "asked", h.pending(), "SET b 1, SUBSCRIBE c, receive")
		h.step("SET b 1")
		h.step("SUBSCRIBE c")
		go client.Publish(ctx, "c", "x")
		h.step("PUBLISH c x")
		h.step("receive")
		if !slices.Equal(pushed, []string{"x"}) {
			t.Errorf("received %q", pushed)
		}
		go func() { ps.Close(); client.Close() }()
		for h.pending() != "" {
			h.step("close")
		}
		h.end()
	})
}
