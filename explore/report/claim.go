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
		label := r.came(i)
		if i > 0 && label == "possible" {
			label = ""
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

// came says what is true of the i-th step of a claim.
func (r *Report) came(i int) string {
	switch {
	case i == r.Claim.Possible:
		return "impossible"
	case i > r.Claim.Possible:
		return "not reached"
	}
	return "possible"
}

func (r *Report) jsonClaim() *jsonClaim {
	j := &jsonClaim{Possible: r.Claim.Trace != nil, Instead: r.Claim.Instead}
	for i, claimed := range r.ClaimLines {
		step := jsonClaimed{Claimed: claimed, Answer: r.came(i)}
		if r.Claim.Trace != nil {
			step.Step = r.Claim.Steps[i] + 1
		}
		j.Steps = append(j.Steps, step)
	}
	return j
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
