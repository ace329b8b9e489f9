package report

import (
	"fmt"
	"slices"
	"strings"
)

// claimed writes what became of a claim.
func (t *textWriter) claimed() {
	c := t.Claim
	if c.Trace == nil {
		t.line("claim", "impossible: no interleaving of this workload is as claimed")
	} else {
		t.line("claim", "possible: this interleaving is as claimed")
	}
	t.line("strategy", "%s", t.Strategy)
	t.line("workload", "%s", t.workload().Words)
	for i, line := range t.ClaimLines {
		label := ""
		switch {
		case i == c.Possible:
			label = "impossible"
		case i == 0:
			label = "possible"
		case i > c.Possible:
			label = "not reached"
		}
		at := ""
		if c.Trace != nil {
			at = fmt.Sprintf(" (step %d)", c.Steps[i]+1)
		}
		t.line(label, "%s%s", t.brief(line), at)
		if i == c.Possible {
			t.instead()
		}
	}
}

// instead writes what the first step that is impossible would see.
func (t *textWriter) instead() {
	var replies []string
	for _, r := range t.Claim.Instead {
		replies = append(replies, t.brief(r))
	}
	if slices.Sort(replies); len(replies) == 0 {
		t.line("instead", "after the steps before it the task makes no such request")
		return
	}
	t.line("instead", "after the steps before it the reply is %s", strings.Join(slices.Compact(replies), " or "))
}
