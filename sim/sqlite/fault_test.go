package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"quiesce/explore"
	"quiesce/sim"
)

// insert puts rows into t, each in one call, and returns the errors.
func insert(ctx context.Context, do func(context.Context, string, ...any) (sql.Result, error), ids ...int) (errs []error) {
	for _, id := range ids {
		_, err := do(ctx, `INSERT INTO t VALUES (?, 0)`, id)
		errs = append(errs, err)
	}
	return errs
}

// texts writes errors as ok, error and lost.
func texts(errs ...error) string {
	var all []string
	for _, err := range errs {
		switch {
		case err == nil:
			all = append(all, "ok")
		case errors.Is(err, ErrDatabase):
			all = append(all, "error")
		case errors.Is(err, ErrNoAnswer) && errors.Is(err, os.ErrDeadlineExceeded):
			all = append(all, "lost")
		default:
			all = append(all, err.Error())
		}
	}
	return strings.Join(all, " ")
}

// single is three statements outside transactions, whatever fails.
func single(ctx context.Context, db *sql.DB) (string, error) {
	return texts(insert(ctx, db.ExecContext, 3, 4, 5)...), nil
}

// together is two in a transaction, which is committed whatever fails, and one after it.
func together(ctx context.Context, db *sql.DB) (string, error) {
	tx, err := db.BeginTx(ctx, nil)
	errs := []error{err}
	if err == nil {
		errs = append(errs, insert(ctx, tx.ExecContext, 3, 4)...)
		errs = append(errs, tx.Commit())
	}
	return texts(append(errs, insert(ctx, db.ExecContext, 5)...)...), nil
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		task  work
		fault sim.FaultKind
		at    int    // the step that it strikes, from 0
		want  string // the errors, and the rows
	}{
		{single, "", 0, "ok ok ok: 3 4 5"},
		{single, sim.RequestError, 1, "ok error ok: 3 5"},
		{single, sim.LostReply, 1, "ok lost ok: 3 4 5"},
		{together, "", 0, "ok ok ok ok ok: 3 4 5"},
		{together, sim.RequestError, 0, "error ok: 5"},
		{together, sim.RequestError, 1, "ok error ok ok ok: 4 5"},
		{together, sim.RequestError, 3, "ok ok ok error ok: 5"},
		{together, sim.LostReply, 3, "ok ok ok lost ok: 3 4 5"},
		{together, sim.LostReply, 4, "ok ok ok ok lost: 3 4 5"},
	} {
		s := newStoreIn(t, WAL, counter...)
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, tt.task), Faults: sim.Faults{sim.AnyFault: 1}}
		e, err := sys.Start()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if _, ok := e.Pending(0); !ok {
				break
			}
			m := sim.Move{}
			if i == tt.at {
				m.Fault.Kind = tt.fault
			}
			moves, _, err := e.Moves()
			if err != nil || !slices.Contains(moves, m) {
				t.Fatalf("%s at %d: no such move, %v", tt.fault, i, err)
			}
			if err := e.Do(m); err != nil {
				t.Fatal(err)
			}
		}
		v, err := e.View()
		if err != nil {
			t.Fatal(err)
		}
		got := v.Results[0] + ":"
		for id := 3; id <= 5; id++ {
			if _, ok := v.Contents[0].Lookup(fmt.Sprint("t/", id)); ok {
				got += fmt.Sprint(" ", id)
			}
		}
		if got != tt.want || len(s.transactions) > 0 {
			t.Errorf("%s at %d: got %q, want %q; %d transactions", tt.fault, tt.at, got, tt.want, len(s.transactions))
		}
		e.Stop()
	}
}

func TestFails(t *testing.T) {
	s := newStoreIn(t, WAL, counter...)
	for _, tt := range []struct{ conn, text, want string }{
		{"-", "SELECT 1", "lost-reply request-error"},
		{"-", "INSERT INTO t VALUES (3, 0)", "lost-reply request-error"},
		{"w#0", "BEGIN", "request-error"},
		{"w#0", "SELECT 1", "request-error"},
		{"w#0", "COMMIT", "lost-reply request-error"},
		{"w#0", "ROLLBACK", ""},
	} {
		var kinds []string
		for _, kind := range sim.FaultKinds {
			if s.Fails(kind, request(tt.conn, tt.text)) {
				kinds = append(kinds, string(kind))
			}
		}
		if got := strings.Join(kinds, " "); got != tt.want {
			t.Errorf("%s %s: %s", tt.conn, tt.text, got)
		}
	}
	if s.Fails(sim.Outage, sim.Request{}) {
		t.Error("the database can be down")
	}
}

