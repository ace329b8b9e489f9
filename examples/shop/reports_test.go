package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/redis"
	"quiesce/sim/sqlite"
)

// Public bug reports, each as small as it can be told.

func newReport(t *testing.T, mode sqlite.Mode, setup ...string) *world {
	return newWorldWith(t, redis.Options{}, sqlite.Options{Mode: mode, Setup: setup})
}

// TestMutexAroundLoad is the fix of a local cache in one process: a mutex around load and
// delete, which hold it while they wait for the database.
func TestMutexAroundLoad(t *testing.T) {
	w := newReport(t, sqlite.InMemory, "CREATE TABLE kv (id INTEGER PRIMARY KEY, v INTEGER)", "INSERT INTO kv VALUES (1, 10)")
	w.hangs([]string{"in sync.(*Mutex).Lock at reports_test.go:"}, sim.Program{Name: "node", Tasks: []sim.TaskSpec{{Name: "get"}, {Name: "delete"}}, New: func(p *sim.Process) []sim.Task {
		db, local := w.db.Open(p), map[int]int{}
		var mu sync.Mutex
		return []sim.Task{
			func(ctx context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				var v int
				err := db.QueryRowContext(ctx, "SELECT v FROM kv WHERE id = 1").Scan(&v)
				if errors.Is(err, sql.ErrNoRows) {
					return "", nil
				}
				local[1] = v
				return "", err
			},
			func(ctx context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				_, err := db.ExecContext(ctx, "DELETE FROM kv WHERE id = 1")
				delete(local, 1)
				return "", err
			},
		}
	}})
}

// TestSequenceGap (postgresql-event-sourcing 2, Eventuous 222, pdo-event-store 189): a
// consumer that remembers the last id skips an event whose id was taken before and
// committed after. SQLite gives ids in the order of commits, which a caveat says; a
// sequence of one's own shows it.
func TestSequenceGap(t *testing.T) {
	inTransaction := func(ctx context.Context, s *Shop) error {
		return s.Products.atomically(ctx, nil, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO events DEFAULT VALUES")
			return err
		})
	}
	fromSequence := func(ctx context.Context, s *Shop) error {
		var id int // nextval is no part of the transaction
		if err := s.Products.DB.QueryRowContext(ctx, "UPDATE sequence SET n = n + 1 RETURNING n").Scan(&id); err != nil {
			return err
		}
		return s.Products.atomically(ctx, nil, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO events (id) VALUES (?)", id)
			return err
		})
	}
	consume := func(ctx context.Context, s *Shop) error {
		for last := 0; ; {
			if err := s.Products.DB.QueryRowContext(sqlite.Await(ctx), "SELECT id FROM events WHERE id > ? ORDER BY id LIMIT 1", last).Scan(&last); err != nil {
				return err
			}
			if _, err := s.Products.DB.ExecContext(ctx, "INSERT INTO seen VALUES (?)", last); err != nil {
				return err
			}
		}
	}
	allSeen := sim.Property{Name: "every event is seen", Violation: func(v sim.View) string {
		if events, seen := len(v.Items("db", "events/")), len(v.Items("db", "seen/")); seen < events {
			return fmt.Sprintf("%d of %d events are seen", seen, events)
		}
		return ""
	}}
	explored := func(produce func(context.Context, *Shop) error) *finding {
		w := newReport(t, sqlite.WAL, "CREATE TABLE events (id INTEGER PRIMARY KEY)", "CREATE TABLE seen (id INTEGER PRIMARY KEY)",
			"CREATE TABLE sequence (n INTEGER)", "INSERT INTO sequence VALUES (0)")
		programs := w.apart(try("p1", produce), try("p2", produce), try("consumer", consume))
		programs[2].Tasks = []sim.TaskSpec{{Name: "consumer", Background: true}}
		return w.check(allSeen, programs...)
	}
	explored(inTransaction).holds(38, waitedCaveat, idCaveat)
	if got := explored(fromSequence).violated("p1:2,p2:4,consumer:2,p1:2"); got != "1 of 2 events are seen" {
		t.Error(got)
	}
}

