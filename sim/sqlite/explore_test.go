package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"quiesce/explore"
	"quiesce/sim"
	"quiesce/sim/sqlclient"
)

// work is what a task does in the systems below.
type work = func(context.Context, *sql.DB) (string, error)

// workers returns programs with one task each.
func workers(open func(*sim.Process) *sql.DB, tasks ...work) []sim.Program {
	var programs []sim.Program
	for i, f := range tasks {
		programs = append(programs, sim.Program{Name: fmt.Sprintf("worker-%d", i+1), New: func(p *sim.Process) []sim.Task {
			db := open(p)
			return []sim.Task{func(ctx context.Context) (string, error) { return f(ctx, db) }}
		}})
	}
	return programs
}

// isBusySnapshot reports whether somebody else has committed first.
func isBusySnapshot(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrBusySnapshot
}

// increment reads and writes in one transaction. It returns "failed" if somebody
// else has committed in between.
func increment(ctx context.Context, db *sql.DB) (string, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	read, err := tx.PrepareContext(ctx, `SELECT n FROM t WHERE id = ?`)
	if err != nil {
		return "", err
	}
	var n int
	if err := read.QueryRowContext(ctx, 1).Scan(&n); err != nil {
		return "", err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE t SET n = ? WHERE id = 1`, n+1); isBusySnapshot(err) {
		return "failed", nil
	} else if err != nil {
		return "", err
	}
	return "", tx.Commit()
}

var noLostUpdate = sim.Property{Name: "no-lost-update", Violation: func(v sim.View) string {
	failed := 0
	for _, r := range v.Results {
		if r == "failed" {
			failed++
		}
	}
	row, _ := v.Contents[0].Lookup("t/1")
	if want := fmt.Sprintf(`{"id":1,"n":%d}`, len(v.Results)-failed); row != want || len(v.Contents[0]) != 2 {
		return fmt.Sprintf("%q after %d failures", v.Contents[0], failed)
	}
	return ""
}}

// both explores a system with both engines, which have to agree.
func both(t *testing.T, sys *sim.System) (direct, product *explore.Result) {
	t.Helper()
	ctx := context.Background()
	finals := [2]map[string]bool{{}, {}}
	final := func(i int) func(sim.View) {
		return func(v sim.View) { finals[i][fmt.Sprintf("%s %q", v.Contents[0].Key(), v.Results)] = true }
	}
	direct, err := explore.Direct(ctx, sys, explore.DirectOptions{Quiescent: final(0)})
	if err != nil {
		t.Fatal(err)
	}
	product, err = explore.Product(ctx, sys, explore.ProductOptions{Quiescent: final(1), NoSymmetry: true, Audit: 20})
	if err != nil {
		t.Fatal(err)
	}
	if direct.Verdict != product.Verdict || direct.Interleavings.Cmp(product.Interleavings) != 0 || direct.Violating.Cmp(product.Violating) != 0 {
		t.Errorf("direct: %s, %s of %s; product: %s, %s of %s", direct.Verdict, direct.Violating, direct.Interleavings,
			product.Verdict, product.Violating, product.Interleavings)
	}
	if fmt.Sprint(finals[0]) != fmt.Sprint(finals[1]) {
		t.Errorf("final states %v and %v", finals[0], finals[1])
	}
	if d, p := direct.Counterexample, product.Counterexample; d != nil && (p == nil || d.Violation != p.Violation || d.Token != p.Token) {
		t.Errorf("counterexamples %+v and %+v", d, p)
	}
	return direct, product
}

// snapshots counts the interleavings of n increments under snapshot isolation with
// one writer at a time.
func snapshots(n int) string {
	const begin, read, write, end, finished = 0, 1, 2, 3, 4
	type worker struct{ at, snapshot, wrote int }
	workers := make([]worker, n)
	var count func(version int) int
	count = func(version int) int {
		total, over := 0, true
		for i := range workers {
			was, next := workers[i], version
			busy := false
			for _, other := range workers {
				busy = busy || other.wrote == 1
			}
			if was.at == finished {
				continue
			}
			over = false
			w := &workers[i]
			switch {
			case was.at == write && busy:
				continue
			case was.at == read:
				w.snapshot = version
			case was.at == write && was.snapshot == version:
				w.wrote = 1
			case was.at == end:
				next += was.wrote // a rollback commits nothing
				w.wrote = 0
			}
			w.at++
			total += count(next)
			*w = was
		}
		if over {
			return 1
		}
		return total
	}
	return fmt.Sprint(count(0))
}

// TestTransactionSystems explores small systems with both engines.
func TestTransactionSystems(t *testing.T) {
	dirty := func(ctx context.Context, db *sql.DB) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE t SET n = 7 WHERE id = 1`); err != nil {
			return "", err
		}
		return "", tx.Rollback()
	}
	read := func(opts *sql.TxOptions) work {
		return func(ctx context.Context, db *sql.DB) (seen string, err error) {
			tx, err := db.BeginTx(ctx, opts)
			if err != nil {
				return "", err
			}
			if err := tx.QueryRowContext(ctx, `SELECT n FROM t WHERE id = 1`).Scan(&seen); err != nil {
				return "", err
			}
			return seen, tx.Commit()
		}
	}
	noDirtyRead := sim.Property{Name: "no-dirty-read", Violation: func(v sim.View) string {
		if slices.Contains(v.Results, "7") {
			return "7 was read, and then rolled back"
		}
		return ""
	}}
	add := func(ctx context.Context, db *sql.DB) (string, error) {
		_, err := db.ExecContext(ctx, `UPDATE t SET n = n + 1 WHERE id = 1`)
		return "", err
	}
	for _, tt := range []struct {
		name          string
		mode          Mode
		immediate     bool
		property      sim.Property
		tasks         []work
		interleavings string // "" is not known by other means
		violation     string // with prefix
	}{
		// Counted by a model of snapshots, which knows nothing of SQLite.
		{"WAL", WAL, false, noLostUpdate, []work{increment, increment}, snapshots(2), ""},
		{"WAL, 3 workers", WAL, false, noLostUpdate, []work{increment, increment, increment}, snapshots(3), ""},
		// Whoever begins first does all of it: 3! orders.
		{"FOR UPDATE", WAL, true, noLostUpdate, []work{increment, increment, increment}, "6", ""},
		{"FOR UPDATE and autocommit", WAL, true, noLostUpdate, []work{increment, add, add}, "6", ""},
		{"default", WAL, false, noDirtyRead, []work{dirty, read(nil)}, "20", ""},                              // 6 over 3
		{"read only", WAL, false, noDirtyRead, []work{dirty, read(&sql.TxOptions{ReadOnly: true})}, "20", ""}, // 6 over 3
		{"read uncommitted", SharedCache, false, noDirtyRead, []work{dirty, read(&sql.TxOptions{Isolation: sql.LevelReadUncommitted})}, "20", "7 was read"},
		{"rollback journal", Rollback, false, noLostUpdate, []work{increment, increment}, "", "deadlock: worker-1 waits for worker-2 in "},
		{"rollback journal, 3 workers", Rollback, false, noLostUpdate, []work{increment, increment, add}, "", "deadlock: worker-1 waits for worker-2 in "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && len(tt.tasks) > 2 {
				t.Skip("short")
			}
			s := newStoreIn(t, tt.mode, counter...)
			open := s.Open
			if tt.immediate {
				open = s.OpenImmediate
			}
			sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(open, tt.tasks...), Property: tt.property}
			d, p := both(t, sys)
			t.Logf("%s: %s of %s, %d states, %d really executed", d.Verdict, d.Violating, d.Interleavings, p.Statistics.States, p.Statistics.StoreExecuted)
			if tt.interleavings != "" && d.Interleavings.String() != tt.interleavings {
				t.Errorf("%s interleavings, want %s", d.Interleavings, tt.interleavings)
			}
			if c := d.Counterexample; (c != nil) != (tt.violation != "") || c != nil && !strings.HasPrefix(c.Violation, tt.violation) {
				t.Errorf("%+v, want %q", c, tt.violation)
			}
		})
	}
}

