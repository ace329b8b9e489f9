package sqlclient

import "context"

type awaitKey struct{}

// Await returns a context for one poll: the first query with it is blocked while it
// has no row, and whatever follows is as without it. It stands for a loop that polls
// with any period: a poll that finds nothing changes nothing and tells its task
// nothing, so to leave it out loses no state, and the one that finds something can
// be at any later time. What the loop does around a poll that finds nothing is not
// run.
//
// It panics if the first use of the context is not a SELECT outside a transaction.
func Await(ctx context.Context) context.Context {
	return context.WithValue(ctx, awaitKey{}, new(bool))
}

// awaits says whether it is called for the first time with a context of Await.
func awaits(ctx context.Context) bool {
	used, ok := ctx.Value(awaitKey{}).(*bool)
	if !ok || *used {
		return false
	}
	*used = true
	return true
}

const misusedAwait = "quiesce: a context of Await is first used for a SELECT outside a transaction"
