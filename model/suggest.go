package model

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// mostNames is how many names are printed in an error.
const mostNames = 10

// Suggest returns the end of an error about a name that is not one of names: the
// nearest of them, or all if none is near. A name is near if it is the same but for
// the case of its letters, or if one letter of three is another one, and one at
// least. list says where all are printed; it stands in their place if they are too many
// for one line.
func Suggest(name string, names []string, list string) string {
	nearest, distance := "", max(1, len([]rune(name))/3)+1
	for _, n := range names {
		if strings.EqualFold(name, n) {
			return "it is written " + n
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(n)); d < distance && d < len([]rune(n)) {
			nearest, distance = n, d
		}
	}
	switch {
	case nearest != "":
		return "did you mean " + nearest + "?"
	case len(names) > mostNames && list != "":
		return list
	}
	return "one of " + strings.Join(names, ", ")
}
