// Package sim runs the machines of a simulated system: real client code as
// coroutines, real stores behind them, one step at a time.
//
// The words below have one meaning each, here, in the output and in docs.
//
//   - task: one coroutine of client code, a reader or a writer.
//   - process: the memory of one application server and the tasks that run in it.
//   - place: where in a process somebody waits for a reply. A task is one.
//   - store: a machine that executes requests one at a time (Redis, the database).
//   - request, reply: all that a task and a store ever say to each other.
//   - step: one request executed by a store. Redis serialises single requests,
//     and so does SQLite, so nothing finer exists in them. In PostgreSQL and MySQL
//     it does: their statements overlap. Local code between two requests
//     runs together with the step before it. That is exact for a process with one
//     task. With several, which share memory, the moment at which a reply arrives
//     matters, so that is a step of its own, and so is the start of a task. In a timed
//     system it matters in every process: see [Timing]. A task
//     that shares memory may ask for one more, to let others in: see [Process.Yield].
//   - enabled: a task is enabled if its pending request can be executed now, and
//     blocked if the store says [ErrBlocked].
//   - schedule: a sequence of choices, which task steps next. It replays an execution.
//   - execution: one run of a system under a schedule.
//   - interleaving: one complete schedule of labelled tasks, up to quiescence.
//   - trace: the steps of an execution with their replies.
//   - context switch: two consecutive steps of different tasks.
//   - background task: one that need not finish, such as a subscriber.
//   - boot: what a task does before all others and outside of every trace, such as
//     to subscribe; a server serves when it has booted.
//   - quiescence: every task has finished, and every background task has finished
//     or is blocked.
//   - deadlock: no task is enabled, but one that is not a background task has not
//     finished.
//   - property: what has to hold, in quiescence or always. A state or an
//     interleaving in which it does not is a violation.
//   - vacuous: of a property that nothing violates because it never has anything to
//     judge.
//   - caveat: what a pass does not cover because of what was done.
//   - workload: how many readers, writers and keys.
//   - strategy: the cache protocol that is explored, never the search.
//
// A machine is deterministic: the same inputs in the same order give the same
// outputs. A process has two faces: [Machine] is what an engine drives, and [Host] what
// the client of a store sees; a task sees a [Process]. Nothing in this package decides an order; package explore does.
//
// A task that is not needed any more is abandoned: its clients fail and its context is
// canceled, so that it ends by its own paths. See [Machine]. A task that hangs ends
// the run with an error. See [System.Guard].
package sim
