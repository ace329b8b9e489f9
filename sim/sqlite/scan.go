package sqlite

import (
	"strconv"
	"strings"
)

// A token is a piece of SQL text, cut as the tokenizer of SQLite does
// (https://sqlite.org/src/file/src/tokenize.c), with only the kinds that matter
// here.
type token struct {
	kind byte
	text string
}

const (
	space  = ' ' // white space and comments
	word   = 'w' // a keyword, a name or a number
	quoted = 'q' // a string or a quoted name
	param  = '?' // ?, ?3, :name, @name, $name
	other  = 'o' // one byte of anything else, or ::
)

// next returns the first token of sql, which is not empty.
func next(sql string) token {
	n, kind := 1, byte(other)
	switch c := sql[0]; {
	case isSpace(c):
		kind, n = space, span(sql, isSpace)
	case strings.HasPrefix(sql, "--"):
		kind, n = space, until(sql, 2, "\n")
	case strings.HasPrefix(sql, "/*"):
		kind, n = space, until(sql, 2, "*/")
	case c == '\'' || c == '"' || c == '`':
		kind = quoted
		for n = until(sql, 1, sql[:1]); n < len(sql) && sql[n] == c; {
			n = until(sql, n+1, sql[:1]) // a doubled quote stands for one
		}
	case c == '[':
		kind, n = quoted, until(sql, 1, "]")
	case c == '?':
		kind, n = param, 1+span(sql[1:], isDigit)
	case strings.HasPrefix(sql, "::"):
		n = 2 // a cast of PostgreSQL, which SQLite cannot read, and no parameter
	case c == ':' || c == '@' || c == '$':
		if n = 1 + span(sql[1:], isName); n > 1 {
			kind = param
		}
	case isName(c):
		kind, n = word, span(sql, isName)
	}
	return token{kind, sql[:n]}
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
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isName(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '$' || c >= 0x80
}

// params numbers the parameters of a statement as SQLite does.
type params struct {
	count int // the largest number so far
	names map[string]int
}

// number returns the number of a parameter, starting with 1.
func (p *params) number(text string) int {
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

// A shape is what can be seen of SQL text without knowing the schema.
type shape struct {
	verb   string // of the first statement, in upper case; that behind WITH; "" if there is none
	params int
	many   bool // there is something behind the first statement
}

// shapeOf scans SQL text. The body of a trigger contains statements, and ends
// with the END that follows a semicolon: see sqlite3_complete.
func shapeOf(sql string) shape {
	var (
		s         shape
		ps        params
		words     int
		depth     int
		with      bool
		trigger   bool
		ended     bool
		last, pre string // the latest tokens, words in upper case
	)
	for len(sql) > 0 {
		t := next(sql)
		sql = sql[len(t.text):]
		if t.kind == space {
			continue
		}
		text := t.text
		switch {
		case ended:
			s.many = s.many || text != ";"
			continue
		case t.kind == param:
			ps.number(text)
		case t.kind == word:
			words++
			if s.verb == "" || with || words <= 3 || trigger {
				text = strings.ToUpper(text)
			}
			switch {
			case words == 1:
				s.verb, with = text, text == "WITH"
			case with && depth == 0 && (text == "SELECT" || text == "VALUES" || writes(text)):
				s.verb, with = text, false
			case s.verb == "CREATE" && words <= 3 && text == "TRIGGER":
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
	s.params = ps.count
	return s
}

// writes reports whether verb changes rows.
func writes(verb string) bool {
	return inserts(verb) || verb == "UPDATE" || verb == "DELETE"
}

func inserts(verb string) bool { return verb == "INSERT" || verb == "REPLACE" }

// defines reports whether verb changes the schema.
func defines(verb string) bool {
	return verb == "CREATE" || verb == "DROP" || verb == "ALTER"
}
