// Package learn fills transition tables: what a machine does is found out for real once
// for each pair of a state and an input, and looked up ever after. It knows stores and
// processes by what [sim] says of them, and no graph, search or property.
//
// A [Store] is the table of one store, by content and request. A [Process] is that of
// all processes with one code, by what its tasks were told. Both number what they meet
// from 0 on, so a state of a whole system is a few small numbers, and put the real
// machine back into a state by the recorded inputs that led there.
//
// Histories of a process that shows all memory which its tasks share are merged where
// nothing that is to come depends on more than that memory: see memory.go.
//
// All this is exact only for machines that are deterministic and share nothing. So what
// is seen twice has to be the same twice, or a [NondeterminismError] ends the run: a
// [Course] is what a process was told, and a [Check] tells it again, in a [Bubble], which
// sees what a process leaves behind.
package learn
