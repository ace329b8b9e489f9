package sqlite

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"quiesce/sim"
	"quiesce/sim/sqltext"
)

// Content returns every row of every table: an item called products/1, by table
// and primary key (or rowid if there is none), whose value is a JSON object of
// its columns:
//
//	{"product_id":1,"name":"Desk lamp","price":9900}
//
// Different values look different: 1 is an integer, 1.0 is a real, "1" is a
// text, {"blob":"31"} is a blob. A rowid that is no column is in the note, since
// it decides the order of rows. A text in a key is quoted unless it looks like a
// name, a UUID or a date. After the tables come the objects of the schema that differ from the
// initial ones, such as sqlite_master/table/orders (with the value "" if it was
// dropped), and then "random": how many random numbers were drawn, if any since
// the start.
//
// These are the committed rows. Each open transaction follows, as an item with the
// name of its connection, such as worker-1#0, whose value says whether it has read
// or written and whether a commit has made its snapshot stale. If it does not see
// the committed rows, the item says so, and what it sees follows, as items called
// worker-1#0/products/1.
//
// The content must not be changed by the caller.
func (s *Store) Content() (sim.Content, error) {
	committed, err := s.rows()
	if err != nil {
		return nil, err
	}
	content := committed[:len(committed):len(committed)]
	if s.drawn != s.start.drawn {
		content = append(content, sim.Item{Name: "random", Value: strconv.FormatUint(s.drawn, 10)})
	}
	for _, name := range sortedKeys(s.transactions) {
		if content, err = s.appendTransaction(content, name, committed); err != nil {
			return nil, fmt.Errorf("transaction %s: %w", name, err)
		}
	}
	return content, nil
}

// rows returns the committed rows and the objects of the schema that differ from
// the initial ones.
func (s *Store) rows() (sim.Content, error) {
	if s.committed != nil {
		return s.committed, nil
	}
	content, err := s.read(s.own)
	if err != nil {
		return nil, err
	}
	for _, key := range s.schema.changes {
		item := sim.Item{Name: key, Note: "dropped"}
		if o, ok := s.schema.objects[key]; ok {
			item.Value, item.Note = o.sql, o.note()
		}
		content = append(content, item)
	}
	s.committed = content
	return content, nil
}

// read returns the rows that a connection sees.
func (s *Store) read(c *connection) (sim.Content, error) {
	content := make(sim.Content, 0, max(len(s.start.committed), 8))
	for _, t := range s.schema.tables {
		var err error
		if content, err = c.appendRows(content, t); err != nil {
			return nil, fmt.Errorf("table %s %w", t.prefix, err)
		}
	}
	return content, nil
}

// item returns the item of the current row.
func (t *table) item() sim.Item {
	var space [256]byte
	b := append(space[:0], t.prefix...)
	null := false
	for i, k := range t.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendKey(b, t.row[k])
		null = null || t.row[k] == nil
	}
	var note string
	if t.rowid {
		rowid := t.row[len(t.columns)].(int64)
		note = "rowid " + strconv.FormatInt(rowid, 10)
		if len(t.keys) == 0 {
			b = strconv.AppendInt(b, rowid, 10)
		} else if null {
			// A primary key can be NULL any number of times.
			b = strconv.AppendInt(append(b, '#'), rowid, 10)
		}
	}
	end := len(b)

	b = append(b, '{')
	for i, c := range t.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c...)
		b = appendJSON(b, t.row[i])
	}
	b = append(b, '}')
	both := string(b)
	return sim.Item{Name: both[:end], Value: both[end:], Note: note}
}

// appendKey appends a value to the name of an item.
func appendKey(b []byte, v driver.Value) []byte {
	if s, ok := v.(string); ok && plain(s) {
		return append(b, s...)
	}
	return appendJSON(b, v)
}

// plain reports whether a text cannot be mistaken for anything else in a key. A UUID
// cannot, even if it begins with a digit, nor can a date.
func plain(s string) bool {
	if s == "" || s == "null" || sqltext.IsDigit(s[0]) && isNumber(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || !sqltext.IsName(c) && c != ':' && c != '-' && c != '.' && c != ' ' || i == 0 && (c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// isNumber reports whether appendJSON could write a text for a number, and for some more.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// appendJSON appends a value of SQLite as JSON: different values differ.
func appendJSON(b []byte, v driver.Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsInf(v, 0) {
			b = strconv.AppendFloat(append(b, `{"real":"`...), v, 'g', -1, 64)
			return append(b, `"}`...)
		}
		if abs := math.Abs(v); abs >= 1e21 || abs < 1e-6 && abs > 0 {
			return strconv.AppendFloat(b, v, 'e', -1, 64)
		}
		start := len(b)
		b = strconv.AppendFloat(b, v, 'f', -1, 64)
		if bytes.IndexByte(b[start:], '.') < 0 {
			b = append(b, ".0"...)
		}
		return b
	case string:
		return appendText(b, v)
	case []byte:
		b = hex.AppendEncode(append(b, `{"blob":"`...), v)
		return append(b, `"}`...)
	}
	panic(fmt.Sprintf("sqlite: a column holds a %T", v))
}

func appendText(b []byte, s string) []byte {
	simple := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			simple = false
			break
		}
	}
	switch {
	case simple:
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	case !utf8.ValidString(s):
		b = hex.AppendEncode(append(b, `{"text":"`...), []byte(s))
		return append(b, `"}`...)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.Encode(s)
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
