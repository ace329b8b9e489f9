package model_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"quiesce/explore"
	"quiesce/model"
	"quiesce/sim"
)

// A happening is what matters of a step to bounded-staleness: a "write" of a price, as
// the database has it, the "begin" of a read and the product that it has "found", an
// "ack" to the caller of a writer, or that time "passes".
type happening struct {
	Kind, Task     string
	Product, Price int64
	Ticks          int
}

// stale judges a whole history by the sentence of bounded-staleness: no read that begins
// more than limit ticks after a write was acknowledged returns a price from before it.
// A price that the database has, or has again, at or after the write is not from before
// it.
func stale(history []happening, limit int) bool {
	var at []int // when each of them happens
	now := 0
	for _, h := range history {
		now += h.Ticks
		at = append(at, now)
	}
	for read, found := range history {
		if found.Kind != "found" {
			continue
		}
		begin := slices.IndexFunc(history, func(h happening) bool { return h.Kind == "begin" && h.Task == found.Task })
		for written, write := range history[:begin] {
			if write.Kind != "write" || write.Product != found.Product {
				continue
			}
			ack := slices.IndexFunc(history[:begin], func(h happening) bool { return h.Kind == "ack" && h.Task == write.Task })
			if ack < 0 || at[begin]-at[ack] <= limit {
				continue
			}
			since := history[written:read]
			if !slices.ContainsFunc(since, func(h happening) bool {
				return h.Kind == "write" && h.Product == found.Product && h.Price == found.Price
			}) {
				return true
			}
		}
	}
	return false
}

// since returns how many ticks have passed since something happened.
func since(history []happening, what happening) (ticks int) {
	for _, h := range history[slices.Index(history, what):] {
		ticks += h.Ticks
	}
	return ticks
}

// history returns the property that keeps whole histories apart and judges each at its
// end. Time counts while some acknowledgment is not more than limit ticks ago. What a
// writer does is read off the rows of the database and the texts of requests.
func history(sys *sim.System, limit int) sim.Property {
	parse := func(state string) (all []happening) {
		if state != "" {
			if err := json.Unmarshal([]byte(state), &all); err != nil {
				panic(err)
			}
		}
		return all
	}
	prices := func(all []happening) map[int64]int64 {
		now := map[int64]int64{}
		for _, h := range all {
			if h.Kind == "write" {
				now[h.Product] = h.Price
			}
		}
		return now
	}
	return sim.Property{Name: "history", Monitor: &sim.Monitor{After: func(state string, e sim.Event) string {
		all := parse(state)
		add := func(h happening) { all = append(all, h) }
		before := prices(all)
		for _, it := range e.View.Contents[1] { // the database
			var row struct {
				ID    int64 `json:"product_id"`
				Price int64
			}
			if err := json.Unmarshal([]byte(it.Value), &row); err != nil || !strings.HasPrefix(it.Name, "products/") {
				continue
			}
			price, known := before[row.ID]
			if !known {
				price = 9900 // of every row at the start
			}
			request, reply := sys.Describe(e.Request, e.Reply)
			again := e.Fault.Kind == "" && reply == "1 row" && strings.HasPrefix(request, fmt.Sprintf("UPDATE products SET price = %d,", row.Price)) &&
				strings.HasSuffix(request, fmt.Sprintf("product_id = %d", row.ID))
			if price != row.Price || again {
				add(happening{Kind: "write", Task: e.Name, Product: row.ID, Price: row.Price})
			}
		}
		if strings.HasPrefix(e.Name, "reader-") && !slices.ContainsFunc(all, func(h happening) bool { return h.Task == e.Name }) {
			add(happening{Kind: "begin", Task: e.Name})
		}
		if e.Fault.Kind == sim.Tick && slices.ContainsFunc(all, func(h happening) bool { return h.Kind == "ack" && since(all, h) <= limit }) {
			add(happening{Kind: "passes", Ticks: 1})
		}
		if e.Finished {
			var found happening
			result := e.View.Results[e.Task]
			switch _, err := fmt.Sscanf(result, "product:%d %d", &found.Product, &found.Price); {
			case err == nil:
				found.Kind, found.Task = "found", e.Name
				add(found)
			case strings.HasPrefix(e.Name, "writer-") && (result == "" || result == "raised"):
				add(happening{Kind: "ack", Task: e.Name})
			}
		}
		if all == nil {
			return ""
		}
		b, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		return string(b)
	}}, Violation: func(v sim.View) string {
		if stale(parse(v.Monitor), limit) {
			return "stale"
		}
		return ""
	}}
}

