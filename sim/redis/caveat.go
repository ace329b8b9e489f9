package redis

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"quiesce/sim"
	"quiesce/sim/redisclient"
)

var _ sim.Candid = (*Store)(nil)

// asksLeft are the commands whose effect depends on how much of a TTL is left, and on
// how long an entry has been pending.
var asksLeft = map[string]bool{"TTL": true, "PTTL": true, "XPENDING": true}

// luaCommand is such a command as a script names it, or the option by which EXPIRE is
// one.
var luaCommand = regexp.MustCompile(`(?i)['"\[](p?ttl|time|p?expire(time|at)|xpending|gt)['"\]]`)

// Caveats says whether the time was looked at although it stands still.
func (s *Store) Caveats(exchanges []sim.Exchange) (all []string) {
	if s.timed {
		return nil
	}
	left, now := map[string]bool{}, map[string]bool{}
	for _, e := range exchanges {
		cmds, err := redisclient.Commands(e.Request.Body)
		if err != nil {
			continue // of the environment, or no command
		}
		for _, args := range cmds {
			for _, name := range s.timely(args) {
				if clocked[name] {
					now[name] = true
				} else {
					left[name] = true
				}
			}
		}
	}
	if len(left) > 0 {
		all = append(all, fmt.Sprintf("%s was asked, and time stands still; it passes with -max-stall D (sim.Timing)", named(left)))
	}
	if len(now) > 0 {
		all = append(all, fmt.Sprintf("%s was asked, and the clock of Redis stands still", named(now)))
	}
	return all
}

func named(commands map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(commands)), ", ")
}

// timely returns the commands among what a command executes that look at the time.
// What a script executes is guessed from its text: it may be more than it does.
func (s *Store) timely(args []string) (names []string) {
	name := strings.ToUpper(args[0])
	switch {
	case asksLeft[name] || clocked[name]:
		return []string{name}
	case (name == "EXPIRE" || name == "PEXPIRE") && len(args) == 4 && redisclient.Is(args[3], "GT"):
		return []string{"EXPIRE GT"}
	}
	script := ""
	switch {
	case len(args) < 2:
	case name == "EVAL" || name == "EVAL_RO":
		script = args[1]
	case name == "EVALSHA" || name == "EVALSHA_RO":
		script = s.scripts[strings.ToLower(args[1])]
	}
	for _, m := range luaCommand.FindAllStringSubmatch(script, -1) {
		names = append(names, strings.Replace(strings.ToUpper(m[1]), "GT", "EXPIRE GT", 1))
	}
	return names
}
