// Package sqltext reads SQL as far as its text alone says something: its tokens, its
// parameters, and what kind of statement it is. It cuts text as SQLite does, which is
// enough for what other databases have in common with it.
package sqltext

import (
	"strconv"
	"strings"
)

// A Token is a piece of SQL text, cut as the tokenizer of SQLite does
// (https://sqlite.org/src/file/src/tokenize.c), with only the kinds that matter
// here.
type Token struct {
	Kind byte // one of the constants
	Text string
}

// Kinds of tokens.
const (
	Space  = ' ' // white space and comments
	Word   = 'w' // a keyword, a name or a number
	Quoted = 'q' // a string or a quoted name
	Param  = '?' // ?, ?3, :name, @name, $name
	Other  = 'o' // one byte of anything else, or ::
)

// Next returns the first token of sql, which is not empty.
func Next(sql string) Token {
	n, kind := 1, byte(Other)
	switch c := sql[0]; {
	case isSpace(c):
		kind, n = Space, span(sql, isSpace)
	case strings.HasPrefix(sql, "--"):
		kind, n = Space, until(sql, 2, "\n")
	case strings.HasPrefix(sql, "/*"):
		kind, n = Space, until(sql, 2, "*/")
	case c == '\'' || c == '"' || c == '`':
		kind = Quoted
		for n = until(sql, 1, sql[:1]); n < len(sql) && sql[n] == c; {
			n = until(sql, n+1, sql[:1]) // a doubled quote stands for one
		}
	case c == '[':
		kind, n = Quoted, until(sql, 1, "]")
	case c == '?':
		kind, n = Param, 1+span(sql[1:], IsDigit)
	case strings.HasPrefix(sql, "::"):
		n = 2 // a cast of PostgreSQL, which SQLite cannot read, and no parameter
	case c == ':' || c == '@' || c == '$':
		if n = 1 + span(sql[1:], IsName); n > 1 {
			kind = Param
		}
	case IsName(c):
		kind, n = Word, span(sql, IsName)
	}
	return Token{kind, sql[:n]}
}

// until returns the index behind the first end in sql[from:], or len(sql).
func until(sql string, from int, end string) int {
	if i := strings.Index(sql[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(sql)
}

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' && c != '\v' }

// IsDigit says whether a byte is a digit.
func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

// IsName says whether a byte may be in a name.
func IsName(c byte) bool {
	return IsDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '$' || c >= 0x80
}

// Params number the parameters of a statement as SQLite does. The zero
// value is before the first.
type Params struct {
	count int // the largest number so far
	names map[string]int
}

// Number returns the number of the next parameter, which has this text, from 1.
func (p *Params) Number(text string) int {
	n := p.count + 1
	if text[0] != '?' {
		if n, ok := p.names[text]; ok {
			return n
		}
		if p.names == nil {
			p.names = make(map[string]int)
		}
		p.names[text] = n
	} else if len(text) > 1 {
		n, _ = strconv.Atoi(text[1:])
	}
	p.count = max(p.count, n)
	return n
}

// A Shape is what can be seen of SQL text without knowing the schema.
type Shape struct {
	Verb   string // of the first statement, in upper case; that behind WITH; "" if there is none
	Params int    // how many arguments it takes
	Many   bool   // there is something behind the first statement
}

// ShapeOf scans SQL text. The body of a trigger contains statements, and ends
// with the END that follows a semicolon: see sqlite3_complete.
func ShapeOf(sql string) Shape {
	var (
		s         Shape
		ps        Params
		words     int
		depth     int
		with      bool
		trigger   bool
		ended     bool
		last, pre string // the latest tokens, words in upper case
	)
	for len(sql) > 0 {
		t := Next(sql)
		sql = sql[len(t.Text):]
		if t.Kind == Space {
			continue
		}
		text := t.Text
		switch {
		case ended:
			s.Many = s.Many || text != ";"
			continue
		case t.Kind == Param:
			ps.Number(text)
		case t.Kind == Word:
			words++
			if s.Verb == "" || with || words <= 3 || trigger {
				text = strings.ToUpper(text)
			}
			switch {
			case words == 1:
				s.Verb, with = text, text == "WITH"
			case with && depth == 0 && (text == "SELECT" || text == "VALUES" || Writes(text)):
				s.Verb, with = text, false
			case s.Verb == "CREATE" && words <= 3 && text == "TRIGGER":
				trigger = true
			}
		case text == "(":
			depth++
		case text == ")":
			depth--
		case text == ";":
			ended = !trigger || last == "END" && pre == ";"
		}
		pre, last = last, text
	}
	s.Params = ps.count
	return s
}

// Writes says whether a verb changes rows.
func Writes(verb string) bool {
	return Inserts(verb) || verb == "UPDATE" || verb == "DELETE"
}

// Inserts says whether a verb adds rows.
func Inserts(verb string) bool { return verb == "INSERT" || verb == "REPLACE" }

// Defines says whether a verb changes the schema.
func Defines(verb string) bool {
	return verb == "CREATE" || verb == "DROP" || verb == "ALTER"
}
