package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A FaultKind is a kind of thing that goes wrong.
type FaultKind string

const (
	Expire       FaultKind = "expire"        // a key runs out of its TTL
	Evict        FaultKind = "evict"         // the cache drops a key to make room
	DropMessage  FaultKind = "drop-message"  // a message that was not delivered yet is lost
	LostRequest  FaultKind = "lost-request"  // a request is not executed, and its client sees a timeout
	LostReply    FaultKind = "lost-reply"    // a request is executed, and its client sees a timeout
	RequestError FaultKind = "request-error" // a statement is not executed, and its client sees an error
	Outage       FaultKind = "outage"        // from here on every request to the cache fails, up to recovery
	Crash        FaultKind = "crash"         // a process loses its memory and its connections

	// Recovery ends what Outage began. It is no fault and comes at last.
	Recovery FaultKind = "recovery"

	// AnyFault stands for each of them in [Faults].
	AnyFault FaultKind = "all"
)

// FaultKinds are those that [Faults] may name besides [AnyFault].
var FaultKinds = [...]FaultKind{Expire, LostRequest, LostReply, Outage, Crash, Evict, DropMessage, RequestError}

// Faults say how many faults may happen in one execution, by kind; those of
// AnyFault may be of any kind, and come on top. The zero value means none.
type Faults map[FaultKind]int

// MostFaults is how many faults an execution may have.
const MostFaults = 7

// String returns the faults as they are given to -faults.
func (f Faults) String() string {
	var all []string
	for _, kind := range append(FaultKinds[:], AnyFault) {
		if n := f[kind]; n > 0 {
			all = append(all, fmt.Sprintf("%s=%d", kind, n))
		}
	}
	return strings.Join(all, ",")
}

// ParseFaults reads faults such as expire=1,crash=2. The error says what is allowed; it is
// an [UnknownFaultError] if there is no such kind.
func ParseFaults(s string) (Faults, error) {
	f := Faults{}
	if s == "" {
		return f, nil
	}
	for _, part := range strings.Split(s, ",") {
		name, count, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(count)
		kind := FaultKind(name)
		switch {
		case !ok || err != nil || n < 0:
			return nil, fmt.Errorf("%q is not of the form kind=number, such as %s=1", part, Expire)
		case kind != AnyFault && !slices.Contains(FaultKinds[:], kind):
			return nil, &UnknownFaultError{name}
		case f[kind] > 0:
			return nil, fmt.Errorf("%s is given twice", kind)
		case n > 0:
			f[kind] = n
		}
	}
	return f, f.check()
}

// An UnknownFaultError says that there is no such kind of fault.
type UnknownFaultError struct{ Name string }

func (e *UnknownFaultError) Error() string {
	names := []string{string(AnyFault)}
	for _, k := range FaultKinds {
		names = append(names, string(k))
	}
	return fmt.Sprintf("there is no fault %q; the faults are %s", e.Name, strings.Join(names, ", "))
}

// Total returns the largest number of faults in an execution.
func (f Faults) Total() (n int) {
	for _, many := range f {
		n += many
	}
	return n
}

// check returns an error unless all kinds are known and the numbers in range.
func (f Faults) check() error {
	for kind, n := range f {
		if kind != AnyFault && !slices.Contains(FaultKinds[:], kind) {
			return fmt.Errorf("there is no kind of fault %q", kind)
		}
		if n < 0 {
			return fmt.Errorf("%d faults of the kind %s", n, kind)
		}
		if n > MostFaults { // the total could be too large for an int
			return tooMany(n)
		}
	}
	if n := f.Total(); n > MostFaults {
		return tooMany(n)
	}
	return nil
}

func tooMany(n int) error {
	return fmt.Errorf("%d faults are too many; an execution has at most %d", n, MostFaults)
}

// A Fault is one thing that goes wrong. The zero value is none.
type Fault struct {
	Kind   FaultKind
	Target string // the key, the connection or the process; "" if it strikes the request of a task
}

// String returns the fault as it is shown, such as "expire product:1".
func (f Fault) String() string {
	if f.Target == "" {
		return string(f.Kind)
	}
	return string(f.Kind) + " " + f.Target
}

// Environment is the task of a [Move] that no task makes.
const Environment = math.MaxInt

// A Move is one thing that can happen next: a step of a task, whose request may
// be struck by a fault, or a step of the environment, which is all fault.
type Move struct {
	Task  int // index in System.Tasks, or Environment
	Fault Fault
}

