package libs

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"quiesce"
)

// accounts are two, between which 30 are moved.
type accounts struct{ db *sql.DB }

// total reads both at the same time.
func (a accounts) total(ctx context.Context) (any, error) {
	var balances [2]int64
	g, ctx := errgroup.WithContext(ctx)
	for i := range balances {
		g.Go(func() error {
			return a.db.QueryRowContext(ctx, "SELECT balance FROM accounts WHERE id = ?", i+1).Scan(&balances[i])
		})
	}
	err := g.Wait()
	return balances[0] + balances[1], err
}

// totalAtOnce reads both in one statement.
func (a accounts) totalAtOnce(ctx context.Context) (sum any, err error) {
	err = a.db.QueryRowContext(ctx, "SELECT sum(balance) FROM accounts").Scan(&sum)
	return sum, err
}

func (a accounts) transfer(ctx context.Context) error {
	_, err := a.db.ExecContext(ctx, "UPDATE accounts SET balance = balance + CASE id WHEN 1 THEN -30 ELSE 30 END")
	return err
}

// TestErrgroup reads on two goroutines, between which others come. Of the fixed one there
// are 6 over 3 interleavings: see TestLRU.
func TestErrgroup(t *testing.T) {
	service := func(total func(accounts, context.Context) (any, error)) func(*quiesce.World) {
		return func(w *quiesce.World) {
			db := w.SQLite("db", "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)", "INSERT INTO accounts VALUES (1, 50), (2, 50)")
			w.Server("bank", func(p *quiesce.Process) {
				a := accounts{db.Open(p)}
				p.GoResult("total", func(ctx context.Context) (any, error) { return total(a, ctx) })
				p.Go("transfer", a.transfer)
			})
			w.AtQuiescence("the total stays", func(v quiesce.View) error {
				var sum int64
				if v.Result("total", &sum) && sum != 100 {
					return fmt.Errorf("it is %d", sum)
				}
				return nil
			})
		}
	}
	violated(t, service(accounts.total), "the total stays", "it is")
	holds(t, "20", service(accounts.totalAtOnce))
}
