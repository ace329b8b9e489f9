package model

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Suggest returns the end of an error about a name that is not one of names:
// the nearest of them, or all of them if none is near.
func Suggest(name string, names []string) string {
	nearest, distance := "", len(name)/2+1
	for _, n := range names {
		if d := levenshtein.ComputeDistance(name, n); d < distance {
			nearest, distance = n, d
		}
	}
	if nearest != "" {
		return "did you mean " + nearest + "?"
	}
	return "one of " + strings.Join(names, ", ")
}
