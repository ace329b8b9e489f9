package quiesce

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/sqlite"
)

// A View is what a property sees of a state: what the stores hold, what the servers show of
// their memory, and what the tasks that have finished returned. A property says nothing that
// it does not see here.
//
// Everything is looked up by its name. A store, table, server or task that is not there ends
// the test with an error that names those that are. A key or a row that no state of the whole
// search ever has makes the verdict vacuous, which is no pass.
type View struct {
	world *World
	state sim.View
	tasks []instance // in the order of the results
	shown []string   // the servers, in the order of the memories
}

// view returns the states of a system as views.
func (w *World) view(l workload, sys *sim.System) func(sim.View) View {
	v := View{world: w}
	byName := map[string]*task{}
	for _, in := range l.instances() {
		byName[in.name] = in.task
	}
	for _, p := range sys.Programs {
		v.shown = append(v.shown, p.Name)
	}
	return func(state sim.View) View {
		if len(v.tasks) != len(state.Results) { // there are more with every goroutine that is found to ask
			v.tasks = nil
			for _, t := range sys.Tasks() {
				v.tasks = append(v.tasks, instance{byName[t.Name], t.Name})
			}
		}
		v := v
		v.state = state
		return v
	}
}

// Redis returns what a Redis server holds, by key.
func (v View) Redis(name string) Items {
	if names := cacheNames(v.world); !slices.Contains(names, name) {
		panic(mistakenly("there is no Redis called %q; %s", name, there(names)))
	}
	return Items{v, name}
}

// Memory returns what a server shows of its memory by [Process.Show].
func (v View) Memory(name string) Items {
	i := slices.Index(v.shown, name)
	if i < 0 {
		panic(mistakenly("there is no server called %q; %s", name, there(v.shown)))
	}
	if !slices.ContainsFunc(v.world.servers, func(s *server) bool { return s.name == name }) {
		v.world.labelled.Store(true)
	}
	if v.state.Memories[i] == nil {
		panic(mistakenly("server %s shows nothing of its memory; call p.Show in its function", name))
	}
	return Items{v, name}
}

// Items are what a place holds, each with a name: Redis, or the memory of a server. Of a
// key that is no string, the text is what the trace shows of it.
type Items struct {
	view  View
	place string
}

// String returns the text of an item, and false if it is not there.
func (s Items) String(name string) (string, bool) { return s.view.state.Value(s.place, name) }

// Exists says whether an item is there.
func (s Items) Exists(name string) bool {
	_, ok := s.String(name)
	return ok
}

// JSON decodes an item, as json.Unmarshal does, and returns false if it is not there.
//
//	var p shop.Product
//	if v.Redis("cache").JSON("product:1", &p) && p.Price < 0 {
//
// What is no JSON, or does not fit, ends the test.
func (s Items) JSON(name string, value any) bool {
	text, ok := s.String(name)
	if !ok {
		return false
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		panic(mistakenly("%s in %s is %s, which cannot be decoded: %v; use String if that is what it should be", name, s.place, text, err))
	}
	return true
}

// TTL returns after how long an item goes away by itself, 0 if it does not, and false if it
// is not there. Where no time passes it is what the item began with.
func (s Items) TTL(name string) (time.Duration, bool) {
	it, ok := s.item(name)
	return it.TTL, ok
}

// Hash returns the fields of a hash of Redis; nil if it is not there.
func (s Items) Hash(name string) map[string]string {
	it, ok := s.item(name)
	if !ok {
		return nil
	}
	if kind, _, _ := strings.Cut(it.Note, ", "); kind != "hash" {
		panic(mistakenly("%s in %s is %s, which is no hash", name, s.place, it.Value))
	}
	return hash(it.Value)
}

// hash reads what a store of Redis writes of one: {"f":"v" "g":"w"}.
func hash(text string) map[string]string {
	fields := map[string]string{}
	for rest := strings.Trim(text, "{}"); rest != ""; rest = strings.TrimPrefix(rest, " ") {
		var pair [2]string
		for i := range pair {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				panic(fmt.Sprintf("quiesce: a hash is %s: %v", text, err))
			}
			pair[i], _ = strconv.Unquote(quoted)
			rest = strings.TrimPrefix(rest[len(quoted):], ":")
		}
		fields[pair[0]] = pair[1]
	}
	return fields
}

