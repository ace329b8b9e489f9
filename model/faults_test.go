package model_test

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// faultLetters are the letters of faultTable, in the order in which they stand there.
var faultLetters = []struct {
	letter string
	kind   sim.FaultKind
}{
	{"x", sim.Expire}, {"v", sim.Evict}, {"q", sim.LostRequest}, {"r", sim.LostReply},
	{"d", sim.Outage}, {"c", sim.Crash}, {"m", sim.DropMessage}, {"b", sim.RequestError},
}

// faultTable has a line for every strategy with a cache: for a cold and then for a
// warm cache what breaks coherent, no-silent-staleness and available of 1 reader and
// 1 writer. "!" is nothing but the order of the steps; "." is no single fault; else
// each letter is a fault that does, of which one happens.
//
// What may surprise:
//
//   - no order of warm readers and writers violates cache-aside at this size, and with
//     a fault it needs no race: whatever keeps the DEL from the cache leaves the old
//     entry. Its caller is told, but for x and v, where the reader misses and is slow;
//   - r breaks coherent where only the database is written first, too: the UPDATE is
//     executed, and the writer, who cannot know, does not go on to the DEL;
//   - a writer that crashes is not silent: its caller has lost the connection;
//   - lock is not available without a fault, since a caller who has waited in vain is
//     told so. From a warm cache a reader that finds the lock taken has to miss first,
//     for which it takes x or v; the other letters are failures;
//   - a crash of the server is not silent in local-pubsub, and an outage is: a
//     subscription that broke unnoticed misses the message that the writer published;
//   - outbox from a warm cache is coherent whatever fails: nobody but its relay asks
//     anything of the cache that matters, and what has failed it does again, since the
//     entry is still in the outbox. The writer's change and its entry are one;
//   - that relay, like all work in the background, has no caller to be told, so what it
//     breaks it breaks silently: write-behind is silent about r, c and b, where the
//     entry is taken out of the queue and the database never gets it;
//   - x does not break refresh-ahead from a warm cache in another way than cache-aside:
//     untimed, an entry is never near its end. See TestTimed.
const faultTable = `
cache-aside                   !       !    qrd    xvqrdc  xv   qrd
circuit-breaker               !       !    .      xvqrdc  xvqd .
delayed-double-delete         !       !    qrd    !       !    qrd
delete-first                  !       !    qrd    !       !    qrd
double-delete                 !       !    qrd    !       !    qrd
event-bus                     !       !    .      !       !    .
event-stream                  !       !    qrd    xvqrdc  xv   qrd
event-stream-warm             !       !    qrd    xvqrdc  xv   qrd
in-transaction                !       !    qrd    !       !    qrd
lease                         qrdc    .    qrd    qrdc    .    qrd
lease-shared-token            qrdc    .    qrd    qrdc    .    qrd
local-pubsub                  !       !    qrd    qrdcm   dm   qrd
lock                          xvqrdc  xv   !      qrdc    .    xvqrd
lock-fenced                   qrdc    .    !      qrdc    .    xvqrd
lock-fill-only                !       !    qrd    xvqrdc  xv   qrd
naive                         !       !    qrd    !       !    qrd
negative-cache                !       !    qrd    xvqrdc  xv   qrd
outbox                        !       !    qrd    xv      xv   qrd
outbox-versioned              xv      xv   qrd    .       .    qrd
polling                       !       !    .      !       !    .
read-modify-write-from-cache  !       !    qrd    xvqrdc  xv   qrd
refresh-ahead                 !       !    qrd    xvqrdc  xv   qrd
setnx-fill                    !       !    qrd    xvqrdc  xv   qrd
stale-while-revalidate        !       !    qrd    xvqrdc  xv   qrd
swallowed-delete              !       !    qrd    xvqrdc  xvqd qrd
ttl                           !       !    qrd    !       !    qrd
versioned                     xvqrdc  xv   qrd    qrdc    .    qrd
versioned-tombstone           xvqrdc  xv   qrd    qrdc    .    qrd
watch                         !       !    qrd    xvqrdc  xv   qrd
watch-marker                  qrdc    .    qrd    qrdc    .    qrd
write-behind                  !       !    qrd    xvrcb   xvrcb qrd
write-through                 !       !    qrd    xvqrdcb xv   qrd
`

