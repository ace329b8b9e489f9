package quiesce

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"quiesce/sim"
)

// A Property is what has to hold. Each has its own verdict.
type Property struct {
	// Premise, if not nil, says whether the property has anything to judge in a state at
	// quiescence. Where it never has, the verdict is vacuous. nil means that it has, if some
	// state holds what it looks up. A property that looks for what must never be there says
	// so by a premise.
	Premise func(View) bool

	name   string
	always bool
	judge  func(View) error
	of     *sim.Property // of a history; nil if judge says it
}

// AtQuiescence adds a property that has to hold when every task has finished. It returns the
// error that shows how it does not hold, and nil if it does; it looks at the view alone.
//
//	w.AtQuiescence("one order", func(v quiesce.View) error {
//		if n := len(v.Rows("db", "orders")); n > 1 {
//			return fmt.Errorf("%d orders of one piece", n)
//		}
//		return nil
//	})
func (w *World) AtQuiescence(name string, judge func(View) error) *Property {
	w.t.Helper()
	return w.addProperty(&Property{name: name, judge: judge})
}

// Always adds a property that has to hold in every state, also while tasks are at work. A
// task that has not finished has no result yet.
func (w *World) Always(name string, judge func(View) error) *Property {
	w.t.Helper()
	return w.addProperty(&Property{name: name, always: true, judge: judge})
}

// Coherent adds the property that a key of Redis, at quiescence, is what the database has: in
// the world's only Redis, and the row of its only database with that primary key. A key that
// is not there is coherent.
//
// A key that holds a JSON object is compared field by field, each with the column of its name,
// where neither case nor underscores matter, and so is a hash. A column without a field is not
// looked at; a field without a column ends the test. Null fits a row that is not there. Any
// other key is compared with the only column that is no key, or the one that
// [Coherence.Column] names.
//
//	w.Coherent("product:1", "products", 1)
//	w.Coherent("price:1", "products", 1).Column("price")
func (w *World) Coherent(key, table string, id ...any) *Coherence {
	w.t.Helper()
	if len(w.caches) != 1 || len(w.databases) != 1 {
		w.fatalf("World.Coherent is for one Redis and one database, and there are %d and %d, called %s; compare others by AtQuiescence",
			len(w.caches), len(w.databases), cmp.Or(strings.Join(w.storeNames(), ", "), "nothing"))
	}
	c := &Coherence{place: caller(), cache: w.caches[0].name, db: w.databases[0].name, key: key, table: table, id: id}
	w.addProperty(&Property{name: "coherent " + key, judge: c.judge})
	return c
}

func (w *World) addProperty(p *Property) *Property {
	w.t.Helper()
	w.building("a property")
	switch {
	case p.name == "":
		w.fatalf("a property has no name; give it one that says what holds, such as %q", "cache equals database")
	case p.judge == nil && p.of == nil:
		w.fatalf("property %s has no function; give it one that returns an error", p.name)
	case slices.ContainsFunc(w.properties, func(q *Property) bool { return q.name == p.name }):
		w.fatalf("there are two properties called %s; give them different names", p.name)
	}
	w.properties = append(w.properties, p)
	return p
}

// property returns the property for a system, whose states are seen by view.
func (p *Property) property(view func(sim.View) View) sim.Property {
	if p.of != nil {
		return *p.of
	}
	asked := sim.Property{Name: p.name, Always: p.always, Violation: func(state sim.View) string {
		if err := p.judge(view(state)); err != nil {
			return cmp.Or(err.Error(), "it does not hold")
		}
		return ""
	}}
	if p.Premise != nil {
		asked.Premise = func(state sim.View) bool { return p.Premise(view(state)) }
	}
	return asked
}

// A Coherence is a property of [World.Coherent].
type Coherence struct {
	place                 string // of the call
	cache, db, key, table string
	id                    []any
	column                string // "" if none is named
}

// Column compares the key with this column of the row alone.
func (c *Coherence) Column(name string) *Coherence {
	c.column = name
	return c
}

func (c *Coherence) judge(v View) error {
	row := v.Row(c.db, c.table, c.id...)
	it, ok := v.Redis(c.cache).item(c.key)
	if !ok {
		return nil
	}
	differ := func(is string) error {
		return fmt.Errorf("%s: the cache holds %s, the database %s", c.key, it.Value, is)
	}
	fields, object := c.fields(it)
	switch {
	case !row.found && object && fields == nil: // null
		return nil
	case !row.found:
		return differ("no such row")
	case object && !c.agrees(fields, row):
		return differ(row.text)
	case !object && it.Value != plain(c.cell(row).value):
		return differ(plain(c.cell(row).value))
	}
	return nil
}

// fields returns what the key holds if that is an object; nil of null.
func (c *Coherence) fields(it sim.Item) (fields map[string]json.RawMessage, object bool) {
	kind, _, _ := strings.Cut(it.Note, ", ")
	switch {
	case kind == "hash":
		fields = map[string]json.RawMessage{}
		for name, text := range hash(it.Value) {
			fields[name], _ = json.Marshal(text)
		}
		return fields, true
	case kind != "" && !strings.HasPrefix(kind, "ttl "):
		panic(&mistake{c.place, fmt.Sprintf("%s holds a %s; World.Coherent compares JSON, plain values and hashes; compare it by AtQuiescence", c.key, kind)})
	case c.column != "":
		return nil, false
	}
	return fields, json.Unmarshal([]byte(it.Value), &fields) == nil
}

// cell returns the column that the whole key is compared with.
func (c *Coherence) cell(row Row) cell {
	if c.column != "" {
		return row.Columns(c.column).cells()[0]
	}
	cells, n := row.cells(), len(c.id)
	only := len(cells) == n+1
	for i := 0; i < n && only; i++ {
		only = plain(cells[i].value) == fmt.Sprint(c.id[i])
	}
	if !only {
		panic(&mistake{c.place, fmt.Sprintf("%s holds no object, and more than one column of %s may be meant; name it: w.Coherent(...).Column(%q)", c.key, c.table, cells[len(cells)-1].name)})
	}
	return cells[n]
}

// agrees says whether every field is equal to its column.
func (c *Coherence) agrees(fields map[string]json.RawMessage, row Row) bool {
	same := fields != nil
	cells := row.cells()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.IndexFunc(cells, func(cell cell) bool { return folded(cell.name) == folded(name) })
		if i < 0 {
			panic(&mistake{c.place, fmt.Sprintf("the field %q of %s is no column of %s, which has %s; compare them by AtQuiescence", name, c.key, c.table, names(cells))})
		}
		same = same && agree(fields[name], cells[i].value)
	}
	return same
}

// folded returns a name without what does not matter: product_id is ProductID.
func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// plain returns a value of the database as a service writes it into a key.
func plain(value any) string {
	if b, ok := value.([]byte); ok {
		return string(b)
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// agree says whether a field and a column hold the same.
func agree(raw json.RawMessage, column any) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var field any
	if d.Decode(&field) != nil {
		return false
	}
	switch field := field.(type) {
	case nil:
		return column == nil
	case bool:
		return column == int64(0) && !field || column == int64(1) && field
	case json.Number:
		a, ok := new(big.Rat).SetString(field.String())
		b, also := new(big.Rat).SetString(plain(column))
		return ok && also && a.Cmp(b) == 0
	case string:
		if b, ok := column.([]byte); ok {
			return field == base64.StdEncoding.EncodeToString(b)
		}
		a, ok := moment(field)
		b, also := moment(plain(column))
		return field == plain(column) && column != nil || ok && also && a.Equal(b)
	}
	return string(raw) == plain(column) // JSON in a column
}
