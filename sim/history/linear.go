package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"quiesce/sim"
)

// Linearizable is violated by operations of a key that cannot have happened one after the
// other, each at some moment between its invocation and its return: as if the key were a
// register (Herlihy, Wing 1990). Package porcupine decides it. It has nothing to judge
// where no key is both written and read. What it needs of a Source is nothing; an
// operation that is a Change it refuses.
//
// Of the four it is the strongest: what violates one of the others, without a bound or a
// source, violates it too. It also finds, say, two readers who see two writes in
// different orders.
func (h History) Linearizable() sim.Property {
	return h.property("linearizable", func(h History) judge { return &registers{initial: h.Initial} })
}

// Registers are what Linearizable remembers.
type registers struct {
	Keys   map[string]register `json:",omitempty"`
	Broken string              `json:",omitempty"`
	Judged bool                `json:",omitempty"`

	initial map[string]string
}

// A register is what is known of a key: what it may have held when no operation went on
// at last, and the operations since then.
type register struct {
	Starts  []string
	Ops     []call `json:",omitempty"` // in one order
	Epoch   int    `json:",omitempty"` // of what happens now
	Ends    bool   `json:",omitempty"` // an operation has returned in it
	Written bool   `json:",omitempty"`
	Read    bool   `json:",omitempty"`
}

// A call is an operation. Time counts the times that an operation began after another
// one had returned: what is between two of those is at once.
type call struct {
	Task   string `json:",omitempty"` // while it goes on
	Writes bool   `json:",omitempty"`
	Value  string `json:",omitempty"`
	Begin  int    `json:",omitempty"`
	End    int    `json:",omitempty"` // it matters if Task is ""
}

func (rs *registers) source(string, string, string) {}

func (rs *registers) pass(bool) {}

func (rs *registers) begin(task string, op Op) {
	if op.Kind == Change {
		panic("history: nobody knows what value " + op.Name + " of " + task + " writes, so whether it is linearizable is not known either; let it be a Write")
	}
	r := rs.of(op.Key)
	if r.Ends {
		r.Epoch, r.Ends = r.Epoch+1, false
	}
	r.Written = r.Written || op.writes()
	r.Ops = append(r.Ops, call{Task: task, Writes: op.writes(), Value: op.Value, Begin: r.Epoch})
	rs.keep(op.Key, r)
}

func (rs *registers) end(task string, op Op) {
	r := rs.of(op.Key)
	i := slices.IndexFunc(r.Ops, func(c call) bool { return c.Task == task })
	switch {
	case op.Failed && op.writes():
		r.Ops[i].Task = orphan
	case op.Failed:
		r.Ops = slices.Delete(r.Ops, i, i+1)
	default:
		r.Ops[i].Task, r.Ops[i].End, r.Ends = "", r.Epoch, true
	}
	if op.Kind == Read && !op.Failed {
		r.Read = true
		r.Ops[i].Value = rs.known(r, op)
		if !r.possible() {
			rs.Broken = fmt.Sprintf("no order of the operations of %s explains that %s returned %q", op.Key, op.Name, op.Value)
		}
	}
	rs.Judged = rs.Judged || r.Read && r.Written
	r.cut()
	r.trim()
	r.renumber()
	rs.keep(op.Key, r)
}

// known returns what a read has returned, or unwritten if that is the initial value and
// not known.
func (rs *registers) known(r register, op Op) string {
	_, ok := rs.initial[op.Key]
	written := slices.Contains(r.Starts, op.Value) || slices.ContainsFunc(r.Ops, func(c call) bool { return c.Writes && c.Value == op.Value })
	if ok || written {
		return op.Value
	}
	return unwritten
}

func (rs *registers) of(key string) register {
	if r, ok := rs.Keys[key]; ok {
		r.Ops = slices.Clone(r.Ops)
		return r
	}
	first, ok := rs.initial[key]
	if !ok {
		first = unwritten
	}
	return register{Starts: []string{first}}
}

func (rs *registers) keep(key string, r register) {
	r.sort()
	if rs.Keys == nil {
		rs.Keys = map[string]register{}
	}
	rs.Keys[key] = r
}

func (rs *registers) finding() (broken string, judged bool) { return rs.Broken, rs.Judged }

