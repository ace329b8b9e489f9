package sqlclient

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"quiesce/sim"
)

// Lengths, counts and integers are varints, and every value starts with a byte for its
// type, so that different requests never have the same encoding.

// Kinds of requests and of replies, the first byte of each.
const (
	Exec     = 'x' // a statement, or its result
	Query    = 'q' // a statement, or its rows
	Begin    = 'b' // a transaction begins
	Commit   = 'c'
	Rollback = 'r'

	Failed = 'e' // a statement was not executed, or the rest of its rows is not known
	Done   = 'd' // a transaction has begun or ended

	rowMark = 'r'
	endMark = 'z'
)

// ErrMalformed is the error of a request or a reply that cannot be read.
var ErrMalformed = errors.New("sqlclient: malformed request or reply")

// A Call is a request: its kind, and of a statement its text and its arguments.
type Call struct {
	Kind byte
	SQL  string
	Args []driver.NamedValue
}

// Encode returns the body of the request. It is an error if an argument is of no type of
// [driver.Value].
func (c Call) Encode() (string, error) {
	b := make([]byte, 0, 16+len(c.SQL)+16*len(c.Args))
	b = appendString(append(b, c.Kind), c.SQL)
	for _, a := range c.Args {
		if a.Name != "" {
			b = appendString(append(b, 'N'), a.Name)
		}
		var err error
		if b, err = appendValue(b, a.Value); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

// ParseCall reads the body of a request.
func ParseCall(body string) (Call, error) {
	r := Reader{rest: body}
	c := Call{Kind: r.byte(), SQL: r.string()}
	for len(r.rest) > 0 && !r.bad {
		a := driver.NamedValue{Ordinal: len(c.Args) + 1}
		if r.rest[0] == 'N' {
			r.byte()
			a.Name = r.string()
		}
		a.Value = r.value()
		c.Args = append(c.Args, a)
	}
	if r.bad || strings.IndexByte(requests, c.Kind) < 0 {
		return Call{}, ErrMalformed
	}
	return c, nil
}

// requests are the kinds of requests.
var requests = string([]byte{Exec, Query, Begin, Commit, Rollback})

// A Beginning says which transaction begins.
type Beginning struct {
	Level    sql.IsolationLevel
	ReadOnly bool

	// Immediate says that the transaction waits for all other writers when it begins.
	Immediate bool
}

// Call returns the request that begins a transaction.
func (b Beginning) Call() Call {
	return Call{Kind: Begin, Args: []driver.NamedValue{{Value: int64(b.Level)}, {Value: b.ReadOnly}, {Value: b.Immediate}}}
}

// Beginning returns which transaction a request begins.
func (c Call) Beginning() (b Beginning, err error) {
	if c.Kind != Begin || len(c.Args) != 3 {
		return b, ErrMalformed
	}
	level, ok1 := c.Args[0].Value.(int64)
	readOnly, ok2 := c.Args[1].Value.(bool)
	immediate, ok3 := c.Args[2].Value.(bool)
	if !ok1 || !ok2 || !ok3 {
		return b, ErrMalformed
	}
	return Beginning{sql.IsolationLevel(level), readOnly, immediate}, nil
}

// DoneReply is the reply to a request that has begun or ended a transaction.
var DoneReply = sim.Reply{Body: string(Done)}

// A Result is what a statement without rows has done.
type Result struct{ ID, Changes int64 }

// LastInsertId returns the id of the row that was inserted, 0 if there is none.
func (r Result) LastInsertId() (int64, error) { return r.ID, nil }

// RowsAffected returns how many rows were changed.
func (r Result) RowsAffected() (int64, error) { return r.Changes, nil }

// AppendResult appends a reply that is a result.
func AppendResult(b []byte, r Result) []byte {
	b = binary.AppendVarint(append(b, Exec), r.ID)
	return binary.AppendVarint(b, r.Changes)
}

// AppendColumns appends the beginning of a reply that has rows: the names and the declared
// types of its columns. Each row follows by [AppendRow], and behind the last one the
// reply ends by [AppendEnd] or [AppendError].
func AppendColumns(b []byte, names, types []string) []byte {
	b = binary.AppendUvarint(append(b, Query), uint64(len(names)))
	for i, name := range names {
		b = appendString(appendString(b, name), types[i])
	}
	return b
}

// AppendRow appends a row. It is an error if a value is of no type of [driver.Value].
func AppendRow(b []byte, row []driver.Value) ([]byte, error) {
	b = append(b, rowMark)
	for _, v := range row {
		var err error
		if b, err = appendValue(b, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// AppendEnd appends the end of all rows.
func AppendEnd(b []byte) []byte { return append(b, endMark) }

// AppendError appends an error, instead of a reply or behind some of its rows. The code
// is that of the database, in a form that the [Options] of the client can read.
func AppendError(b []byte, code, text string) []byte {
	return appendString(appendString(append(b, Failed), code), text)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendValue appends one of the types of [driver.Value]. A nil []byte is NULL,
// as in go-sqlite3. Of the zone of a time only the offset is kept: it is all
// that go-sqlite3 stores.
func appendValue(b []byte, v driver.Value) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, 'n'), nil
	case int64:
		return binary.AppendVarint(append(b, 'i'), v), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v)), nil
	case bool:
		if v {
			return append(b, 'T'), nil
		}
		return append(b, 'F'), nil
	case []byte:
		if v == nil {
			return append(b, 'n'), nil
		}
		b = binary.AppendUvarint(append(b, 'b'), uint64(len(v)))
		return append(b, v...), nil
	case string:
		return appendString(append(b, 's'), v), nil
	case time.Time:
		_, offset := v.Zone()
		b = binary.AppendVarint(append(b, 't'), v.Unix())
		b = binary.AppendUvarint(b, uint64(v.Nanosecond()))
		return binary.AppendVarint(b, int64(offset)), nil
	}
	return nil, fmt.Errorf("sqlclient: unsupported type %T", v)
}

// A Reader takes a reply apart, from its start to its end. Once something is malformed
// all that follows is zero, and its error [ErrMalformed].
type Reader struct {
	rest  string
	bad   bool
	cause func(code string) error
}

// Read returns the reader of a reply. For cause see [Options]; nil finds none.
func Read(body string, cause func(code string) error) *Reader {
	return &Reader{rest: body, cause: cause}
}

// Kind reads what kind of reply it is.
func (r *Reader) Kind() byte { return r.byte() }

func (r *Reader) fail() { r.rest, r.bad = "", true }

func (r *Reader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *Reader) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

func (r *Reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *Reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *Reader) value() driver.Value {
	switch r.byte() {
	case 'n':
		return nil
	case 'i':
		return r.varint()
	case 'f':
		if len(r.rest) < 8 {
			break
		}
		f := math.Float64frombits(binary.BigEndian.Uint64([]byte(r.rest[:8])))
		r.rest = r.rest[8:]
		return f
	case 'T':
		return true
	case 'F':
		return false
	case 'b':
		return []byte(r.string())
	case 's':
		return r.string()
	case 't':
		t := time.Unix(r.varint(), int64(r.uvarint())).UTC()
		if offset := r.varint(); offset != 0 {
			// Not the local zone, even if that has the same offset.
			t = t.In(time.FixedZone("", int(offset)))
		}
		return t
	}
	r.fail()
	return nil
}

// Result reads the result of an Exec, behind its kind.
func (r *Reader) Result() (Result, error) {
	res := Result{ID: r.varint(), Changes: r.varint()}
	if r.bad {
		return Result{}, ErrMalformed
	}
	return res, nil
}

// Err reads the error of a reply that is Failed, behind its kind.
func (r *Reader) Err() error {
	e := &Error{Code: r.string(), Text: r.string()}
	if r.bad {
		return ErrMalformed
	}
	if r.cause != nil {
		e.cause = r.cause(e.Code)
	}
	return e
}

// Columns reads the names and the declared types of the columns of a Query, behind its
// kind.
func (r *Reader) Columns() (names, types []string, err error) {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil, nil, ErrMalformed
	}
	both := make([]string, 2*n)
	names, types = both[:n:n], both[n:]
	for i := range names {
		names[i], types[i] = r.string(), r.string()
	}
	if r.bad {
		return nil, nil, ErrMalformed
	}
	return names, types, nil
}

// Row reads the next row into dest, which has a place for each column. It returns false behind the last one, with
// the error that ended the query, if any.
func (r *Reader) Row(dest []driver.Value) (bool, error) {
	switch r.byte() {
	case rowMark:
		for i := range dest {
			dest[i] = r.value()
		}
		if !r.bad {
			return true, nil
		}
	case endMark:
		if !r.bad {
			return false, nil
		}
	case Failed:
		return false, r.Err()
	}
	return false, ErrMalformed
}
