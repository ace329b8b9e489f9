// Package libs has one test for each of the libraries that services use most beside
// Redis and a database: a tiny service that uses the library as it is meant to be used, a
// race in it that is found, and the same service without the race, which is proved.
package libs

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"quiesce"
	"quiesce/sim/overlay"
)

// schema is what the services sell, and to whom.
const schema = `
CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL, stock INTEGER NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL);
INSERT INTO products VALUES (1, 9900, 1);
`

// A product is a row of the schema.
type product struct{ ID, Price, Stock int64 }

// task is a task without a result of its own.
type task = func(context.Context) error

// A recorder is a test of which the outcome is looked at.
type recorder struct {
	*testing.T
	logs, failure string
}

func (r *recorder) Log(args ...any)   { r.logs += fmt.Sprintln(args...) }
func (r *recorder) Error(args ...any) { r.failure += fmt.Sprintln(args...) }
func (r *recorder) Fatal(args ...any) { r.Error(args...); runtime.Goexit() }

// test runs a test. Nothing is kept of it, so that it explores everything each time.
func test(t *testing.T, build func(*quiesce.World)) *recorder {
	t.Helper()
	if err := flag.Set("quiesce.keep", "false"); err != nil {
		t.Fatal(err)
	}
	r := &recorder{T: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		quiesce.Test(r, build)
	}()
	<-ended
	return r
}

// holds wants every property to hold, in so many interleavings: "20", or "" if they are
// not counted in another way.
func holds(t *testing.T, interleavings string, build func(*quiesce.World)) {
	t.Helper()
	r := test(t, build)
	if r.failure != "" {
		t.Fatal(r.failure)
	}
	t.Log(strings.TrimSpace(r.logs))
	if interleavings != "" && !strings.Contains(r.logs, ": "+interleavings+", ") {
		t.Errorf("%s interleavings are expected", interleavings)
	}
}

// violated wants a failure with these words, in this order.
func violated(t *testing.T, build func(*quiesce.World), words ...string) {
	t.Helper()
	r := test(t, build)
	failure := r.failure
	rest, found := failure, failure != ""
	for _, w := range words {
		if found {
			_, rest, found = strings.Cut(rest, w)
		}
	}
	if !found {
		t.Fatalf("%q are expected in this order, and it says:\n%s%s", words, failure, r.logs)
	}
}

// active says whether the overlay is there, by which goroutines are the same in every run
// also where they draw at random or hold a lock across a request.
func active(t *testing.T) bool {
	t.Helper()
	is, err := overlay.Active()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// overlaid skips a test that needs the overlay.
func overlaid(t *testing.T) {
	t.Helper()
	if !active(t) {
		t.Skip("needs the overlay: go run quiesce/cmd/explore overlay /tmp/quiesce && go test -overlay /tmp/quiesce/overlay.json")
	}
}

// TestMain wants the overlay where nothing may be skipped.
func TestMain(m *testing.M) {
	if is, err := overlay.Active(); os.Getenv("CI_REQUIRE") != "" && (!is || err != nil) {
		fmt.Fprintln(os.Stderr, "CI_REQUIRE is set, and the tests are built without the overlay:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
