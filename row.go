package quiesce

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Row is a row of a table in a [View].
type Row struct {
	db, name string
	text     string // an object of its columns, in their order
	found    bool
	columns  []string // that are asked for; nil means all
}

// Exists says whether the row is there.
func (r Row) Exists() bool { return r.found }

// Columns returns the row with these columns alone, in this order.
func (r Row) Columns(names ...string) Row {
	r.columns = names
	return r
}

// Scan copies the columns, in their order, into variables, as sql.Row.Scan does. If the row
// is not there it returns an error that is sql.ErrNoRows. A column that does not fit, or
// another number of variables than of columns, ends the test.
func (r Row) Scan(into ...any) error {
	if !r.found {
		return fmt.Errorf("%s in %s: %w", r.name, r.db, sql.ErrNoRows)
	}
	cells := r.cells()
	if len(cells) != len(into) {
		panic(mistakenly("%s has the columns %s, and %d variables are to get them; name those that you want by Columns", r.name, names(cells), len(into)))
	}
	for i, c := range cells {
		if err := assign(into[i], c.value); err != nil {
			panic(mistakenly("column %s of %s: %v", c.name, r.name, err))
		}
	}
	return nil
}

// JSON decodes the row as an object with a field for every column, as json.Unmarshal does,
// and returns false if it is not there.
func (r Row) JSON(value any) bool {
	if !r.found {
		return false
	}
	text := r.text
	if r.columns != nil {
		var parts []string
		for _, c := range r.cells() {
			name, _ := json.Marshal(c.name)
			parts = append(parts, string(name)+":"+c.raw)
		}
		text = "{" + strings.Join(parts, ",") + "}"
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		panic(mistakenly("%s is %s, which cannot be decoded: %v", r.name, text, err))
	}
	return true
}

// A cell is a column of a row.
type cell struct {
	name  string
	raw   string       // as the store writes it
	value driver.Value // an int64, float64, string, []byte or nil
}

// cells returns the columns that are asked for. It panics if there is none of a name.
func (r Row) cells() []cell {
	all := cellsOf(r.text)
	if r.columns == nil {
		return all
	}
	var asked []cell
	for _, name := range r.columns {
		i := slices.IndexFunc(all, func(c cell) bool { return strings.EqualFold(c.name, name) })
		if i < 0 {
			panic(mistakenly("%s has no column %q; it has %s", r.name, name, names(all)))
		}
		asked = append(asked, all[i])
	}
	return asked
}

// names returns those of columns.
func names(cells []cell) string {
	var all []string
	for _, c := range cells {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

// cellsOf reads an object of columns: see sqlite.Store.Content.
func cellsOf(text string) (cells []cell) {
	d := json.NewDecoder(strings.NewReader(text))
	d.Token() // {
	for d.More() {
		name, _ := d.Token()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			panic(fmt.Sprintf("quiesce: a row is %s: %v", text, err))
		}
		cells = append(cells, cell{name.(string), string(raw), valueOf(raw)})
	}
	return cells
}

// valueOf reads the value of a column, of which those of different types look different.
func valueOf(raw json.RawMessage) driver.Value {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && err != io.EOF {
		panic(fmt.Sprintf("quiesce: a column is %s: %v", raw, err))
	}
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case string:
		return v
	case map[string]any:
		for kind, text := range v { // one
			switch text, _ := text.(string); kind {
			case "blob":
				b, _ := hex.DecodeString(text)
				return b
			case "text":
				b, _ := hex.DecodeString(text)
				return string(b)
			case "real":
				f, _ := strconv.ParseFloat(text, 64)
				return f
			}
		}
	}
	return nil
}

// assign copies a value of a database into what a pointer points to, as package
// database/sql does.
func assign(into any, value driver.Value) error {
	if s, ok := into.(sql.Scanner); ok {
		return s.Scan(value)
	}
	p := reflect.ValueOf(into)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%T is no pointer to a variable", into)
	}
	return set(p.Elem(), value)
}

func set(to reflect.Value, value driver.Value) error {
	if to.Kind() == reflect.Pointer {
		if value == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Interface(), value)
	}
	if to.Kind() == reflect.Interface && to.NumMethod() == 0 {
		if value == nil {
			to.SetZero()
		} else {
			to.Set(reflect.ValueOf(value))
		}
		return nil
	}
	if value == nil {
		return fmt.Errorf("NULL does not fit a %s", to.Type())
	}
	text := fmt.Sprint(value)
	if b, ok := value.([]byte); ok {
		text = string(b)
	}
	var err error
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, to.Type().Bits()); err == nil {
			to.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, to.Type().Bits()); err == nil {
			to.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, to.Type().Bits()); err == nil {
			to.SetFloat(f)
		}
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			to.SetBool(b)
		}
	default:
		switch at := to.Addr().Interface().(type) {
		case *[]byte:
			*at = []byte(text)
			return nil
		case *time.Time:
			if t, ok := moment(text); ok {
				*at = t
				return nil
			}
		}
		return fmt.Errorf("%s does not fit a %s", text, to.Type())
	}
	if err != nil {
		return fmt.Errorf("%s does not fit a %s", text, to.Type())
	}
	return nil
}

// layouts are those in which databases and encoding/json write a time.
var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999", "2006-01-02"}

// moment returns the time that a text is, and false if it is none.
func moment(text string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// keys returns a primary key as the database has it.
func keys(table string, key []any) []driver.Value {
	if len(key) == 0 {
		panic(mistakenly("a row of %s is looked up without a key; give its primary key, or use Rows", table))
	}
	values := make([]driver.Value, len(key))
	for i, k := range key {
		var err error
		if values[i], err = driver.DefaultParameterConverter.ConvertValue(k); err != nil {
			panic(mistakenly("a row of %s is looked up by a %T, which is no value of a database", table, k))
		}
		switch k := values[i].(type) {
		case bool:
			values[i] = int64(0)
			if k {
				values[i] = int64(1)
			}
		case time.Time:
			panic(mistakenly("a row of %s is looked up by a time; give it as the text that the database holds", table))
		}
	}
	return values
}
