package redisclient

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"quiesce/sim"

	"github.com/redis/go-redis/v9"
)

// A script is a store that knows nothing: it answers by the text of a request. A client
// cannot tell it from a server.
type script struct {
	*Clients
	answers map[string]string // by body; "+OK\r\n" for any other
}

func newScript(t testing.TB, answers map[string]string) *script {
	s := &script{New("cache"), answers}
	t.Cleanup(s.Close)
	return s
}

func (s *script) Name() string                  { return "cache" }
func (s *script) Reset() error                  { return nil }
func (s *script) Content() (sim.Content, error) { return nil, nil }

func (s *script) Execute(req sim.Request) (sim.Reply, error) {
	if answer, ok := s.answers[req.Body]; ok {
		return sim.Reply{Body: answer}, nil
	}
	return sim.Reply{Body: "+OK\r\n"}, nil
}

func (s *script) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return req.Body, reply.Body
}

type task func(context.Context, *redis.Client) (string, error)

// run runs a task up to its end, and returns what it has asked for.
func run(s *script, do task) (asked []string, result string, err error) {
	return runIn(s, func(p *sim.Process) sim.Task {
		c := s.For(p)
		return func(ctx context.Context) (string, error) { return do(ctx, c) }
	})
}

func runIn(s *script, build func(*sim.Process) sim.Task) (asked []string, result string, err error) {
	e, err := (&sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{{Name: "task", New: func(p *sim.Process) []sim.Task {
		return []sim.Task{build(p)}
	}}}}).Start()
	if err != nil {
		return nil, "", err
	}
	defer e.Stop()
	for {
		req, ok := e.Pending(0)
		if !ok {
			break
		}
		asked = append(asked, req.Body)
		if err := e.Step(0); err != nil {
			return asked, "", err
		}
	}
	v, err := e.View()
	return asked, v.Results[0], err
}

func encode(args ...string) string {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = AppendBulk(b, a)
	}
	return string(b)
}

// Whatever the pieces in which requests are written, they are the same.
func TestSplitWrites(t *testing.T) {
	block := encode("multi") + encode("INCR", "n") + encode("EXEC")
	all := encode("SET", "a", "1\r\n") + block + encode("GET", "a")
	want := []string{encode("SET", "a", "1\r\n"), block, encode("GET", "a")}
	s := newScript(t, map[string]string{block: "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n", encode("GET", "a"): "$3\r\n1\r\n\r\n"})
	const replies = "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n$3\r\n1\r\n\r\n"
	for size := 1; size <= len(all); size++ {
		got, result, err := runIn(s, func(p *sim.Process) sim.Task {
			c := &conn{client: &client{all: s.Clients}}
			var h sim.Host = p
			c.client.proc.Store(&h)
			return func(context.Context) (string, error) {
				for rest := all; rest != ""; {
					n := min(size, len(rest))
					if _, err := c.Write([]byte(rest[:n])); err != nil {
						return "", err
					}
					rest = rest[n:]
				}
				b := make([]byte, 1000)
				n, err := c.Read(b)
				return string(b[:n]), err
			}
		})
		if err != nil || !reflect.DeepEqual(got, want) || result != replies {
			t.Fatalf("size %d: got %q, %q, %v", size, got, result, err)
		}
	}
}

type countingHook struct{ n *int }

func (h countingHook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h countingHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (h countingHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		*h.n++
		return next(ctx, cmd)
	}
}

// What a task does to its client does not reach the next one.
func TestReuse(t *testing.T) {
	get := func(ctx context.Context, c *redis.Client) (string, error) {
		if err := c.Get(ctx, "a").Err(); err != redis.Nil {
			return "", err
		}
		return "", nil
	}
	calls := 0
	answers := map[string]string{encode("get", "a"): "$-1\r\n"}
	for _, tt := range []struct {
		name string
		free int
		task task
	}{
		{"plain", 1, get},
		{"hook", 1, func(ctx context.Context, c *redis.Client) (string, error) {
			c.AddHook(countingHook{&calls})
			return get(ctx, c)
		}},
		{"unused", 0, func(context.Context, *redis.Client) (string, error) { return "", nil }},
		{"closed", 0, func(ctx context.Context, c *redis.Client) (string, error) { return "", c.Close() }},
		{"used and closed", 0, func(ctx context.Context, c *redis.Client) (string, error) {
			get(ctx, c)
			return "", c.Close()
		}},
		{"connection not returned", 0, func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Conn().Set(ctx, "b", "1", 0).Err()
		}},
		{"a block without an end", 0, func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Do(ctx, "MULTI").Err()
		}},
		{"another protocol", 0, func(ctx context.Context, c *redis.Client) (string, error) {
			return "", c.Do(ctx, "HELLO", "3").Err()
		}},
	} {
		s := newScript(t, answers)
		if _, _, err := run(s, get); err != nil {
			t.Fatal(err)
		}
		if tt.name == "unused" {
			s.pool.Close()
			s.Clients = New("cache")
		}
		if _, _, err := run(s, tt.task); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if s.Stats().Free != tt.free {
			t.Errorf("%s: %d free clients, want %d", tt.name, s.Stats().Free, tt.free)
		}
		before := calls
		if asked, _, err := run(s, get); err != nil || len(asked) != 1 || calls != before {
			t.Errorf("%s: the next client: %q, %v, %d calls of a hook", tt.name, asked, err, calls-before)
		}
	}
	if calls != 1 {
		t.Errorf("the hook was called %d times, want 1", calls)
	}
}

func TestOutside(t *testing.T) {
	s := newScript(t, nil)
	for name, task := range map[string]task{
		"goroutine": func(ctx context.Context, c *redis.Client) (string, error) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := c.Get(ctx, "a").Err(); !errors.Is(err, sim.ErrOutside) {
					t.Errorf("the goroutine got %v", err)
				}
			})
			wg.Wait()
			return "", c.Set(ctx, "a", "1", 0).Err()
		},
		"a reader that comes before any request": func(ctx context.Context, c *redis.Client) (string, error) {
			conn, err := c.Options().Dialer(ctx, "tcp", "127.0.0.1:6379")
			if err != nil {
				return "", err
			}
			defer conn.Close()
			read := make(chan error)
			go func() { _, err := conn.Read(make([]byte, 1)); read <- err }()
			if err := <-read; !errors.Is(err, sim.ErrOutside) {
				t.Errorf("the reader got %v", err)
			}
			return "", nil
		},
		"autopipeline": func(ctx context.Context, c *redis.Client) (string, error) {
			ap, err := c.AutoPipeline()
			if err != nil {
				return "", err
			}
			defer ap.Close()
			ap.Get(ctx, "a")
			return "", nil
		},
	} {
		if _, _, err := run(s, task); !errors.Is(err, sim.ErrOutside) {
			t.Errorf("%s: got %v, want %v", name, err, sim.ErrOutside)
		}
	}
	if s.Stats().Free != 0 {
		t.Errorf("%d free clients", s.Stats().Free)
	}
}

func TestReadWithoutRequest(t *testing.T) {
	c := &conn{client: &client{all: New("cache")}}
	if _, err := c.Read(make([]byte, 1)); err != errNoRequest {
		t.Errorf("got %v", err)
	}
}