// TestDoubleBooking (YosemiteCrew 3139, WorkSphere 1598, calcom 28993): check and insert
// in one transaction at READ COMMITTED, which SQLite does not have.
func TestDoubleBooking(t *testing.T) {
	checkAndInsert := func(ctx context.Context, q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	}) error {
		var taken int
		if err := q.QueryRowContext(ctx, "SELECT count(*) FROM slots WHERE at = 10").Scan(&taken); err != nil || taken > 0 {
			return err
		}
		_, err := q.ExecContext(ctx, "INSERT INTO slots (at) VALUES (10)")
		return err
	}
	atOnce := func(ctx context.Context, s *Shop) error { return checkAndInsert(ctx, s.Products.DB) }
	at := func(level sql.IsolationLevel) func(ctx context.Context, s *Shop) error {
		return func(ctx context.Context, s *Shop) error {
			return s.Products.atomically(ctx, &sql.TxOptions{Isolation: level}, func(tx *sql.Tx) error { return checkAndInsert(ctx, tx) })
		}
	}
	once := sim.Property{Name: "booked once", Violation: func(v sim.View) string {
		if slots := v.Items("db", "slots/"); len(slots) > 1 {
			return fmt.Sprint(len(slots), " bookings")
		}
		return ""
	}}
	explored := func(mode sqlite.Mode, as func(string, func(context.Context, *Shop) error) operation, book func(context.Context, *Shop) error, setup ...string) *finding {
		w := newReport(t, mode, append([]string{"CREATE TABLE slots (id INTEGER PRIMARY KEY, at INTEGER)"}, setup...)...)
		programs := w.apart(as("book-1", book), as("book-2", book))
		for i := range programs {
			programs[i].Class = "book"
		}
		return w.check(once, programs...)
	}
	if got := explored(sqlite.InMemory, try, atOnce).violated("book-1:1,book-2:2,book-1:1"); got != "2 bookings" {
		t.Error(got)
	}
	fails[*explore.ExecutionError](explored(sqlite.WAL, try, at(sql.LevelReadCommitted)), "isolation levels other than")
	fails[*sim.TaskError](explored(sqlite.WAL, try, at(sql.LevelDefault)), "database is locked", "SELECT count(*) FROM slots", "schedule  book-1:3,book-2:2,book-1:1,book-2:2")
	explored(sqlite.WAL, status, at(sql.LevelDefault)).holds(30, lockedCaveat, waitedCaveat, snapshotCaveat, insertCaveat, idCaveat)
	contains(t, explored(sqlite.Rollback, status, at(sql.LevelDefault)).violated("book-1:3,book-2:2"), "deadlock: book-1 waits for book-2 in COMMIT")
	explored(sqlite.SharedCache, status, at(sql.LevelDefault)).violated("book-1:2,book-2:4,book-1:2")
	explored(sqlite.InMemory, status, atOnce, "CREATE UNIQUE INDEX slot ON slots (at)").holds(6, idCaveat)
}

