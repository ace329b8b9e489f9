package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/history"
)

func noStaleRead(s Strategy, w Workload) sim.Property {
	return s.history(w).NoStaleRead(history.Bound{})
}

func readYourWrites(s Strategy, w Workload) sim.Property { return s.history(w).ReadYourWrites() }

func monotonicReads(s Strategy, w Workload) sim.Property { return s.history(w).MonotonicReads() }

// linearizable knows of the operations alone: the order of the writes is part of the
// question.
func linearizable(s Strategy, w Workload) sim.Property {
	h := s.history(w)
	h.Source = nil
	return h.Linearizable()
}

func cartPrice(s Strategy, w Workload) sim.Property {
	p := s.history(w).Agree("cart", "checkout")
	p.Name = "cart-price"
	return p
}

func boundedStaleness(p *Property, value string) error {
	bound, err := time.ParseDuration(value)
	if err != nil || bound < 0 {
		return fmt.Errorf("bounded-staleness=%s: must be a duration, such as 2s", value)
	}
	p.lasts = bound
	p.of = func(s Strategy, w Workload) sim.Property {
		asked := s.history(w).NoStaleRead(history.Bound{Ticks: int(bound/s.tick(w)) + 1})
		asked.Name = p.Name
		stale := asked.Violation
		asked.Violation = func(v sim.View) string {
			if line := stale(v); line != "" {
				return fmt.Sprintf("%s, more than %s before", line, bound)
			}
			return ""
		}
		return asked
	}
	return nil
}

// history returns the histories of a workload. The value of a key is a price, and 0 if
// the product is not there. The order of the prices is that of the database, unless writes
// are acknowledged before that has them.
func (s Strategy) history(w Workload) history.History {
	h := history.History{Initial: map[string]string{}, Tasks: map[string]history.Op{}, Returned: returned}
	first := int64(initialPrice)
	if s.Absent || w.Creators > 0 {
		first = 0
	}
	cast := w.cast()
	source := &history.Source{
		Value: func(v sim.View, key string) string { return strconv.FormatInt(rowPrice(v, productOf(key)), 10) },
		Again: func(e sim.Event, key string) bool {
			by := cast[e.Name]
			return by.product == productOf(key) && setsPrice(e, by)
		},
	}
	for id := int64(1); id <= int64(w.Keys); id++ {
		h.Initial[productKey(id)] = strconv.FormatInt(first, 10)
		source.Keys = append(source.Keys, productKey(id))
	}
	if !s.Deferred {
		h.Source = source
	}
	for _, p := range w.parts() {
		switch {
		case p.role == reader:
			h.Tasks[p.String()] = history.Op{Name: "read", Key: productKey(p.product)}
		case p.role == writer:
			h.Tasks[p.String()] = s.updates("write", p)
		case p.role == creator:
			h.Tasks[p.String()] = sets("create", p)
		}
	}
	return h
}

// updates returns the operation by which a writer sets a price, or raises it by an amount.
func (s Strategy) updates(name string, p part) history.Op {
	if s.raises() {
		return history.Op{Name: "raise", Key: productKey(p.product), Kind: history.Change}
	}
	return sets(name, p)
}

// sets returns the operation that sets the price of a task.
func sets(name string, p part) history.Op {
	return history.Op{Name: name, Key: productKey(p.product), Kind: history.Write, Value: strconv.FormatInt(p.price(), 10)}
}

// returned says what a task of one operation has returned: the price that it has found. A
// write that gave up, or has found no product, has set nothing that anybody relies on.
func returned(op history.Op, result string) (value string, failed bool) {
	if op.Kind == history.Read {
		_, value, found := strings.Cut(result, " ")
		return value, !found || result == toldGaveUp
	}
	return "", result != "" && result != toldRaised
}

// productOf returns the product of a key.
func productOf(key string) int64 {
	id, err := strconv.ParseInt(strings.TrimPrefix(key, productKeys), 10, 64)
	if err != nil {
		panic(err) // the key is ours
	}
	return id
}

// setsPrice says whether a step is an UPDATE by a writer of the price of its product that
// commits by itself. A writer who adds to an old price may set one that is there already.
func setsPrice(e sim.Event, by part) bool {
	return slices.Contains([]role{writer, editor}, by.role) && e.Fault.Kind != sim.RequestError &&
		e.Request.Store == dbStore && e.Request.Conn == "" && strings.Contains(e.Request.Body, setPrice)
}
