// Package explore searches all interleavings of a [sim.System] for one that
// violates its property, and proves that there is none or returns a minimal one.
//
// There are two engines with one answer. [Direct] runs every interleaving for
// real, from a fresh world, and merges nothing: the reference, in direct.go.
// [Product] learns what the machines do and searches the product of what it has
// learned. A tour of it, in the order in which things happen:
//
//   - Package learn lets every process run once, before anything can be left behind, and
//     fills a table for each store and for each distinct code of a process. A pair of
//     state and input that was never seen is done for real, and only once.
//   - search.go expands the states, each a tuple of numbers from the tables, breadth
//     first. What may happen next says [sim.Relation], of tables.go as of the real
//     machines; plain.go is faster where nothing happens but steps of tasks.
//     stateset.go packs and numbers the states, chunks.go keeps the edges, graph.go has
//     the rest of what a graph is, and environment.go what faults and time add to it.
//     Interchangeable processes are kept in order, so that one state stands for all
//     permutations (Ip, Dill 1996, scalarsets; Clarke, Emerson, Jha, Sistla 1998).
//   - product.go evaluates the property in the states in which nothing can happen
//     any more, or in all. vacuous.go says whether it had anything to judge, and
//     caveat.go what a pass does not cover.
//   - count.go counts interleavings from the end, exactly, and with them the
//     probability of a violation under a random scheduler, and those that lead to
//     each value of an expression.
//   - minimal.go finds the violating schedule with the fewest context switches, a
//     shortest path over pairs of state and last task.
//   - cause.go finds the orders of steps that make it violate, and closest.go the
//     passing schedule next to it, if a report asks for them.
//   - Package learn tells processes again what was learned of them, before any verdict,
//     and looks for the cause if they differ.
//   - [Replay] runs that schedule for real before anybody sees it, and audit.go
//     runs random ones if there was none. Both kinds of runs are in the bubbles of
//     package learn, which see what outlives them.
//
// An answer is in result.go, a schedule with its text in schedule.go, and what a replay
// has seen in trace.go, with the pauses that tasks have to make in pauses.go.
// smallest.go looks for the smallest workload that violates.
//
// guard.go ends a search in which a task hangs, and executionerror.go says which
// schedule leads to an error; ask.go does if a function of a property panics, and
// nondeterminism.go names the errors of package learn.
//
// Two questions are about one story instead of all: [Reproduce] runs the schedule of
// an earlier trace again (reproduce.go), and [CheckClaim] looks for an interleaving that is
// as somebody tells it (claim.go). measure.go counts what happens along all of them, and
// [Graph] shows the states and steps to who wants to draw them (stategraph.go).
//
// Nothing is thinned out by a partial-order reduction: that would lose minimal
// schedules, counts and, together with a set of visited states, violations.
package explore
