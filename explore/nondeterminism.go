package explore

import "quiesce/explore/learn"

// A NondeterminismError says that a machine got the same inputs twice and answered
// differently. Nothing can be concluded about such a system.
type NondeterminismError = learn.NondeterminismError

// A LeftoverError says that a process has ended and left goroutines behind. What they
// do is part of no step, so no order of it was explored.
type LeftoverError = learn.LeftoverError
