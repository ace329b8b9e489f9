package model

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
)

// MostTasks is how many tasks the product engine takes. Tasks take the keys in turn, so
// more keys would not be touched, and more servers would have nothing to do.
const MostTasks = 40

// A Knob is something that can be chosen of a workload. Its name is that of its flag and,
// with _ for -, that of its field in the JSON object. What is as in the zero value of
// [Workload] is not chosen, and nothing is said of it. Only the tasks and keys of a workload
// with a cache are always said, also that there are 0 readers. For example, two servers are
//
//	-servers 2   "servers": 2   2 servers
//
// as a flag, as a field and in words.
type Knob struct {
	Name    string
	Usage   string // of the flag, as package flag reads it
	Default string // of the flag; "" means that it is not chosen

	kind    kind
	counts  bool                  // it is a number
	session bool                  // of tasks beside readers and writers
	words   func(Workload) string // what is said of it, if anything is
	get     func(Workload) string // the value of the flag
	set     func(*Workload, string) error
}

// A kind says which workloads have a knob.
type kind int

const (
	ofAny    kind = iota // all have it, and it is said where it is chosen
	ofCaches             // those with a cache have it, and it is always said
	ofRaces              // those of races have it, and it is always said
)

// knobs are all that there are, in the order of the JSON object. A new one needs a field of
// Workload, its entry here, and somebody who looks at the field.
var knobs = []Knob{
	number(Knob{
		Name: "readers", Default: "1", kind: ofCaches,
		Usage: "the `number` of readers; without -readers and -writers the workload grows\nfrom 1 reader and 1 writer to -max-tasks",
	}, "reader", 0, func(w *Workload) *int { return &w.Readers }),
	number(Knob{
		Name: "writers", Default: "1", kind: ofCaches,
		Usage: "the `number` of writers",
	}, "writer", 0, func(w *Workload) *int { return &w.Writers }),
	number(Knob{
		Name: "keys", Default: "1", kind: ofCaches,
		Usage: "the `number` of products; tasks take them in turn",
	}, "key", 1, func(w *Workload) *int { return &w.Keys }),
	{
		Name: "cache", Default: "cold", kind: ofCaches,
		Usage: "`what` the caches hold when it begins: cold (nothing) or warm (every product)",
		words: func(w Workload) string { return w.Cache() + " cache" },
		get:   Workload.Cache, set: (*Workload).setCache,
	},
	number(Knob{
		Name: "shoppers", session: true,
		Usage: "the `number` of sessions that view a product, put it into the cart and check out; with -readers or -writers",
	}, "shopper", 0, func(w *Workload) *int { return &w.Shoppers }),
	number(Knob{
		Name: "editors", session: true,
		Usage: "the `number` of sessions that set a price and then read it; with -readers or -writers",
	}, "editor", 0, func(w *Workload) *int { return &w.Editors }),
	number(Knob{
		Name: "creators", session: true,
		Usage: "the `number` of tasks that add a product, which is not there at first; with -readers or -writers",
	}, "creator", 0, func(w *Workload) *int { return &w.Creators }),
	number(Knob{
		Name:  "servers",
		Usage: "the `number` of servers, which the tasks take in turn; 0 means one for each task",
	}, "server", 0, func(w *Workload) *int { return &w.Servers }),
	number(Knob{
		Name: "workers", Default: "1", kind: ofRaces,
		Usage: "the `number` of workers of a strategy without a cache; without it the workload grows\nfrom 1 worker to -max-tasks",
	}, "worker", 1, func(w *Workload) *int { return &w.Workers }),
	{
		Name:  "faults",
		Usage: "`what` may go wrong, and how often, such as expire=1,lost-reply=1; all=1 means any one fault",
		words: func(w Workload) string { return "faults " + w.Faults.String() },
		get:   func(w Workload) string { return w.Faults.String() }, set: (*Workload).setFaults,
	},
	duration(Knob{
		Name:  "delay",
		Usage: "the `time` for which a strategy pauses, instead of its own",
	}, "delay", func(w *Workload) *time.Duration { return &w.Delay }),
	{
		Name:  "ttl",
		Usage: "the `time` to live of products in Redis, instead of the strategy's own, such as 30s; 0 means that they never expire.\nThe lease of a lock or token, a mark and a tombstone keep their own",
		words: Workload.expiry,
		get:   Workload.ttl, set: (*Workload).setTTL,
	},
	duration(Knob{
		Name:  "max-stall",
		Usage: "the longest `time` from asking for a request to its reply, such as 1s; without it the workload is untimed: nothing has a speed",
	}, "stalls of at most", func(w *Workload) *time.Duration { return &w.MaxStall }),
	duration(Knob{
		Name:  "max-wait",
		Usage: "the longest `time` that a request waits for other tasks, on top of -max-stall, such as the lag of a relay;\nwithout it they wait without a bound (with -max-stall)",
	}, "waits of at most", func(w *Workload) *time.Duration { return &w.MaxWait }),
}

