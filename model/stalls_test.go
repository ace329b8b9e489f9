package model_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// leased is a task that takes a lease of some seconds, does something, and says in its
// result whether the lease is still there; it is violated if not. Stalls are of 1 s.
func leased(t *testing.T, mode sqlite.Mode, lease time.Duration, beside bool, do func(context.Context, *sql.DB) error) *explore.Result {
	t.Helper()
	cache, err := redis.NewStore("cache", redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	db, err := sqlite.NewStore("db", sqlite.Options{Mode: mode, Setup: []string{"CREATE TABLE kv (id INTEGER PRIMARY KEY, v INTEGER)", "INSERT INTO kv VALUES (1, 0)"}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	work := func(c *goredis.Client, d *sql.DB) sim.Task {
		return func(ctx context.Context) (string, error) {
			if err := c.Set(ctx, "lease", 1, lease).Err(); err != nil {
				return "", err
			}
			if err := do(ctx, d); err != nil {
				return "", err
			}
			n, err := c.Exists(ctx, "lease").Result()
			return fmt.Sprint(n), err
		}
	}
	program := sim.Program{Name: "server", New: func(p *sim.Process) []sim.Task { return []sim.Task{work(cache.Client(p), db.Open(p))} }}
	if beside {
		program.Tasks = []sim.TaskSpec{{Name: "a"}, {Name: "idle"}}
		program.New = func(p *sim.Process) []sim.Task {
			return []sim.Task{work(cache.Client(p), db.Open(p)), func(context.Context) (string, error) { return "", nil }}
		}
	}
	sys := &sim.System{
		Stores: []sim.Store{cache, db}, Programs: []sim.Program{program},
		Timing: &sim.Timing{Tick: time.Second, MaxStall: time.Second},
		Property: sim.Property{Name: "the lease is there", Violation: func(v sim.View) string {
			if v.Results[0] == "0" {
				return "the lease has run out"
			}
			return ""
		}},
	}
	r := product(t, sys, explore.ProductOptions{})
	if r.Interleavings.Int64() < 2000 {
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint(mode, lease, beside), r, d)
	}
	return r
}

// A statement that nobody is in the way of takes no longer than any request, whatever
// the mode of the database: a SELECT, and a transaction. Between the SET and the EXISTS
// are n requests, so n+2 stalls: the reply to the SET is late, each of the n calls takes
// one, and the EXISTS is executed late. A lease of as many runs out in the very moment.
// The idle task beside it changes nothing.
func TestStallOfWhatWaitsForNobody(t *testing.T) {
	look := func(ctx context.Context, db *sql.DB) error {
		var v int
		return db.QueryRowContext(ctx, "SELECT v FROM kv WHERE id = 1").Scan(&v)
	}
	change := func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "UPDATE kv SET v = v + 1 WHERE id = 1"); err != nil {
			return err
		}
		return tx.Commit()
	}
	for _, c := range []struct {
		name     string
		mode     sqlite.Mode
		requests int
		do       func(context.Context, *sql.DB) error
	}{
		{"nothing", sqlite.InMemory, 0, func(context.Context, *sql.DB) error { return nil }},
		{"a SELECT", sqlite.InMemory, 1, look},
		{"a SELECT", sqlite.WAL, 1, look},
		{"a SELECT", sqlite.Rollback, 1, look},
		{"a transaction", sqlite.WAL, 3, change},
	} {
		stalls := time.Duration(c.requests+2) * time.Second
		for _, beside := range []bool{false, true} {
			if r := leased(t, c.mode, stalls, beside, c.do); r.Verdict != explore.Violated {
				t.Errorf("%s, %s, beside an idle task %v: a lease of %s: %s", c.name, c.mode, beside, stalls, r.Verdict)
			}
			if r := leased(t, c.mode, stalls+time.Second, beside, c.do); r.Verdict != explore.Holds {
				t.Errorf("%s, %s, beside an idle task %v: a lease of %s: %s", c.name, c.mode, beside, stalls+time.Second, r.Verdict)
			}
		}
	}
}