// TestLease (RedLock.net 93): a leader goes on after its lease has ended. The fix asks a
// clock how old the lease is, and time.Now is not that of the simulation: an error, where
// the search alone would call it violated.
func TestLease(t *testing.T) {
	const lease = 4 * time.Second
	lead := func(name string, pause, goodFor time.Duration) operation {
		return try(name, func(ctx context.Context, s *Shop) error {
			begun := time.Now()
			ok, err := s.Redis.SetNX(ctx, "leader", name, lease).Result()
			if err != nil || !ok {
				return err
			}
			s.Sleep(pause)
			if time.Since(begun) > goodFor {
				return nil
			}
			if err := s.Products.DB.QueryRowContext(ctx, "SELECT v FROM kv").Scan(new(int)); err != nil { // leads from here
				return err
			}
			_, err = s.Products.DB.ExecContext(ctx, "UPDATE kv SET v = 10") // to here
			return err
		})
	}
	oneLeads := sim.Property{Name: "one leads", Always: true, Monitor: &sim.Monitor{After: func(leaders string, e sim.Event) string {
		switch {
		case !e.Executes() || e.Request.Store != "db":
			return leaders
		case strings.Contains(leaders, e.Name):
			return strings.ReplaceAll(leaders, e.Name, "")
		}
		return leaders + e.Name
	}}, Violation: func(v sim.View) string {
		if len(v.Monitor) > 1 {
			return v.Monitor + " lead"
		}
		return ""
	}}
	for goodFor, wants := range map[time.Duration]func(*finding){
		time.Hour: func(f *finding) { f.verdict(explore.Violated) },
		2 * time.Second: func(f *finding) {
			fails[*explore.NondeterminismError](f, "most likely cause: the wall clock, such as time.Now")
		},
	} {
		w := newReport(t, sqlite.InMemory, "CREATE TABLE kv (v INTEGER)", "INSERT INTO kv VALUES (10)")
		sys := w.system(oneLeads, w.apart(lead("a", 5*time.Second, goodFor), lead("b", 0, goodFor))...)
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
		wants(check(t, sys, explore.ProductOptions{}))
	}
}

// A lockAlone sets a key with a TTL, does something, and asks whether it is still there.
func lockAlone(ttl time.Duration, between func(context.Context, *Shop) error) operation {
	return operation{"a", func(ctx context.Context, s *Shop) (string, error) {
		if err := s.Redis.Set(ctx, "lock", 1, ttl).Err(); err != nil {
			return "", err
		}
		if err := between(ctx, s); err != nil {
			return "", err
		}
		n, err := s.Redis.Exists(ctx, "lock").Result()
		return fmt.Sprint(n), err
	}}
}

var stillThere = sim.Property{Name: "the lock is there", Violation: func(v sim.View) string {
	if v.Results[0] == "0" {
		return "the lock has lapsed"
	}
	return ""
}}

// TestBoundedStall: a SELECT that waits for nobody takes no longer than a stall, in every
// mode of the database. So two requests later a TTL of ten stalls has not ended.
func TestBoundedStall(t *testing.T) {
	for _, mode := range []sqlite.Mode{sqlite.InMemory, sqlite.WAL, sqlite.Rollback, sqlite.SharedCache} {
		w := newReport(t, mode, "CREATE TABLE kv (v INTEGER)", "INSERT INTO kv VALUES (10)")
		sys := w.system(stillThere, w.apart(lockAlone(10*time.Second, func(ctx context.Context, s *Shop) error {
			return s.Products.DB.QueryRowContext(ctx, "SELECT v FROM kv").Scan(new(int))
		}))...)
		sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
		check(t, sys, explore.ProductOptions{}).verdict(explore.Holds)
	}
}

// TestStallMeansTheSame: two requests of a task can be executed two stalls apart, also if
// it is alone in its process.
func TestStallMeansTheSame(t *testing.T) {
	nothing := func(context.Context, *Shop) error { return nil }
	idle := operation{"idle", func(context.Context, *Shop) (string, error) { return "", nil }}
	for ttl, wants := range map[time.Duration]explore.Verdict{2 * time.Second: explore.Violated, 3 * time.Second: explore.Holds} {
		w := newReport(t, sqlite.InMemory)
		for _, programs := range [][]sim.Program{w.apart(lockAlone(ttl, nothing)), {w.server(lockAlone(ttl, nothing), idle)}} {
			sys := w.system(stillThere, programs...)
			sys.Timing = &sim.Timing{Tick: time.Second, MaxStall: time.Second}
			check(t, sys, explore.ProductOptions{}).verdict(wants)
		}
	}
}
