package sqlite

import (
	"regexp"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
)

// SetTimed says whether time passes. The clock of the database stands at [Epoch] even
// then, or a point in time would be a part of every state. So a statement may write
// what time it is, and one that does anything else with it is refused.
func (s *Store) SetTimed(timed bool) { s.timed = timed }

var (
	asksTime   = regexp.MustCompile(`(?i)\b(current_(timestamp|date|time)\b|(date|time|datetime|julianday|unixepoch|strftime|timediff)\s*\()`)
	writesTime = regexp.MustCompile(`(?i)([\w"\x60\]]\s*=|[(,])\s*current_(timestamp|date|time)\b`)
	condition  = regexp.MustCompile(`(?i)\bwhere\b`)
)

// looksAtTime says whether a statement does more with the time than to write it into a
// column. When in doubt it does.
func looksAtTime(sql string) bool {
	values := sql
	if at := condition.FindStringIndex(sql); at != nil {
		values = sql[:at[0]]
		if asksTime.MatchString(sql[at[0]:]) {
			return true
		}
	}
	verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(values)), " ")
	if verb != "UPDATE" && verb != "INSERT" && verb != "REPLACE" {
		return asksTime.MatchString(values)
	}
	for at := writesTime.FindStringIndex(values); at != nil; at = writesTime.FindStringIndex(values) {
		if asksTime.MatchString(values[:at[0]]) {
			return true
		}
		values = values[at[1]:]
		if rest := strings.TrimSpace(values); rest != "" && rest[0] != ',' && rest[0] != ')' {
			return true
		}
	}
	return asksTime.MatchString(values)
}

// Tick returns no request.
func (s *Store) Tick(time.Duration) sim.Request { return sim.Request{} }

// Waits says whether the request is one that a transaction may have to wait with, or
// waits for a row. Single statements without transactions wait for nobody.
func (s *Store) Waits(req sim.Request) sim.Wait {
	_, err := sqlclient.ParseCall(req.Body)
	switch {
	case err == nil && req.Awaits:
		return sim.ForNews
	case err == nil && s.mode != InMemory:
		return sim.ForOthers
	}
	return sim.NoWait
}