func TestFaults(t *testing.T) {
	t.Parallel()
	rows := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(faultTable)) {
		name, _, _ := strings.Cut(line, " ")
		rows[name] = strings.Join(strings.Fields(line), " ")
	}
	for _, s := range model.Caches() {
		t.Run(s.Name, func(t *testing.T) {
			w := open(t, s.Name, 1)
			row := []string{s.Name}
			for _, warm := range []bool{false, true} {
				row = append(row, breaks(t, w, model.Workload{Readers: 1, Writers: 1, Warm: warm}, "coherent", "no-silent-staleness", "available")...)
			}
			if got := strings.Join(row, " "); got != rows[s.Name] {
				t.Errorf("%s\nwant\n%s", got, rows[s.Name])
			}
		})
		delete(rows, s.Name)
	}
	for name := range rows {
		t.Errorf("there is no strategy %s", name)
	}
}

// breaks returns what breaks each of the properties, as it stands in faultTable.
func breaks(t *testing.T, w *model.World, load model.Workload, properties ...string) []string {
	t.Helper()
	row := make([]string, len(properties))
	mark := func(letter string) {
		var left []string // that need a fault
		var places []int
		for i, p := range properties {
			if row[i] != "!" {
				left, places = append(left, p), append(places, i)
			}
		}
		if len(left) == 0 {
			return
		}
		for i, violated := range violatedOf(t, w, load, left...) {
			if violated {
				row[places[i]] += letter
			}
		}
	}
	mark("!")
	for _, f := range faultLetters {
		load.Faults = sim.Faults{f.kind: 1}
		mark(f.letter)
	}
	for i := range row {
		row[i] = cmp.Or(row[i], ".")
	}
	return row
}

// violated says whether a workload violates a property.
func violated(t *testing.T, w *model.World, property string, load model.Workload) bool {
	t.Helper()
	return violatedOf(t, w, load, property)[0]
}

// violatedOf explores once for several properties with the product engine, and for each
// with the direct one as well where there are few interleavings: at most -direct / 8.
func violatedOf(t *testing.T, w *model.World, load model.Workload, properties ...string) (violated []bool) {
	t.Helper()
	var asked []model.Property
	for _, name := range properties {
		p, err := model.LookupProperty(name, w.Strategy())
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, p)
	}
	sys, each, err := w.Ask(load, asked...)
	if err != nil {
		t.Fatal(err)
	}
	results, err := explore.ProductOfEach(t.Context(), sys, each, explore.ProductOptions{Audit: explore.NoAudit})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Verdict == explore.Incomplete {
			t.Fatalf("%s, %v: %s", properties[i], load, r.Verdict)
		}
		if r.Interleavings.Cmp(big.NewInt(*directLimit/8)) <= 0 {
			d, err := explore.Direct(t.Context(), sys.With(each[i]), explore.DirectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, properties[i]+", "+load.String(), r, d)
		}
		violated = append(violated, r.Verdict == explore.Violated)
	}
	return violated
}

