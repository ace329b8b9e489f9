package model

import (
	"fmt"
	"slices"
)

// A role is what a task of a workload is there for.
type role string

// The roles. Those of a race are all workers.
const (
	reader role = "reader"
	writer role = "writer"
	worker role = "worker"
)

// A part is what one task of a workload has to do: its role, the number that it has among
// those of its role, from 1, and its product, 0 of a worker. The zero value is that of
// a task in the background.
type part struct {
	role    role
	number  int
	product int64
}

// String returns the name of the task, such as reader-1.
func (p part) String() string { return fmt.Sprintf("%s-%d", p.role, p.number) }

// price returns the price that a writer sets, and no other writer does.
func (p part) price() int64 {
	price := int64(7900 + p.number - 1)
	if price >= initialPrice {
		price += initialPrice // skips the initial price
	}
	return price
}

// parts returns the parts of a workload: workers, or readers and then writers. Both
// take the products in turn.
func (w Workload) parts() (all []part) {
	for i := range w.Workers {
		all = append(all, part{role: worker, number: i + 1})
	}
	for i := range w.Readers {
		all = append(all, part{reader, i + 1, int64(i%w.Keys + 1)})
	}
	for i := range w.Writers {
		all = append(all, part{writer, i + 1, int64(i%w.Keys + 1)})
	}
	return all
}

// of returns the parts of one role, in the order of their numbers.
func (w Workload) of(r role) []part {
	return slices.DeleteFunc(w.parts(), func(p part) bool { return p.role != r })
}

// cast returns the parts of a workload by the names of their tasks.
func (w Workload) cast() map[string]part {
	cast := map[string]part{}
	for _, p := range w.parts() {
		cast[p.String()] = p
	}
	return cast
}
