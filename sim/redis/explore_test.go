package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"

	goredis "github.com/redis/go-redis/v9"
)

// program is a process of one task.
func program(s *redis.Store, name, class string, background bool, task func(context.Context, *goredis.Client) (string, error)) sim.Program {
	return sim.Program{Name: name, Class: class, Tasks: []sim.TaskSpec{{Name: name, Background: background}}, New: func(p *sim.Process) []sim.Task {
		c := s.Client(p)
		return []sim.Task{func(ctx context.Context) (string, error) { return task(ctx, c) }}
	}}
}

// TestEnginesAgree explores systems with state in their connections by both
// engines: the same verdict, interleavings, violations and final states.
func TestEnginesAgree(t *testing.T) {
	increment := func(ctx context.Context, c *goredis.Client) (string, error) {
		err := c.Watch(ctx, func(tx *goredis.Tx) error {
			n, err := tx.Get(ctx, "n").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error { return p.Set(ctx, "n", n+1, 0).Err() })
			return err
		}, "n")
		if err == goredis.TxFailedErr {
			return "failed", nil
		}
		return "", err
	}
	listen := func(n int) func(context.Context, *goredis.Client) (string, error) {
		return func(ctx context.Context, c *goredis.Client) (string, error) {
			ps := c.Subscribe(ctx, "a")
			defer ps.Close()
			var got []string
			for range n {
				m, err := ps.ReceiveMessage(ctx)
				if err != nil {
					return "", err
				}
				got = append(got, m.Payload)
				if err := c.Append(ctx, "heard", m.Payload).Err(); err != nil {
					return "", err
				}
			}
			return strings.Join(got, " "), nil
		}
	}
	publish := func(ctx context.Context, c *goredis.Client) (string, error) {
		for i := range 2 {
			if err := c.Publish(ctx, "a", i+1).Err(); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	// consume handles n events as one of the group relay, and appends them to the
	// key heard first if slow is set.
	consume := func(name string, n int, slow bool) func(context.Context, *goredis.Client) (string, error) {
		return func(ctx context.Context, c *goredis.Client) (string, error) {
			for range n {
				got, err := c.XReadGroup(ctx, &goredis.XReadGroupArgs{Group: "relay", Consumer: name, Count: 1, Streams: []string{"events", ">"}}).Result()
				if err != nil {
					return "", err
				}
				if slow {
					if err := c.Append(ctx, "heard", fmt.Sprint(got[0].Messages[0].Values["id"])).Err(); err != nil {
						return "", err
					}
				}
				if err := c.XAck(ctx, "events", "relay", got[0].Messages[0].ID).Err(); err != nil {
					return "", err
				}
			}
			return "", nil
		}
	}
	produce := func(ctx context.Context, c *goredis.Client) (string, error) {
		for i := range 2 {
			if err := c.XAdd(ctx, &goredis.XAddArgs{Stream: "events", Values: []any{"id", i + 1}}).Err(); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	push := func(ctx context.Context, c *goredis.Client) (string, error) {
		for i := range 2 {
			if err := c.RPush(ctx, "queue", i+1).Err(); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	pop := func(ctx context.Context, c *goredis.Client) (string, error) {
		return "", c.BLPop(ctx, 0, "queue").Err()
	}
	// move takes what is in the queue by way of a list of what is being done, for ever.
	move := func(ctx context.Context, c *goredis.Client) (string, error) {
		for {
			v, err := c.BLMove(ctx, "queue", "doing", "LEFT", "RIGHT", 0).Result()
			if err != nil {
				return "", err
			}
			if err := c.Append(ctx, "heard", v).Err(); err != nil {
				return "", err
			}
			if err := c.LRem(ctx, "doing", 1, v).Err(); err != nil {
				return "", err
			}
		}
	}
	acknowledged := sim.Property{Name: "acknowledged", Violation: func(v sim.View) string {
		if events, _ := v.Contents[0].Lookup("events"); !strings.HasSuffix(events, `"relay" 1767225600000-1[]`) {
			return "events is " + events
		}
		return ""
	}}
	lost := sim.Property{Name: "no-lost-increment", Violation: func(v sim.View) string {
		n, _ := v.Contents[0].Lookup("n")
		failed := strings.Count(strings.Join(v.Results, " "), "failed")
		if n != fmt.Sprint(2-failed) {
			return fmt.Sprintf("n is %s after %d failures", n, failed)
		}
		return ""
	}}
	heard := func(n int) sim.Property {
		return sim.Property{Name: "heard", Violation: func(v sim.View) string {
			if heard, _ := v.Contents[0].Lookup("heard"); len(heard) < n {
				return fmt.Sprintf("heard %q", heard)
			}
			return ""
		}}
	}
	for name, tt := range map[string]struct {
		property      sim.Property
		programs      func(*redis.Store) []sim.Program
		interleavings string
		violated      bool
	}{
		"two watchers": {lost, func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "w1", "w", false, increment), program(s, "w2", "w", false, increment)}
		}, "20", false},
		"two subscribers": {heard(4), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "s1", "s", true, listen(9)), program(s, "s2", "s", true, listen(9)), program(s, "p", "", false, publish)}
		}, "", true},
		"a subscriber that ends": {heard(2), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "s1", "", false, listen(1)), program(s, "s2", "", true, listen(9)), program(s, "p", "", false, publish)}
		}, "", true},
		// P and P are the producer's steps, R A K those of the consumer for each entry.
		// The first P comes first, the second anywhere before the second R.
		"a producer and a consumer": {heard(2), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "p", "", false, produce), program(s, "c", "", false, consume("c", 2, true))}
		}, "4", false},
		// P1 comes first. If c1 reads first, R1 K1 mix with P2 R2 K2 in 10 ways, and in
		// 3 of them R2 is before R1. As many if c2 reads first.
		"two consumers of a group": {acknowledged, func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "p", "", false, produce), program(s, "c1", "", false, consume("c1", 1, false)), program(s, "c2", "", false, consume("c2", 1, false))}
		}, "14", false},
		// P P are the pushes, W a worker that pops: P W P W and P P W W, with either worker
		// first, also the one that has asked last.
		"two workers of a queue": {heard(0), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "p", "", false, push), program(s, "w1", "", false, pop), program(s, "w2", "", false, pop)}
		}, "4", false},
		// The worker moves, hears and removes. The second P comes before its first step or
		// after any of these three, and its second round after that.
		"a queue of what is being done": {heard(2), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "p", "", false, push), program(s, "w", "", true, move)}
		}, "4", false},
		// What c2 takes is not heard.
		"a consumer that is deaf": {heard(2), func(s *redis.Store) []sim.Program {
			return []sim.Program{program(s, "p", "", false, produce), program(s, "c1", "", true, consume("c1", 9, true)), program(s, "c2", "", true, consume("c2", 1, false))}
		}, "", true},
	} {
		s, err := redis.NewStore("cache", redis.Options{Setup: [][]string{{"SET", "n", "0"}, {"XGROUP", "CREATE", "events", "relay", "0", "MKSTREAM"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sys := &sim.System{Stores: []sim.Store{s}, Programs: tt.programs(s), Property: tt.property}
		d := agree(t, name, sys)
		if (d.Verdict == explore.Violated) != tt.violated || tt.interleavings != "" && d.Interleavings.String() != tt.interleavings {
			t.Errorf("%s: %s, %s interleavings", name, d.Verdict, d.Interleavings)
		}
		if tt.violated && d.Violating.Cmp(d.Interleavings) == 0 {
			t.Errorf("%s: nothing is ever heard", name)
		}
	}
}

// agree explores a system by both engines, and by the product with symmetry as
// well. It returns what the direct one finds.
func agree(t *testing.T, name string, sys *sim.System) *explore.Result {
	t.Helper()
	ctx := context.Background()
	finals := [2]map[string]bool{{}, {}}
	final := func(i int) func(sim.View) {
		return func(v sim.View) { finals[i][fmt.Sprintf("%s %q", v.Contents[0].Key(), v.Results)] = true }
	}
	d, err := explore.Direct(ctx, sys, explore.DirectOptions{Quiescent: final(0)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := explore.Product(ctx, sys, explore.ProductOptions{Quiescent: final(1), NoSymmetry: true, Audit: 20})
	if err != nil {
		t.Fatal(err)
	}
	if sym, err := explore.Product(ctx, sys, explore.ProductOptions{}); err != nil || sym.Interleavings.Cmp(p.Interleavings) != 0 || sym.Violating.Cmp(p.Violating) != 0 {
		t.Errorf("%s: with symmetry: %+v, %v", name, sym, err)
	}
	t.Logf("%s: %s interleavings, %s violate, %d final states, %d states", name, d.Interleavings, d.Violating, len(finals[0]), p.Statistics.States)
	if d.Interleavings.Cmp(p.Interleavings) != 0 || d.Violating.Cmp(p.Violating) != 0 || d.Verdict != p.Verdict {
		t.Errorf("%s: direct: %s, %s of %s; product: %s, %s of %s", name, d.Verdict, d.Violating, d.Interleavings, p.Verdict, p.Violating, p.Interleavings)
	}
	if fmt.Sprint(finals[0]) != fmt.Sprint(finals[1]) {
		t.Errorf("%s: final states %v and %v", name, finals[0], finals[1])
	}
	return d
}
