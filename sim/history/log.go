package history

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"quiesce/sim"
)

// A Kind says what an operation does with its key.
type Kind string

// The kinds.
const (
	Read  Kind = ""      // it returns the value
	Write Kind = "write" // it sets the value to Op.Value

	// Change is a write of which nobody knows beforehand what it sets, such as an
	// increment. Only a [Source] can tell, so properties without one refuse it.
	Change Kind = "change"
)

// An Op is an operation.
type Op struct {
	Name string // what it is called in the service, such as view
	Key  string
	Kind Kind // the zero value reads

	// Value is what a Write sets, and is known when it begins. Of a Read it is what it
	// returned, and of a Change it means nothing.
	Value string

	// Failed says that it returned an error, so nobody knows what it did.
	Failed bool
}

func (o Op) writes() bool { return o.Kind != Read }

// A Log records the operations of the tasks of one process. Of each task it holds the
// operation that goes on, or else the last one. It may be used by several goroutines.
type Log struct {
	// First says that of each task the first operation is the first thing that it does,
	// and asks for something. Then it begins with the first step of the task, and needs
	// no step of its own. A property whose log says so wrongly panics. The zero value is
	// always right.
	First bool

	process *sim.Process
	mu      sync.Mutex // never held across a request
	entries map[string]entry
}

// An entry is where a task is.
type entry struct {
	N int // of its operation, from 1
	Op
	Ended bool
}

// NewLog returns the log of a process, which has yet to show its Content.
func NewLog(p *sim.Process) *Log { return &Log{process: p, entries: map[string]entry{}} }

// Do calls f, which is the code of the operation, and returns its error. The value that
// it returns counts for a Read alone. It is called by the task with this name, or on
// behalf of it, which does one operation at a time: Do panics if another goes on.
func (l *Log) Do(task string, op Op, f func() (value string, err error)) error {
	n, goesOn := l.last(task)
	if goesOn {
		panic(fmt.Sprintf("history: %s begins the operation %s while another one of it goes on; a task does one after the other", task, op.Name))
	}
	if n > 0 || !l.First {
		l.process.Yield()
	}
	if op.Kind == Read {
		op.Value = ""
	}
	op.Failed = false
	l.put(task, entry{N: n + 1, Op: op})
	value, err := f()
	if l.process.Abandoned() {
		return err
	}
	if err == nil && op.Kind == Read {
		op.Value = value
	}
	op.Failed = err != nil
	l.put(task, entry{N: n + 1, Op: op, Ended: true})
	return err
}

func (l *Log) last(task string) (n int, goesOn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[task]
	return e.N, ok && !e.Ended
}

func (l *Log) put(task string, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[task] = e
}

// prefix is what the names of the items of a log begin with.
const prefix = "history/"

// Content returns what the log holds, for [sim.Process.Show], with whatever else the
// process shows:
//
//	p.Show(func() sim.Content { return append(mine(), log.Content()...) })
func (l *Log) Content() sim.Content {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := sim.Content{}
	for task, e := range l.entries {
		c = append(c, sim.Item{Name: prefix + task, Value: e.String()})
	}
	slices.SortFunc(c, func(a, b sim.Item) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// String returns the entry as a trace shows it, such as 2 view product:1 = 9900, and
// while it goes on 2 view product:1 … . A write is 1 update product:1 := 7900 done, and a
// change 1 raise product:1 += done.
func (e entry) String() string {
	words := []string{strconv.Itoa(e.N), word(e.Name), word(e.Key)}
	switch {
	case e.Kind == Write:
		words = append(words, ":=", word(e.Value))
	case e.Kind == Change:
		words = append(words, "+=")
	case e.Ended && !e.Failed:
		return strings.Join(append(words, "=", word(e.Value)), " ")
	}
	switch {
	case !e.Ended:
		words = append(words, "…")
	case e.Failed:
		words = append(words, "failed")
	default:
		words = append(words, "done")
	}
	return strings.Join(words, " ")
}

// parse reads what String has written.
func parse(text string) (e entry) {
	words := split(text)
	e.N, _ = strconv.Atoi(words[0])
	e.Name, e.Key = words[1], words[2]
	switch words[3] {
	case ":=":
		e.Kind, e.Value = Write, words[4]
	case "+=":
		e.Kind = Change
	case "=":
		e.Value, e.Ended = words[4], true
		return e
	}
	last := words[len(words)-1]
	e.Ended, e.Failed = last != "…", last == "failed"
	return e
}

// plain is what needs no quotes.
var plain = regexp.MustCompile(`^[\pL\pN_:./#@-]+$`)

// word returns a text so that split finds its end.
func word(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// split returns the words of a text.
func split(text string) (words []string) {
	for text != "" {
		if quoted, err := strconv.QuotedPrefix(text); err == nil {
			value, _ := strconv.Unquote(quoted)
			words = append(words, value)
			text = strings.TrimPrefix(text[len(quoted):], " ")
			continue
		}
		var next string
		next, text, _ = strings.Cut(text, " ")
		words = append(words, next)
	}
	return words
}

// entries returns what the logs of all processes hold, by task.
func entries(v sim.View) map[string]entry {
	all := map[string]entry{}
	for _, m := range v.Memories {
		for _, it := range m {
			task, ok := strings.CutPrefix(it.Name, prefix)
			if !ok {
				continue
			}
			all[task] = parse(it.Value)
		}
	}
	return all
}
