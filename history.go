package quiesce

import (
	"encoding/json"
	"fmt"
	"strings"

	"quiesce/sim"
	"quiesce/sim/history"
)

// A History is about what callers were told by operations: see [Process.Read] and
// [Process.Write]. A state does not show it. For example, a read may return a price from
// before a write which its caller had been told of, and leave cache and database as they
// should be.
//
//	h := w.History(map[string]any{"product:1": 9900})
//	h.ReadYourWrites()
//	h.NoStaleRead(quiesce.Bound{})
type History struct {
	world *World
	of    history.History
}

// A Bound is for how long a read may be stale: see package sim/history.
type Bound = history.Bound

// History adds the history of the operations of all tasks. initial has the value of each key
// before anything is written, in the form in which operations return it. Of a key that is
// not in it, a value that nobody has written yet counts as the initial one.
func (w *World) History(initial map[string]any) *History {
	w.t.Helper()
	w.building("World.History")
	w.remembers = true
	h := &History{world: w, of: history.History{Initial: map[string]string{}}}
	for key, value := range initial {
		text, err := valueText(value)
		if err != nil {
			w.fatalf("the initial value of %s is no JSON: %v", key, err)
		}
		h.of.Initial[key] = text
	}
	return h
}

// ReadYourWrites adds the property that a task never reads what is older than what it has
// written itself.
func (h *History) ReadYourWrites() *Property { return h.add(h.of.ReadYourWrites()) }

// MonotonicReads adds the property that a task never reads what is older than what it has
// read before.
func (h *History) MonotonicReads() *Property { return h.add(h.of.MonotonicReads()) }

// NoStaleRead adds the property that no read which begins after a write has returned, later
// than the bound, returns what is older.
func (h *History) NoStaleRead(b Bound) *Property { return h.add(h.of.NoStaleRead(b)) }

// Linearizable adds the property that the operations on each key are those of a register: as
// if each happened at one moment between its call and its return (Herlihy, Wing 1990). It
// needs the most states of all.
func (h *History) Linearizable() *Property { return h.add(h.of.Linearizable()) }

// Agree adds the property that a task which does an operation called first, and then one
// called second, is returned the same value by both if nobody has written in between, such as
// the price in the cart and the one at checkout.
func (h *History) Agree(first, second string) *Property { return h.add(h.of.Agree(first, second)) }

func (h *History) add(of sim.Property) *Property {
	h.world.t.Helper()
	return h.world.addProperty(&Property{name: of.Name, of: &of})
}

// Read is an operation that reads a key: f returns its value. The operation begins at any
// moment after the task was ready for it, which is a step, and ends when f does. A task does
// one operation after the other. Without a [World.History] Read only calls f.
//
//	err := p.Read("view", "product:1", func() (any, error) { return svc.Product(ctx, 1) })
func (p *Process) Read(name, key string, f func() (value any, err error)) error {
	op := history.Op{Name: name, Key: key}
	return p.operate(op, func() (string, error) {
		value, err := f()
		if err != nil {
			return "", err
		}
		text, err := valueText(value)
		if err != nil {
			return "", fmt.Errorf("what %s of %s returns is no JSON: %w", name, key, err)
		}
		return text, nil
	})
}

// Write is an operation that writes a value to a key, in the form in which Read returns it.
//
//	err := p.Write("reprice", "product:1", 7900, func() error { return svc.SetPrice(ctx, 1, 7900) })
func (p *Process) Write(name, key string, value any, f func() error) error {
	text, err := valueText(value)
	if err != nil {
		return fmt.Errorf("what %s writes to %s is no JSON: %w", name, key, err)
	}
	op := history.Op{Name: name, Key: key, Kind: history.Write, Value: text}
	return p.operate(op, func() (string, error) { return "", f() })
}

func (p *Process) operate(op history.Op, f func() (string, error)) error {
	if p.log == nil {
		_, err := f()
		return err
	}
	task, place, _ := strings.Cut(p.Running(), "/")
	if task == "" || strings.HasPrefix(place, "+") {
		panic(mistakenly("the operation %s is none of a task; call p.Read and p.Write on the goroutine of one", op.Name))
	}
	return p.log.Do(task, op, f)
}

// valueText returns a value as a history compares it: a string as it is, and anything else
// as JSON.
func valueText(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}
