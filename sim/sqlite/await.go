package sqlite

import (
	"context"

	"quiesce/sim/sqlclient"
)

// Await returns a context for one poll: see [sqlclient.Await].
func Await(ctx context.Context) context.Context { return sqlclient.Await(ctx) }
