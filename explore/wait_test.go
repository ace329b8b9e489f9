package explore

import (
	"context"
	"slices"
	"testing"
	"time"

	"quiesce/sim"
)

// A mutexStore is a lock with an owner: "take" waits for it, "give" gives it back.
type mutexStore struct{ owner string }

func (m *mutexStore) Name() string                   { return "mutex" }
func (m *mutexStore) Reset() error                   { m.owner = ""; return nil }
func (m *mutexStore) SetTimed(bool)                  {}
func (m *mutexStore) Tick(time.Duration) sim.Request { return sim.Request{} }
func (m *mutexStore) Waits(r sim.Request) sim.Wait   { return sim.ForOthers }
func (m *mutexStore) Content() (sim.Content, error) {
	return sim.Content{{Name: "owner", Value: m.owner}}, nil
}
func (m *mutexStore) Describe(r sim.Request, _ sim.Reply) (string, string) { return r.Body, "OK" }
func (m *mutexStore) Execute(r sim.Request) (sim.Reply, error) {
	switch {
	case r.Body == "give":
		m.owner = ""
	case r.Body == "look":
	case m.owner != "":
		return sim.Reply{}, sim.ErrBlocked
	default:
		m.owner = r.Conn
	}
	return sim.Reply{}, nil
}

// waiting is a task that takes the lock, sleeps for 2 s and gives it back, beside one that
// does something else first, so that it has begun, and then takes and gives it.
func waiting(wait time.Duration) *sim.System {
	task := func(name string, sleep time.Duration, bodies ...string) sim.Program {
		return sim.Program{Name: name, New: func(p *sim.Process) []sim.Task {
			return []sim.Task{func(context.Context) (string, error) {
				for _, body := range bodies {
					if _, err := p.Call(sim.Request{Store: "mutex", Body: body, Conn: name + "#0"}); err != nil {
						return "", err
					}
					if body == "take" {
						sim.Clock{}.For(p).Sleep(sleep)
					}
				}
				return "", nil
			}}
		}}
	}
	return &sim.System{
		Stores:   []sim.Store{&mutexStore{}, sim.Clock{}},
		Programs: []sim.Program{task("sleeper", 2*time.Second, "take", "give"), task("other", 0, "look", "take", "give")},
		Timing:   &sim.Timing{Tick: time.Second, MaxStall: time.Second, MaxWait: wait},
		Property: sim.Property{Name: "anything", Violation: func(sim.View) string { return "" }},
	}
}

// A request that is blocked waits for as long as it is, or for at most MaxWait: an
// execution in which it would have to wait for longer is none. By hand:
// without a bound it is up to 5 s, since the sleeper hears a second late that it has the
// lock, sleeps for 2 s, hears of that a second late, and gives it back another one later.
func TestMaxWait(t *testing.T) {
	// A wait shorter than the sleep leaves out whoever asks early; a longer one only keeps
	// time from passing before the lock is given back.
	longest := func(sys *sim.System) int {
		sys.Property = sim.Property{Name: "blocked", Monitor: &sim.Monitor{Start: "", After: func(state string, e sim.Event) string {
			if e.Fault.Kind == sim.Tick && e.View.Pending[1].Body == "take" && holder(e.View) == "sleeper#0" && len(state) < 9 {
				return state + "."
			}
			return state
		}}, Violation: func(v sim.View) string { return "" }}
		most := 0
		p := sys.Property
		sys.Property.Violation = func(v sim.View) string { most = max(most, len(v.Monitor)); return p.Violation(v) }
		results := map[string]*Result{"product": explore(t, sys, ProductOptions{})}
		if sys.Timing.MaxWait < 5*time.Second { // a bound that nothing reaches leaves out nothing, of thousands
			results = bothEngines(t, sys)
		}
		for name, r := range results {
			leaves := slices.Contains(r.Caveats, "executions in which a request would wait longer than MaxWait are left out")
			if short := sys.Timing.MaxWait == time.Second; r.Verdict != Holds || leaves != short {
				t.Errorf("%s: %s, caveats %q", name, r.Verdict, r.Caveats)
			}
		}
		return most
	}
	for wait, want := range map[time.Duration]int{0: 5, time.Second: 1, 3 * time.Second: 3, 5 * time.Second: 5, 9 * time.Second: 5} {
		if got := longest(waiting(wait)); got != want {
			t.Errorf("with waits of at most %s it is blocked for up to %d s, want %d", wait, got, want)
		}
	}
}

func holder(v sim.View) string { owner, _ := v.Contents[0].Lookup("owner"); return owner }
