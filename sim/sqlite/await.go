package sqlite

import "context"

type awaitKey struct{}

// Await returns a context with which a query outside a transaction is blocked while
// it has no row. It stands for a loop that polls with any period: a poll that
// finds nothing changes nothing and tells its task nothing, so to leave it out loses
// no state, and the one that finds something can be at any later time. What the loop
// does between its polls is not run.
//
// It panics to use the context for anything but a SELECT, or in a transaction.
func Await(ctx context.Context) context.Context { return context.WithValue(ctx, awaitKey{}, true) }

func awaits(ctx context.Context) bool { return ctx.Value(awaitKey{}) != nil }

const misusedAwait = "sqlite: a context of Await is for a SELECT outside a transaction"