// Compare orders moves by task, those of the environment last, and then by fault.
func (m Move) Compare(n Move) int {
	return cmp.Or(cmp.Compare(m.Task, n.Task), strings.Compare(string(m.Fault.Kind), string(n.Fault.Kind)), strings.Compare(m.Fault.Target, n.Fault.Target))
}

// Strikes says whether the move spends one of the faults of the system.
func (m Move) Strikes() bool {
	return m.Fault.Kind != "" && m.Fault.Kind != Recovery && m.Fault.Kind != Tick && m.Fault.Kind != Lapse
}

// lasting are the kinds of faults that last from where they strike up to [Recovery].
var lasting = [...]FaultKind{Outage}

// An EnvironmentState is what the environment can still do: it is the state of a machine
// that only faults move.
type EnvironmentState struct {
	left  [len(FaultKinds) + 1]uint8 // by FaultKinds, then of any kind
	lasts [len(lasting)]bool
	times string // the zone of a dated system: see System.Dated
}

// begin returns the state in which every execution starts.
func (f Faults) begin() (w EnvironmentState) {
	for i, kind := range FaultKinds {
		w.left[i] = uint8(f[kind])
	}
	w.left[len(FaultKinds)] = uint8(f[AnyFault])
	return w
}

// Down says whether the cache is down.
func (w EnvironmentState) Down() bool { return w.lasting(Outage) }

// lasting says whether a fault of a kind lasts.
func (w EnvironmentState) lasting(kind FaultKind) bool {
	i := slices.Index(lasting[:], kind)
	return i >= 0 && w.lasts[i]
}

// Left returns how many faults can still happen.
func (w EnvironmentState) Left() (n int) {
	for _, many := range w.left {
		n += int(many)
	}
	return n
}

// Allows says whether a fault of the kind can happen.
func (w EnvironmentState) Allows(kind FaultKind) bool {
	switch {
	case kind == "" || kind == Tick || kind == Lapse:
		return true
	case kind == Recovery:
		return w.lasts != [len(lasting)]bool{}
	case w.lasting(kind):
		return false
	}
	i := slices.Index(FaultKinds[:], kind)
	return i >= 0 && (w.left[i] > 0 || w.left[len(FaultKinds)] > 0)
}

// After returns the state after a fault of the kind, which has to be allowed.
func (w EnvironmentState) After(kind FaultKind) EnvironmentState {
	switch kind {
	case "", Tick, Lapse:
		return w
	case Recovery:
		w.lasts = [len(lasting)]bool{}
		return w
	}
	if i := slices.Index(lasting[:], kind); i >= 0 {
		w.lasts[i] = true
	}
	i := slices.Index(FaultKinds[:], kind)
	if w.left[i] == 0 {
		i = len(FaultKinds)
	}
	w.left[i]--
	return w
}

// A Fallible store is one that faults can strike. What the environment does to
// its content is a request like any other, without a task that makes it.
type Fallible interface {
	Store

	// Fails says whether a fault of the kind, which is LostRequest, LostReply or
	// RequestError, can strike the request; or for Outage whether the store can be
	// down.
	Fails(FaultKind, Request) bool

	// Incidents returns what can happen to the content as it is now by a fault of
	// the kind, which is Expire, Evict, DropMessage or Lapse. After the request of
	// a Lapse there are fewer of that kind, or else the run ends with [ErrLapse].
	Incidents(FaultKind) ([]Incident, error)

	// Retries says whether the request is one of a client that tries again until it
	// works, so that only the last time matters: it is blocked while the store is
	// down. Any other one fails then.
	Retries(Request) bool

	// Cleanup returns the request by which the store loses what it keeps for the
	// connection of a request that a fault has struck: of a kind as in Fails. It
	// returns false if the store keeps everything.
	Cleanup(FaultKind, Request) (Request, bool)

	// Disconnect returns the request that takes back whatever the store keeps for the
	// connections of a process, which has crashed. "" breaks the connections of all
	// processes: each learns about that from its next request on them.
	Disconnect(process string) Request
}

// An Incident is a fault in the content of a store.
type Incident struct {
	Target  string // unique among those of its kind
	Request Request
}

// struck are the kinds of faults of a request, in the order in which they are tried.
var struck = []FaultKind{RequestError, LostReply, LostRequest}

// incidents are the kinds of what happens in the content of a store.
var incidents = []FaultKind{DropMessage, Evict, Expire, Lapse}

// Describe returns the failure as it is shown in a trace.
func (k FaultKind) Describe() string {
	switch k {
	case LostRequest, LostReply:
		return "timeout"
	case Outage:
		return "connection refused"
	case Crash:
		return "no reply"
	}
	return "error"
}