// item returns an item with all that identifies it.
func (s Items) item(name string) (sim.Item, bool) {
	s.Exists(name) // which is what counts as looked up
	for _, it := range s.view.state.Items(s.place, name) {
		if it.Name == name {
			return it, true
		}
	}
	return sim.Item{}, false
}

// Names returns the names of all items that begin with the prefix, in order.
func (s Items) Names(prefix string) (names []string) {
	for _, it := range s.view.state.Items(s.place, prefix) {
		names = append(names, it.Name)
	}
	return names
}

// Row returns a row of a table, by its primary key: one value for each column of that. A
// table without one has the rowid.
//
//	var price int
//	err := v.Row("db", "products", 1).Columns("price").Scan(&price)
func (v View) Row(db, table string, key ...any) Row {
	d := v.database(db, table)
	name := sqlite.ItemName(table, keys(table, key)...)
	text, ok := v.state.Value(d.name, name)
	return Row{db: d.name, name: name, text: text, found: ok}
}

// Rows returns all rows of a table, in the order of their keys.
func (v View) Rows(db, table string) (rows []Row) {
	d := v.database(db, table)
	for _, it := range v.state.Items(d.name, sqlite.ItemName(table)) {
		rows = append(rows, Row{db: d.name, name: it.Name, text: it.Value, found: true})
	}
	return rows
}

// database returns a database that has a table.
func (v View) database(name, table string) *Database {
	i := slices.Index(databaseNames(v.world), name)
	if i < 0 {
		panic(mistakenly("there is no database called %q; %s", name, there(databaseNames(v.world))))
	}
	d := v.world.databases[i]
	// Only without transactions may tasks make tables.
	if tables := d.store.Tables(); d.Mode != sqlite.InMemory && !slices.Contains(tables, table) {
		panic(mistakenly("there is no table %q in %s; %s", table, name, there(tables)))
	}
	return d
}

// ErrSnapshot is what a transaction gets that writes after a commit which its snapshot does not
// show, where PostgreSQL answers 40001. A service that hands it to its caller declares it:
//
//	p.Returns(ErrSoldOut, quiesce.ErrSnapshot)
var ErrSnapshot = sqlite.ErrSnapshot

// Errors of [View.Outcome] by which no task has answered.
var (
	ErrFailed  = errors.New("the task failed after a fault")
	ErrCrashed = errors.New("the process of the task crashed")
)

// Result decodes what a task of [Process.GoResult] has returned, as json.Unmarshal does. It
// returns false if the task has not finished, has crashed, or returned an error.
//
//	var p shop.Product
//	if v.Result("view", &p) && p.Price == 0 {
func (v View) Result(name string, value any) bool {
	text := v.result(name)
	if text == "" || v.outcome(text) != nil {
		return false
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		panic(mistakenly("the result of %s is %s, which cannot be decoded: %v", name, text, err))
	}
	return true
}

// Outcome returns with which error a task has ended: one of those that [Process.Returns]
// declares, [ErrFailed] or [ErrCrashed]. It is nil if the task has done its work, or has not
// finished.
func (v View) Outcome(name string) error { return v.outcome(v.result(name)) }

// Tasks returns what the tasks are called of which there are up to so many (see [UpTo]):
// view alone, or view-1, view-2 and so on.
func (v View) Tasks(name string) (names []string) {
	for _, in := range v.tasks {
		if in.task != nil && in.task.name == name {
			names = append(names, in.name)
		}
	}
	if names == nil {
		panic(mistakenly("there is no task called %q; %s", name, there(v.taskNames())))
	}
	return names
}

// result returns the result of a task as the simulation keeps it.
func (v View) result(name string) string {
	i := slices.IndexFunc(v.tasks, func(in instance) bool { return in.name == name && in.task != nil })
	if i < 0 {
		panic(mistakenly("there is no task called %q; %s", name, there(v.taskNames())))
	}
	if v.tasks[i].task.name != name {
		v.world.labelled.Store(true)
	}
	return v.state.Results[i]
}

// outcome returns the error that the result of a task stands for.
func (v View) outcome(text string) error {
	switch text {
	case "":
		return nil
	case sim.Failed:
		return ErrFailed
	case sim.Crashed:
		return ErrCrashed
	}
	for _, s := range v.world.servers {
		for _, o := range s.outcomes {
			if o.Error() == text {
				return o
			}
		}
	}
	return nil
}

func (v View) taskNames() (names []string) {
	for _, in := range v.tasks {
		if in.task != nil { // else it is a goroutine of one
			names = append(names, in.name)
		}
	}
	return names
}