// cut forgets the operations if none goes on. What they may have left is all that matters.
func (r *register) cut() {
	values := slices.Clone(r.Starts)
	for _, c := range r.Ops {
		if c.Task != "" {
			return
		}
		if c.Writes {
			values = append(values, c.Value)
		}
	}
	slices.Sort(values)
	r.Starts = slices.DeleteFunc(slices.Compact(values), func(v string) bool {
		return !r.possible(call{Value: v, Begin: r.Epoch + 1, End: r.Epoch + 1})
	})
	r.Ops, r.Epoch, r.Ends = nil, 0, false
}

// trim forgets reads that have been judged and that every order of the rest has a place for,
// whatever comes. It needs values that tell which write each has read.
//
// A read of the value from before all writes has been judged, so nothing else had
// returned when it began: all of that can happen just after its begin. Of the other values,
// let one operation have returned no later than the read, and one have begun no earlier
// (compare the zones of Gibbons and Korach, Testing Shared Memories, 1997). The key has the
// value from the moment of the one to that of the other, and the read fits in there.
func (r *register) trim() {
	writes := map[string]int{}
	for _, c := range r.Ops {
		if c.Writes {
			writes[c.Value]++
		}
	}
	for _, start := range r.Starts {
		writes[start]++
	}
	for _, n := range writes {
		if n > 1 {
			return
		}
	}
	r.sort()
	for i := 0; i < len(r.Ops); i++ {
		c := r.Ops[i]
		if c.Writes || c.Task != "" {
			continue
		}
		first := slices.Contains(r.Starts, c.Value)
		if first {
			r.Starts = []string{c.Value} // and none of the others
		}
		others := append(slices.Clone(r.Ops[:i]), r.Ops[i+1:]...)
		same := func(o call) bool { return o.Value == c.Value && (o.Writes || o.Task == "") }
		ended := slices.ContainsFunc(others, func(o call) bool { return same(o) && o.Task == "" && o.End <= c.End })
		begun := slices.ContainsFunc(others, func(o call) bool { return same(o) && o.Begin >= c.Begin })
		if first || ended && begun {
			r.Ops = others
			i--
		}
	}
}

// renumber makes the times of what is left as small as they can be: a time is later than
// another one only if something has returned before something has begun.
func (r *register) renumber() {
	r.Ends = slices.ContainsFunc(r.Ops, func(c call) bool { return c.Task == "" && c.End == r.Epoch })
	to := make([]int, r.Epoch+1)
	for t, ended := 0, false; t <= r.Epoch; t++ {
		if t > 0 {
			to[t] = to[t-1]
		}
		if ended && (t == r.Epoch || slices.ContainsFunc(r.Ops, func(c call) bool { return c.Begin == t })) {
			to[t]++
			ended = false
		}
		ended = ended || slices.ContainsFunc(r.Ops, func(c call) bool { return c.Task == "" && c.End == t })
	}
	for i := range r.Ops {
		r.Ops[i].Begin = to[r.Ops[i].Begin]
		if r.Ops[i].Task == "" {
			r.Ops[i].End = to[r.Ops[i].End]
		}
	}
	r.Epoch = to[r.Epoch]
}

// sort puts the operations into one order.
func (r *register) sort() {
	slices.SortFunc(r.Ops, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), cmp.Compare(a.Task, b.Task),
			cmp.Compare(a.Value, b.Value), cmp.Compare(fmt.Sprint(a.Writes), fmt.Sprint(b.Writes)))
	})
}

// possible says whether some order of the operations, and of more, explains what they
// returned. Reads that go on have returned nothing.
func (r *register) possible(more ...call) bool {
	var ops []porcupine.Operation
	last := r.Epoch + 2 // when what goes on returns, if it does
	for _, c := range append(slices.Clone(r.Ops), more...) {
		end := c.End
		if c.Task != "" {
			end = last
		}
		if c.Task == "" || c.Writes {
			ops = append(ops, porcupine.Operation{Input: c.Writes, Output: c.Value, Call: int64(2 * c.Begin), Return: int64(2*end + 1)})
		}
	}
	return slices.ContainsFunc(r.Starts, func(start string) bool { return porcupine.CheckOperations(model(start), ops) })
}

// model returns that of a register which holds a value at first. The input of an operation
// says whether it writes.
func model(start string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(state, writes, value any) (bool, any) { return writes.(bool) || state == value, value },
	}
}