// TestLargerFaults has what takes more than a reader and a writer, or another
// property than those of faultTable. What survives failures survives three kinds of them
// together: a lost request, and one that is refused, come on top with -direct 10000. Each
// does what an outage does to the one request that it strikes.
func TestLargerFaults(t *testing.T) {
	t.Parallel()
	failures := sim.Faults{sim.LostReply: 1, sim.Outage: 1, sim.Crash: 1}
	if *directLimit >= 10_000 {
		failures[sim.LostRequest], failures[sim.RequestError] = 1, 1
	}
	for _, c := range []struct {
		strategy, property string
		load               model.Workload
		violated           bool
	}{
		// A second reader gets the token of the first again, once the counter is gone.
		{"lease", "coherent", model.Workload{Readers: 2, Writers: 1, Faults: sim.Faults{sim.Evict: 1}}, true},
		{"lease", "coherent", model.Workload{Readers: 2, Writers: 1, Faults: sim.Faults{sim.Expire: 1}}, false},
		// A fence is enough for two holders of the lock, and for two leases that run out.
		{"lock-fenced", "coherent", model.Workload{Readers: 2, Writers: 1, Faults: sim.Faults{sim.Expire: 1}}, false},
		{"lock-fenced", "coherent", model.Workload{Readers: 1, Writers: 2, Faults: sim.Faults{sim.Expire: 1}}, false},
		{"lock-fenced", "coherent", model.Workload{Readers: 1, Writers: 1, Faults: sim.Faults{sim.Expire: 2}}, false},
		{"lock", "coherent", model.Workload{Readers: 1, Writers: 1, Faults: sim.Faults{sim.Expire: 1}}, true},
		// What is taken out of the queue is nowhere else.
		{"write-behind", "no-lost-write", model.Workload{Readers: 1, Writers: 1}, false},
		{"write-behind", "no-lost-write", model.Workload{Readers: 1, Writers: 1, Faults: sim.Faults{sim.Crash: 1}}, true},
		// The entry is in the outbox until the relay has done what it says.
		{"outbox", "coherent", model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: failures}, false},
		{"outbox", "coherent", model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: sim.Faults{sim.Outage: 2}}, false},
		{"outbox-versioned", "coherent", model.Workload{Readers: 1, Writers: 1, Faults: failures}, false},
		// The consumer has the entry until it acknowledges it. The writer has told nobody.
		{"event-stream", "coherent", model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: sim.Faults{sim.LostReply: 1}}, true},
		{"event-stream", "no-silent-staleness", model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: failures}, false},
		{"event-stream-warm", "no-silent-staleness", model.Workload{Readers: 1, Writers: 1, Warm: true, Faults: failures}, false},
		{"cache-aside", "no-lost-write", model.Workload{Readers: 1, Writers: 2, Faults: sim.Faults{sim.AnyFault: 1}}, false},
		{"naive", "eventual", model.Workload{Readers: 1, Writers: 1}, false},
		{"event-bus", "eventual", model.Workload{Readers: 1, Writers: 1}, true},
	} {
		if got := violated(t, open(t, c.strategy, 1), c.property, c.load); got != c.violated {
			t.Errorf("%s, %s, %v: violated %v, want %v", c.strategy, c.property, c.load, got, c.violated)
		}
	}
}

