package shop_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"quiesce"
)

// TestMain keeps no counterexamples: these tests are about finding them.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("quiesce.keep", "false"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// A failure is a test that is wanted to fail.
type failure struct {
	*testing.T
	text string
}

func (f *failure) Error(args ...any) { f.text += strings.TrimSuffix(fmt.Sprintln(args...), "\n") }
func (f *failure) Fatal(args ...any) { f.Error(args...); runtime.Goexit() }

// finds is quiesce.Test for a test that is wanted to fail with these words, in their order. It
// logs the failure, as go test -v shows it.
func finds(t *testing.T, build func(*quiesce.World), words ...string) {
	t.Helper()
	f, ended := &failure{T: t}, make(chan struct{})
	go func() {
		defer close(ended)
		quiesce.Test(f, build)
	}()
	<-ended
	rest, ok := f.text, f.text != ""
	for _, w := range words {
		var found bool
		_, rest, found = strings.Cut(rest, w)
		ok = ok && found
	}
	if !ok {
		t.Fatalf("it does not fail with %q: %s", words, f.text)
	}
	t.Log("as wanted, the test fails:\n" + f.text)
}

// ask asks the API, and wants it to answer 200.
func ask(ctx context.Context, api http.Handler, method, path, body string) error {
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body)))
	switch w.Code {
	case http.StatusOK:
		return nil
	case http.StatusGatewayTimeout:
		return context.DeadlineExceeded
	}
	return fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
}
