package report

import (
	"fmt"
	"slices"
	"strings"
)

// claimed says what became of a claim.
func (r *Report) claimed() []line {
	c := r.Claim
	verdict := "possible: this interleaving is as claimed"
	if c.Trace == nil {
		verdict = "impossible: no interleaving of this workload is as claimed"
	}
	lines := []line{{"claim", verdict}, {"strategy", r.Strategy}, {"workload", r.workload().Words}}
	for i, claimed := range r.ClaimLines {
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
		lines = append(lines, line{label, r.brief(claimed) + at})
		if i == c.Possible {
			lines = append(lines, line{"instead", "after the steps before it " + r.instead()})
		}
	}
	return lines
}

// instead says what the first step that is impossible would see.
func (r *Report) instead() string {
	var replies []string
	for _, reply := range r.Claim.Instead {
		replies = append(replies, r.brief(reply))
	}
	if slices.Sort(replies); len(replies) == 0 {
		return "the task makes no such request"
	}
	return "the reply is " + strings.Join(slices.Compact(replies), " or ")
}