// TestTimed has what depends on how long things take, at both sides of the limit. Two
// requests of a task that follow each other are executed at most 2 stalls apart: the
// first reply is a stall late, and so is the second request.
//
//   - delayed-double-delete: the fill comes at most 2 stalls after the SELECT, which is
//     before the UPDATE, so a longer pause is over after it; one as long is not.
//   - ttl: the entry is filled at most 2 stalls after the SELECT and there for 5 s. A read
//     after 2 s + 5 s finds it in the last moment, and none finds it later.
//     So it is with other TTLs, also with one that is no multiple of the stall.
//   - polling: what its pollers have missed is in the memory of the server for ever. Time
//     passes then for the reader who comes late, though nothing changes by it.
//   - lock: from the lock to the SET of the reader are 3 requests, so 4 stalls, and the
//     lease is 10 s: 4 stalls of 2 s are shorter, 4 of 2.5 s are not. The fence does not
//     care.
//   - versioned-tombstone: the fill comes at most 2 stalls after the SELECT, and the
//     tombstone is there for 10 s.
//   - refresh-ahead: from a warm cache it is cache-aside with a second way to fill. With
//     neither does a reader that finds the entry far from its end do any harm.
//   - outbox from a warm cache: the relay finds the row at most a wait after the commit,
//     hears of it a stall later, and its DEL takes another. Without a bound for its wait
//     there is none for the old entry, but the TTL.
func TestTimed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		strategy, property string
		load               model.Workload
		violated           bool
	}{
		{"delayed-double-delete", "coherent", model.Workload{Readers: 1, MaxStall: time.Second, Delay: 2 * time.Second}, true},
		{"delayed-double-delete", "coherent", model.Workload{Readers: 1, MaxStall: time.Second, Delay: 3 * time.Second}, false},
		{"ttl", "bounded-staleness=6s", model.Workload{Readers: 2, MaxStall: time.Second}, true},
		{"ttl", "bounded-staleness=7s", model.Workload{Readers: 2, MaxStall: time.Second}, false},
		{"ttl", "bounded-staleness=4s", model.Workload{Readers: 2, MaxStall: time.Second, TTL: 3 * time.Second}, true},
		{"ttl", "bounded-staleness=5s", model.Workload{Readers: 2, MaxStall: time.Second, TTL: 3 * time.Second}, false},
		{"ttl", "bounded-staleness=4499ms", model.Workload{Readers: 2, MaxStall: time.Second, TTL: 2500 * time.Millisecond}, true},
		{"ttl", "bounded-staleness=4500ms", model.Workload{Readers: 2, MaxStall: time.Second, TTL: 2500 * time.Millisecond}, false},
		{"ttl", "bounded-staleness=60s", model.Workload{Readers: 1, MaxStall: time.Second, Warm: true, TTL: model.NoExpiry}, true},
		{"ttl", "bounded-staleness=6s", model.Workload{Readers: 2, MaxStall: time.Second, Warm: true}, true},
		{"ttl", "bounded-staleness=7s", model.Workload{Readers: 2, MaxStall: time.Second, Warm: true}, false},
		{"polling", "bounded-staleness=5s", model.Workload{Readers: 1, MaxStall: time.Second, Warm: true}, true},
		{"lock", "coherent", model.Workload{Readers: 1, MaxStall: 2 * time.Second}, false},
		{"lock", "coherent", model.Workload{Readers: 1, MaxStall: 2500 * time.Millisecond}, true},
		{"lock-fenced", "coherent", model.Workload{Readers: 1, MaxStall: 4 * time.Second}, false},
		{"versioned-tombstone", "coherent", model.Workload{Readers: 1, MaxStall: 4 * time.Second}, false},
		{"versioned-tombstone", "coherent", model.Workload{Readers: 1, MaxStall: 5 * time.Second}, true},
		{"cache-aside", "coherent", model.Workload{Readers: 1, MaxStall: time.Second, Warm: true}, true},
		{"refresh-ahead", "coherent", model.Workload{Readers: 1, MaxStall: time.Second, Warm: true}, true},
		{"outbox", "bounded-staleness=3s", model.Workload{Readers: 1, MaxStall: time.Second, MaxWait: 2 * time.Second, Warm: true}, true},
		{"outbox", "bounded-staleness=4s", model.Workload{Readers: 1, MaxStall: time.Second, MaxWait: 2 * time.Second, Warm: true}, false},
		{"outbox", "bounded-staleness=4s", model.Workload{Readers: 1, MaxStall: time.Second, Warm: true}, true},
	} {
		c.load.Writers = 1
		t.Run(c.strategy+"/"+c.load.String(), func(t *testing.T) {
			if got := violated(t, open(t, c.strategy, 1), c.property, c.load); got != c.violated {
				t.Errorf("%s: violated %v, want %v", c.property, got, c.violated)
			}
		})
	}
}

// write-behind acknowledges a write that the database does not have yet.
func TestBoundedStalenessOfDeferredWrites(t *testing.T) {
	if _, err := model.LookupProperty("bounded-staleness=3s", open(t, "write-behind", 1).Strategy()); err == nil {
		t.Error("how old a read is cannot be measured")
	}
}

// A server can crash after it has executed its last request and before its caller is
// told, whether or not the arrival of the reply is a step of its own.
func TestCrashBeforeTheReply(t *testing.T) {
	for servers, want := range map[int]string{0: "worker-1:1,worker-2!crash", 1: ""} {
		w := open(t, "counter-atomic", 0)
		p, err := model.LookupProperty("", w.Strategy())
		if err != nil {
			t.Fatal(err)
		}
		load := model.Workload{Workers: 2, Servers: servers, Faults: sim.Faults{sim.Crash: 1}}
		if !violated(t, w, p.Name, load) {
			t.Errorf("%v holds", load)
		}
		sys, err := w.System(load, p)
		if err != nil {
			t.Fatal(err)
		}
		if r := product(t, sys, explore.ProductOptions{}); want != "" && r.Counterexample.Token != want {
			t.Errorf("%v: %s, want %s", load, r.Counterexample.Token, want)
		}
	}
}

