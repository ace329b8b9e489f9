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

	shopper role = "shopper" // views a product, puts it into the cart, checks out
	editor  role = "editor"  // sets a price, and reads it
	creator role = "creator" // adds a product that is not there
)

// rebates are by how much the prices that a role sets are below those of writers, so that
// no two tasks set the same.
var rebates = map[role]int64{editor: 1000, creator: 2000}

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

// price returns the price that a task sets, and no other task does.
func (p part) price() int64 {
	price := int64(7900+p.number-1) - rebates[p.role]
	if price >= initialPrice {
		price += initialPrice // skips the initial price
	}
	return price
}

// parts returns the parts of a workload: workers, or readers, writers, and then those of
// sessions and creators. Each role takes the products in turn.
func (w Workload) parts() (all []part) {
	for i := range w.Workers {
		all = append(all, part{role: worker, number: i + 1})
	}
	for _, of := range []struct {
		role role
		n    int
	}{{reader, w.Readers}, {writer, w.Writers}, {shopper, w.Shoppers}, {editor, w.Editors}, {creator, w.Creators}} {
		for i := range of.n {
			all = append(all, part{of.role, i + 1, int64(i%w.Keys + 1)})
		}
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