// TestStalenessByItsSentence counts the interleavings that violate bounded-staleness
// twice: with its monitor, which remembers no more than it has to, and by judging every
// whole history. A crash lets a write be replaced that nobody was told of.
func TestStalenessByItsSentence(t *testing.T) {
	const second = time.Second
	crash := sim.Faults{sim.Crash: 1}
	violated, kept := 0, 0
	for _, c := range []struct {
		strategy string
		keys     int
		bounds   []int // in seconds
		load     model.Workload
	}{
		{"naive", 1, []int{0, 1}, model.Workload{Readers: 1, Writers: 2, MaxStall: second, Warm: true, TTL: second, Faults: crash}},
		{"naive", 1, []int{0, 1}, model.Workload{Readers: 1, Writers: 2, MaxStall: second, Warm: true, TTL: second}},
		{"naive", 2, []int{0}, model.Workload{Readers: 2, Writers: 1, MaxStall: second, Warm: true, TTL: second}},
		{"naive", 1, []int{0}, model.Workload{Readers: 1, Writers: 1, MaxStall: second, Warm: true, TTL: second, Servers: 1, Faults: crash}},
		{"ttl", 1, []int{2, 3}, model.Workload{Readers: 2, Writers: 1, MaxStall: second, TTL: second}},
		{"in-transaction", 1, []int{0}, model.Workload{Readers: 1, Writers: 1, MaxStall: second, Warm: true, TTL: second, Faults: crash}},
		{"read-modify-write-from-cache", 1, []int{0}, model.Workload{Readers: 2, Writers: 1, MaxStall: second, TTL: model.NoExpiry}},
	} {
		w := open(t, c.strategy, c.keys)
		for _, bound := range c.bounds {
			p, err := model.LookupProperty(fmt.Sprintf("bounded-staleness=%ds", bound), w.Strategy())
			if err != nil {
				t.Fatal(err)
			}
			sys, err := w.System(c.load, p)
			if err != nil {
				t.Fatal(err)
			}
			limit := int(time.Duration(bound) * second / sys.Timing.Tick)
			byMonitor := product(t, sys, explore.ProductOptions{})
			bySentence := product(t, sys.With(history(sys, limit)), explore.ProductOptions{})
			if byMonitor.Verdict == explore.Incomplete || byMonitor.Interleavings.Cmp(bySentence.Interleavings) != 0 || byMonitor.Violating.Cmp(bySentence.Violating) != 0 {
				t.Errorf("%s, %v, %s: %s of %s, by the sentence %s of %s", c.strategy, c.load, p.Name,
					byMonitor.Violating, byMonitor.Interleavings, bySentence.Violating, bySentence.Interleavings)
			}
			if byMonitor.Violating.Sign() > 0 {
				violated++
			} else {
				kept++
			}
		}
	}
	if violated < 5 || kept < 2 {
		t.Errorf("%d violate and %d do not", violated, kept)
	}
}

// TestStalenessOfDrawnHistories draws histories of four writers and a reader of two
// products, with prices that come back, and tells them to the monitor of
// bounded-staleness step by step.
func TestStalenessOfDrawnHistories(t *testing.T) {
	const limit = 1 // tick
	w := open(t, "naive", 2)
	p, err := model.LookupProperty("bounded-staleness=1s", w.Strategy())
	if err != nil {
		t.Fatal(err)
	}
	sys, err := w.System(model.Workload{Readers: 1, Writers: 4, MaxStall: time.Second}, p)
	if err != nil {
		t.Fatal(err)
	}
	violated := 0
	for seed := range uint64(4_000) {
		random := rand.New(rand.NewPCG(seed, 9))
		v := sim.View{Contents: make([]sim.Content, 2), Results: make([]string, 5)}
		row := [2]int64{9900, 9900}
		state := sys.Property.Monitor.Start
		tell := func(e sim.Event) {
			v.Contents[1] = nil
			for i, price := range row {
				v.Contents[1] = append(v.Contents[1], sim.Item{Name: fmt.Sprintf("products/%d", i+1), Value: fmt.Sprintf(`{"product_id":%d,"price":%d}`, i+1, price)})
			}
			e.View = v
			state = sys.Property.Monitor.After(state, e)
		}
		var all []happening
		var did [4]int // steps of each writer: a write, and to be told
		began := false
		for range 14 {
			switch writer, price := random.IntN(4), int64(9900+random.IntN(3)); {
			case random.IntN(3) == 0:
				all = append(all, happening{Kind: "passes", Ticks: 1})
				tell(sim.Event{Step: sim.Step{Move: sim.Move{Task: sim.Environment, Fault: sim.Fault{Kind: sim.Tick}}}})
			case !began && random.IntN(4) == 0:
				began = true
				all = append(all, happening{Kind: "begin", Task: "reader-1"})
				tell(sim.Event{Name: "reader-1"})
			case did[writer] == 0:
				did[writer]++
				id := writer%2 + 1
				row[id-1] = price
				name := fmt.Sprintf("writer-%d", writer+1)
				all = append(all, happening{Kind: "write", Task: name, Product: int64(id), Price: price})
				tell(sim.Event{Name: name, Step: sim.Step{Move: sim.Move{Task: 1 + writer}, Request: sim.Request{Store: "db", Body: "UPDATE products SET price = ?"}}})
			case did[writer] == 1 && random.IntN(3) > 0:
				did[writer]++
				name := fmt.Sprintf("writer-%d", writer+1)
				all = append(all, happening{Kind: "ack", Task: name})
				tell(sim.Event{Name: name, Finished: true, Step: sim.Step{Move: sim.Move{Task: 1 + writer}}})
			}
		}
		if !began {
			all = append(all, happening{Kind: "begin", Task: "reader-1"})
			tell(sim.Event{Name: "reader-1"})
		}
		was := []int64{9900} // prices that the product has had
		for _, h := range all {
			if h.Kind == "write" && h.Product == 1 {
				was = append(was, h.Price)
			}
		}
		found := happening{Kind: "found", Task: "reader-1", Product: 1, Price: was[random.IntN(len(was))]}
		all = append(all, found)
		v.Results[0] = fmt.Sprintf("product:%d %d", found.Product, found.Price)
		tell(sim.Event{Name: "reader-1", Finished: true})
		v.Monitor = state
		want := stale(all, limit)
		if got := sys.Property.Violation(v); (got != "") != want {
			t.Fatalf("seed %d: %q, want %t of %+v", seed, got, want, all)
		}
		if want {
			violated++
		}
	}
	if violated < 50 {
		t.Errorf("only %d are stale", violated)
	}
}