// Knobs returns all knobs. They are not to be changed.
func Knobs() []Knob { return knobs }

// Value returns the knob of this workload as the value of a flag. Its error is a [*ValueError];
// or it says what has to be given, such as "must be a whole number", where package flag
// says the rest.
func (k Knob) Value(w *Workload) flag.Value { return value{k, w} }

type value struct {
	knob Knob
	of   *Workload
}

// String returns the value of the knob. Package flag asks the zero value too.
func (v value) String() string {
	if v.of == nil {
		return ""
	}
	return v.knob.get(*v.of)
}

// Set chooses.
func (v value) Set(text string) error { return v.knob.set(v.of, text) }

// chosen says whether the knob is not as in the zero value.
func (k Knob) chosen(w Workload) bool { return k.get(w) != k.get(Workload{}) }

// field returns the name of the knob in the JSON object.
func (k Knob) field() string { return strings.ReplaceAll(k.Name, "-", "_") }

// A ValueError says that a knob does not take a value, and which it takes, such as
//
//	-readers 99: must be from 0 to 40
type ValueError struct{ line string }

func (e *ValueError) Error() string { return e.line }

// refuse returns the error of a value.
func (k Knob) refuse(value any, takes string) error {
	return &ValueError{fmt.Sprintf("-%s %v: %s", k.Name, value, takes)}
}

// number returns a knob that counts things which are called so, from the least on.
func number(k Knob, noun string, least int, field func(*Workload) *int) Knob {
	k.counts = true
	k.get = func(w Workload) string { return strconv.Itoa(*field(&w)) }
	k.words = func(w Workload) string { return plural(*field(&w), noun) }
	k.set = func(w *Workload, text string) error {
		n, err := strconv.ParseInt(text, 0, strconv.IntSize) // as package flag reads it
		switch {
		case err != nil:
			return errors.New("must be a whole number")
		case n < int64(least) || n > MostTasks:
			return k.refuse(n, fmt.Sprintf("must be from %d to %d", least, MostTasks))
		}
		*field(w) = int(n)
		return nil
	}
	return k
}

// duration returns a knob that is a time of more than 0, and before it what it is in words.
func duration(k Knob, what string, field func(*Workload) *time.Duration) Knob {
	k.get = func(w Workload) string { return unlessZero(*field(&w)) }
	k.words = func(w Workload) string { return what + " " + field(&w).String() }
	k.set = func(w *Workload, text string) error {
		d, err := parseDuration(text)
		if err == nil && d <= 0 {
			err = k.refuse(d, "must be more than 0")
		}
		if err == nil {
			*field(w) = d
		}
		return err
	}
	return k
}

func unlessZero(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("must be a duration, such as 1s")
	}
	return d, nil
}

func (w *Workload) setCache(text string) error {
	if text != "cold" && text != "warm" {
		return &ValueError{fmt.Sprintf("unknown cache %q; %s", text, Suggest(text, []string{"cold", "warm"}, ""))}
	}
	w.Warm = text == "warm"
	return nil
}

func (w *Workload) setFaults(text string) error {
	if text == "" {
		return &ValueError{"-faults is empty; leave it out for the default"}
	}
	faults, err := sim.ParseFaults(text)
	if unknown := (*sim.UnknownFaultError)(nil); errors.As(err, &unknown) {
		names := []string{string(sim.AnyFault)}
		for _, kind := range sim.FaultKinds {
			names = append(names, string(kind))
		}
		err = fmt.Errorf("unknown fault %q; %s", unknown.Name, Suggest(unknown.Name, names, ""))
	}
	if err != nil {
		return &ValueError{"-faults: " + err.Error()}
	}
	if w.Faults = nil; len(faults) > 0 {
		w.Faults = faults
	}
	return nil
}

// ttl returns the TTL of products, of which 0 means for ever; "" is the strategy's own.
func (w Workload) ttl() string {
	if w.TTL == NoExpiry {
		return "0s"
	}
	return unlessZero(w.TTL)
}

// expiry returns the TTL of products in words.
func (w Workload) expiry() string {
	if w.TTL == NoExpiry {
		return "no TTL"
	}
	return "TTL " + w.TTL.String()
}

// setTTL takes whole milliseconds: Redis knows no part of one.
func (w *Workload) setTTL(text string) error {
	d, err := parseDuration(text)
	switch {
	case err != nil:
		return err
	case d < 0 || d%time.Millisecond != 0:
		return &ValueError{fmt.Sprintf("-ttl %s: must be whole milliseconds, or 0 for products that never expire", d)}
	case d == 0:
		d = NoExpiry
	}
	w.TTL = d
	return nil
}