// A server that starts again subscribes before its listener works, and a fault can
// strike that as well: the listener is supervised, so it subscribes once more.
//
// Of a reader alone: it takes 7 steps, the start and 3 requests that arrive. GET or SET
// can be lost, 2 interleavings more. The server can crash before each of the 7 steps and
// after the last, since its listener still lives, and the SUBSCRIBE by which it comes
// back arrives or is lost first: 8 times 2. After a lost GET or SET one step is left, so
// it can crash at 2 moments, and no fault is left for SUBSCRIBE: 2 times 2. The direct
// engine counts the 13,975 of a crash and an outage as well, which takes it minutes.
func TestFaultWhileBooting(t *testing.T) {
	lost := sim.Faults{sim.Crash: 1, sim.LostRequest: 1}
	for _, c := range []struct {
		load                     model.Workload
		interleavings, violating int64
		direct                   bool
	}{
		{model.Workload{Readers: 1, Faults: lost}, 1 + 2 + 8*2 + 2*2, 0, true},
		{model.Workload{Writers: 1, Faults: lost}, 39, 0, true},
		{model.Workload{Readers: 1, Faults: sim.Faults{sim.Crash: 1, sim.Outage: 1}}, 13975, 0, false},
		{model.Workload{Readers: 1, Writers: 1, Faults: lost}, 210801626, 3498489, false},
	} {
		sys := coherent(t, open(t, "local-pubsub", 1), c.load)
		p := product(t, sys, explore.ProductOptions{Audit: 100})
		if p.Interleavings.Int64() != c.interleavings || p.Violating.Int64() != c.violating || p.Verdict == explore.Incomplete {
			t.Errorf("%v: %s, %s interleavings, %s violating", c.load, p.Verdict, p.Interleavings, p.Violating)
		}
		if !c.direct {
			continue
		}
		d, err := explore.Direct(context.Background(), sys, explore.DirectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.load.String(), p, d)
	}
}

// What bounded-staleness says of one product does not depend on another one, whose
// first price is the same; and a price that two writers have set is not old (of one that
// comes back see TestStalenessOfDrawnHistories). The steps by which a listener boots are no part of it: see TestMonitorsSeeNoBoot.
func TestBoundedStaleness(t *testing.T) {
	for _, c := range []struct {
		strategy, property string
		keys               int
		load               model.Workload
		violated           bool
	}{
		{"ttl", "bounded-staleness=15s", 2, model.Workload{Readers: 2, Writers: 1, MaxStall: 5 * time.Second}, false},
		{"ttl", "bounded-staleness=10s", 2, model.Workload{Readers: 3, Writers: 1, MaxStall: 5 * time.Second}, true}, // two of them read product 1
		{"read-modify-write-from-cache", "bounded-staleness=0s", 1, model.Workload{Readers: 1, Writers: 2, MaxStall: 10 * time.Second, TTL: model.NoExpiry}, false},
	} {
		if got := violated(t, open(t, c.strategy, c.keys), c.property, c.load); got != c.violated {
			t.Errorf("%s, %v, %s: violated %v, want %v", c.strategy, c.load, c.property, got, c.violated)
		}
	}
}

// A relay that looks into the outbox and a poller that asks for versions load no product.
func TestOnlyLoadsAreLoad(t *testing.T) {
	for _, strategy := range []string{"outbox", "polling"} {
		if violated(t, open(t, strategy, 1), "db-load=0", model.Workload{Writers: 2}) {
			t.Errorf("%s: writers and what works in the background load a product", strategy)
		}
	}
	if !violated(t, open(t, "polling", 1), "db-load=1", model.Workload{Readers: 2, Writers: 1}) {
		t.Error("two readers that miss load a product at once")
	}
}