// What a process has not committed goes with it, but nothing of one that has a name
// like its own.
func TestLeave(t *testing.T) {
	for _, m := range withTransactions {
		s := newStoreIn(t, m, counter...)
		for _, conn := range []string{"w-1#0", "w-10#0", "w-1#0#0"} {
			perform(t, s, conn, "BEGIN")
		}
		perform(t, s, "w-1#0", "INSERT INTO t VALUES (3, 0)")
		for _, process := range []string{"", "w", "w-1"} {
			req := s.Disconnect(process)
			if text, _ := s.Describe(req, sim.Reply{}); text != "leave "+process {
				t.Errorf("described as %s", text)
			}
			if _, err := s.Execute(req); err != nil {
				t.Fatal(err)
			}
			want := 3
			if process == "w-1" {
				want = 2
			}
			if len(s.transactions) != want {
				t.Errorf("%v: after a crash of %q there are %d transactions", m, process, len(s.transactions))
			}
		}
		script(t, s, `-: SELECT count(*) AS n FROM t -> n=2
			w-10#0: INSERT INTO t VALUES (3, 0) -> 1 row`)
	}
}

// The engines agree under each kind of fault. A task of n statements outside
// transactions has 1 interleaving without a fault, and one more for each place.
func TestFaultSystems(t *testing.T) {
	atomic := sim.Property{Name: "atomic", Violation: func(v sim.View) string {
		_, three := v.Contents[0].Lookup("t/3")
		if _, four := v.Contents[0].Lookup("t/4"); three != four {
			return "one of two"
		}
		return ""
	}}
	// careful stops when something fails.
	careful := func(ctx context.Context, db *sql.DB) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		defer tx.Rollback()
		if err := errors.Join(insert(ctx, tx.ExecContext, 3)...); err != nil {
			return "", err
		}
		if err := errors.Join(insert(ctx, tx.ExecContext, 4)...); err != nil {
			return "", err
		}
		return "", tx.Commit()
	}
	for _, tt := range []struct {
		name          string
		tasks         []work
		property      sim.Property
		kind          sim.FaultKind
		interleavings string
		violated      bool
	}{
		{"single", []work{single}, atomic, "", "1", false},
		{"single", []work{single}, atomic, sim.RequestError, "4", true},
		{"single", []work{single}, atomic, sim.LostReply, "4", false},
		{"single", []work{single}, atomic, sim.Crash, "5", true},
		{"together", []work{together}, atomic, sim.RequestError, "6", true}, // it commits what is left
		// BEGIN, two statements and COMMIT; before a crash in each of those places, or after the last.
		{"careful", []work{careful}, atomic, sim.RequestError, "5", false},
		{"careful", []work{careful}, atomic, sim.LostReply, "2", false},
		{"careful", []work{careful}, atomic, sim.Crash, "6", false},
		{"two", []work{increment, increment}, noLostUpdate, "", snapshots(2), false},
		{"two", []work{increment, increment}, noLostUpdate, sim.RequestError, "", false},
		{"two", []work{increment, increment}, noLostUpdate, sim.LostReply, "", true}, // the one that has failed has counted
		{"two", []work{increment, increment}, noLostUpdate, sim.Crash, "", true},
		{"two", []work{increment, increment}, noLostUpdate, sim.AnyFault, "", true},
	} {
		s := newStoreIn(t, WAL, counter...)
		sys := &sim.System{Stores: []sim.Store{s}, Programs: workers(s.Open, tt.tasks...), Property: tt.property}
		if tt.kind != "" {
			sys.Faults = sim.Faults{tt.kind: 1}
		}
		d, _ := both(t, sys)
		if tt.interleavings != "" && d.Interleavings.String() != tt.interleavings || (d.Verdict == explore.Violated) != tt.violated {
			t.Errorf("%s, %s: %s, %s interleavings", tt.name, tt.kind, d.Verdict, d.Interleavings)
		}
	}
}
