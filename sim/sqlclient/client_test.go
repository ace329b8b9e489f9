package sqlclient

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/sim"
)

// A script is a store that knows nothing: it answers every query with one row and fails
// where it is asked to. A client cannot tell it from a database.
type script struct{ *Databases }

// A dialectError is one that the driver of some database has.
type dialectError struct{ code string }

func (e dialectError) Error() string { return "SQLSTATE " + e.code }

func newScript(t *testing.T) *script {
	s := &script{New("db", Options{Transactions: true, Cause: func(code string) error { return dialectError{code} }})}
	t.Cleanup(s.Close)
	return s
}

func (s *script) Name() string                  { return "db" }
func (s *script) Reset() error                  { return nil }
func (s *script) Content() (sim.Content, error) { return nil, nil }

func (s *script) Execute(req sim.Request) (sim.Reply, error) {
	c, err := ParseCall(req.Body)
	if err != nil {
		return sim.Reply{}, err
	}
	var b []byte
	switch {
	case c.Kind == Begin || c.Kind == Commit || c.Kind == Rollback:
		return DoneReply, nil
	case strings.HasPrefix(c.SQL, "FAIL"):
		b = AppendError(nil, "23505", "duplicate")
	case c.Kind == Exec:
		b = AppendResult(nil, Result{ID: 7, Changes: 2})
	default:
		row := []driver.Value{int64(len(c.Args)), "x"}
		if b, err = AppendRow(AppendColumns(nil, []string{"n", "s"}, []string{"", ""}), row); err == nil {
			b = AppendEnd(b)
		}
	}
	return sim.Reply{Body: string(b)}, err
}

func (s *script) Describe(req sim.Request, reply sim.Reply) (string, string) {
	return req.Body, reply.Body
}

type task func(context.Context, *sql.DB) error

func system(s *script, do task) *sim.System {
	return &sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{{Name: "task", New: func(p *sim.Process) []sim.Task {
		db := s.Open(p, false)
		return []sim.Task{func(ctx context.Context) (string, error) { return "", do(ctx, db) }}
	}}}}
}

// run runs a task to its end, and returns what it has asked for.
func run(s *script, do task) (asked []sim.Request, err error) {
	e, err := system(s, do).Start()
	if err != nil {
		return nil, err
	}
	defer e.Stop()
	for {
		req, ok := e.Pending(0)
		if !ok {
			return asked, nil
		}
		asked = append(asked, req)
		if err := e.Step(0); err != nil {
			return asked, err
		}
	}
}

func mustRun(t *testing.T, s *script, do task) []sim.Request {
	t.Helper()
	asked, err := run(s, do)
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

// TestRequests is what a client asks for, and what it makes of the replies.
func TestRequests(t *testing.T) {
	s := newScript(t)
	asked := mustRun(t, s, func(ctx context.Context, db *sql.DB) error {
		var n int
		var x string
		if err := db.QueryRowContext(Await(ctx), "SELECT a FROM t WHERE b = ? AND c = ?", 1, "y").Scan(&n, &x); err != nil || n != 2 || x != "x" {
			t.Errorf("%d, %q, %v", n, x, err)
		}
		tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return err
		}
		res, err := tx.Exec("UPDATE t SET a = 1")
		if err != nil {
			return err
		}
		id, _ := res.LastInsertId()
		if rows, _ := res.RowsAffected(); id != 7 || rows != 2 {
			t.Errorf("id %d, %d rows", id, rows)
		}
		var dialect dialectError
		if _, err := tx.Exec("FAIL"); !errors.As(err, &dialect) || dialect.code != "23505" || err.Error() != "duplicate" {
			t.Errorf("%v", err)
		}
		return tx.Commit()
	})
	var got []string
	for _, req := range asked {
		c, err := ParseCall(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		text := string(c.Kind) + " " + c.SQL
		if b, err := c.Beginning(); err == nil && b != (Beginning{ReadOnly: true}) {
			t.Errorf("%+v begins", b)
		}
		if req.Awaits {
			text = "await " + text
		}
		got = append(got, strings.TrimSpace(req.Conn+" "+text))
	}
	want := []string{"await q SELECT a FROM t WHERE b = ? AND c = ?", "task#0 b", "task#0 x UPDATE t SET a = 1", "task#0 x FAIL", "task#0 c"}
	if !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	if n := s.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A sql.DB that a service opens itself asks for the same as one of Open, also where
// somebody has wrapped its connector.
func TestConnector(t *testing.T) {
	s := newScript(t)
	do := func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE t SET a = 1"); err != nil {
			return err
		}
		return tx.Commit()
	}
	want := mustRun(t, s, do)
	e, err := (&sim.System{Stores: []sim.Store{s}, Programs: []sim.Program{{Name: "task", New: func(p *sim.Process) []sim.Task {
		db := sql.OpenDB(struct{ driver.Connector }{s.Connector(p, false)})
		return []sim.Task{func(ctx context.Context) (string, error) {
			defer db.Close()
			return "", do(ctx, db)
		}}
	}}}}).Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	var got []sim.Request
	for req, ok := e.Pending(0); ok; req, ok = e.Pending(0) {
		got = append(got, req)
		if err := e.Step(0); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) != 3 || !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	if n := s.Stats(); n != (Stats{Free: 1}) { // that of Open
		t.Errorf("%+v is left", n)
	}
}

