package learn

import (
	"fmt"
	"strings"
)

// A NondeterminismError says that a machine got the same inputs twice and
// answered differently. Nothing can be concluded about such a system.
type NondeterminismError struct {
	Machine     string
	Before, Now []string // what was seen, step by step, up to the difference
	Cause       string   // which of the usual causes it is, most likely; "" if that is not known
}

// The usual causes.
const (
	CauseClock    = "the wall clock, such as time.Now: what it shows differs from run to run"
	CauseDeadline = "a deadline of real time, such as context.WithTimeout: whether it is met depends on how fast the search is; make it long"
	CauseChance   = "chance: iteration over a map, select, random numbers, or a counter that outlives its run"
	CauseOverlay  = CauseChance + "; with the overlay all but the last are the same in every run: write it with `go run quiesce/cmd/explore overlay DIR`, and test with -overlay DIR/overlay.json"
	CauseMemory   = "memory that outlives a run or is shared by processes: a package-level variable, a sync.Once, a cache; what a process knows has to be made by New"
	CauseHidden   = "memory that tasks share and that is not shown: show it by Process.Show or Process.Keep, or leave out Process.ShowsAll"
	CauseClass    = "a wrong Class: that of %s and %s is equal, but they do not do the same"
)

func (e *NondeterminismError) Error() string {
	var b strings.Builder
	what := "is not deterministic: the same inputs led to different outputs"
	if e.Cause == CauseHidden {
		what = "depends on more than what it was told and the memory that is shown"
	}
	fmt.Fprintf(&b, "%s %s\n", e.Machine, what)
	for _, run := range []struct {
		name  string
		lines []string
	}{{"first", e.Before}, {"then", e.Now}} {
		fmt.Fprintf(&b, "%s:\n", run.name)
		for i, line := range run.lines {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, line)
		}
	}
	if e.Cause != "" {
		b.WriteString("most likely cause: " + e.Cause)
		return b.String()
	}
	b.WriteString("usual causes: iteration over a map, time.Now, random tokens, state shared between runs, goroutines of the task's own")
	return b.String()
}
