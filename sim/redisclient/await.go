package redisclient

import (
	"context"

	"github.com/petermattis/goid"
	"github.com/redis/go-redis/v9"
)

type awaitKey struct{}

// Await returns a context for one command: the first one with it is blocked while its
// reply is nil, 0 or an empty list, and whatever follows is as without it. So a lock is
// waited for by a SET with NX, a key by GET or EXISTS, and anything by a script:
//
//	ok, err := client.SetNX(redis.Await(ctx), "lock", token, ttl).Result()
//
// It stands for a loop that tries again with any period until it works. A try that
// finds nothing changes nothing, or the run ends with an error, and it tells its task
// nothing, so to leave it out loses no state; and the one that works can be at any later
// time. What the loop does around a try in vain is not run, and that it gives up at last
// is not explored.
//
// It panics if the first use of the context is a pipeline, or WATCH.
func Await(ctx context.Context) context.Context {
	return context.WithValue(ctx, awaitKey{}, new(bool))
}

const misusedAwait = "quiesce: a context of Await is first used for a single command"

// awaitHook marks the command that a context of Await is used for.
type awaitHook struct{ client *client }

func (h awaitHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h awaitHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		used, ok := h.first(ctx)
		if !ok {
			return next(ctx, cmd)
		}
		defer h.client.await(used)()
		err := next(ctx, cmd)
		// Whoever runs a script that the server does not know sends it once more.
		*used = !redis.HasErrorPrefix(err, "NOSCRIPT")
		return err
	}
}

// first says whether it is called for the first use of a context of Await, and returns
// what says that it was used. The handshake of a new connection comes with the context
// of the command that needs one, and is none.
func (h awaitHook) first(ctx context.Context) (used *bool, ok bool) {
	used, ok = ctx.Value(awaitKey{}).(*bool)
	return used, ok && !*used && !h.client.isAwaiting(used)
}

// await notes that the command which waits, by the context with that mark, is sent by the
// running goroutine, until done is called.
func (c *client) await(used *bool) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaiting == nil {
		c.awaiting = make(map[*bool]int64)
	}
	c.awaiting[used] = goid.Get()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.awaiting, used)
	}
}

func (c *client) isAwaiting(used *bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.awaiting[used]
	return ok
}

func (h awaitHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if _, ok := h.first(ctx); ok {
			panic(misusedAwait)
		}
		return next(ctx, cmds)
	}
}

// awaits says whether a command that is to be sent waits, as its context says.
func (c *client) awaits(v Verb) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.awaiting) == 0 {
		return false
	}
	id := goid.Get()
	for used, by := range c.awaiting {
		if by != id {
			continue
		}
		c.awaiting[used] = 0 // it is sent
		if v != Plain {
			panic(misusedAwait)
		}
		return true
	}
	return false
}
