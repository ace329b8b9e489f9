package explore

import (
	"fmt"
	"strings"
)

// A NondeterminismError says that a machine got the same inputs twice and
// answered differently. Nothing can be concluded about such a system.
type NondeterminismError struct {
	Machine     string
	Before, Now []string // what was seen, step by step, up to the difference
}

func (e *NondeterminismError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not deterministic: the same inputs led to different outputs\n", e.Machine)
	for _, run := range []struct {
		name  string
		lines []string
	}{{"first", e.Before}, {"then", e.Now}} {
		fmt.Fprintf(&b, "%s:\n", run.name)
		for i, line := range run.lines {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, line)
		}
	}
	b.WriteString("usual causes: iteration over a map, time.Now, random tokens, state shared between runs, goroutines of the task's own")
	return b.String()
}
