package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"quiesce/explore"
	"quiesce/model"
)

// Bounds of a claim.
const (
	maxClaimFile = 1 << 20 // bytes
	claimStates  = 200_000 // of the workload, without symmetry
)

// openClaim reads the claim in the file; "-" is stdin. It returns the lines too, as
// they are shown.
func openClaim(name string) (explore.Claim, []string, error) {
	f, err := openInput(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return parseClaim(f)
}

// parseClaim reads one step a line, as in the trace table:
//
//	reader-1  SELECT ... WHERE product_id = 1 → {9900}
//
// That is the task, the first words of the request, and after an arrow (also ->)
// the whole reply, if it matters. Three dots stand for any words. Empty lines and
// those that begin with # say nothing.
func parseClaim(r io.Reader) (claim explore.Claim, lines []string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxClaimFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxClaimFile {
		return nil, nil, fmt.Errorf("it is larger than %d MiB", maxClaimFile>>20)
	}
	for i, line := range strings.Split(string(data), "\n") {
		words := strings.Fields(strings.ReplaceAll(line, " -> ", " → "))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		request, reply := words[1:], []string{"..."}
		if i := slices.Index(request, "→"); i >= 0 {
			request, reply = request[:i], request[i+1:]
		}
		if len(request) == 0 || len(reply) == 0 {
			return nil, nil, fmt.Errorf("line %d is not of the form task request → reply, such as reader-1 GET product:1 → (nil)", i+1)
		}
		claim = append(claim, explore.ClaimedStep{Task: words[0], Request: meaning(slices.Concat(request, []string{"..."})), Reply: meaning(reply)})
		lines = append(lines, strings.Join(words, " "))
	}
	if len(claim) == 0 {
		return nil, nil, errors.New("it claims nothing")
	}
	return claim, lines, nil
}

// mistaken says of a request that no task ever makes which is the nearest that the
// task does make: by its words, of as many as the claim has.
func mistaken(err *explore.RequestError, line string) error {
	request, _, _ := strings.Cut(line, " → ")
	words := strings.Fields(request)[1:] // without the task
	claimed := strings.Join(words, " ")
	nearest, distance := "nothing", math.MaxInt
	for _, made := range err.Made {
		brief := strings.Fields(model.Brief(made))
		text := strings.Join(brief[:min(len(words), len(brief))], " ")
		if d := levenshtein.ComputeDistance(strings.ToLower(claimed), strings.ToLower(text)); d < distance {
			nearest, distance = strings.Join(brief, " "), d
		}
	}
	return fmt.Errorf("step %d of the claim: no task ever asks for %q; the nearest that %s asks for is %s", err.Step, claimed, err.Task, nearest)
}

// meaning returns what says whether words of a claim mean a request or a reply: in
// full, or as the table shortens it.
func meaning(words []string) func(string) bool {
	return func(text string) bool {
		return matches(words, strings.Fields(text)) || matches(words, strings.Fields(model.Brief(text)))
	}
}

// matches says whether text consists of the words, where three dots are any words.
func matches(words, text []string) bool {
	back, from := -1, 0 // where to go on if the last dots are more words
	w := 0
	for i := 0; i < len(text); {
		switch {
		case w < len(words) && (words[w] == "..." || words[w] == "…" && text[i] != "…"):
			back, from = w, i
			w++
		case w < len(words) && words[w] == text[i]:
			w++
			i++
		case back < 0:
			return false
		default:
			from++
			w, i = back+1, from
		}
	}
	for w < len(words) && (words[w] == "..." || words[w] == "…") {
		w++
	}
	return w == len(words)
}
