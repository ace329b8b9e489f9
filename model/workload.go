package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
)

// A Workload says what happens at once: every reader reads one product and every
// writer sets its price, each a task. Readers and writers take the products in
// turn. The zero value is a workload in which nothing happens.
type Workload struct {
	Readers, Writers int
	Keys             int  // products
	Warm             bool // the caches hold every product when it begins, local ones too

	// Shoppers are sessions: each views a product, puts it into the cart at the price that
	// it reads, and checks out at that of the database.
	Shoppers int

	// Editors are sessions: each sets the price of a product, and then reads it.
	Editors int

	// Creators each add a product. If there are any, no product is there at first.
	Creators int

	// Servers is the number of servers, which the tasks take in turn, first the
	// readers and then the writers; the tasks of one server share its service. 0
	// means a server for each task.
	Servers int

	// Faults may happen; the zero value means none.
	Faults sim.Faults

	// MaxStall makes the workload timed: see [sim.Timing]. 0 means untimed.
	MaxStall time.Duration

	// MaxWait is how long a request of a timed workload waits for other tasks, on top:
	// see [sim.Timing]. 0 means that there is no bound.
	MaxWait time.Duration

	// Delay is how long a strategy that pauses does so; 0 is its own delay.
	Delay time.Duration

	// TTL is that of products in the cache; 0 is the strategy's own, and NoExpiry means
	// that they never expire.
	TTL time.Duration

	// Workers is the number of tasks of a race, which has none of the others.
	Workers int
}

// NoExpiry is the TTL of products that never expire.
const NoExpiry time.Duration = -1

// Cache returns "warm" or "cold".
func (w Workload) Cache() string {
	if w.Warm {
		return "warm"
	}
	return "cold"
}

// Tasks returns the tasks in brief, such as 1R 2W, or 0R 1W 1 shopper.
func (w Workload) Tasks() string {
	if w.Workers > 0 {
		return plural(w.Workers, "worker")
	}
	brief := fmt.Sprintf("%dR %dW", w.Readers, w.Writers)
	for _, k := range knobs {
		if k.session && k.chosen(w) {
			brief += " " + k.words(w)
		}
	}
	return brief
}

// Race returns the workload without what a race does not have: all other tasks, keys and
// a cache.
func (w Workload) Race() Workload {
	w.Readers, w.Writers, w.Shoppers, w.Editors, w.Creators = 0, 0, 0, 0, 0
	w.Keys, w.Warm = 0, false
	return w
}

// Size returns the number of tasks.
func (w Workload) Size() int {
	return w.Readers + w.Writers + w.Workers + w.Shoppers + w.Editors + w.Creators
}

// Timed says whether time passes.
func (w Workload) Timed() bool { return w.MaxStall > 0 }

// Smallest returns the workloads of at least one reader and one writer, or of at
// least one worker of a race, and at most that many tasks, smallest first: by the
// number of tasks, then fewer writers first. All else is that of w.
func (w Workload) Smallest(tasks int) []Workload {
	var all []Workload
	if w.Workers > 0 {
		for w.Workers = 1; w.Workers <= tasks; w.Workers++ {
			all = append(all, w)
		}
		return all
	}
	for n := 2; n <= tasks; n++ {
		for writers := 1; writers < n; writers++ {
			w.Readers, w.Writers = n-writers, writers
			all = append(all, w)
		}
	}
	return all
}

// said returns the knobs of which a sentence and a command speak: those of its tasks, and then
// what else is chosen.
func (w Workload) said() []Knob {
	tasks := ofCaches
	if w.Workers > 0 {
		tasks = ofRaces
	}
	var first, then []Knob
	for _, k := range knobs {
		switch {
		case k.kind == tasks:
			first = append(first, k)
		case k.kind == ofAny && k.chosen(w):
			then = append(then, k)
		}
	}
	return append(first, then...)
}

// String returns the workload in words, such as 1 reader, 1 writer, 1 key, cold cache.
func (w Workload) String() string {
	var words []string
	for _, k := range w.said() {
		words = append(words, k.words(w))
	}
	return strings.Join(words, ", ")
}

// Args returns the flags that choose the workload, such as -readers 1 -writers 1 -keys 1
// -cache cold. Nothing in them means anything to a shell.
func (w Workload) Args() (args []string) {
	for _, k := range w.said() {
		args = append(args, "-"+k.Name, k.get(w))
	}
	return args
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// MarshalJSON returns the workload as an object of numbers and strings, such as
//
//	{"readers":1,"writers":1,"keys":1,"cache":"cold","ttl":"30s"}
func (w Workload) MarshalJSON() ([]byte, error) {
	var fields []string
	for _, k := range knobs {
		if k.kind == ofCaches || k.chosen(w) {
			text := k.get(w)
			if !k.counts {
				text = strconv.Quote(text)
			}
			fields = append(fields, fmt.Sprintf("%q:%s", k.field(), text))
		}
	}
	return []byte("{" + strings.Join(fields, ",") + "}"), nil
}

// UnmarshalJSON reads what MarshalJSON has written. It takes what a flag takes, a number that
// is 0, and nothing else.
func (w *Workload) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*w = Workload{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.IndexFunc(knobs, func(k Knob) bool { return k.field() == name })
		if i < 0 {
			return fmt.Errorf("unknown field %q", name)
		}
		text := string(fields[name])
		if !knobs[i].counts {
			if err := json.Unmarshal(fields[name], &text); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
		} else if text == "0" {
			continue
		}
		err := knobs[i].set(w, text)
		if value := (*ValueError)(nil); err != nil && !errors.As(err, &value) {
			return fmt.Errorf("%q %w", name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
