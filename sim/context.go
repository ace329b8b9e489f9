package sim

import (
	"context"
	"time"
)

// A taskContext is the context of the tasks of a process. Without a base it shows that
// it is canceled when it is, and up to then looks like one that never will be: a
// library starts a goroutine for a context that can be canceled, such as database/sql
// for every query, and those would cost more than the rest of a short execution.
type taskContext struct {
	process *Process
	base    context.Context // that of [Process.Context]; nil unless somebody has asked
}

var _ context.Context = (*taskContext)(nil)

// closed is what Done returns for a context without a base once it is canceled.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (c *taskContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (c *taskContext) Value(key any) any {
	if c.base == nil {
		return nil
	}
	return c.base.Value(key)
}

func (c *taskContext) Done() <-chan struct{} {
	over := c.look()
	switch {
	case c.base != nil:
		return c.base.Done()
	case over:
		return closed
	}
	return nil
}

func (c *taskContext) Err() error {
	over := c.look()
	switch {
	case c.base != nil:
		return c.base.Err()
	case over:
		return context.Canceled
	}
	return nil
}

// look says whether the process is over. That counts as asking in vain: go-redis
// answers a task by its context alone then, so one that tries again for ever asks for
// nothing else any more.
func (c *taskContext) look() bool {
	if !c.process.over.Load() {
		return false
	}
	if task := c.process.running(); task != nil {
		task.askInVain()
	}
	return true
}
