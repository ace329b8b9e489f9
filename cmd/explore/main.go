// Explore searches all interleavings of a cache strategy for one after which
// cache and database disagree.
//
//	go run ./cmd/explore -strategy cache-aside
//
// Exit status: 0 the property holds, 1 it is violated, 2 the arguments or the
// environment are at fault, 3 the search was incomplete or had nothing to judge.
// SIGINT and SIGTERM make it incomplete and print what was covered. With -replay and -claim another question
// is asked, and 0 does not mean that the property holds: see docs/output.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so the second one kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