// TestDeadlockText pins the wait cycle and the trace that leads into it.
func TestDeadlockText(t *testing.T) {
	s := newStoreIn(t, Rollback, counter...)
	sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, increment, increment), Property: noLostUpdate}
	r, err := explore.Product(context.Background(), sys, explore.ProductOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, step := range r.Counterexample.Steps {
		got = append(got, step.Task+": "+step.Request+" -> "+step.Reply)
	}
	got = append(got, r.Counterexample.Violation)
	want := []string{
		"worker-1: BEGIN -> OK",
		"worker-1: SELECT n FROM t WHERE id = 1 -> n=0",
		"worker-1: UPDATE t SET n = 1 WHERE id = 1 -> 1 row",
		"worker-2: BEGIN -> OK",
		"worker-2: SELECT n FROM t WHERE id = 1 -> n=0",
		"deadlock: worker-1 waits for worker-2 in COMMIT; worker-2 waits for worker-1 in UPDATE t SET n = 1 WHERE id = 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestOpenTransactionAtTheEnd(t *testing.T) {
	s := newStoreIn(t, WAL, counter...)
	left := func(ctx context.Context, db *sql.DB) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE t SET n = 1`)
		}
		return "", err
	}
	sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, left), Property: noLostUpdate}
	want := "worker-1: ended with its transaction open; call Commit or Rollback" + "\n  1. worker-1: BEGIN -> OK\n  2. worker-1: UPDATE t SET n = 1 -> 2 rows\nschedule  worker-1:2"
	if _, err := explore.Direct(context.Background(), sys, explore.DirectOptions{}); err == nil || err.Error() != want {
		t.Errorf("direct: %v", err)
	}
	if _, err := explore.Product(context.Background(), sys, explore.ProductOptions{}); err == nil || err.Error() != want {
		t.Errorf("product: %v", err)
	}
	// It is the task that is named, not the one beside it in its process.
	sys.Programs = []sim.Program{{Name: "server", Tasks: []sim.TaskSpec{{Name: "good"}, {Name: "bad"}}, New: func(p *sim.Process) []sim.Task {
		db := s.Open(p)
		return []sim.Task{
			func(ctx context.Context) (string, error) { return increment(ctx, db) },
			func(ctx context.Context) (string, error) { return left(ctx, db) },
		}
	}}}
	if _, err := explore.Product(context.Background(), sys, explore.ProductOptions{}); err == nil || !strings.HasPrefix(err.Error(), "bad: ended with") {
		t.Errorf("product: %v", err)
	}
}

// The numbers of connections depend on what the process has done, and on nothing else.
func TestNamesOfTransactions(t *testing.T) {
	s := newStoreIn(t, WAL, counter...)
	sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, func(ctx context.Context, db *sql.DB) (string, error) {
		a, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		b, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		if _, err := db.ExecContext(ctx, `UPDATE t SET n = 1`); err != nil {
			return "", err
		}
		if err := a.Rollback(); err != nil {
			return "", err
		}
		if a, err = db.BeginTx(ctx, nil); err != nil {
			return "", err
		}
		return "", errors.Join(b.Commit(), a.Commit())
	})}
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	var got []string
	for {
		req, ok := e.Pending(0)
		if !ok {
			break
		}
		text, _ := s.Describe(req, sim.Reply{})
		got = append(got, req.Conn+" "+text)
		if err := e.Step(0); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"worker-1#0 BEGIN", "worker-1#1 BEGIN", " UPDATE t SET n = 1", "worker-1#0 ROLLBACK", "worker-1#0 BEGIN", "worker-1#1 COMMIT", "worker-1#0 COMMIT"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAwait(t *testing.T) {
	for _, m := range []Mode{InMemory, WAL} {
		s := newStoreIn(t, m, counter...)
		wait := func(ctx context.Context, db *sql.DB) (id string, err error) {
			err = db.QueryRowContext(Await(ctx), `SELECT id FROM t WHERE n > 0`).Scan(&id)
			return id, err
		}
		set := func(ctx context.Context, db *sql.DB) (string, error) {
			for i := range 3 {
				if _, err := db.ExecContext(ctx, `UPDATE t SET n = n + 1 WHERE id = ?`, i); err != nil {
					return "", err
				}
			}
			return "", nil
		}
		woken := sim.Property{Name: "woken by the first", Violation: func(v sim.View) string {
			if v.Results[0] != "1" {
				return "woken by " + v.Results[0]
			}
			return ""
		}}
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, wait, set), Property: woken}
		// The updates are of rows 0 (none), 1 and 2: the reader gets in after the
		// second or the third.
		if d, _ := both(t, sys); d.Interleavings.String() != "2" || d.Verdict != explore.Holds {
			t.Errorf("%v: %s interleavings, %s", m, d.Interleavings, d.Verdict)
		}
		sys.Programs = workers(s.Open, wait)
		if d, _ := both(t, sys); d.Verdict != explore.Violated || d.Counterexample.Violation != "deadlock: worker-1 waits for await SELECT id FROM t WHERE n > 0" {
			t.Errorf("%v: %+v", m, d.Counterexample)
		}
	}
	s := newStoreIn(t, WAL, counter...)
	// A context is for one poll: what follows neither waits for a row nor is refused.
	once := func(ctx context.Context, db *sql.DB) (string, error) {
		ctx = Await(ctx)
		var id int
		if err := db.QueryRowContext(ctx, `SELECT id FROM t WHERE n = 0`).Scan(&id); err != nil {
			return "", err
		}
		if _, err := db.ExecContext(ctx, `UPDATE t SET n = 1 WHERE id = ?`, id); err != nil {
			return "", err
		}
		if err := db.QueryRowContext(ctx, `SELECT id FROM t WHERE n > 1`).Scan(&id); err != sql.ErrNoRows {
			return "", fmt.Errorf("the second query waited: %v", err)
		}
		return "", nil
	}
	sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, once), Property: sim.Property{Violation: func(sim.View) string { return "" }}}
	if d, _ := both(t, sys); d.Verdict != explore.Holds || d.Interleavings.String() != "1" {
		t.Errorf("%s in %s interleavings", d.Verdict, d.Interleavings)
	}
	for name, f := range map[string]work{
		"exec": func(ctx context.Context, db *sql.DB) (string, error) {
			_, err := db.ExecContext(Await(ctx), `UPDATE t SET n = 1`)
			return "", err
		},
		"returning": func(ctx context.Context, db *sql.DB) (string, error) {
			_, err := db.QueryContext(Await(ctx), `UPDATE t SET n = 1 RETURNING n`)
			return "", err
		},
		"transaction": func(ctx context.Context, db *sql.DB) (string, error) {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return "", err
			}
			_, err = tx.QueryContext(Await(ctx), `SELECT n FROM t`)
			return "", err
		},
	} {
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, f), Property: noLostUpdate}
		if _, err := explore.Direct(context.Background(), sys, explore.DirectOptions{}); err == nil || !strings.Contains(err.Error(), "a context of Await is first used for a SELECT outside a transaction") {
			t.Errorf("%s: %v", name, err)
		}
	}
	body, _ := sqlclient.Call{Kind: sqlclient.Query, SQL: `SELECT 1 WHERE random() IS NULL`}.Encode()
	if _, err := s.Execute(sim.Request{Body: body, Awaits: true}); err != noAwaitRandom {
		t.Error(err)
	}
}

// A transaction that is abandoned anywhere leaves no goroutine, and the store no file.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, m := range withTransactions {
		s, err := NewStore("db", Options{Setup: counter, Mode: m})
		if err != nil {
			t.Fatal(err)
		}
		plain := func(ctx context.Context, db *sql.DB) (string, error) { // without a deferred Rollback
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return "", err
			}
			rows, err := tx.QueryContext(ctx, `SELECT n FROM t`)
			if err != nil {
				return "", err
			}
			if _, err := db.ExecContext(ctx, `SELECT 1`); err != nil {
				return "", err
			}
			rows.Close()
			return "", tx.Commit()
		}
		for _, f := range []work{plain, increment} {
			for n := range 5 {
				sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, f, f)}
				e, err := sys.Start()
				if err != nil {
					t.Fatal(err)
				}
				for range min(n, 4) {
					if err := e.Step(0); err != nil {
						t.Fatal(err)
					}
				}
				e.Stop()
				if err := sys.Stray(); err != nil {
					t.Errorf("%v, after %d steps: %v", m, n, err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.dir); s.dir != "" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: %s is left: %v", m, s.dir, err)
		}
		if (s.dir == "") != (m == SharedCache) {
			t.Errorf("%v is in %q", m, s.dir)
		}
		if s.databases.Stats().Sessions != 0 {
			t.Errorf("%v: %d sessions are left", m, s.databases.Stats().Sessions)
		}
	}
	goroutines(t, before)
}