// What a task does to its database does not reach the next one.
func TestReuse(t *testing.T) {
	s := newScript(t)
	tests := []struct {
		name   string
		reused bool
		task   task
	}{
		{"clean", true, func(ctx context.Context, db *sql.DB) error { return nil }},
		{"settings", true, func(ctx context.Context, db *sql.DB) error {
			db.SetMaxOpenConns(1)
			db.SetMaxIdleConns(-1)
			db.SetConnMaxLifetime(time.Hour)
			return db.Ping()
		}},
		{"open rows", false, func(ctx context.Context, db *sql.DB) error { _, err := db.Query(`SELECT 1`); return err }},
		{"open statement", false, func(ctx context.Context, db *sql.DB) error { _, err := db.Prepare(`SELECT 1`); return err }},
		{"open connection", false, func(ctx context.Context, db *sql.DB) error { _, err := db.Conn(ctx); return err }},
		{"closed", false, func(ctx context.Context, db *sql.DB) error { return db.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var used *sql.DB
			mustRun(t, s, func(ctx context.Context, db *sql.DB) error { used = db; return tt.task(ctx, db) })
			mustRun(t, s, func(ctx context.Context, db *sql.DB) error {
				if (db == used) != tt.reused {
					t.Errorf("reused: %v", db == used)
				}
				if n := db.Stats().MaxOpenConnections; n != 0 {
					t.Errorf("MaxOpenConnections is %d", n)
				}
				return db.Ping()
			})
		})
	}
	if _, err := run(s, func(context.Context, *sql.DB) error { return errors.New("failed") }); err == nil || s.Stats().Free != 0 {
		t.Errorf("%v, %d databases are free", err, s.Stats().Free)
	}
}

func TestOutside(t *testing.T) {
	s := newScript(t)
	_, err := run(s, func(ctx context.Context, db *sql.DB) error {
		done := make(chan error)
		go func() {
			_, err := db.Exec(`DELETE FROM t`)
			done <- err
		}()
		if err := <-done; !errors.Is(err, sim.ErrOutside) {
			t.Errorf("the goroutine got %v", err)
		}
		return nil
	})
	if !errors.Is(err, sim.ErrOutside) {
		t.Errorf("the run ended with %v", err)
	}
	// After the end of its process, too.
	var old *sql.DB
	sys := system(s, func(ctx context.Context, db *sql.DB) error { old = db; return nil })
	if _, err := sys.Process(0); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(`DELETE FROM t`); !errors.Is(err, sim.ErrOutside) || sys.Stray() == nil {
		t.Error(err, sys.Stray())
	}
}
