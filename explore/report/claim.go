package report

import (
	"fmt"
	"slices"
	"strings"

	"quiesce/explore"
)

// A Claim is the answer of a claim: whether an interleaving is as it says.
type Claim struct {
	Subject
	Lines  []string // its steps
	Result *explore.ClaimResult
}

// Verdict returns violated if the interleaving that was found violates the property, and
// else incomplete.
func (c *Claim) Verdict() explore.Verdict { return ofTrace(c.Result.Trace) }

// Possible says whether any interleaving is as claimed.
func (c *Claim) Possible() bool { return c.Result.Trace != nil }

func (c *Claim) trace() *explore.Trace { return c.Result.Trace }

func (c *Claim) role() string { return "claimed" }

func (c *Claim) title() string {
	if c.Possible() {
		return c.Strategy + ": the claim is possible"
	}
	return c.Strategy + ": the claim is impossible"
}

func (c *Claim) sentence() string {
	if c.Possible() {
		return fmt.Sprintf("This interleaving of %s is as claimed.", c.workload)
	}
	return fmt.Sprintf("No interleaving of %s is as claimed.", c.workload)
}

func (c *Claim) summary() []line {
	verdict := "possible: this interleaving is as claimed"
	if !c.Possible() {
		verdict = "impossible: no interleaving of this workload is as claimed"
	}
	lines := []line{{"claim", verdict}, c.named(), {"workload", c.workload.String()}}
	for i, claimed := range c.Lines {
		label := c.came(i)
		if i > 0 && label == "possible" {
			label = ""
		}
		at := ""
		if c.Possible() {
			at = fmt.Sprintf(" (step %d)", c.Result.Steps[i]+1)
		}
		lines = append(lines, line{label, c.brief(claimed) + at})
		if i == c.Result.Possible {
			lines = append(lines, line{"instead", "after the steps before it " + c.instead()})
		}
	}
	return lines
}

// came says what is true of the i-th step.
func (c *Claim) came(i int) string {
	switch {
	case i == c.Result.Possible:
		return "impossible"
	case i > c.Result.Possible:
		return "not reached"
	}
	return "possible"
}

// instead says what the first step that is impossible would see.
func (c *Claim) instead() string {
	var replies []string
	for _, reply := range c.Result.Instead {
		replies = append(replies, c.brief(reply))
	}
	if slices.Sort(replies); len(replies) == 0 {
		return "the task makes no such request"
	}
	return "the reply is " + strings.Join(slices.Compact(replies), " or ")
}

func (c *Claim) fill(j *jsonReport) {
	j.Engine, j.Claim = "claim", &jsonClaim{Possible: c.Possible(), Instead: c.Result.Instead}
	for i, claimed := range c.Lines {
		step := jsonClaimed{Claimed: claimed, Answer: c.came(i)}
		if c.Possible() {
			step.Step = c.Result.Steps[i] + 1
		}
		j.Claim.Steps = append(j.Claim.Steps, step)
	}
	j.fillTrace(c.Result.Trace)
}
