package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"quiesce/sim"
)

// A request is a mode, the length of the SQL text, the text, and the arguments
// up to the end. A reply starts with its mode:
//
//	'x' id changes                         the result of an exec
//	'q' columns {name type} {'r' value*}   the rows of a query, then
//	    'z' | 'e' error                    how they end
//	'e' error                              the statement was not executed
//	'd'                                    the transaction has begun or ended
//
// Lengths, counts and integers are varints, and every value starts with a byte
// for its type, so that different requests never have the same encoding.
const (
	modeExec     = 'x'
	modeQuery    = 'q'
	modeBegin    = 'b' // without SQL text; the arguments are a beginning
	modeCommit   = 'c'
	modeRollback = 'r'
	modeError    = 'e'
	modeDone     = 'd'

	rowMark = 'r'
	endMark = 'z'
)

var errMalformed = errors.New("sqlite: malformed request or reply")

// A call is a request, decoded.
type call struct {
	mode byte
	sql  string
	args []driver.NamedValue
}

func (c call) encode() (string, error) {
	b := make([]byte, 0, 16+len(c.sql)+16*len(c.args))
	b = appendString(append(b, c.mode), c.sql)
	for _, a := range c.args {
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

func decodeCall(body string) (call, error) {
	r := reader{rest: body}
	c := call{mode: r.byte(), sql: r.string()}
	for len(r.rest) > 0 && !r.bad {
		a := driver.NamedValue{Ordinal: len(c.args) + 1}
		if r.rest[0] == 'N' {
			r.byte()
			a.Name = r.string()
		}
		a.Value = r.value()
		c.args = append(c.args, a)
	}
	if r.bad || strings.IndexByte(modes, c.mode) < 0 {
		return call{}, errMalformed
	}
	return c, nil
}

// modes are those of requests.
var modes = string([]byte{modeExec, modeQuery, modeBegin, modeCommit, modeRollback})

// done is the reply to a request that has begun or ended a transaction.
var done = sim.Reply{Body: string(modeDone)}

// call returns the request that begins a transaction.
func (b beginning) call() call {
	return call{mode: modeBegin, args: []driver.NamedValue{{Value: int64(b.level)}, {Value: b.readOnly}, {Value: b.immediate}}}
}

// beginning returns which transaction a request begins.
func (c call) beginning() (b beginning, err error) {
	if len(c.args) != 3 {
		return b, errMalformed
	}
	level, ok1 := c.args[0].Value.(int64)
	readOnly, ok2 := c.args[1].Value.(bool)
	immediate, ok3 := c.args[2].Value.(bool)
	if !ok1 || !ok2 || !ok3 {
		return b, errMalformed
	}
	return beginning{sql.IsolationLevel(level), readOnly, immediate}, nil
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
	return nil, fmt.Errorf("sqlite: unsupported type %T", v)
}

func appendError(b []byte, err error) []byte {
	var e sqlite3.Error
	errors.As(err, &e)
	b = binary.AppendVarint(append(b, modeError), int64(e.Code))
	b = binary.AppendVarint(b, int64(e.ExtendedCode))
	return appendString(b, err.Error())
}

func appendResult(b []byte, r result) []byte {
	b = binary.AppendVarint(append(b, modeExec), r.id)
	return binary.AppendVarint(b, r.changes)
}

// A reader takes a request or a reply apart. Once something is malformed, bad is
// set and all that follows is zero.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) fail() { r.rest, r.bad = "", true }

func (r *reader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) uvarint() uint64 {
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

func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) value() driver.Value {
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

func (r *reader) result() result { return result{id: r.varint(), changes: r.varint()} }

func (r *reader) error() error {
	e := &sqlError{code: sqlite3.ErrNo(r.varint()), extended: sqlite3.ErrNoExtended(r.varint()), text: r.string()}
	if r.bad {
		return errMalformed
	}
	return e
}

// columns reads the names and the declared types of the columns of a query.
func (r *reader) columns() (names, types []string) {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil, nil
	}
	both := make([]string, 2*n)
	names, types = both[:n:n], both[n:]
	for i := range names {
		names[i], types[i] = r.string(), r.string()
	}
	return names, types
}

// row reads the next row into dest. It returns false behind the last one, with
// the error that ended the query, if any.
func (r *reader) row(dest []driver.Value) (bool, error) {
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
	case modeError:
		return false, r.error()
	}
	return false, errMalformed
}

// A sqlError is an error of SQLite as a task gets it. It has the text of the
// original, and unwraps to a [sqlite3.Error] with its codes:
//
//	var e sqlite3.Error
//	if errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintUnique {
//
// A type assertion to sqlite3.Error does not work, since the text of that type
// cannot be set from here.
type sqlError struct {
	code     sqlite3.ErrNo
	extended sqlite3.ErrNoExtended
	text     string
}

func (e *sqlError) Error() string { return e.text }

func (e *sqlError) Unwrap() error {
	if e.code == 0 {
		return nil
	}
	return sqlite3.Error{Code: e.code, ExtendedCode: e.extended}
}
