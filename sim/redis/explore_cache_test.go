package redis_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// A raw client writes commands and reads whatever there is.
type raw struct{ net.Conn }

func dialRaw(s *redis.Store, p *sim.Process) (raw, error) {
	conn, err := s.Dialer(p)(context.Background(), "tcp", "cache:6379")
	return raw{conn}, err
}

// do writes commands at once and returns what is read then.
func (c raw) do(commands ...string) (string, error) {
	text := ""
	for _, cmd := range commands {
		words := strings.Fields(cmd)
		text += fmt.Sprintf("*%d\r\n", len(words))
		for _, w := range words {
			text += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
		}
	}
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	return c.read()
}

func (c raw) read() (string, error) {
	b := make([]byte, 4096)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// lastLine returns the value of a reply that is a string.
func lastLine(reply string) string {
	lines := strings.Split(strings.TrimSpace(reply), "\r\n")
	return lines[len(lines)-1]
}

// price is what a server keeps of a key, and shows.
type price struct{ value string }

func (p *price) show(process *sim.Process) {
	process.Show(func() sim.Content {
		if p.value == "" {
			return nil
		}
		return sim.Content{{Name: "price", Value: p.value}}
	})
}

// coherent wants what a server keeps of a key to be what the store has.
var coherent = sim.Property{Name: "coherent", Violation: func(v sim.View) string {
	local, ok := v.Memories[0].Lookup("price")
	if now, _ := v.Contents[0].Lookup("price"); ok && local != now {
		return fmt.Sprintf("the server keeps %s where the price is %s", local, now)
	}
	return ""
}}

func setter(s *redis.Store) sim.Program {
	return program(s, "writer", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
		return "", c.Set(ctx, "price", "2", 0).Err()
	})
}

// With REDIRECT the message that a key was changed comes on a connection of its own, and
// overtakes the reply that fills the local cache. That is the known race of client-side
// caching: https://redis.io/docs/latest/develop/reference/client-side-caching#avoiding-race-conditions.
// By hand: SET is before GET, and no message comes, before or after the view starts; or it
// is after GET, and the reply arrives before SET, the message, the arrival of that, or last,
// where the value is left that was changed.
func TestTheInvalidationOvertakesTheReply(t *testing.T) {
	s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "price", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := sim.Program{Name: "server", Tasks: []sim.TaskSpec{{Name: "listener", Background: true, Boot: true}, {Name: "view"}}, New: func(p *sim.Process) []sim.Task {
		local := &price{}
		local.show(p)
		id := ""
		listen := func(context.Context) (string, error) {
			c, err := dialRaw(s, p)
			if err != nil {
				return "", err
			}
			if id, err = c.do("CLIENT ID"); err != nil {
				return "", err
			}
			if _, err := c.do("SUBSCRIBE __redis__:invalidate"); err != nil {
				return "", err
			}
			for {
				if _, err := c.read(); err != nil {
					return "", err
				}
				local.value = ""
			}
		}
		view := func(context.Context) (string, error) {
			c, err := dialRaw(s, p)
			if err != nil {
				return "", err
			}
			if _, err := c.do("CLIENT TRACKING ON REDIRECT " + id[1:]); err != nil {
				return "", err
			}
			reply, err := c.do("GET price")
			local.value = lastLine(reply)
			return "", err
		}
		return []sim.Task{listen, view}
	}}
	sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{server, setter(s)}, Property: coherent}
	d := agree(t, "redirect", sys)
	if d.Verdict != explore.Violated || d.Interleavings.Int64() != 6 || d.Violating.Int64() != 1 {
		t.Errorf("%s, %s of %s, want 1 of 6", d.Verdict, d.Violating, d.Interleavings)
	}
	var steps []string
	for _, st := range d.Counterexample.Steps {
		steps = append(steps, st.Task+" "+st.Request)
	}
	if got, want := strings.Join(steps, ", "), "view start, view GET price, writer SET price 2, listener receive, listener arrive, view arrive"; got != want {
		t.Errorf("the counterexample is %s, want %s", got, want)
	}
}

