package sim

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A Request is one thing that a task wants done by a store. It is a plain
// comparable value: equal requests ask for the same.
type Request struct {
	Store string // the Name of the store that is to execute it
	Body  string // in the encoding of that store

	// Conn names the connection on which it comes, if the store keeps something
	// for that connection: an open transaction, a watched key, a subscription.
	// It is the name of the process, '#' and a number, as in server-1#0. Such
	// processes are told apart. "" is any connection.
	Conn string

	// Awaits says that the request is blocked while there is nothing to answer, such as
	// a lock that is not free, or no row: as a client would ask again, with any period,
	// until there is.
	Awaits bool

	// Persists says that whoever asks does so again until the store is up, so that it
	// may be blocked while that is down: see [Fallible.Retries].
	Persists bool
}

// Start and Arrive stand for what happens inside a process of several tasks and
// in no store: a task begins, and the reply to its request arrives. Yield is what
// [Process.Yield] asks for, in any process.
var (
	Start  = Request{Body: "start"}
	Arrive = Request{Body: "arrive"}
	Yield  = Request{Body: "yield"}
)

// Timer returns what stands for the next timer of a process of goroutines, which fires
// after d: at any later moment, or in a timed system exactly then.
func Timer(d time.Duration) Request { return Request{Body: timer + d.String()} }

const timer = "timer "

// Timer returns after how much time a timer fires; false for any other request.
func (r Request) Timer() (time.Duration, bool) {
	text, ok := strings.CutPrefix(r.Body, timer)
	if !ok || !r.Local() {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// Local says whether the request is [Start], [Arrive], [Yield] or a [Timer], which no
// store executes.
func (r Request) Local() bool { return r.Store == "" }

// A Reply is what a task gets for a request: what the store answers or, if a fault
// has struck the request, that it gets no answer. It is a plain comparable value.
type Reply struct {
	// Body is in the encoding of the store. An error that a real server would send (a
	// syntax error, a violated constraint) is a body like any other.
	Body string

	// Fault is the kind of fault that has struck the request: LostRequest, LostReply,
	// RequestError or Outage. The client of the store returns an error to its task then,
	// as the real one would, and the body is "". The zero value says that the store has
	// answered. In a trace it is [Crash] where nobody was left to get a reply.
	Fault FaultKind
}

// ErrBlocked is returned by [Store.Execute] for a request that cannot be
// executed now and can be tried again after another step. The content of the
// store is unchanged.
var ErrBlocked = errors.New("blocked")

// A BlockedError is an [ErrBlocked] that says who is in the way.
type BlockedError struct {
	Holders []string // the Conn of each request whose effect has to end first
}

func (e *BlockedError) Error() string { return "blocked by " + strings.Join(e.Holders, ", ") }

// Is makes a BlockedError an [ErrBlocked].
func (e *BlockedError) Is(target error) bool { return target == ErrBlocked }

// A Store is a deterministic machine that executes requests one at a time.
// A Store is used from one goroutine at a time.
type Store interface {
	// Name returns the name that requests carry, such as "cache" or "db".
	Name() string

	// Reset puts the store back into its initial content.
	Reset() error

	// Execute executes one request atomically. It returns [ErrBlocked], which may be
	// a [*BlockedError], if the request is not enabled; any other error means that
	// the simulation itself has failed and ends the run.
	Execute(Request) (Reply, error)

	// Content returns everything that later replies can depend on.
	Content() (Content, error)

	// Describe returns a request and its reply as a person would write them,
	// each in one line.
	Describe(Request, Reply) (request, reply string)
}

// Content is what a store holds, in canonical form: two contents of one store
// are equal exactly if no sequence of requests could tell them apart. When in
// doubt they differ, since merging two different states is a wrong verdict and
// keeping two equal ones apart only costs time.
type Content []Item

// An Item is one part of a [Content]: a key of the cache, a row of a table.
type Item struct {
	Name  string // unique in its content
	Value string
	Note  string // whatever else identifies the item: its type, its TTL

	// TTL is after how long the item goes away by itself; the zero value is never.
	// It is in the note as well.
	TTL time.Duration

	// same is the first item that was set at the same moment with the same TTL, in a
	// dated system; "" is none.
	same string
}

// Lookup returns the value of the item called name.
func (c Content) Lookup(name string) (value string, ok bool) {
	for _, it := range c {
		if it.Name == name {
			return it.Value, true
		}
	}
	return "", false
}

// Key returns the content as one string; equal keys mean equal contents.
func (c Content) Key() string {
	var b strings.Builder
	size := 0
	for _, it := range c {
		size += len(it.Name) + len(it.Value) + len(it.Note) + 3*len("1234:")
	}
	b.Grow(size)
	var n [20]byte
	for _, it := range c {
		for _, s := range [...]string{it.Name, it.Value, it.Note} {
			// The length first: no value can look like two.
			b.Write(strconv.AppendInt(n[:0], int64(len(s)), 10))
			b.WriteByte(':')
			b.WriteString(s)
		}
		if it.same != "" {
			b.WriteString("=" + strconv.Quote(it.same))
		}
	}
	return b.String()
}
