package sqlite

import (
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

// What a pass on SQLite does not cover of PostgreSQL and MySQL, if it has happened, in
// the order of the report.
const (
	tellsLocked = `a transaction was told "database is locked"; READ COMMITTED would have gone on`
	waits       = "a request waited for a transaction; PostgreSQL and MySQL lock rows, not the database"
	oneSnapshot = "transactions read one snapshot; at READ COMMITTED a later statement sees newer rows"
	checks      = "transactions read and insert; at READ COMMITTED two of them can both insert"
	selects     = "a write with a SELECT inside is one step here; in PostgreSQL two of them overlap"
	draws       = "ids are in the order of commits; in PostgreSQL and MySQL not always, and with gaps"
	clocked     = "the clock of the database was read, and it stands still"
)

var _ sim.Candid = (*Store)(nil)

// Caveats says which of the differences between SQLite and the servers that it stands
// for could have mattered. What happened in which transaction is not known, but on
// which connection.
func (s *Store) Caveats(exchanges []sim.Exchange) []string {
	found := map[string]bool{}
	// Connections, by what happened in a transaction on them.
	late, reads, inserted := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, e := range exchanges {
		c, err := sqlclient.ParseCall(e.Request.Body)
		if err != nil {
			continue // of the environment
		}
		verb := sqltext.ShapeOf(c.SQL).Verb
		switch conn := e.Request.Conn; {
		case e.Blocked:
			found[waits] = found[waits] || !e.Request.Awaits
			continue
		case c.Kind == sqlclient.Begin:
			b, err := c.Beginning()
			late[conn] = late[conn] || err == nil && !b.Immediate
		case conn != "" && verb == "SELECT":
			reads[conn] = true
		case conn != "" && verb == "INSERT":
			inserted[conn] = true
		}
		found[tellsLocked] = found[tellsLocked] || overtaken(e.Reply)
		found[selects] = found[selects] || sqltext.Writes(verb) && hasWord(c.SQL, "SELECT")
		found[draws] = found[draws] || s.drawsID(c)
		found[clocked] = found[clocked] || looksAtTime(c.SQL)
	}
	for conn := range reads {
		// A transaction that began with the lock sees the newest rows up to its end.
		found[oneSnapshot] = found[oneSnapshot] || s.mode == WAL && late[conn]
		found[checks] = found[checks] || inserted[conn]
	}
	return slices.DeleteFunc([]string{tellsLocked, waits, oneSnapshot, checks, selects, draws, clocked}, func(c string) bool { return !found[c] })
}

// overtaken says whether a reply is that somebody else has committed first.
func overtaken(reply sim.Reply) bool {
	r := sqlclient.Read(reply.Body, cause)
	var err error
	switch r.Kind() {
	case sqlclient.Failed:
		err = r.Err()
	case sqlclient.Query:
		var names []string
		names, _, err = r.Columns()
		row := make([]driver.Value, len(names))
		for more := err == nil; more; {
			more, err = r.Row(row)
		}
	}
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrBusySnapshot
}

// words returns the tokens of a statement that are not white space; words in upper
// case.
func words(sql string) (all []sqltext.Token) {
	for len(sql) > 0 {
		t := sqltext.Next(sql)
		sql = sql[len(t.Text):]
		if t.Kind == sqltext.Word {
			t.Text = strings.ToUpper(t.Text)
		}
		if t.Kind != sqltext.Space {
			all = append(all, t)
		}
	}
	return all
}

// hasWord says whether a statement has a word, in upper case, outside of quotes.
func hasWord(sql, upper string) bool {
	return slices.Contains(words(sql), sqltext.Token{Kind: sqltext.Word, Text: upper})
}

// drawsID says whether a statement inserts a row and leaves it to the database to give
// it an id, or may do so.
func (s *Store) drawsID(c sqlclient.Call) bool {
	all := words(c.SQL)
	into := slices.Index(all, sqltext.Token{Kind: sqltext.Word, Text: "INTO"})
	if !sqltext.Inserts(sqltext.ShapeOf(c.SQL).Verb) || into < 0 {
		return false
	}
	rest := all[into+1:]
	if len(rest) > 1 && rest[1].Text == "." { // main
		rest = rest[2:]
	}
	if len(rest) == 0 {
		return false
	}
	name := nameOf(rest[0])
	i := slices.IndexFunc(s.schema.tables, func(t *table) bool { return strings.EqualFold(t.prefix, string(appendKey(nil, name))+"/") })
	if i < 0 || s.schema.tables[i].alias == "" {
		return false
	}
	if rest = rest[1:]; len(rest) > 1 && rest[0].Text == "AS" {
		rest = rest[2:]
	}
	if len(rest) == 0 || rest[0].Text != "(" {
		null := slices.ContainsFunc(c.Args, func(a driver.NamedValue) bool { return a.Value == nil })
		return null || hasWord(c.SQL, "NULL") || hasWord(c.SQL, "DEFAULT")
	}
	for _, t := range rest[1:] {
		switch {
		case t.Text == ")":
			return true
		case strings.EqualFold(quoteName(nameOf(t)), s.schema.tables[i].alias):
			return false
		}
	}
	return false
}

// nameOf returns the name that a token is, without quotes.
func nameOf(t sqltext.Token) string {
	if t.Kind != sqltext.Quoted {
		return t.Text
	}
	return strings.Trim(t.Text, "'\"`[]")
}