// On one connection what was changed before a reply is read before it. So a client that
// keeps a value until it is told has, after each reply, none that was changed before the
// server sent that.
func TestTheInvalidationComesBeforeLaterReplies(t *testing.T) {
	for told, want := range map[bool]explore.Verdict{true: explore.Holds, false: explore.Violated} {
		s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "price", "1"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		reader := sim.Program{Name: "reader", New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				c, err := dialRaw(s, p)
				if err != nil {
					return "", err
				}
				if _, err := c.do("HELLO 3", "CLIENT TRACKING ON OPTIN"); err != nil {
					return "", err
				}
				reply, err := c.do("CLIENT CACHING YES", "GET price")
				if err != nil {
					return "", err
				}
				local := lastLine(reply)
				if reply, err = c.do("GET price"); err != nil {
					return "", err
				}
				if told && strings.HasPrefix(reply, ">2\r\n$10\r\ninvalidate\r\n") {
					return "", nil // and reads again
				}
				if now := lastLine(reply); local != now {
					return "keeps " + local + " where it is " + now, nil
				}
				return "", nil
			}}
		}}
		sys := &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{reader, setter(s)}, Property: sim.Property{Name: "told", Violation: func(v sim.View) string { return v.Results[0] }}}
		// The writer is before, between or after the two reads.
		if d := agree(t, fmt.Sprintf("told %v", told), sys); d.Verdict != want || d.Interleavings.String() != "3" {
			t.Errorf("told %v: %s in %s interleavings", told, d.Verdict, d.Interleavings)
		}
	}
}

// In a process of goroutines a wait ends by itself, and go-redis receives on a goroutine of
// its own: what comes of it is found by both engines alike.
func TestGoroutines(t *testing.T) {
	for name, tt := range map[string]struct {
		task func(context.Context, *goredis.Client) (string, error)
		want string // results
	}{
		"a wait for a time": {func(ctx context.Context, c *goredis.Client) (string, error) {
			v, err := c.BLPop(ctx, time.Second, "queue").Result()
			if err == goredis.Nil {
				return "nothing", nil
			}
			return strings.Join(v, " "), err
		}, "nothing, queue job"},
		"a channel of messages": {func(ctx context.Context, c *goredis.Client) (string, error) {
			ps := c.Subscribe(ctx, "events")
			defer ps.Close()
			messages := ps.Channel(goredis.WithChannelHealthCheckInterval(0))
			v, err := c.Get(ctx, "price").Result()
			if err != nil {
				return "", err
			}
			select {
			case m := <-messages:
				return v + " " + m.Payload, nil
			case <-time.After(time.Second):
				return v + " nothing", nil
			}
		}, "1 event, 1 nothing, 2 event, 2 nothing"},
	} {
		s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "price", "1"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		seen := map[string]bool{}
		p := program(s, "task", "", false, tt.task)
		p.Goroutines = true
		sys := &sim.System{Stores: []sim.Store{s}, Property: anything, Programs: []sim.Program{p,
			program(s, "other", "", false, func(ctx context.Context, c *goredis.Client) (string, error) {
				_, err := c.TxPipelined(ctx, func(p goredis.Pipeliner) error {
					p.Set(ctx, "price", "2", 0)
					p.RPush(ctx, "queue", "job")
					return p.Publish(ctx, "events", "event").Err()
				})
				return "", err
			})}}
		r, err := explore.Product(context.Background(), sys, explore.ProductOptions{Audit: 20, Quiescent: func(v sim.View) { seen[v.Results[0]] = true }})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var all []string
		for result := range seen {
			all = append(all, result)
		}
		slices.Sort(all)
		if got := strings.Join(all, ", "); got != tt.want || r.Interleavings.Cmp(d.Interleavings) != 0 {
			t.Errorf("%s: results %s, want %s; %s interleavings, and %s by the direct engine", name, got, tt.want, r.Interleavings, d.Interleavings)
		}
		t.Logf("%s: %s interleavings, %d states", name, r.Interleavings, r.Statistics.States)
	}
}