// The steps by which a listener boots are in no trace, and no monitor sees them.
func TestMonitorsSeeNoBoot(t *testing.T) {
	w := open(t, "event-stream", 1)
	prop, err := model.LookupProperty("bounded-staleness=60s", w.Strategy())
	if err != nil {
		t.Fatal(err)
	}
	sys, err := w.System(model.Workload{Readers: 1, Writers: 1, MaxStall: time.Second}, prop)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sys.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	v, err := e.View()
	if err != nil || len(e.Trace()) > 0 || v.Monitor != sys.Property.Monitor.Start {
		t.Errorf("after boot the monitor is in %q, %v", v.Monitor, err)
	}
}

// TestTTL says which violations heal. Nothing expires in an untimed workload without
// faults, so coherent does not care for the TTL; and where nothing ever expires, eventual
// is coherent. With a TTL only what is in the memory of a server is there for ever.
func TestTTL(t *testing.T) {
	for _, s := range model.Caches() {
		if s.TTL == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			w := open(t, s.Name, 1)
			_, remembers := s.Prototype().(model.LocalCacher)
			for _, warm := range []bool{false, true} {
				load := model.Workload{Readers: 1, Writers: 1, Warm: warm}
				stale := violated(t, w, "coherent", load)
				if got, want := violated(t, w, "eventual", load), stale && remembers; got != want {
					t.Errorf("eventual, %v: violated %v, want %v", load, got, want)
				}
				load.TTL = model.NoExpiry
				for _, property := range []string{"coherent", "eventual"} {
					if got := violated(t, w, property, load); got != stale {
						t.Errorf("%s, %v: violated %v, want %v", property, load, got, stale)
					}
				}
			}
		})
	}
}

// Products have the TTL that is asked for, or none, whatever stores them: a script or
// SET NX, too. A strategy that registers no TTL keeps none in Redis.
func TestTTLOfProducts(t *testing.T) {
	for _, s := range model.Caches() {
		w := open(t, s.Name, 1)
		for ttl, want := range map[time.Duration]time.Duration{0: s.TTL, 7 * time.Second: 7 * time.Second, model.NoExpiry: 0} {
			sys := coherent(t, w, model.Workload{Readers: 1, Writers: 1, Warm: true, TTL: ttl})
			e, err := sys.Start()
			if err != nil {
				t.Fatal(err)
			}
			v, err := e.View()
			e.Stop()
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(v.Contents[0], func(it sim.Item) bool { return it.Name == "product:1" })
			if (i >= 0) != (s.TTL > 0) || i >= 0 && v.Contents[0][i].TTL != want {
				t.Errorf("%s: the content with a TTL of %s is %v", s.Name, ttl, v.Contents[0])
			}
		}
	}
}

// A stall means the same for every shape of process: where the servers of a strategy
// share nothing, whether its tasks are on one server or on one each changes no verdict
// of a timed workload.
func TestStallsOfOneServer(t *testing.T) {
	t.Parallel()
	for _, s := range model.Caches() {
		if _, remembers := s.Prototype().(model.LocalCacher); remembers || s.Name == "circuit-breaker" {
			continue // the memory of a server is shared
		}
		if strings.HasPrefix(s.Name, "lock") && *directLimit < 10_000 {
			continue // minutes: two tasks that take turns for a lock have many histories
		}
		t.Run(s.Name, func(t *testing.T) {
			w := open(t, s.Name, 1)
			for _, load := range []model.Workload{
				{Readers: 1, Writers: 1, MaxStall: 5 * time.Second, Delay: 10 * time.Second},
				{Readers: 1, Writers: 1, MaxStall: 5 * time.Second, Warm: true},
			} {
				apart := violated(t, w, "coherent", load)
				load.Servers = 1
				if together := violated(t, w, "coherent", load); together != apart {
					t.Errorf("%v: violated %v, on servers of their own %v", load, together, apart)
				}
			}
		})
	}
}
